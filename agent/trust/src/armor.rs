//! The armour of SSH signatures: base64 between a BEGIN and an END line.
//!
//! **Invariant:** only what OpenSSH writes is read: line feeds, never carriage returns, nothing
//! before BEGIN and nothing but empty lines after END.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::bad_signature::BadSignature;

/// The line that begins an SSH signature.
pub(crate) const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";

/// Ten times an RSA signature of 16384 bits with its key.
const LARGEST: usize = 64 << 10;

/// OpenSSH's length of a line; only used for writing.
const LINE: usize = 70;

/// Undoes the armour.
pub(crate) fn undo(text: &[u8]) -> Result<Vec<u8>, BadSignature> {
    let wrong = |what: &str| BadSignature::Malformed(format!("signature armour {what}"));
    if text.len() > LARGEST {
        return Err(wrong("is larger than 64 KiB"));
    }
    let text = str::from_utf8(text).map_err(|_not_text| wrong("is not text"))?;
    let body = text
        .strip_prefix(BEGIN)
        .and_then(|rest| rest.strip_prefix('\n'))
        .ok_or_else(|| wrong("does not begin with its BEGIN line"))?;
    let (body, after) = body.split_once(END).ok_or_else(|| wrong("has no END line"))?;
    if !body.ends_with('\n') || after.bytes().any(|byte| byte != b'\n') {
        return Err(wrong("does not stop at its END line"));
    }
    // A carriage return is no letter of base64, and neither marker line allows one.
    let letters: String = body.split('\n').collect();
    STANDARD.decode(letters).map_err(|_bad| wrong("holds bad base64"))
}

/// Puts bytes into armour.
pub fn put_on(blob: &[u8]) -> String {
    let letters = STANDARD.encode(blob);
    let mut text = format!("{BEGIN}\n");
    let mut rest = letters.as_str();
    // Base64 is ASCII, so any place is good for a cut.
    while let Some((line, after)) = rest.split_at_checked(LINE) {
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    if !rest.is_empty() {
        text.push_str(rest);
        text.push('\n');
    }
    text.push_str(END);
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_on_comes_off() {
        for length in [1, 51, 52, 53, 105, 1000] {
            let blob = vec![7; length];
            assert_eq!(undo(put_on(&blob).as_bytes()).unwrap(), blob, "{length}");
        }
    }

    #[test]
    fn other_armour_is_refused() {
        let good = put_on(b"hello");
        let cases = [
            ("carriage returns", good.replace('\n', "\r\n")),
            ("before BEGIN", format!("x\n{good}")),
            ("after END", format!("{good}x")),
            ("no END", good.replace(END, "")),
            ("another kind", good.replace("SSH", "PGP")),
            ("space in base64", good.replace("aGVs", "aG Vs")),
            ("url alphabet", good.replace("aGVs", "aG-_")),
            ("no padding", good.replace('=', "")),
            ("END inside a line", good.replace("\n-----END", "-----END")),
            ("too large", put_on(&vec![0; LARGEST])),
        ];
        for (what, text) in cases {
            assert!(undo(text.as_bytes()).is_err(), "{what}");
        }
        assert!(undo(&[0xff]).is_err());
    }

    #[test]
    fn empty_lines_after_the_end_are_let_through() {
        assert!(undo(format!("{}\n\n", put_on(b"hello")).as_bytes()).is_ok());
    }
}
