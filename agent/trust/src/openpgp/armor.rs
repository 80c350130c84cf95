//! The armour of `OpenPGP`: base64 between a BEGIN and an END line, with a checksum (RFC 4880, part 6).
//!
//! **Invariant:** nothing stands before BEGIN, and nothing but empty lines after END: one armour, one block.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::bad_signature::BadSignature;

/// The line that begins a block of keys.
pub(crate) const BEGIN_KEYS: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";

/// What an armour says that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Signature,
    PublicKey,
}

impl Holds {
    fn words(self) -> &'static str {
        match self {
            Self::Signature => "PGP SIGNATURE",
            Self::PublicKey => "PGP PUBLIC KEY BLOCK",
        }
    }
}

/// Undoes the armour.
pub(super) fn undo(text: &[u8], holds: Holds) -> Result<Vec<u8>, BadSignature> {
    let wrong = |what: &str| BadSignature::Malformed(format!("{} {what}", holds.words()));
    let text = str::from_utf8(text).map_err(|_not_text| wrong("is not text"))?;
    let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    if lines.next() != Some(&format!("-----BEGIN {}-----", holds.words())) {
        return Err(wrong("does not begin with its BEGIN line"));
    }
    // "Version: …" and the like say nothing that counts; an empty line ends them.
    let is_header = |line: &str| line.contains(": ");
    let blank = lines.find(|line| !is_header(line));
    if blank.is_none_or(|line| !line.trim().is_empty()) {
        return Err(wrong("has no empty line before what it holds"));
    }
    let end = format!("-----END {}-----", holds.words());
    let mut letters = String::new();
    let mut sum = None;
    let mut is_ended = false;
    for line in lines.by_ref() {
        if line == end {
            is_ended = true;
            break;
        }
        match line.strip_prefix('=') {
            _ if sum.is_some() => return Err(wrong("goes on after its checksum")),
            Some(rest) if rest.len() == 4 => sum = Some(rest),
            _ => letters.push_str(line),
        }
    }
    if !is_ended || lines.any(|line| !line.trim().is_empty()) {
        return Err(wrong("does not stop at its END line"));
    }
    let bytes = STANDARD.decode(letters).map_err(|_bad| wrong("holds bad base64"))?;
    if let Some(sum) = sum {
        let sum = STANDARD.decode(sum).map_err(|_bad| wrong("has a bad checksum"))?;
        if sum != crc24(&bytes) {
            return Err(wrong("does not fit its checksum"));
        }
    }
    Ok(bytes)
}

fn crc24(bytes: &[u8]) -> [u8; 3] {
    let mut sum: u32 = 0x00b7_04ce;
    for byte in bytes {
        sum ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            sum <<= 1;
            if sum & 0x0100_0000 != 0 {
                sum ^= 0x0186_4cfb;
            }
        }
    }
    let [_, first, second, third] = sum.to_be_bytes();
    [first, second, third]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `gpg --enarmor` makes of "hello", with the name of a signature.
    const GOOD: &str = "-----BEGIN PGP SIGNATURE-----\nComment: x\n\naGVsbG8=\n=R/WK\n-----END PGP SIGNATURE-----\n";

    #[test]
    fn what_stands_between_the_lines_is_read() {
        let none = GOOD.replace("=R/WK\n", "");
        let many = GOOD.replace("aGVsbG8=", "aGVs\nbG8=");
        for text in [GOOD, &none, &many, &GOOD.replace('\n', "\r\n")] {
            assert_eq!(undo(text.as_bytes(), Holds::Signature).as_deref(), Ok(&b"hello"[..]));
        }
    }

    #[test]
    fn other_armour_is_refused() {
        for (what, text) in [
            ("before BEGIN", format!("x\n{GOOD}")),
            ("after END", format!("{GOOD}x")),
            ("twice", format!("{GOOD}{GOOD}")),
            ("no END", GOOD.replace("-----END", "")),
            ("a key", GOOD.replace("SIGNATURE", "PUBLIC KEY BLOCK")),
            ("a wrong checksum", GOOD.replace("=R/WK", "=R/WL")),
            ("more after the checksum", GOOD.replace("=R/WK", "=R/WK\nAAAA")),
            ("no empty line", GOOD.replace("\n\n", "\n")),
            ("bad base64", GOOD.replace("aGVs", "a!Vs")),
        ] {
            let found = undo(text.as_bytes(), Holds::Signature);
            assert!(matches!(found, Err(BadSignature::Malformed(_))), "{what}: {found:?}");
        }
    }
}
