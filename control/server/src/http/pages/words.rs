//! How values are put on a page: short, and never by colour alone.
//!
//! **Invariant:** what is shortened stands beside its whole, in a title or a link.

use bowline_api::enrolment::KeyState;
use bowline_api::outcome::Outcome;
use bowline_fleet::landing::commit_of;
use bowline_model::shown::one_line;
use jiff::Timestamp;

/// As many digits as Git shows for a small repository, and one more.
const DIGITS: usize = 8;

/// What a host wrote for a moment, when it is none.
const MOMENT_CHARS_MAX: usize = 40;

/// An outcome as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Badge {
    /// The word, which is its class as well.
    pub(super) word: &'static str,
    /// A sign that differs in form.
    pub(super) sign: &'static str,
}

impl Badge {
    pub(super) fn of(outcome: Outcome) -> Self {
        let sign = match outcome {
            Outcome::Unchanged => "=",
            Outcome::Committed => "✓",
            Outcome::Reverted => "↺",
            Outcome::Refused => "✕",
            Outcome::Pending => "…",
            Outcome::Held => "‖",
            Outcome::Failed => "!",
            Outcome::Stranded => "‼",
        };
        Self { word: outcome.word(), sign }
    }
}

/// A moment, and how long ago it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// RFC 3339, in seconds; or what was written in its place.
    pub(super) at: String,
    /// For people.
    pub(super) ago: String,
}

impl Moment {
    pub(super) fn new(at: &str, now: i64) -> Self {
        let Ok(moment) = at.parse::<Timestamp>() else {
            let at = one_line(at, MOMENT_CHARS_MAX);
            return Self { ago: at.clone(), at };
        };
        let seconds = moment.as_second();
        Self { at: rfc3339(seconds), ago: ago(now.saturating_sub(seconds)) }
    }

    pub(super) fn maybe(at: Option<&str>, now: i64) -> Option<Self> {
        at.map(|it| Self::new(it, now))
    }
}

/// A moment in the words of RFC 3339.
pub(super) fn rfc3339(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap_or_default().to_string()
}

/// A length of time in its two largest words. Hosts' clocks may be ahead of this one.
fn ago(seconds: i64) -> String {
    let (before, after) = if seconds < -5 { ("in ", "") } else { ("", " ago") };
    let length = seconds.unsigned_abs();
    let (minutes, hours, days) = (length / 60, length / 3600, length / 86_400);
    let text = match length {
        0..=5 => return "now".to_owned(),
        6..60 => format!("{length} s"),
        60..3600 => format!("{minutes} min"),
        3600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    };
    format!("{before}{text}{after}")
}

/// A revision: its branch, and the first digits of its commit.
pub(super) fn short(revision: &str) -> String {
    let commit: String = commit_of(revision).chars().take(DIGITS).collect();
    match revision.split_once('@') {
        Some((branch, _)) => format!("{}@{commit}", one_line(branch, 60)),
        None => commit,
    }
}

/// The first digits of a commit or digest.
pub(super) fn digits(commit: &str) -> String {
    commit.chars().take(DIGITS).collect()
}

/// A key's state with a sign that differs in form.
pub(super) fn key_sign(state: KeyState) -> &'static str {
    match state {
        KeyState::Enrolled => "✓",
        KeyState::Pending => "…",
        KeyState::Refused => "✕",
        KeyState::Retired => "‖",
    }
}

/// Milliseconds for people.
pub(super) fn span(milliseconds: u64) -> String {
    match milliseconds {
        0..1000 => format!("{milliseconds} ms"),
        1000..60_000 => format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100),
        _ => format!("{} min {} s", milliseconds / 60_000, milliseconds % 60_000 / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_by_their_distance() {
        let now: Timestamp = "2026-11-01T12:00:00Z".parse().unwrap();
        for (at, expected) in [
            ("2026-11-01T12:00:00Z", "now"),
            ("2026-11-01T11:59:30.5Z", "30 s ago"),
            ("2026-11-01T11:46:00Z", "14 min ago"),
            ("2026-11-01T13:46:00+02:00", "14 min ago"),
            ("2026-11-01T09:57:00Z", "2 h 3 min ago"),
            ("2026-10-01T11:00:00Z", "31 d 1 h ago"),
            ("2026-11-01T12:02:00Z", "in 2 min"),
            ("<b>soon</b>\n", "<b>soon</b>"),
            ("", ""),
        ] {
            assert_eq!(Moment::new(at, now.as_second()).ago, expected, "{at}");
        }
    }

    #[test]
    fn revisions_are_shortened_to_branch_and_digits() {
        let commit = "c0ffee1234567890";
        assert_eq!(short(&format!("main@sha1:{commit}")), "main@c0ffee12");
        assert_eq!((short(commit).as_str(), digits(commit).as_str()), ("c0ffee12", "c0ffee12"));
        assert_eq!((span(3).as_str(), span(1540).as_str()), ("3 ms", "1.5 s"));
        assert_eq!(span(61_000), "1 min 1 s");
    }

    #[test]
    fn no_two_outcomes_have_one_sign() {
        let signs: std::collections::BTreeSet<_> =
            Outcome::ALL.into_iter().map(|it| Badge::of(it).sign).collect();
        assert_eq!(signs.len(), Outcome::ALL.len());
    }
}
