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
use super::{CANDIDATE, NOTES, Repository, object_id, oid};
use crate::door::clock;
use crate::failure::chain;

impl Repository {
    /// Brings exactly one reference from the first source that has it. Gives the commit it names.
    pub fn fetch(
        &self,
        sources: &Remotes,
        reference: &str,
        limits: &FetchLimits,
        stop: &Arc<AtomicBool>,
    ) -> Result<ObjectId, FetchFailure> {
        let end = clock::since_boot() + limits.timeout;
        let mut failures = Vec::new();
        for (at, url) in sources.urls().iter().enumerate() {
            // A source that hangs leaves the others their part of the time.
            let others = u32::try_from(sources.urls().len() - at).unwrap_or(u32::MAX);
            let now = clock::since_boot();
            let deadline = now + end.saturating_sub(now) / others;
            let watch = Watch::over(shown(url), limits, deadline, stop);
            let fetched = self.fetch_one(sources, url, reference, &watch);
            sources.count(watch.bytes());
            match fetched {
                Ok(tip) => return Ok(object_id(tip)),
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
        url: &str,
        reference: &str,
        watch: &Watch<'_>,
    ) -> Result<Oid, FetchFailure> {
        watch.check()?;
        let mut line = Line::to(sources, url, watch)?;
        let found = line.look(&[reference, NOTES])?;
        let [tip, notes] = found;
        let (url, reference_) = (watch.url.clone(), reference.to_owned());
        let tip = tip.ok_or(FetchFailure::MissingRef { url, reference: reference_ })?;
        self.keep_up(&mut line, (CANDIDATE, reference), tip, watch)?;
        if let Some(notes) = notes.filter(|it| sources.wants_notes(*it)) {
            // Notes only add evidence: whoever spoils them does not hold up the branch.
            if let Err(failure) = self.keep_up(&mut line, (NOTES, NOTES), notes, watch) {
                tracing::warn!(error = %chain(&failure), "the notes are left as they were");
                sources.leave_notes(notes);
            }
        }
        line.end();
        Ok(tip)
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
