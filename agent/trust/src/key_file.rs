//! Files of public keys: `.pub`, `authorized_keys`, `allowed_signers`.
//!
//! **Invariant:** a line that is not understood is an error, not a line less. OpenSSH skips it, which
//! turns a typing error into a silent change of who is trusted.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use thiserror::Error;

use crate::signature::GIT_NAMESPACE;
use crate::ssh_key::{BadKey, SshKey};

/// Far above any real list; keeps reading it quick.
const LARGEST: usize = 1 << 20;

/// One usable key of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedKey {
    /// The key.
    pub key: SshKey,
    /// What the line calls it: its principals, else its comment, else nothing. Of an authority it is the list of patterns
    /// for which it may vouch.
    pub name: String,
    /// What it does.
    pub role: Role,
    /// From then on it counts.
    pub valid_after: Option<Timestamp>,
    /// Up to and including then it counts.
    pub valid_before: Option<Timestamp>,
}

/// What a listed key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It signs.
    Signer,
    /// It vouches for keys that sign, in certificates.
    Authority,
}

/// A file of keys that cannot be used.
#[derive(Debug, Error)]
pub enum BadKeyFile {
    /// It is no text of moderate size.
    #[error("the key file is not UTF-8 text of at most 1 MiB")]
    NotText,
    /// A line is wrong.
    #[error("line {line} of the key file: {what}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// A line's key is wrong.
    #[error("line {line} of the key file holds no usable key")]
    Key {
        /// Its number, from 1.
        line: usize,
        /// Why.
        #[source]
        source: BadKey,
    },
}

/// Reads a file of public keys.
///
/// Keys of kinds that are not verified here are left out, as are keys for other namespaces.
///
/// # Errors
/// When a line is no key line.
pub fn read(bytes: &[u8]) -> Result<Vec<ListedKey>, BadKeyFile> {
    if bytes.len() > LARGEST {
        return Err(BadKeyFile::NotText);
    }
    let text = str::from_utf8(bytes).map_err(|_bad| BadKeyFile::NotText)?;
    let mut keys = Vec::new();
    for (place, line) in text.lines().enumerate() {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            keys.extend(read_line(place + 1, line)?);
        }
    }
    Ok(keys)
}

fn read_line(line: usize, text: &str) -> Result<Option<ListedKey>, BadKeyFile> {
    let wrong = |what: &str| BadKeyFile::Line { line, what: what.to_owned() };
    let words = split_words(text).ok_or_else(|| wrong("a quote is not closed"))?;
    let place = words.iter().position(|word| is_key_type(word));
    let place = place.ok_or_else(|| wrong("no key type was found"))?;
    let before = words.get(..place).unwrap_or_default();
    let rest = words.get(place..).unwrap_or_default();
    let [name, letters, comment @ ..] = rest else {
        return Err(wrong("a key type stands without its key"));
    };
    // Two words before the type are principals and options; one is either.
    let (principals, options) = match before {
        [] => (None, ""),
        [one] if is_options(one) => (None, *one),
        [one] => (Some(*one), ""),
        [principals, options] => (Some(*principals), *options),
        _ => {
            return Err(wrong("more than principals and options stand before the key"));
        }
    };
    let options = Options::read(options).map_err(|what| wrong(&what))?;
    let key = match SshKey::from_line(&format!("{name} {letters}")) {
        Ok(key) => key,
        Err(BadKey::Unsupported(_)) => return Ok(None),
        Err(source) => return Err(BadKeyFile::Key { line, source }),
    };
    if options.role == Role::Authority && principals.is_none() {
        return Err(wrong("an authority stands without the principals that it may name"));
    }
    let listed = ListedKey {
        key,
        role: options.role,
        name: principals.map_or_else(|| comment.join(" "), str::to_owned),
        valid_after: options.valid_after,
        valid_before: options.valid_before,
    };
    Ok(options.for_git.then_some(listed))
}

fn is_key_type(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-", "rsa-sha2-", "webauthn-"].iter().any(|it| word.starts_with(it))
        && !word.contains(['=', ',', '"'])
        // A mail address may begin like a key type; a key type's own "@" is OpenSSH's.
        && (!word.contains('@') || word.ends_with("@openssh.com"))
}

fn is_options(word: &str) -> bool {
    let first = word.split([',', '=']).next().unwrap_or_default();
    ["cert-authority", "namespaces", "valid-after", "valid-before"]
        .iter()
        .any(|known| first.eq_ignore_ascii_case(known))
}

/// Splits at white space outside of quotes.
fn split_words(line: &str) -> Option<Vec<&str>> {
    let mut quoted = false;
    let words = line
        .split(|it: char| {
            quoted ^= it == '"';
            it.is_ascii_whitespace() && !quoted
        })
        .filter(|word| !word.is_empty())
        .collect();
    (!quoted).then_some(words)
}

/// The options of one line.
struct Options {
    role: Role,
    for_git: bool,
    valid_after: Option<Timestamp>,
    valid_before: Option<Timestamp>,
}

impl Options {
    fn read(text: &str) -> Result<Self, String> {
        let mut options =
            Self { role: Role::Signer, for_git: true, valid_after: None, valid_before: None };
        let mut quoted = false;
        let parts = text.split(|it: char| {
            quoted ^= it == '"';
            it == ',' && !quoted
        });
        for part in parts.filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim_matches('"');
            match name.to_ascii_lowercase().as_str() {
                "cert-authority" => options.role = Role::Authority,
                "namespaces" => {
                    options.for_git = value.split(',').any(|it| it == GIT_NAMESPACE || it == "*");
                }
                "valid-after" => options.valid_after = Some(read_time(value)?),
                "valid-before" => options.valid_before = Some(read_time(value)?),
                other => return Err(format!("option {other:?} is not supported")),
            }
        }
        Ok(options)
    }
}

/// `YYYYMMDD[HHMM[SS]]Z`. OpenSSH reads a time without `Z` by the clock on the wall, which differs
/// from host to host.
fn read_time(text: &str) -> Result<Timestamp, String> {
    let digits = text.strip_suffix('Z').unwrap_or_default();
    let full = match digits.len() {
        8 => format!("{digits}000000"),
        12 => format!("{digits}00"),
        _ => digits.to_owned(),
    };
    DateTime::strptime("%Y%m%d%H%M%S", &full)
        .ok()
        .filter(|_| full.len() == 14)
        .and_then(|time| time.to_zoned(TimeZone::UTC).ok())
        .map(|time| time.timestamp())
        .ok_or_else(|| format!("{text:?} is not a time, write YYYYMMDDHHMMSSZ"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIADOCCUoN3Q1UPQqUvp845fKy7haJH17qsSkVXzWXilW";

    #[test]
    fn every_usual_form_of_a_line_is_read() {
        for (line, name) in [
            (KEY.to_owned(), ""),
            (format!("{KEY} alice at home"), "alice at home"),
            (format!("alice@example.org {KEY} comment"), "alice@example.org"),
            (format!("ssh-fan@example.org {KEY}"), "ssh-fan@example.org"),
            (format!("a,b namespaces=\"file,git\",valid-after=\"20260101Z\" {KEY}"), "a,b"),
            (format!("namespaces=\"git\" {KEY} c"), "c"),
        ] {
            let keys = read(format!("# list\n\n{line}\n").as_bytes()).unwrap();
            assert_eq!(keys.len(), 1, "{line}");
            assert_eq!(keys[0].name, name, "{line}");
        }
    }

    #[test]
    fn keys_that_do_not_count_here_are_left_out() {
        for line in [
            format!("a namespaces=\"file\" {KEY}"),
            "ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjE=".to_owned(),
        ] {
            assert!(read(line.as_bytes()).unwrap().is_empty(), "{line}");
        }
    }

    #[test]
    fn a_line_that_is_not_understood_is_an_error() {
        for line in [
            "hello".to_owned(),
            "ssh-ed25519".to_owned(),
            "ssh-ed25519 !!!!".to_owned(),
            KEY.replace("ssh-ed25519", "ssh-rsa"),
            format!("a no-touch-required {KEY}"),
            format!("cert-authority {KEY}"),
            format!("a namespaces=\"git {KEY}"),
            format!("a b c {KEY}"),
            format!("a valid-after=\"20260101\" {KEY}"),
            format!("a valid-before=\"20261301Z\" {KEY}"),
        ] {
            assert!(read(line.as_bytes()).is_err(), "{line}");
        }
    }

    #[test]
    fn windows_are_read_as_utc() {
        let line = format!("a valid-after=\"20260102Z\",valid-before=\"202601030405Z\" {KEY}");
        let keys = read(line.as_bytes()).unwrap();
        assert_eq!(keys[0].valid_after, "2026-01-02T00:00:00Z".parse().ok());
        assert_eq!(keys[0].valid_before, "2026-01-03T04:05:00Z".parse().ok());
    }
}
