//! Lines with their length before them: the form of everything that Git's protocol says.
//!
//! **Invariant:** no more is kept than the longest packet and one read.

use super::BadAnswer;

/// The longest packet that Git writes, its length included.
pub(crate) const PACKET_MAX: usize = 65_520;

/// Digits of a length.
const DIGITS: usize = 4;

/// Read bytes are moved to the front of the buffer no more often than this.
const TIDY_BYTES: usize = 64 << 10;

/// One packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packet<'p> {
    /// The end of a message.
    Flush,
    /// The end of one part of a message.
    Delimiter,
    /// The end of an answer.
    End,
    /// Content.
    Data(&'p [u8]),
}

impl<'p> Packet<'p> {
    /// A line of text, without its end; an `ERR` line is the server's refusal.
    pub(crate) fn line(self) -> Result<Option<&'p [u8]>, BadAnswer> {
        let Self::Data(data) = self else { return Ok(None) };
        if let Some(words) = data.strip_prefix(b"ERR ") {
            return Err(BadAnswer::told(words));
        }
        Ok(Some(data.strip_suffix(b"\n").unwrap_or(data)))
    }
}

/// Splits bytes into packets.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    buffer: Vec<u8>,
    from: usize,
}

impl Decoder {
    /// Where further bytes are added.
    pub(crate) fn room(&mut self) -> &mut Vec<u8> {
        if self.from >= TIDY_BYTES || self.from == self.buffer.len() {
            self.buffer.drain(..self.from);
            self.from = 0;
        }
        &mut self.buffer
    }

    /// Whether a whole packet is here.
    pub(crate) fn is_ready(&self) -> Result<bool, BadAnswer> {
        let here = self.buffer.len().saturating_sub(self.from);
        Ok(self.length()?.is_some_and(|it| here >= it.max(DIGITS)))
    }

    /// Takes the packet that is ready.
    pub(crate) fn take(&mut self) -> Result<Packet<'_>, BadAnswer> {
        let length = self.length()?.ok_or(BadAnswer::Cut)?;
        let begin = self.from + DIGITS;
        self.from += length.max(DIGITS);
        match length {
            0 => Ok(Packet::Flush),
            1 => Ok(Packet::Delimiter),
            2 => Ok(Packet::End),
            _ => self.buffer.get(begin..self.from).map(Packet::Data).ok_or(BadAnswer::Cut),
        }
    }

    /// The length that the next packet says, once its digits are here.
    fn length(&self) -> Result<Option<usize>, BadAnswer> {
        let Some(digits) = self.buffer.get(self.from..self.from + DIGITS) else { return Ok(None) };
        let length = digits.iter().try_fold(0, |sum, digit| {
            let value = char::from(*digit).to_digit(16)? as usize;
            Some(sum * 16 + value)
        });
        match length {
            None => Err(BadAnswer::Malformed("a packet's length is not four hexadecimal digits")),
            Some(3) => Err(BadAnswer::Malformed("a packet has length 3")),
            Some(length) if length > PACKET_MAX => {
                Err(BadAnswer::Malformed("a packet is longer than 65520 bytes"))
            }
            Some(length) => Ok(Some(length)),
        }
    }
}

/// Adds a packet with this content, which the agent made itself: it is short.
pub(crate) fn write(into: &mut Vec<u8>, content: &str) {
    into.extend_from_slice(format!("{:04x}{content}", content.len() + DIGITS).as_bytes());
}

/// Adds the end of a message.
pub(crate) fn write_flush(into: &mut Vec<u8>) {
    into.extend_from_slice(b"0000");
}

/// Adds the end of a part of a message.
pub(crate) fn write_delimiter(into: &mut Vec<u8>) {
    into.extend_from_slice(b"0001");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(bytes: &[u8]) -> Result<Option<String>, BadAnswer> {
        let mut decoder = Decoder::default();
        decoder.room().extend_from_slice(bytes);
        if !decoder.is_ready()? {
            return Ok(None);
        }
        decoder.take().map(|it| Some(format!("{it:?}")))
    }

    #[test]
    fn packets_are_split_by_the_length_they_say() {
        for (bytes, expected) in [
            (&b"0000"[..], Some("Flush")),
            (b"0001", Some("Delimiter")),
            (b"0002", Some("End")),
            (b"0004", Some("Data([])")),
            (b"0006ab", Some("Data([97, 98])")),
            (b"0006abtrailing", Some("Data([97, 98])")),
            (b"0006a", None),
            (b"000", None),
            (b"", None),
            (b"fff0", None),
            (b"FFF0", None),
        ] {
            assert_eq!(first(bytes).unwrap().as_deref(), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_length_that_no_packet_has_is_malformed() {
        for bytes in
            [&b"0003"[..], b"fff1", b"ffff", b"+005a", b"00g5", b"HTTP", b" 005", b"\0\0\0\0"]
        {
            assert!(matches!(first(bytes), Err(BadAnswer::Malformed(_))), "{bytes:?}");
        }
    }

    #[test]
    fn a_servers_refusal_is_never_taken_for_content() {
        assert_eq!(Packet::Data(b"ERR no\n").line(), Err(BadAnswer::Told("no".to_owned())));
        assert_eq!(Packet::Data(b"ERRATA\n").line(), Ok(Some(&b"ERRATA"[..])));
        assert_eq!(Packet::Flush.line(), Ok(None));
    }

    #[test]
    fn what_was_read_is_not_kept() {
        let mut decoder = Decoder::default();
        let packet = [b"fff0".as_slice(), &vec![b'x'; PACKET_MAX - DIGITS]].concat();
        for _ in 0..100 {
            decoder.room().extend_from_slice(&packet);
            assert!(decoder.is_ready().unwrap());
            assert!(matches!(decoder.take(), Ok(Packet::Data(data)) if data.len() == 65_516));
        }
        assert!(decoder.buffer.len() <= 3 * PACKET_MAX, "{}", decoder.buffer.len());
    }
}
