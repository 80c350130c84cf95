//! What can be wrong with a server's answer.
//!
//! **Invariant:** a server's own words are shown short and without control characters.

use thiserror::Error;

/// A server's words are shown up to here; longer ones only push away what was being done.
const WORDS_MAX: usize = 300;

/// An answer that is not used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadAnswer {
    /// It ends in the middle.
    #[error("the answer breaks off")]
    Cut,
    /// It is not Git's protocol.
    #[error("the answer is not Git's protocol: {0}")]
    Malformed(&'static str),
    /// The server says why it does not answer.
    #[error("the server says: {0}")]
    Told(String),
    /// It goes on for too long.
    #[error("the answer has more than {0}")]
    Endless(&'static str),
    /// The server has only a part of the history.
    #[error("the server's own repository is shallow: a part of the history is not there")]
    Shallow,
    /// Objects are named in another way.
    #[error("the repository names its objects by {0}, which this version does not read")]
    ObjectFormat(String),
}

impl BadAnswer {
    /// What a server said, fit to be shown.
    pub(crate) fn told(words: &[u8]) -> Self {
        Self::Told(plain(words))
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Cut | Self::Malformed(_) => "remote-protocol",
            Self::Told(_) => "remote-refused",
            Self::Endless(_) => "too-large",
            Self::Shallow => "remote-shallow",
            Self::ObjectFormat(_) => "object-format",
        }
    }
}

/// Words of a stranger on one line: no control characters, not too many.
pub(crate) fn plain(words: &[u8]) -> String {
    // Four bytes are the longest letter: so many are looked at, and no more.
    let words = String::from_utf8_lossy(words.get(..WORDS_MAX * 4).unwrap_or(words));
    let shown = words.chars().map(|it| if it.is_whitespace() { ' ' } else { it });
    let shown: String = shown.filter(|it| !it.is_control()).take(WORDS_MAX).collect();
    shown.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_words_are_shown_short_and_plain() {
        for (words, shown) in [
            (&b"access denied\n"[..], "access denied"),
            (b"\x1b[31mred\x1b[0m\x07", "[31mred[0m"),
            (b"one\r\ntwo", "one  two"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
            (b"", ""),
        ] {
            assert_eq!(BadAnswer::told(words), BadAnswer::Told(shown.to_owned()));
        }
        let BadAnswer::Told(shown) = BadAnswer::told(&vec![b'x'; 100_000]) else { panic!() };
        assert_eq!(shown.len(), WORDS_MAX);
    }
}
