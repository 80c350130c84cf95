//! Names: short texts that stand for something, each with its own alphabet.
//!
//! **Invariant:** a name that exists is within its alphabet and its length.

use crate::word::word;

/// Longest name, as for a DNS name (RFC 1035).
const NAME_LENGTH: usize = 253;

/// Longest label value, and name part of a label key, as in Kubernetes.
const LABEL_LENGTH: usize = 63;

/// Longest unit name that systemd takes (`UNIT_NAME_MAX`).
const UNIT_LENGTH: usize = 255;

/// Longest user name that useradd makes (`UT_NAMESIZE`).
const ACCOUNT_LENGTH: usize = 32;

/// What systemd calls a unit by its last part.
const UNIT_KINDS: [&str; 11] = [
    "service",
    "socket",
    "timer",
    "target",
    "path",
    "mount",
    "automount",
    "swap",
    "slice",
    "scope",
    "device",
];

word!(
    /// The name of a manifest; unique for its kind.
    Name,
    "a name of a-z, 0-9, `.`, `_` and `-` that begins and ends with a letter or digit",
    "^[a-z0-9]([a-z0-9._-]{0,251}[a-z0-9])?$",
    |text| {
        let within = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
        check_ends(text, within, b"._-", NAME_LENGTH)
    }
);

word!(
    /// The key of a label or annotation, or the name of a fact: `role`, `bowline/ticket`, `os.family`.
    Key,
    "a key such as `role`, `os.family` or `example.org/tier`",
    "^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$",
    |text| {
        let (prefix, name) = text.rsplit_once('/').map_or((None, text), |(a, b)| (Some(a), b));
        if let Some(prefix) = prefix {
            let within = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
            check_ends(prefix, within, b".-", NAME_LENGTH)?;
        }
        check_ends(name, |it| it.is_ascii_alphanumeric(), b"._-", LABEL_LENGTH)
    }
);

word!(
    /// The value of a label.
    Label,
    "a text of at most 63 letters, digits, `.`, `_` and `-`",
    "^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$",
    |text| match text {
        "" => Ok(()),
        _ => check_ends(text, |it| it.is_ascii_alphanumeric(), b"._-", LABEL_LENGTH),
    }
);

word!(
    /// The full name of a systemd unit, with its kind.
    UnitName,
    "a unit's full name such as `shop.service`",
    "^[A-Za-z0-9:_.\\\\@-]+\\.(service|socket|timer|target|path|mount|automount|swap|slice|scope|device)$",
    |text| {
        let Some((stem, kind)) = text.rsplit_once('.') else {
            return Err("has no ending such as `.service`");
        };
        if !UNIT_KINDS.contains(&kind) {
            return Err("has no ending that systemd knows");
        }
        let within = |it: u8| it.is_ascii_alphanumeric() || br":_.\@-".contains(&it);
        // A leading dash would be taken for an option by the service manager.
        if stem.is_empty() || stem.starts_with('-') || !stem.bytes().all(within) {
            return Err("holds characters that no unit name may hold");
        }
        limit(text, UNIT_LENGTH)
    }
);

word!(
    /// The name of a file that is added to a unit.
    DropInName,
    "a file name that ends with .conf, such as 10-limits.conf",
    "^[A-Za-z0-9_][A-Za-z0-9._-]*\\.conf$",
    |text| {
        let Some(stem) = text.strip_suffix(".conf") else {
            return Err("does not end with .conf, so no service manager reads it");
        };
        let first = stem.bytes().next();
        // Hidden files are not read, and a dash would be taken for an option.
        if !first.is_some_and(|it| it.is_ascii_alphanumeric() || it == b'_') {
            return Err("does not begin with a letter, a digit or `_`");
        }
        let within = |it: u8| it.is_ascii_alphanumeric() || b"._-".contains(&it);
        if !stem.bytes().all(within) {
            return Err("holds other characters than letters, digits, `.`, `_` and `-`");
        }
        limit(text, UNIT_LENGTH)
    }
);

word!(
    /// A user or group: its name, or its number in quotes.
    Account,
    "the name of a user or group, or its number in quotes",
    "^([a-z_][a-z0-9_-]{0,30}[a-z0-9_$-]?|[0-9]{1,10})$",
    |text| {
        if !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit()) {
            // 2³² − 1 means "leave as it is" to chown.
            let number = text.parse::<u32>().ok().filter(|it| *it != u32::MAX);
            let plain = number.is_some_and(|it| it.to_string() == text);
            return plain.then_some(()).ok_or("is no number of a user or group");
        }
        let stem = text.strip_suffix('$').unwrap_or(text);
        let first = stem.bytes().next();
        if !first.is_some_and(|it| it.is_ascii_lowercase() || it == b'_') {
            return Err("does not begin with a small letter or `_`");
        }
        let within = |it: u8| {
            it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_' || it == b'-'
        };
        if !stem.bytes().all(within) {
            return Err("holds other characters than a-z, 0-9, `_` and `-`");
        }
        limit(text, ACCOUNT_LENGTH)
    }
);

impl Account {
    /// Who owns what says nothing else.
    pub fn root() -> Self {
        Self("root".into())
    }
}

fn check_ends(
    text: &str,
    alphabet: fn(u8) -> bool,
    inside: &[u8],
    longest: usize,
) -> Result<(), &'static str> {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return Err("is empty");
    };
    if !bytes.iter().all(|it| alphabet(*it) || inside.contains(it)) {
        return Err("holds other characters");
    }
    if !alphabet(*first) || !alphabet(*last) {
        return Err("begins or ends with a mark");
    }
    limit(text, longest)
}

fn limit(text: &str, longest: usize) -> Result<(), &'static str> {
    if text.len() > longest { Err("is too long") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::word::Word;

    fn reads<W: Word>(good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(text.parse::<W>().is_ok(), "{text:?} is {}", W::EXPECTED);
        }
        for text in bad {
            assert!(text.parse::<W>().is_err(), "{text:?} is not {}", W::EXPECTED);
        }
    }

    #[test]
    fn each_name_has_its_alphabet_and_length() {
        let (long, longer) = ("a".repeat(253), "a".repeat(254));
        reads::<Name>(
            &["web-config", "a", "0", "shop.service", "a_b", &long],
            &["", "-a", "a-", ".a", "Web", "a/b", "a b", "ä", "../x", &longer],
        );
        reads::<Key>(
            &["role", "os.family", "bowline/ticket", "example.org/Tier"],
            &["", "/a", "a/", "a/b/c", "-a", "a b", &"k".repeat(64)],
        );
        reads::<Label>(&["", "web", "4.7.0", "A_b"], &["a b", "-a", "a/b", &"v".repeat(64)]);
        reads::<UnitName>(
            &["shop.service", "app@1.service", r"dev-x\x2d.mount"],
            &["shop", "shop.txt", ".service", "-x.service", "a b.service", "a/b.service"],
        );
        reads::<DropInName>(
            &["10-limits.conf", "a.b.conf", "_x.conf"],
            &["", ".conf", "limits", "a/b.conf", "-a.conf", ".a.conf", "a b.conf"],
        );
        reads::<Account>(
            &["root", "_apt", "www-data", "pc$", "0", "1000", "4294967294"],
            &["", "Root", "1a", "a b", "01", "-1", "4294967295", "a:b", &"u".repeat(33)],
        );
    }
}
