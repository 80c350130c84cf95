//! Records the system calls of a program with `strace`, and reads them back.
//!
//! **Invariant:** what cannot be read ends the test; no call is passed over in silence.

use std::collections::BTreeMap;
use std::path::Path;

/// Every call that can change a file, its names or its durability; `?` passes over those that an
/// architecture does not have.
const CALLS: &[&str] = &[
    "open",
    "openat",
    "openat2",
    "creat",
    "lseek",
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "ftruncate",
    "truncate",
    "fallocate",
    "rename",
    "renameat",
    "renameat2",
    "mkdir",
    "mkdirat",
    "rmdir",
    "unlink",
    "unlinkat",
    "symlink",
    "symlinkat",
    "link",
    "linkat",
    "mknod",
    "mknodat",
    "chmod",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "chown",
    "lchown",
    "fchown",
    "fchownat",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "removexattr",
    "lremovexattr",
    "fremovexattr",
    "fsync",
    "fdatasync",
    "syncfs",
    "sync",
    "sync_file_range",
    "msync",
    "copy_file_range",
    "sendfile",
    "splice",
    "io_uring_setup",
];

/// Longest string that is recorded: no file of the tests is larger.
const STRING_MAX: &str = "16777216";

/// One argument of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// A string in quotes.
    Text(Vec<u8>),
    /// An open file: its number (`None` for the working folder) and what it is.
    Handle(Option<u32>, String),
    /// Anything else, as it is written.
    Plain(String),
}

/// One call that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub words: Vec<Word>,
    /// What it gave.
    pub gave: u64,
}

/// The command line that records the calls of the program that follows it.
pub fn recorder(tape: &Path) -> Vec<String> {
    let calls: Vec<String> = CALLS.iter().map(|name| format!("?{name}")).collect();
    let options = ["strace", "-f", "-qq", "-y", "-xx", "-s", STRING_MAX, "-e", "signal=none", "-e"];
    let rest = [format!("trace={}", calls.join(",")), "-o".to_owned(), tape.display().to_string()];
    options.map(str::to_owned).into_iter().chain(rest).collect()
}

/// Reads what `strace -f -y -xx` wrote, in the order in which calls returned.
pub fn read(text: &str) -> Vec<Call> {
    let mut begun: BTreeMap<&str, &str> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        let (process, rest) = line.split_once(' ').unwrap();
        let rest = rest.trim_start();
        if rest.starts_with("+++") || rest.starts_with("---") {
            continue;
        }
        if let Some(begin) = rest.strip_suffix("<unfinished ...>") {
            begun.insert(process, begin);
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let (_, end) = resumed.split_once(" resumed>").unwrap();
            let begin = begun.remove(process).unwrap();
            calls.extend(read_call(&format!("{}{end}", begin.trim_end())));
        } else {
            calls.extend(read_call(rest));
        }
    }
    calls
}

/// `name(words) = gave`; `None` for a call that failed or never returned.
fn read_call(line: &str) -> Option<Call> {
    let (call, gave) = line.rsplit_once(" = ").unwrap_or_else(|| panic!("unreadable: {line}"));
    let number: String = gave.chars().take_while(|it| it.is_ascii_alphanumeric()).collect();
    if !number.starts_with(|it: char| it.is_ascii_digit()) {
        return None;
    }
    let (name, words) = call.split_once('(').unwrap();
    let words = words.trim_end().strip_suffix(')').unwrap();
    let words = split(words).into_iter().map(read_word).collect();
    Some(Call { name: name.to_owned(), words, gave: read_number(&number) })
}

/// Splits at commas that stand in no bracket; strings and paths hold none, as they are in hex.
fn split(words: &str) -> Vec<&str> {
    let (mut found, mut depth, mut from) = (Vec::new(), 0_usize, 0);
    for (at, sign) in words.char_indices() {
        match sign {
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                found.push(words[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    found.push(words[from..].trim());
    found
}

fn read_word(word: &str) -> Word {
    if let Some(text) = word.strip_prefix('"') {
        let text = text.strip_suffix('"').unwrap_or_else(|| panic!("cut short: {word}"));
        return Word::Text(unescape(text));
    }
    match word.split_once('<') {
        Some((number, path)) if number == "AT_FDCWD" || number.parse::<u32>().is_ok() => {
            let path = String::from_utf8(unescape(path.trim_end_matches('>'))).unwrap();
            Word::Handle(number.parse().ok(), path)
        }
        _ => Word::Plain(word.to_owned()),
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4);
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        if let ([b'\\'], [b'x', high, low, after @ ..]) = (&[*first], after) {
            let pair = [*high, *low];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&pair).unwrap(), 16).unwrap());
            rest = after;
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    bytes
}

/// A number as strace writes it: decimal, `0x…` or, for modes, `0…`.
pub fn read_number(text: &str) -> u64 {
    let number = match (text.strip_prefix("0x"), text.strip_prefix('0')) {
        (Some(hex), _) => u64::from_str_radix(hex, 16),
        (None, Some(octal)) if !octal.is_empty() => u64::from_str_radix(octal, 8),
        _ => text.parse(),
    };
    number.unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_whole_also_when_another_came_between() {
        let text = "7 openat(AT_FDCWD</\\x61>, \"\\x62\\x2f\", O_RDWR|O_CREAT, 0600 <unfinished ...>\n\
                    8 fsync(3</\\x61>)     = -1 EIO (Input/output error)\n\
                    7 <... openat resumed>) = 4</\\x61/\\x62>\n\
                    7 openat2(4</\\x61>, \"\\x63\", {flags=O_PATH, resolve=A|B}, 24) = 5</\\x64>\n\
                    7 +++ exited with 0 +++\n";
        let calls = read(text);
        let here = |number| Word::Handle(number, "/a".to_owned());
        let plain = |text: &str| Word::Plain(text.to_owned());
        assert_eq!(calls.len(), 2, "{calls:?}");
        let made = [here(None), Word::Text(b"b/".to_vec()), plain("O_RDWR|O_CREAT"), plain("0600")];
        assert_eq!((calls[0].name.as_str(), calls[0].gave), ("openat", 4));
        assert_eq!(calls[0].words, made);
        assert_eq!(calls[1].words[2], plain("{flags=O_PATH, resolve=A|B}"));
    }
}
