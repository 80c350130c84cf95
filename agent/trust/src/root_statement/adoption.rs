//! Adoption: commits that nobody let in stay on the branch, because a threshold of the root says so.
//!
//! **Invariant:** it lets in exactly the commits that it names, until it expires, and nothing on top of them.

use bowline_model::adopted::Adopted;
use bowline_model::trust_root::RepoIdentity;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Named, RootStatement, misplaced};
use crate::roots::Roots;
use crate::verdict::Code;

/// What an adoption says it is.
pub const ADOPTION_TYPE: &str = "bowline adopt/v1";

/// More commits than slip onto a branch before somebody notices.
pub const COMMITS_MAX: usize = 1_000;

/// How long an adoption may be used by a host that has not come past it: as long as approvals count.
pub const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Longer than a sentence, and short enough for every record.
const REASON_CHARS_MAX: usize = 400;

/// Why commits are adopted, where and until when.
///
/// A field that is not known here is refused: it might be what takes the adoption back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Adoption {
    /// The repository's name for itself.
    pub repo_uri: String,
    /// The branch.
    #[serde(rename = "ref")]
    pub ref_name: String,
    /// Why, in one line.
    pub reason: String,
    /// When.
    pub issued: Timestamp,
    /// From then on no host uses it.
    pub expires: Timestamp,
}

impl Adoption {
    /// The statement to be signed, in the namespace `bowline-root`.
    pub fn statement(&self, commits: &[Named]) -> Vec<u8> {
        // Plain data always has a form in JSON.
        let predicate = serde_json::to_value(self).unwrap_or_default();
        super::statement(ADOPTION_TYPE, commits, &predicate)
    }

    /// What is wrong with it wherever it is used, for people.
    pub fn mistake(&self) -> Option<&'static str> {
        let is_plain = |it: char| !it.is_control();
        if self.reason.trim().is_empty() || !self.reason.chars().all(is_plain) {
            Some("has no reason of one line")
        } else if self.reason.chars().count() > REASON_CHARS_MAX {
            Some("has a reason of more than 400 letters")
        } else if self.expires <= self.issued
            || self.expires.duration_since(self.issued) > LONGEST_LIFE
        {
            Some("does not count for 90 days or less")
        } else {
            None
        }
    }
}

/// Who asks for an adoption.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Foundling<'a> {
    pub(crate) named: Named,
    /// This host came past it before: what it verified is not taken back when the adoption ends.
    pub(crate) is_known: bool,
    pub(crate) repo: &'a RepoIdentity,
    pub(crate) now: Timestamp,
}

/// Looks for an adoption by the root in force at the parent, or by the newest of the branch. Gives why those
/// that name the commit do not count, if any does.
pub(crate) fn look(
    statements: &[RootStatement],
    (parent, newest): (&Roots, &Roots),
    foundling: &Foundling<'_>,
    code: Code,
) -> Result<Adopted, Option<&'static str>> {
    let mut objection = None;
    for it in statements.iter().filter(|it| it.names(&foundling.named)) {
        let Some(adoption) = it.predicate::<Adoption>(ADOPTION_TYPE) else { continue };
        let signers = it.signers(parent).or_else(|| it.signers(newest));
        match (adoption.objection(it, foundling), signers) {
            (Some(why), _) => objection = Some(why),
            (None, None) => objection = Some("is by a root that was not in force any more"),
            (None, Some(signers)) => {
                let (commit, code) = (foundling.named.commit, code.to_string());
                let Adoption { reason, issued, .. } = adoption;
                let approvals_waived = None;
                return Ok(Adopted { commit, code, reason, signers, issued, approvals_waived });
            }
        }
    }
    Err(objection)
}

impl Adoption {
    fn objection(&self, it: &RootStatement, foundling: &Foundling<'_>) -> Option<&'static str> {
        let Foundling { is_known, repo, now, .. } = *foundling;
        let place = (self.repo_uri.as_str(), self.ref_name.as_str());
        if it.statement.subjects.len() > COMMITS_MAX {
            return Some("names more than 1,000 commits");
        }
        misplaced(place, repo, (self.issued, now))
            .or_else(|| self.mistake())
            .or((self.expires <= now && !is_known).then_some("has expired"))
    }
}
