//! What commits are for: everybody, or the tests of one host.
//!
//! **Invariant:** the same reader finds the trailer for either purpose, so no commit is good for both.
//! **Invariant:** the trailer lies in what the signature covers.

use crate::commit::Commit;
use crate::verdict::{Code, Refusal};
use crate::walk::Link;

/// The trailer by which a signer says on which host a commit is tried out.
pub const TRAILER: &str = "Bowline-Testing";

/// For whom a walk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// Every host: a merge.
    Everybody,
    /// The tests of the host of this name.
    Tests(&'a str),
}

impl Purpose<'_> {
    /// Demands that every commit was signed for this.
    pub(crate) fn demand(self, links: &[Link<'_>]) -> Result<(), Refusal> {
        links.iter().try_for_each(|link| {
            let judge = |commit: Commit| self.judge(&hosts(&commit.payload));
            link.commit().and_then(judge).map_err(|refusal| refusal.at(link.evidence.id))
        })
    }

    fn judge(self, named: &[&[u8]]) -> Result<(), Refusal> {
        match self {
            Self::Everybody if named.is_empty() => Ok(()),
            Self::Everybody => {
                let name = String::from_utf8_lossy(named.first().copied().unwrap_or_default());
                let detail = format!("it was signed for tests on {name:?} alone");
                Err(Refusal::of(Code::TestingOnly, detail))
            }
            Self::Tests(host) if named == [host.as_bytes()] => Ok(()),
            Self::Tests(host) => {
                let detail = format!("its message does not end with `{TRAILER}: {host}`");
                Err(Refusal::of(Code::TestingUnbound, detail))
            }
        }
    }
}

/// Hosts that the trailers of a signed commit name: in the last paragraph of its message, as Git writes it.
fn hosts(payload: &[u8]) -> Vec<&[u8]> {
    let blank = |at: &[u8]| at == b"\n\n";
    let message = payload.windows(2).position(blank).and_then(|at| payload.get(at + 2..));
    let mut named = Vec::new();
    for line in message.unwrap_or_default().trim_ascii().rsplit(|it| *it == b'\n') {
        if line.trim_ascii().is_empty() {
            break;
        }
        let mut halves = line.splitn(2, |it| *it == b':');
        let (key, value) = (halves.next().unwrap_or_default(), halves.next());
        if key.eq_ignore_ascii_case(TRAILER.as_bytes())
            && let Some(value) = value
        {
            named.push(value.trim_ascii());
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trailer_of_the_message_names_hosts() {
        let cases: [(&str, &[&str]); 8] = [
            ("try\n\nBowline-Testing: web-1\n", &["web-1"]),
            ("try\n\nSigned-off-by: A\nbowline-testing:web-1  \nX: y\n\n\n", &["web-1"]),
            ("try\n\nBowline-Testing: a\nBowline-Testing: b", &["b", "a"]),
            ("Bowline-Testing: web-1\n", &["web-1"]),
            ("try\n\nBowline-Testing: web-1\n\nmore\n", &[]),
            ("try\n\n  Bowline-Testing: web-1\n  more\n", &[]),
            ("try\n\nTesting: web-1\nBowline-Testing\n", &[]),
            ("", &[]),
        ];
        for (message, expected) in cases {
            let payload = format!("tree 0\nBowline-Testing: header\n\n{message}");
            let expected: Vec<&[u8]> = expected.iter().map(|it| it.as_bytes()).collect();
            assert_eq!(hosts(payload.as_bytes()), expected, "{message:?}");
        }
    }
}
