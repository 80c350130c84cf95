//! Reading of SSH's wire encoding (RFC 4251): numbers, strings, big integers.
//!
//! **Invariant:** nothing is read past the end, and nothing is allocated by a length that a stranger
//! wrote.

/// A reader that only goes forward. `None` means: not of this form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        let (number, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(u32::from_be_bytes(*number))
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        let (number, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(u64::from_be_bytes(*number))
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Takes exactly these bytes.
    pub(crate) fn literal(&mut self, expected: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(expected)?;
        Some(())
    }

    /// A length and as many bytes.
    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        let (string, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(string)
    }

    /// A positive big integer, without its sign byte. Only the shortest form is taken, so that one
    /// key has one encoding.
    pub(crate) fn positive(&mut self) -> Option<&'a [u8]> {
        match self.string()? {
            [0, rest @ ..] if rest.first().is_some_and(|next| *next >= 0x80) => Some(rest),
            number if number.first().is_some_and(|it| (1..0x80).contains(it)) => Some(number),
            _ => None,
        }
    }

    /// Makes sure that nothing is left.
    pub(crate) fn end(self) -> Option<()> {
        self.rest.is_empty().then_some(())
    }
}

/// Writes a length and the bytes.
pub(crate) fn push_string(out: &mut Vec<u8>, string: &[u8]) {
    // Longer strings than 4 GiB are never written here; one would only fail to verify.
    let length = u32::try_from(string.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(string);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_beyond_the_end_reads_nothing() {
        assert_eq!(Reader::new(&[0, 0, 0, 2, 1]).string(), None);
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff]).string(), None);
        assert_eq!(Reader::new(&[0, 0]).u32(), None);
    }

    #[test]
    fn big_integers_have_one_form() {
        let read = |bytes: &[u8]| {
            let mut wire = Vec::new();
            push_string(&mut wire, bytes);
            Reader::new(&wire).positive().map(<[u8]>::to_vec)
        };
        assert_eq!(read(&[0x7f]), Some(vec![0x7f]));
        assert_eq!(read(&[0, 0x80]), Some(vec![0x80]));
        for bad in [&[][..], &[0], &[0, 0x7f], &[0x80], &[0, 0, 0x80]] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn what_is_left_over_is_seen() {
        let mut reader = Reader::new(b"ab");
        assert_eq!(reader.literal(b"a"), Some(()));
        assert_eq!(reader.end(), None);
        assert_eq!(reader.byte(), Some(b'b'));
        assert_eq!(reader.end(), Some(()));
    }
}
