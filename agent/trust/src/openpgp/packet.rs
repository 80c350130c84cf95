//! The packets of `OpenPGP`: a tag, a length, a body (RFC 4880, part 4).
//!
//! **Invariant:** a length is written out whole; partial and indeterminate ones belong to streams, not to
//! keys and signatures.

/// Far above any real key file; each packet costs a look.
const PACKETS_MAX: usize = 10_000;

/// A packet's kind and its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    pub(super) tag: u8,
    pub(super) body: &'a [u8],
}

/// All packets of a block; `None` when it is not of that form.
pub(super) fn read(mut rest: &[u8]) -> Option<Vec<Packet<'_>>> {
    let mut packets = Vec::new();
    while !rest.is_empty() {
        if packets.len() == PACKETS_MAX {
            return None;
        }
        let (first, after) = rest.split_first()?;
        let (tag, length, after) = match first {
            // The old form: the length's own length is in the last two bits.
            0x80..=0xbf => {
                let (length, after) = old_length(first & 3, after)?;
                ((first >> 2) & 0x0f, length, after)
            }
            0xc0.. => {
                let (length, after) = length(after)?;
                (first & 0x3f, length, after)
            }
            _ => return None,
        };
        let (body, after) = after.split_at_checked(length)?;
        packets.push(Packet { tag, body });
        rest = after;
    }
    Some(packets)
}

fn old_length(kind: u8, bytes: &[u8]) -> Option<(usize, &[u8])> {
    match kind {
        0 => bytes.split_first().map(|(it, rest)| (usize::from(*it), rest)),
        1 => bytes.split_first_chunk().map(|(it, rest)| (u16::from_be_bytes(*it).into(), rest)),
        2 => {
            let (length, rest) = bytes.split_first_chunk()?;
            Some((usize::try_from(u32::from_be_bytes(*length)).ok()?, rest))
        }
        _ => None,
    }
}

/// A length in the new form, which subpackets have as well.
pub(super) fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    match first {
        0..=191 => Some((usize::from(*first), rest)),
        192..=223 => {
            let (second, rest) = rest.split_first()?;
            Some((((usize::from(*first) - 192) << 8) + usize::from(*second) + 192, rest))
        }
        255 => {
            let (length, rest) = rest.split_first_chunk()?;
            Some((usize::try_from(u32::from_be_bytes(*length)).ok()?, rest))
        }
        _ => None,
    }
}

/// A big integer: its bits, then its bytes. Large forges write the bits of all bytes, zeros included.
pub(super) fn number<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (bits, rest) = bytes.split_first_chunk()?;
    let (number, rest) =
        rest.split_at_checked(usize::from(u16::from_be_bytes(*bits)).div_ceil(8))?;
    *bytes = rest;
    let zeros = number.iter().take_while(|it| **it == 0).count();
    number.get(zeros..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read_in_every_form_that_names_its_length() {
        let body = [7; 300];
        for (head, count) in [
            (&[0x88, 2][..], 2),
            (&[0x89, 1, 44], 300),
            (&[0x8a, 0, 0, 1, 44], 300),
            (&[0xc2, 191], 191),
            (&[0xc2, 192, 108], 300),
            (&[0xc2, 255, 0, 0, 1, 44], 300),
        ] {
            let bytes = [head, &body[..count]].concat();
            assert_eq!(
                read(&bytes),
                Some(vec![Packet { tag: 2, body: &body[..count] }]),
                "{head:?}"
            );
            assert_eq!(read(&bytes[..bytes.len() - 1]), None, "{head:?} cut off");
        }
        for bad in [&[0x8b, 1, 1][..], &[0xc2, 224, 1], &[0x02, 1, 1], &[0x8a, 255, 255, 255, 255]]
        {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_number_is_read_without_the_zeros_before_it() {
        let read = |mut bytes: &[u8]| number(&mut bytes).map(<[u8]>::to_vec);
        for (bytes, expected) in [
            (&[0, 9, 1, 255][..], Some(vec![1, 255])),
            (&[0, 16, 1, 255], Some(vec![1, 255])),
            (&[0, 16, 0, 255], Some(vec![255])),
            (&[0, 0], Some(vec![])),
            (&[0, 9, 1], None),
            (&[0], None),
        ] {
            assert_eq!(read(bytes), expected, "{bytes:?}");
        }
    }
}
