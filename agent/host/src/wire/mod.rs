//! The fetching side of Git's protocol: version 2, and version 0 where a server knows no other.
//!
//! **Invariant:** nothing here connects or waits: bytes come from a [`Stream`], requests go out as bytes.
//! **Invariant:** every length, line and count of an answer has a limit.

pub(crate) mod packet;
pub(crate) mod request;
pub(crate) mod refs;
pub(crate) mod advert;
pub(crate) mod pack;
pub(crate) mod bad_answer;

pub(crate) use bad_answer::BadAnswer;

use packet::{Decoder, Packet};

/// Where the bytes of an answer come from.
pub(crate) trait Stream {
    /// How it fails; also how an answer that makes no sense is told.
    type Failure: From<BadAnswer>;

    /// Adds the next bytes; `false` at the end.
    fn more(&mut self, into: &mut Vec<u8>) -> Result<bool, Self::Failure>;
}

/// The packets of a stream, one by one.
#[derive(Debug)]
pub(crate) struct Packets<S> {
    stream: S,
    decoder: Decoder,
}

impl<S: Stream> Packets<S> {
    /// Reads packets from a stream.
    pub(crate) fn of(stream: S) -> Self {
        Self { stream, decoder: Decoder::default() }
    }

    /// The next packet; a stream that ends before it is cut off.
    pub(crate) fn next(&mut self) -> Result<Packet<'_>, S::Failure> {
        while !self.decoder.is_ready()? {
            if !self.stream.more(self.decoder.room())? {
                return Err(BadAnswer::Cut.into());
            }
        }
        Ok(self.decoder.take()?)
    }

    /// The stream itself: to write to, or to end.
    pub(crate) fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Gives the stream back.
    pub(crate) fn into_stream(self) -> S {
        self.stream
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A stream of bytes that are all there, given in pieces of some size.
    pub(crate) struct Pieces<'b>(pub(crate) &'b [u8], pub(crate) usize);

    impl Stream for Pieces<'_> {
        type Failure = BadAnswer;

        fn more(&mut self, into: &mut Vec<u8>) -> Result<bool, BadAnswer> {
            let (now, later) = self.0.split_at(self.1.min(self.0.len()));
            into.extend_from_slice(now);
            self.0 = later;
            Ok(!now.is_empty())
        }
    }

    #[test]
    fn an_answer_that_breaks_off_anywhere_is_never_taken_for_one() {
        let id = "a".repeat(40);
        let (mut refs, mut sent) = (Vec::new(), Vec::new());
        packet::write(&mut refs, &format!("{id} refs/heads/main\n"));
        packet::write_flush(&mut refs);
        packet::write(&mut sent, "packfile\n");
        packet::write(&mut sent, "\u{1}PACK");
        packet::write_flush(&mut sent);
        for length in 0..refs.len() {
            let mut packets = Packets::of(Pieces(&refs[..length], 5));
            let mut wanted = refs::Refs::wanted(&["refs/heads/main"]);
            assert_eq!(wanted.read(&mut packets), Err(BadAnswer::Cut), "{length}");
        }
        for length in 0..sent.len() {
            let mut packets = Packets::of(Pieces(&sent[..length], 5));
            let read = pack::find_in_version_2(&mut packets)
                .and_then(|()| pack::receive(&mut packets, |_| Ok(())));
            assert_eq!(read, Err(BadAnswer::Cut), "{length}");
        }
    }

    #[test]
    fn packets_are_the_same_however_their_bytes_arrive() {
        let bytes = b"0008abcd00010005x0000";
        for size in 1..=bytes.len() {
            let mut packets = Packets::of(Pieces(bytes, size));
            assert_eq!(packets.next().unwrap(), Packet::Data(b"abcd"));
            assert_eq!(packets.next().unwrap(), Packet::Delimiter);
            assert_eq!(packets.next().unwrap(), Packet::Data(b"x"));
            assert_eq!(packets.next().unwrap(), Packet::Flush);
            assert!(matches!(packets.next(), Err(BadAnswer::Cut)));
        }
    }
}
