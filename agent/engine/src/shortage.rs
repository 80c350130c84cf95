//! Archives that could not be had, and when each of them is asked for again.
//!
//! **Invariant:** a try may cost a whole archive and minutes, so what failed is not tried at each poll, and never for
//! a hint; who asks for everything gets a try.

use std::collections::BTreeMap;
use std::time::Duration;

use bowline_model::release::{Archive, Wanted};

use crate::phase::{Failure, Quest};

/// The first wait: a server that was restarted is back, and a person who looks on does not wait long.
const FIRST: Duration = Duration::from_mins(1);

/// The longest wait: an archive an hour is no load for a server, and a night is not lost.
const LONGEST: Duration = Duration::from_hours(1);

/// Archives that are remembered: more than a host's manifests name.
const ENTRIES_MAX: usize = 1_000;

/// What is known of archives that failed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shortage {
    entries: BTreeMap<Archive, Missing>,
}

#[derive(Debug, Clone)]
struct Missing {
    failure: Failure,
    times: u32,
    /// Not known until the next cycle begins: a try may have taken any time.
    until: Option<Duration>,
}

impl Shortage {
    /// A cycle begins: waits run from now on.
    pub(crate) fn begin(&mut self, now: Duration) {
        for missing in self.entries.values_mut() {
            let doublings = missing.times.saturating_sub(1).min(16);
            let wait = FIRST.saturating_mul(1 << doublings).min(LONGEST);
            missing.until.get_or_insert(now + wait);
        }
    }

    /// Why an archive is not asked for in this cycle.
    pub(crate) fn of(&self, archive: &Archive, quest: &Quest) -> Option<&Failure> {
        let waits = |it: &Missing| match it.until {
            // It failed in this very cycle.
            None => true,
            Some(until) => quest.wish.hint || (quest.now < until && !quest.wish.thorough),
        };
        self.entries.get(archive).filter(|it| waits(it)).map(|it| &it.failure)
    }

    /// Whether an archive may be asked for now, whoever asks.
    pub(crate) fn is_free(&self, archive: &Archive, now: Duration) -> bool {
        let waits = |it: &Missing| it.until.is_none_or(|until| now < until);
        !self.entries.get(archive).is_some_and(waits)
    }

    /// An archive could not be had. Two revisions may want some, each others: what both want stays, until those that
    /// nobody wants any more fill the list.
    pub(crate) fn note(&mut self, wanted: &Wanted, failure: Failure) {
        if self.entries.len() >= ENTRIES_MAX {
            self.entries.retain(|it, _| wanted.beside.contains(it));
        }
        let times = self.entries.get(&wanted.archive).map_or(0, |it| it.times) + 1;
        let missing = Missing { failure, times, until: None };
        self.entries.insert(wanted.archive.clone(), missing);
    }

    /// It is here.
    pub(crate) fn is_over(&mut self, archive: &Archive) {
        self.entries.remove(archive);
    }
}

#[cfg(test)]
mod tests {
    use bowline_model::digest::Sha256;
    use bowline_model::release::Extract;

    use super::*;
    use crate::phase::Weight;
    use crate::wish::Wish;

    fn wanted() -> Wanted {
        let (sha256, name) = (Sha256::default(), "x".parse().unwrap());
        let archive = Archive { sha256, extract: Extract::Zip, name };
        let url = "https://a/x.zip".parse().unwrap();
        Wanted { resource: "Artifact/x".into(), url, beside: vec![archive.clone()], archive }
    }

    fn quest(now: Duration, thorough: bool) -> Quest {
        Quest { now, wish: Wish { thorough, ..Wish::default() }, ..Quest::default() }
    }

    #[test]
    fn what_failed_waits_ever_longer_and_not_for_a_person() {
        let (mut shortage, wanted) = (Shortage::default(), wanted());
        let failure =
            || Failure { weight: Weight::Guilty, code: "x".to_owned(), detail: String::new() };
        let mut now = Duration::from_secs(1_000);
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            shortage.note(&wanted, failure());
            assert!(shortage.of(&wanted.archive, &quest(now, true)).is_some(), "in one cycle");
            // The try itself may take as long as it may.
            now += Duration::from_mins(10);
            shortage.begin(now);
            assert!(shortage.of(&wanted.archive, &quest(now, false)).is_some());
            assert!(shortage.of(&wanted.archive, &quest(now, true)).is_none());
            now += Duration::from_mins(minutes);
            let before = now.saturating_sub(Duration::from_secs(1));
            assert!(shortage.of(&wanted.archive, &quest(before, false)).is_some(), "{minutes}");
            assert!(shortage.of(&wanted.archive, &quest(now, false)).is_none(), "{minutes}");
        }
        shortage.is_over(&wanted.archive);
        assert!(shortage.of(&wanted.archive, &quest(now, false)).is_none());
    }

    #[test]
    fn two_revisions_that_want_archives_do_not_shorten_each_others_waits() {
        let failure =
            || Failure { weight: Weight::Guilty, code: "x".to_owned(), detail: String::new() };
        let (mut shortage, one) = (Shortage::default(), wanted());
        let archive = Archive { sha256: Sha256::of(b"other"), ..one.archive.clone() };
        let other = Wanted { beside: vec![archive.clone()], archive, ..wanted() };
        for times in 1..=5 {
            for wanted in [&one, &other] {
                shortage.note(wanted, failure());
                assert_eq!(shortage.entries[&wanted.archive].times, times);
            }
        }
        let now = Duration::from_secs(1_000);
        assert!(!shortage.is_free(&one.archive, now), "in the cycle in which it failed");
        shortage.begin(now);
        assert!(!shortage.is_free(&one.archive, now + Duration::from_mins(15)));
        assert!(shortage.is_free(&one.archive, now + Duration::from_mins(16)));
        for number in 0..2 * ENTRIES_MAX {
            let archive =
                Archive { sha256: Sha256::of(&number.to_le_bytes()), ..one.archive.clone() };
            let wanted =
                Wanted { beside: vec![one.archive.clone(), archive.clone()], archive, ..wanted() };
            shortage.note(&wanted, failure());
            assert!(shortage.entries.len() <= ENTRIES_MAX);
        }
        assert_eq!(shortage.entries[&one.archive].times, 5, "it is wanted still");
    }
}
