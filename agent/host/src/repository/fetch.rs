//! Brings the objects of exactly one branch, and of the notes beside it, into the agent's repository.
//!
//! **Invariant:** what is brought is bounded in bytes, objects and time.
//! **Invariant:** a name moves only after everything below it is here.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bowline_model::object_id::ObjectId;
use git2::Oid;

use super::address::shown;
pub use super::fetch_failure::FetchFailure;
use super::line::Line;
pub use super::remotes::Remotes;
pub use super::watch::FetchLimits;
use super::watch::Watch;
use super::{CANDIDATE, NOTES, Repository, TESTING, object_id, oid};
use crate::door::clock;
use crate::failure::chain;

/// What is brought.
#[derive(Debug, Clone, Copy)]
pub struct Branches<'a> {
    /// The branch.
    pub branch: &'a str,
    /// A branch that is tried out on this host, if any is.
    pub testing: Option<&'a str>,
}

impl<'a> Branches<'a> {
    /// A branch and nothing to try out.
    pub fn only(branch: &'a str) -> Self {
        Self { branch, testing: None }
    }
}

/// The commits that were brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tips {
    /// The branch's.
    pub branch: ObjectId,
    /// That of the branch that is tried out.
    pub testing: Option<ObjectId>,
    /// The place of the source that has them, from 0.
    pub place: usize,
}

impl Repository {
    /// Brings exactly what is wanted from the first source that has the branch. Gives what it names.
    pub fn fetch(
        &self,
        sources: &Remotes,
        wanted: Branches<'_>,
        limits: &FetchLimits,
        stop: &Arc<AtomicBool>,
    ) -> Result<Tips, FetchFailure> {
        let end = clock::since_boot() + limits.timeout;
        let mut failures = Vec::new();
        for (at, url) in sources.urls().iter().enumerate() {
            // A source that hangs leaves the others their part of the time.
            let others = u32::try_from(sources.urls().len() - at).unwrap_or(u32::MAX);
            let now = clock::since_boot();
            let deadline = now + end.saturating_sub(now) / others;
            let watch = Watch::over(shown(url), limits, deadline, stop);
            let fetched = self.fetch_one(sources, (at, url), wanted, &watch);
            sources.count(watch.bytes());
            match fetched {
                Ok(tips) => return Ok(tips),
                Err(failure) => failures.push(failure),
            }
        }
        match (failures.pop(), failures.is_empty()) {
            (None, _) => Err(FetchFailure::NoSource),
            (Some(only), true) => Err(only),
            (Some(last), false) => {
                failures.push(last);
                Err(FetchFailure::NoneAnswered { failures })
            }
        }
    }

    fn fetch_one(
        &self,
        sources: &Remotes,
        (place, url): (usize, &str),
        wanted: Branches<'_>,
        watch: &Watch<'_>,
    ) -> Result<Tips, FetchFailure> {
        watch.check()?;
        let mut line = Line::to(sources, url, watch)?;
        let names: Vec<&str> = [wanted.branch, NOTES].into_iter().chain(wanted.testing).collect();
        let found = line.look(&names)?;
        let [tip, notes, testing] = [0, 1, 2].map(|at| found.get(at).copied().flatten());
        let (url, reference) = (watch.url.clone(), wanted.branch.to_owned());
        let tip = tip.ok_or(FetchFailure::MissingRef { url, reference })?;
        self.keep_up(&mut line, (CANDIDATE, wanted.branch), tip, watch)?;
        if let Some(notes) = notes.filter(|it| sources.wants_notes(*it)) {
            // Notes only add evidence: whoever spoils them does not hold up the branch.
            if let Err(failure) = self.keep_up(&mut line, (NOTES, NOTES), notes, watch) {
                tracing::warn!(error = %chain(&failure), "the notes are left as they were");
                sources.leave_notes(notes);
            }
        }
        let testing = testing.zip(wanted.testing);
        if testing.is_none() {
            sources.forget_testing();
        }
        let testing = testing.and_then(|it| self.try_out(sources, &mut line, it, watch));
        line.end();
        Ok(Tips { branch: object_id(tip), testing, place })
    }

    /// Brings the branch that is only tried out. Whoever spoils it may not be able to merge, so he neither
    /// holds up the branch nor has the same bytes fetched at each poll.
    fn try_out(
        &self,
        sources: &Remotes,
        line: &mut Line<'_>,
        (tip, name): (Oid, &str),
        watch: &Watch<'_>,
    ) -> Option<ObjectId> {
        if !sources.wants_testing(tip) {
            return None;
        }
        if let Err(failure) = self.keep_up(line, (TESTING, name), tip, watch) {
            let error = chain(&failure);
            tracing::warn!(error, name, "the branch is not tried out");
            sources.leave_testing(tip, format!("{name} is not tried out: {error}"));
            return None;
        }
        Some(object_id(tip))
    }

    /// Lets a name of the agent's own follow one over there.
    fn keep_up(
        &self,
        line: &mut Line<'_>,
        (own, theirs): (&str, &str),
        tip: Oid,
        watch: &Watch<'_>,
    ) -> Result<(), FetchFailure> {
        // What cannot be read as a name is replaced by a good one.
        let before = self.named(own).ok().flatten().as_ref().and_then(oid);
        // A name moves last, so what it names is here with all its history.
        if before == Some(tip) && self.odb.exists(tip) {
            return Ok(());
        }
        let known = before.filter(|it| self.odb.exists(*it));
        line.bring(self, (tip, known), theirs, watch)?;
        Ok(self.keep(own, tip)?)
    }
}
