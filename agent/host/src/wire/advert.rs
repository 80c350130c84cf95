//! What a server says first, unasked: its version, what it can do, and in version 0 all its references.
//!
//! **Invariant:** what is not said to be possible is not asked for.

use super::packet::Packet;
use super::refs::Refs;
use super::{BadAnswer, Packets, Stream};

/// Lines of abilities; Git's own servers have some ten.
const ABILITIES_MAX: usize = 200;

/// What version 0 calls the reference of a repository that has none.
const NO_REFERENCE: &str = "capabilities^{}";

/// A server's first words.
#[derive(Debug)]
pub(crate) enum Advert {
    /// It speaks version 2, and waits for commands.
    Version2,
    /// It speaks version 0, and has named its references.
    Version0 {
        /// Those that were wanted.
        refs: Refs,
        /// Of its abilities those that a fetch uses, as they are asked for.
        abilities: String,
    },
}

impl Advert {
    /// Reads the first words of a web server, which may name the service before.
    pub(crate) fn read_from_web<S: Stream>(
        packets: &mut Packets<S>,
        wanted: &[&str],
    ) -> Result<Self, S::Failure> {
        let first = packets.next()?.line()?.unwrap_or_default().to_vec();
        if !first.starts_with(b"# service=") {
            return Self::after(packets, &first, wanted);
        }
        if packets.next()? != Packet::Flush {
            return Err(BadAnswer::Malformed("the service's name is not alone").into());
        }
        Self::read(packets, wanted)
    }

    /// Reads the first words up to their end.
    pub(crate) fn read<S: Stream>(
        packets: &mut Packets<S>,
        wanted: &[&str],
    ) -> Result<Self, S::Failure> {
        let first = packets.next()?.line()?.unwrap_or_default().to_vec();
        Self::after(packets, &first, wanted)
    }

    fn after<S: Stream>(
        packets: &mut Packets<S>,
        first: &[u8],
        wanted: &[&str],
    ) -> Result<Self, S::Failure> {
        match first {
            b"" => Err(BadAnswer::Malformed("the server's first words are missing").into()),
            b"version 2" => read_abilities(packets),
            b"version 1" => {
                let line = packets.next()?.line()?.unwrap_or_default().to_vec();
                read_version_0(packets, &line, wanted)
            }
            line => read_version_0(packets, line, wanted),
        }
    }
}

/// The abilities of a server of version 2: it must know both commands, and name objects by SHA-1.
fn read_abilities<S: Stream>(packets: &mut Packets<S>) -> Result<Advert, S::Failure> {
    let (mut lists, mut fetches) = (false, false);
    for _ in 0..ABILITIES_MAX {
        let packet = packets.next()?;
        if packet == Packet::Flush {
            if lists && fetches {
                return Ok(Advert::Version2);
            }
            return Err(BadAnswer::Malformed("the server knows neither ls-refs nor fetch").into());
        }
        let line = packet.line()?.unwrap_or_default();
        let (name, value) = split(line);
        lists |= name == b"ls-refs";
        fetches |= name == b"fetch";
        if name == b"object-format" && value != b"sha1" {
            return Err(BadAnswer::ObjectFormat(super::bad_answer::plain(value)).into());
        }
    }
    Err(BadAnswer::Endless("200 lines of abilities").into())
}

fn split(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|it| *it == b'=') {
        Some(at) => (line.get(..at).unwrap_or_default(), line.get(at + 1..).unwrap_or_default()),
        None => (line, &[]),
    }
}

/// The references of a server of version 0; its abilities stand behind the first one's NUL.
fn read_version_0<S: Stream>(
    packets: &mut Packets<S>,
    first: &[u8],
    wanted: &[&str],
) -> Result<Advert, S::Failure> {
    let at = first.iter().position(|it| *it == 0);
    let (line, after) = match at {
        Some(at) => (first.get(..at).unwrap_or_default(), first.get(at + 1..).unwrap_or_default()),
        None => return Err(BadAnswer::Malformed("the server says nothing of its abilities").into()),
    };
    let abilities = abilities_of(after)?;
    let mut refs = Refs::wanted(wanted);
    let is_none = line.strip_suffix(NO_REFERENCE.as_bytes()).is_some_and(|it| it.ends_with(b" "));
    if !is_none {
        refs.take(line)?;
    }
    loop {
        let packet = packets.next()?;
        let Some(line) = packet.line()? else {
            if packet == Packet::Flush {
                return Ok(Advert::Version0 { refs, abilities });
            }
            return Err(BadAnswer::Malformed("references end in an unknown way").into());
        };
        if line.starts_with(b"shallow ") {
            return Err(BadAnswer::Shallow.into());
        }
        refs.take(line)?;
    }
}

/// Which of a server's abilities a fetch asks for. Without a side band nothing could be told apart.
fn abilities_of(said: &[u8]) -> Result<String, BadAnswer> {
    let said = String::from_utf8_lossy(said);
    let said: Vec<&str> = said.split_whitespace().collect();
    let format = said.iter().find_map(|it| it.strip_prefix("object-format="));
    if let Some(format) = format.filter(|it| *it != "sha1") {
        return Err(BadAnswer::ObjectFormat(super::bad_answer::plain(format.as_bytes())));
    }
    if !said.contains(&"side-band-64k") {
        return Err(BadAnswer::Malformed("the server cannot send packs on a side band"));
    }
    let useful = ["side-band-64k", "ofs-delta", "no-progress"];
    let useful: Vec<&str> = useful.into_iter().filter(|it| said.contains(it)).collect();
    Ok(useful.join(" "))
}

#[cfg(test)]
mod tests {
    use super::super::packet::write;
    use super::super::tests::Pieces;
    use super::*;

    const MAIN: &str = "refs/heads/main";
    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn read(lines: &[&str], end: &str) -> Result<Advert, BadAnswer> {
        let mut bytes = Vec::new();
        for line in lines {
            write(&mut bytes, &line.replace("ID", A));
        }
        bytes.extend_from_slice(end.as_bytes());
        Advert::read(&mut Packets::of(Pieces(&bytes, 7)), &[MAIN])
    }

    #[test]
    fn both_versions_are_told_apart() {
        let lines = [
            "version 2\n",
            "agent=git/2\n",
            "ls-refs=unborn\n",
            "fetch=shallow\n",
            "object-format=sha1\n",
        ];
        assert!(matches!(read(&lines, "0000").unwrap(), Advert::Version2));
        let old = "ID HEAD\0multi_ack thin-pack side-band side-band-64k ofs-delta agent=git/2\n";
        for lines in
            [vec![old, "ID refs/heads/main\n"], vec!["version 1\n", old, "ID refs/heads/main\n"]]
        {
            let Advert::Version0 { refs, abilities } = read(&lines, "0000").unwrap() else {
                panic!("{lines:?}")
            };
            assert_eq!(refs.found(), [Some(A.parse().unwrap())]);
            assert_eq!(abilities, "side-band-64k ofs-delta");
        }
    }

    #[test]
    fn an_empty_repository_of_version_0_has_no_reference() {
        let first = format!("{} capabilities^{{}}\0side-band-64k\n", "0".repeat(40));
        let Advert::Version0 { refs, .. } = read(&[&first], "0000").unwrap() else { panic!() };
        assert!(refs.is_empty());
    }

    #[test]
    fn first_words_that_cannot_be_used_are_refused() {
        let many: Vec<&str> = std::iter::once("version 2\n").chain(["x\n"; 300]).collect();
        for (lines, end, code) in [
            (vec![], "0000", "remote-protocol"),
            (vec!["version 2\n"], "0000", "remote-protocol"),
            (vec!["version 2\n", "ls-refs\n"], "0000", "remote-protocol"),
            (vec!["version 2\n", "ls-refs\n", "fetch\n"], "", "remote-protocol"),
            (vec!["version 2\n", "object-format=sha256\n"], "0000", "object-format"),
            (many, "0000", "too-large"),
            (vec!["ID HEAD\n"], "0000", "remote-protocol"),
            (vec!["ID HEAD\0ofs-delta\n"], "0000", "remote-protocol"),
            (vec!["ID HEAD\0side-band-64k object-format=sha256\n"], "0000", "object-format"),
            (vec!["ID HEAD\0side-band-64k\n", "shallow ID\n"], "0000", "remote-shallow"),
            (vec!["ID HEAD\0side-band-64k\n"], "0001", "remote-protocol"),
            (vec!["ERR access denied\n"], "0000", "remote-refused"),
            (vec!["Welcome to this machine!\n"], "0000", "remote-protocol"),
        ] {
            let failure = read(&lines, end).unwrap_err();
            assert_eq!(failure.code(), code, "{lines:?}: {failure}");
        }
    }
}
