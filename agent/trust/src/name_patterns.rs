//! OpenSSH's lists of name patterns: commas between, `*` and `?` within, `!` before what is not meant.
//!
//! **Invariant:** one `!` pattern that fits takes the name out, whatever else fits.

/// As long as the names that are looked up in it: keeps looking quick.
const LONGEST: usize = 1024;

/// Whether a list means a name.
pub(crate) fn mean(list: &str, name: &str) -> bool {
    if list.len() > LONGEST || name.len() > LONGEST {
        return false;
    }
    let mut is_meant = false;
    for pattern in list.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if fits(pattern.as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None => is_meant |= fits(pattern.as_bytes(), name.as_bytes()),
        }
    }
    is_meant
}

/// Whether one pattern fits all of a name. A `*` that took too little takes one byte more, the last one first: no more
/// steps than the lengths multiplied.
fn fits(mut pattern: &[u8], mut name: &[u8]) -> bool {
    let mut again: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), name.split_first()) {
            (Some((b'*', rest)), _) => {
                again = Some((rest, name));
                pattern = rest;
            }
            (None, None) => return true,
            (Some((letter, rest)), Some((first, after))) if *letter == b'?' || letter == first => {
                (pattern, name) = (rest, after);
            }
            _ => {
                let Some((rest, [_, after @ ..])) = again else { return false };
                again = Some((rest, after));
                (pattern, name) = (rest, after);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_meant_as_openssh_means_them() {
        for (list, name, expected) in [
            ("alice", "alice", true),
            ("alice", "alic", false),
            ("alice", "alices", false),
            ("bob,alice", "alice", true),
            ("*", "alice", true),
            ("*", "", true),
            ("al?ce", "alice", true),
            ("al?ce", "alce", false),
            ("*@ops", "alice@ops", true),
            ("*@ops", "alice@ops.example", false),
            ("a*c*e", "alicee", true),
            ("a*c*e", "alicex", false),
            ("*,!alice", "alice", false),
            ("!alice,*", "alice", false),
            ("!bob,*", "alice", true),
            ("!bob", "alice", false),
            ("", "alice", false),
        ] {
            assert_eq!(mean(list, name), expected, "{list} {name}");
        }
        let slow = format!("{}b", "*a".repeat(400));
        assert!(!mean(&slow, &"a".repeat(1000)));
    }
}
