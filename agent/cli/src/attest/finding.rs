//! What was measured, held against the limit; signed only where it is met.
//!
//! **Invariant:** what falls short of the limit is never signed.

use anyhow::anyhow;
use serde::Serialize;
use serde_json::Value;

use super::arguments::Common;
use super::case::Case;
use super::deliver;
use super::statement::{self, Claim};
use crate::failure::Failure;
use crate::screen::Screen;

/// As many names of what falls short as a person reads before looking at the report itself.
const SHOWN_MAX: usize = 20;

/// What was measured.
#[derive(Debug)]
pub(super) struct Finding {
    /// What evidence says of it.
    pub(super) claim: Claim,
    /// What it is said of, where that is not the revision.
    pub(super) subjects: Option<Vec<Value>>,
    /// The gate that sets the limit.
    pub(super) gate: Option<String>,
    /// The value.
    pub(super) measured: String,
    /// What it is held against.
    pub(super) limit: String,
    /// Why the limit is not met; `None` when it is.
    pub(super) shortfall: Option<String>,
    /// What falls short, by name.
    pub(super) culprits: Vec<String>,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'r> {
    met: bool,
    gate: Option<&'r str>,
    predicate: &'static str,
    measured: &'r str,
    limit: &'r str,
    commit: String,
    tree: String,
    key: String,
    /// The digest of what was written; `None` when nothing was.
    sha256: Option<String>,
    culprits: &'r [String],
}

impl Finding {
    /// Signs it and hands it over, or says why not.
    pub(super) fn conclude(
        &self,
        case: &Case,
        given: &Common,
        screen: &mut Screen<'_>,
    ) -> Result<u8, Failure> {
        let gate = self.gate.as_ref().map_or_else(String::new, |it| format!(" (gate {it:?})"));
        if let Some(shortfall) = &self.shortfall {
            self.tell(case, given, None, screen)?;
            for culprit in self.culprits.iter().take(SHOWN_MAX) {
                screen.note(culprit)?;
            }
            if let Some(more) = self.culprits.len().checked_sub(SHOWN_MAX).filter(|it| *it > 0) {
                screen.note(format_args!("and {more} more"))?;
            }
            return Err(Failure::failed(anyhow!("{shortfall}{gate}: nothing is signed")));
        }
        let statement = match &self.subjects {
            Some(subjects) => statement::of_subjects(subjects, &self.claim),
            None => statement::of_revision(case, &self.claim),
        };
        let delivered = deliver::deliver(case, given, &statement, screen)?;
        self.tell(case, given, Some(&delivered), screen)?;
        Ok(0)
    }

    fn tell(
        &self,
        case: &Case,
        given: &Common,
        delivered: Option<&deliver::Delivered>,
        screen: &mut Screen<'_>,
    ) -> Result<(), Failure> {
        if given.json {
            return screen.json(&Report {
                met: self.shortfall.is_none(),
                gate: self.gate.as_deref(),
                predicate: self.claim.predicate_type,
                measured: &self.measured,
                limit: &self.limit,
                commit: case.commit.to_string(),
                tree: case.tree.to_string(),
                key: case.key.id(),
                sha256: delivered.map(|it| it.sha256.to_string()),
                culprits: &self.culprits,
            });
        }
        // Where the evidence itself is the output, nothing may stand beside it.
        let Some(delivered) = delivered.filter(|it| !it.is_on_stdout) else {
            return Ok(());
        };
        screen.table(&[
            ("gate", self.gate.clone().unwrap_or_default()),
            ("measured", self.measured.clone()),
            ("limit", self.limit.clone()),
            ("commit", case.commit.to_string()),
            ("tree", case.tree.to_string()),
            ("key", case.key.id()),
            ("evidence", delivered.places.join(", ")),
        ])
    }
}
