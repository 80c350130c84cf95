//! How long events are gathered before they are looked at, and when a look is due.
//!
//! **Invariant:** a single change is looked at soon, whatever happens to other paths.
//! **Invariant:** whoever changes one path all the time is answered ever more rarely, and however many do,
//! there is a look every ten seconds at most: on 10,000 paths that is some hundredth of one processor.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{ANYTHING, Heard};

/// An editor writes, renames and sets a mode: one look for all of it.
const FIRST: Duration = Duration::from_secs(1);

/// After so long without an event the next one is looked at soon.
const QUIET: Duration = Duration::from_secs(30);

/// While events come all the time the queue is emptied this rarely: a change that matters may be among them.
const LONGEST_GATHER: Duration = Duration::from_secs(10);

/// Who fights the agent over a file is answered as often as the look around would answer anyway.
const LONGEST: Duration = Duration::from_mins(10);

/// Paths with a pace of their own: beyond them, the others share one.
const PACES_MAX: usize = 256;

/// How long events are gathered, and when each path is looked at.
#[derive(Debug, Default)]
pub struct Pace {
    gather: Duration,
    looked: Duration,
    due: Option<Duration>,
    paths: BTreeMap<u64, Path>,
}

/// One path that changed a short while ago.
#[derive(Debug)]
struct Path {
    wait: Duration,
    heard: Duration,
    /// Whether the next look is for it.
    waits: bool,
}

impl Pace {
    /// How long to gather, when nothing came for `quiet` before.
    pub fn gather(&mut self, quiet: Duration) -> Duration {
        let again = quiet < QUIET && !self.gather.is_zero();
        self.gather = if again { self.gather.saturating_mul(2).min(LONGEST_GATHER) } else { FIRST };
        self.gather
    }

    /// Sets by when to look for what was gathered.
    pub fn heard(&mut self, heard: &Heard, now: Duration) {
        self.paths.retain(|_, it| it.waits || now < it.heard.saturating_add(QUIET));
        for name in &heard.names {
            let is_new = !self.paths.contains_key(name) && self.paths.len() >= PACES_MAX;
            let name = if is_new { ANYTHING } else { *name };
            let looked = self.looked;
            let due = match self.paths.get_mut(&name) {
                None => {
                    self.paths.insert(name, Path { wait: FIRST, heard: now, waits: true });
                    now
                }
                Some(path) => {
                    if !path.waits {
                        path.wait = path.wait.saturating_mul(2).min(LONGEST);
                    }
                    (path.heard, path.waits) = (now, true);
                    looked.saturating_add(path.wait)
                }
            };
            self.due = Some(self.due.map_or(due, |it| it.min(due)));
        }
    }

    /// When a look is due.
    pub fn due(&self) -> Option<Duration> {
        self.due
    }

    /// There is a look: it is for every path.
    pub fn looked(&mut self, now: Duration) {
        (self.looked, self.due) = (now, None);
        self.paths.values_mut().for_each(|it| it.waits = false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets events come for so many seconds; gives when there was a look.
    fn looks(seconds: u64, events: impl Fn(u64) -> Vec<u64>) -> Vec<u64> {
        let (mut pace, mut looks) = (Pace::default(), Vec::new());
        // As the lookout does: events wait until they were gathered.
        let (mut gathering, mut names, mut last) = (None, Vec::new(), Duration::ZERO);
        for second in 0..seconds {
            let now = Duration::from_secs(second);
            names.extend(events(second));
            if gathering.is_none() && !names.is_empty() {
                gathering = Some(now + pace.gather(now.saturating_sub(last)));
            }
            if gathering.is_some_and(|it| it <= now) {
                let names = std::mem::take(&mut names).into_iter().collect();
                pace.heard(&Heard { names, is_all: true }, now);
                (gathering, last) = (None, now);
            }
            if gathering.is_none() && pace.due().is_some_and(|it| it <= now) {
                pace.looked(now);
                looks.push(second);
            }
        }
        looks
    }

    #[test]
    fn changes_far_apart_are_each_looked_at_soon() {
        let looks = looks(200, |it| if it % 60 == 0 { vec![1] } else { vec![] });
        assert_eq!(looks, [1, 61, 121, 181]);
    }

    #[test]
    fn a_fight_is_answered_ever_more_rarely() {
        let looks = looks(10_000, |_| vec![1]);
        assert!(looks.starts_with(&[1, 4, 9]), "{looks:?}");
        let apart: Vec<u64> = looks.windows(2).map(|it| it[1] - it[0]).collect();
        assert!(apart.is_sorted(), "{apart:?}");
        assert!(apart.iter().rev().take(9).all(|it| (600..=611).contains(it)), "{apart:?}");
        assert!(looks.len() <= 25, "{looks:?}");
    }

    #[test]
    fn a_noisy_path_delays_another_by_seconds_only() {
        for change in [40, 100, 1_000, 5_003] {
            let looks = looks(6_000, |it| if it == change { vec![1, 2] } else { vec![1] });
            let seen = looks.iter().find(|it| **it >= change).unwrap();
            assert!(seen - change <= 11, "{change}: {looks:?}");
        }
    }

    #[test]
    fn however_many_are_noisy_there_is_a_look_every_ten_seconds_at_most() {
        let looks = looks(4_000, |it| vec![it % 1_000 + 1]);
        assert!(looks.windows(2).skip(4).all(|it| it[1] - it[0] >= 10), "{looks:?}");
        let (mut pace, now) = (Pace::default(), Duration::from_secs(1));
        pace.heard(&Heard { names: (1..1_000).collect(), is_all: true }, now);
        assert!(pace.paths.len() <= PACES_MAX + 1);
    }
}
