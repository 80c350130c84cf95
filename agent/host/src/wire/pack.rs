//! The answer to a fetch: up to the pack, and the pack out of its side bands.
//!
//! **Invariant:** nothing is passed on but the pack's own bytes, in their order.

use super::packet::Packet;
use super::{BadAnswer, Packets, Stream};

/// Lines of agreement before a pack: with `done` there is at most one per commit that was named.
const AGREEMENT_MAX: usize = 256;

/// Words on a server's progress, which nobody reads: they were asked to be left out.
const PROGRESS_BYTES_MAX: usize = 1 << 20;

/// Reads the parts of a version-2 answer before the pack.
pub(crate) fn find_in_version_2<S: Stream>(packets: &mut Packets<S>) -> Result<(), S::Failure> {
    let mut is_agreement = false;
    for _ in 0..AGREEMENT_MAX {
        let packet = packets.next()?;
        let line = packet.line()?;
        match (packet, line) {
            (_, Some(b"packfile")) => return Ok(()),
            (_, Some(b"shallow-info")) => return Err(BadAnswer::Shallow.into()),
            (_, Some(b"acknowledgments")) => is_agreement = true,
            (_, Some(_)) | (Packet::Delimiter, _) if is_agreement => {}
            // A server that is not ready to send says so by ending here.
            (Packet::Flush, _) => return Err(BadAnswer::Malformed("there is no pack").into()),
            _ => return Err(BadAnswer::Malformed("the answer has an unknown part").into()),
        }
    }
    Err(BadAnswer::Endless("256 lines before the pack").into())
}

/// Passes a pack on as it comes, up to its end. In version 0 lines of agreement stand before it.
pub(crate) fn receive<S: Stream>(
    packets: &mut Packets<S>,
    mut take: impl FnMut(&[u8]) -> Result<(), S::Failure>,
) -> Result<(), S::Failure> {
    let (mut progress, mut agreement) = (0, 0);
    loop {
        let packet = packets.next()?;
        let Packet::Data(data) = packet else {
            if packet == Packet::Flush {
                return Ok(());
            }
            return Err(BadAnswer::Malformed("the pack ends in an unknown way").into());
        };
        let Some((band, rest)) = data.split_first() else {
            return Err(BadAnswer::Malformed("a packet of the pack is empty").into());
        };
        match band {
            1 => take(rest)?,
            2 => {
                // Each counts as a few bytes at least, so that empty ones end as well.
                progress += data.len() + 4;
                if progress > PROGRESS_BYTES_MAX {
                    return Err(BadAnswer::Endless("1 MiB of words on its progress").into());
                }
            }
            3 => return Err(BadAnswer::told(rest).into()),
            _ if data.starts_with(b"NAK") || data.starts_with(b"ACK ") => {
                agreement += 1;
                if agreement > AGREEMENT_MAX {
                    return Err(BadAnswer::Endless("256 lines before the pack").into());
                }
            }
            _ => {
                packet.line()?;
                return Err(BadAnswer::Malformed("the pack is not on a side band").into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::write;
    use super::super::tests::Pieces;
    use super::*;

    fn bytes(lines: &[&str], end: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in lines {
            match *line {
                "|" => bytes.extend_from_slice(b"0001"),
                line => write(&mut bytes, line),
            }
        }
        bytes.extend_from_slice(end.as_bytes());
        bytes
    }

    fn received(lines: &[&str], end: &str) -> Result<String, BadAnswer> {
        let bytes = bytes(lines, end);
        let mut pack = Vec::new();
        receive(&mut Packets::of(Pieces(&bytes, 5)), |piece| {
            pack.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(String::from_utf8(pack).unwrap())
    }

    #[test]
    fn only_the_pack_is_passed_on() {
        let lines = ["\u{1}PA", "\u{2}Counting\r", "\u{1}", "\u{1}CK"];
        assert_eq!(received(&lines, "0000").unwrap(), "PACK");
        assert_eq!(received(&["NAK\n", "\u{1}PACK"], "0000").unwrap(), "PACK");
        let id = "a".repeat(40);
        assert_eq!(received(&[&format!("ACK {id}\n"), "\u{1}PACK"], "0000").unwrap(), "PACK");
    }

    #[test]
    fn a_pack_that_is_cut_off_or_refused_is_no_pack() {
        let chatty: Vec<String> = (0..40).map(|_| format!("\u{2}{}", "x".repeat(60_000))).collect();
        let chatty: Vec<&str> = chatty.iter().map(String::as_str).collect();
        for (lines, end, code) in [
            (vec!["\u{1}PACK"], "", "remote-protocol"),
            (vec!["\u{1}PACK"], "0001", "remote-protocol"),
            (vec!["\u{1}PACK"], "0003", "remote-protocol"),
            (vec!["\u{1}PA", "\u{3}out of memory\n"], "0000", "remote-refused"),
            (vec!["ERR not our ref\n"], "0000", "remote-refused"),
            (vec![""], "0000", "remote-protocol"),
            (vec!["PACK"], "0000", "remote-protocol"),
            (vec!["\u{4}x"], "0000", "remote-protocol"),
            (vec!["NAK\n"; 300], "0000", "too-large"),
            (chatty, "0000", "too-large"),
        ] {
            let failure = received(&lines, end).unwrap_err();
            assert_eq!(failure.code(), code, "{end}: {failure}");
        }
    }

    #[test]
    fn the_parts_before_a_pack_are_known_or_refused() {
        let many: Vec<&str> = std::iter::once("acknowledgments\n").chain(["NAK\n"; 300]).collect();
        for (lines, end, code) in [
            (vec!["packfile\n"], "", None),
            (vec!["acknowledgments\n", "NAK\n", "ready\n", "|", "packfile\n"], "", None),
            (vec!["shallow-info\n", "shallow x\n"], "", Some("remote-shallow")),
            (vec!["packfile-uris\n"], "", Some("remote-protocol")),
            (vec!["acknowledgments\n", "NAK\n"], "0000", Some("remote-protocol")),
            (vec!["|"], "", Some("remote-protocol")),
            (vec![], "0000", Some("remote-protocol")),
            (vec!["ERR upload-pack: not our ref\n"], "", Some("remote-refused")),
            (many, "", Some("too-large")),
        ] {
            let bytes = bytes(&lines, end);
            let found = find_in_version_2(&mut Packets::of(Pieces(&bytes, 3)));
            assert_eq!(found.as_ref().err().map(BadAnswer::code), code, "{lines:?} {found:?}");
        }
    }
}
