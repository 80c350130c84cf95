//! The references that a server names, of which only those that were asked for are kept.
//!
//! **Invariant:** a name that stands twice, or that is no name, ends the answer: nobody guesses.

use bowline_model::object_id::ObjectId;

use super::packet::Packet;
use super::{BadAnswer, Packets, Stream};

/// Servers that ignore prefixes, and those of version 0, name all they have: 100,000 branches fit.
const LINES_MAX: usize = 200_000;

/// The same in bytes.
const BYTES_MAX: usize = 16 << 20;

/// The references that are asked for, and what they were found to be.
#[derive(Debug, Clone)]
pub(crate) struct Refs {
    wanted: Vec<(String, Option<ObjectId>)>,
    lines: usize,
    bytes: usize,
}

impl Refs {
    /// Nothing found yet of these names.
    pub(crate) fn wanted(names: &[&str]) -> Self {
        let wanted = names.iter().map(|it| ((*it).to_owned(), None)).collect();
        Self { wanted, lines: 0, bytes: 0 }
    }

    /// What was found for each name, in the order in which they were asked for.
    pub(crate) fn found(&self) -> Vec<Option<ObjectId>> {
        self.wanted.iter().map(|(_, id)| *id).collect()
    }

    /// Whether the server named any reference at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines == 0
    }

    /// Reads the answer to `ls-refs`, up to its end.
    pub(crate) fn read<S: Stream>(&mut self, packets: &mut Packets<S>) -> Result<(), S::Failure> {
        loop {
            match packets.next()? {
                Packet::Flush => return Ok(()),
                Packet::Delimiter | Packet::End => {
                    return Err(BadAnswer::Malformed("references end in an unknown way").into());
                }
                line @ Packet::Data(_) => self.take(line.line()?.unwrap_or_default())?,
            }
        }
    }

    /// Takes one line: an id, a name, and what else the server says of it.
    pub(crate) fn take(&mut self, line: &[u8]) -> Result<(), BadAnswer> {
        self.lines += 1;
        self.bytes += line.len();
        if self.lines > LINES_MAX {
            return Err(BadAnswer::Endless("200000 references"));
        }
        if self.bytes > BYTES_MAX {
            return Err(BadAnswer::Endless("16 MiB of references"));
        }
        let text = std::str::from_utf8(line);
        let text = text.map_err(|_| BadAnswer::Malformed("a reference is not UTF-8"))?;
        let (id, rest) =
            text.split_once(' ').ok_or(BadAnswer::Malformed("a reference has no name"))?;
        // Attributes follow: where a symbolic reference leads, what a tag names.
        let name = rest.split(' ').next().unwrap_or_default();
        let id: ObjectId =
            id.parse().map_err(|_| BadAnswer::Malformed("a reference names no object"))?;
        if !is_name(name) {
            return Err(BadAnswer::Malformed("a reference has an impossible name"));
        }
        let ObjectId::Sha1(_) = id else {
            return Err(BadAnswer::ObjectFormat("SHA-256".to_owned()));
        };
        match self.wanted.iter_mut().find(|(it, _)| it == name) {
            Some((_, Some(_))) => Err(BadAnswer::Malformed("a reference stands twice")),
            Some((_, slot)) => {
                *slot = Some(id);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// Whether a server may call a reference so; `HEAD` and what a tag names (`^{}`) included.
fn is_name(name: &str) -> bool {
    let name = name.strip_suffix("^{}").unwrap_or(name);
    let forbidden = |it: char| it.is_control() || " ~^:?*[\\".contains(it);
    let plain = |it: &str| !it.is_empty() && !it.starts_with('.');
    // Git's own limit for a path.
    name.len() <= 4_096 && !name.contains(forbidden) && name.split('/').all(plain)
}

#[cfg(test)]
mod tests {
    use super::super::tests::Pieces;
    use super::*;

    const MAIN: &str = "refs/heads/main";
    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn read(lines: &[String], end: &str) -> Result<Vec<Option<ObjectId>>, BadAnswer> {
        let mut bytes = Vec::new();
        for line in lines {
            super::super::packet::write(&mut bytes, line);
        }
        bytes.extend_from_slice(end.as_bytes());
        let mut refs = Refs::wanted(&[MAIN, "refs/notes/attestations"]);
        refs.read(&mut Packets::of(Pieces(&bytes, 999)))?;
        Ok(refs.found())
    }

    #[test]
    fn only_what_was_asked_for_is_kept() {
        let b = "b".repeat(40);
        let found = read(
            &[
                format!("{A} HEAD symref-target:refs/heads/main\n"),
                format!("{A} refs/heads/main\n"),
                format!("{b} refs/heads/main2\n"),
                format!("{b} refs/tags/v1 peeled:{A}\n"),
                format!("{b} refs/tags/v1^{{}}"),
            ],
            "0000",
        );
        assert_eq!(found.unwrap(), [Some(A.parse().unwrap()), None]);
        assert_eq!(read(&[], "0000").unwrap(), [None, None]);
    }

    #[test]
    fn references_that_make_no_sense_end_the_answer() {
        let line = |text: &str| vec![text.replace("ID", A)];
        let twice = vec![format!("{A} {MAIN}\n"), format!("{A} {MAIN}\n")];
        for (lines, end, code) in [
            (line("ID refs/heads/main\n"), "", "remote-protocol"),
            (line("ID refs/heads/main\n"), "0001", "remote-protocol"),
            (line("ID refs/heads/main\n"), "0002", "remote-protocol"),
            (line("ID refs/heads/main\n"), "0003", "remote-protocol"),
            (line("ID\n"), "0000", "remote-protocol"),
            (line("\n"), "0000", "remote-protocol"),
            (line("ID \n"), "0000", "remote-protocol"),
            (line("ID  refs/heads/main\n"), "0000", "remote-protocol"),
            (line("unborn HEAD\n"), "0000", "remote-protocol"),
            (line(&format!("{} refs/heads/main\n", "A".repeat(40))), "0000", "remote-protocol"),
            (line(&format!("{} refs/heads/main\n", "a".repeat(39))), "0000", "remote-protocol"),
            (line(&format!("{} refs/heads/main\n", "a".repeat(64))), "0000", "object-format"),
            (line("ID refs/heads/ma\0in\n"), "0000", "remote-protocol"),
            (line("ID refs/heads/\x1b[2J\n"), "0000", "remote-protocol"),
            (line("ID refs/../../etc/passwd\n"), "0000", "remote-protocol"),
            (line("ID refs//main\n"), "0000", "remote-protocol"),
            (line("ERR repository not found\n"), "0000", "remote-refused"),
            (twice, "0000", "remote-protocol"),
        ] {
            assert_eq!(read(&lines, end).unwrap_err().code(), code, "{lines:?} {end}");
        }
    }

    #[test]
    fn endless_references_end_the_answer() {
        struct Flood(usize);
        impl Stream for Flood {
            type Failure = BadAnswer;
            fn more(&mut self, into: &mut Vec<u8>) -> Result<bool, BadAnswer> {
                for at in self.0..self.0 + 100 {
                    super::super::packet::write(into, &format!("{A} refs/heads/{at}\n"));
                }
                self.0 += 100;
                Ok(true)
            }
        }
        let mut refs = Refs::wanted(&[MAIN]);
        let failure = refs.read(&mut Packets::of(Flood(0))).unwrap_err();
        assert!(matches!(failure, BadAnswer::Endless(_)), "{failure}");
    }
}
