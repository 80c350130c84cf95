//! Versions that a host has seen of a repository, whatever trust file it had then.
//!
//! **Invariant:** neither the policy's nor the root's version of one repository and branch ever falls.

use bowline_model::high_water::HighWater;

use crate::start::Judged;
use crate::verdict::{Code, Refusal};
use crate::verify::Case;

impl Case<'_> {
    /// The marks, where they are of the repository and branch that the trust file names.
    pub(crate) fn marks_of_it(&self) -> Option<&HighWater> {
        self.marks.filter(|marks| marks.is_of(&self.root.repo))
    }

    /// Demands that marks at this commit would not be lower than those of before: a walk that begins at another
    /// anchor, or at a checkpoint, never came past what was in force.
    pub(crate) fn demand_no_lower(&self, head: &Judged) -> Result<(), Refusal> {
        let Some(marks) = self.marks_of_it() else { return Ok(()) };
        let was = "was in force on this host";
        let (known, now) = (marks.root_version.unwrap_or(0), head.roots.version());
        if now < known {
            let detail = format!("root version {known} {was}, and here {now} is");
            return Err(Refusal::of(Code::RootVersion, detail).at(head.id));
        }
        let (known, now) = (marks.policy_version, head.governing.policy.version);
        if now < known {
            let detail = format!("policy version {known} {was}, and here {now} is");
            return Err(Refusal::of(Code::PolicyVersion, detail).at(head.id));
        }
        Ok(())
    }
}
