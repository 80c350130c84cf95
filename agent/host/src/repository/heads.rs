//! Gathers the newest word that a branch named a commit: what freshness rests on.
//!
//! **Invariant:** the time that a line claims says only which one is looked at first.
//! **Invariant:** what is no newer than what is known is not looked at, so a host at rest checks nothing twice.

use std::cmp::Reverse;
use std::sync::Arc;

use bowline_model::bundle::{Bundle, CommitEvidence};

use super::evidence::{CANDIDATES_MAX, CHECKED_MAX, Gatherer, LINES_MAX, READ_BYTES_MAX};

impl Gatherer<'_> {
    /// Looks for the newest word that the branch named one of the newest commits, where the newest policy asks
    /// for such a word.
    pub(super) fn look_for_head(
        &mut self,
        bundle: &mut Bundle,
        (known, newest): (usize, Option<usize>),
        fresh: Option<i64>,
    ) {
        let Some(law) = newest.filter(|it| self.asks_for_freshness(*it)) else { return };
        let walked = bundle.commits.iter_mut().take(known).rev();
        for commit in walked.chain(&mut bundle.start).take(CANDIDATES_MAX) {
            commit.beside.head = self.newest_head(commit, law, fresh);
            // Of a commit below it was said earlier that it is the head.
            if commit.beside.head.is_some() {
                return;
            }
        }
    }

    fn asks_for_freshness(&self, law: usize) -> bool {
        self.laws.get(law).is_some_and(|(_, sieve)| sieve.asks_for_freshness())
    }

    fn newest_head(
        &mut self,
        commit: &CommitEvidence,
        law: usize,
        fresh: Option<i64>,
    ) -> Option<Arc<[u8]>> {
        let (notes, (_, sieve)) = (self.notes.as_ref()?, self.laws.get(law)?);
        // Without a trust file nobody says which branch it is about.
        let repo = &self.root?.repo;
        let note = notes.on(&commit.id)?;
        self.read += note.len();
        (self.read <= READ_BYTES_MAX).then_some(())?;
        let lines = note.split(|it| *it == b'\n').map(<[u8]>::trim_ascii);
        let lines = lines.filter(|it| !it.is_empty()).take(LINES_MAX);
        let claims = lines.filter_map(|line| Some((sieve.claims_head(line)?, line)));
        let mut newer: Vec<_> = claims.filter(|(at, _)| Some(at.as_second()) > fresh).collect();
        newer.sort_by_key(|(at, _)| Reverse(*at));
        for (_, line) in newer {
            self.checked += sieve.cost(line);
            if self.checked > CHECKED_MAX {
                tracing::warn!(commit = %commit.id.short(), "its notes hold too many signatures");
                return None;
            }
            if sieve.vouches(line, commit.id, repo) {
                return Some(Arc::from(line));
            }
        }
        None
    }
}
