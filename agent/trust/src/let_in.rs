//! What the marks keep of the commit that was let through: by what gates, and in what company.
//!
//! **Invariant:** it is kept until another is let through, for whoever deploys it need not have judged it.

use bowline_model::adopted::Adopted;
use bowline_model::high_water::HighWater;
use bowline_model::object_id::ObjectId;

use crate::queue::Chosen;

impl Chosen {
    /// Remembers whether gates spoke for what is chosen now: what stands here in good health is gone back to without
    /// them.
    pub(crate) fn tell_hurry(&self, marks: &mut HighWater) {
        let Some(it) = self.deployable.filter(|_| !self.opened.is_empty()) else { return };
        if self.opened.iter().any(|it| it.skipped.is_some()) {
            marks.note_hurried(it.tree);
        } else {
            marks.note_judged(it.tree);
        }
    }

    /// Remembers what the one that is chosen was let through by, until another is: whoever deploys it may be another
    /// process than the one that judged it.
    pub(crate) fn tell_proof(
        &self,
        marks: &mut HighWater,
        before: Option<ObjectId>,
        came_by: &[Adopted],
    ) {
        let is_new = self.cleared != before;
        if is_new {
            // Plain data always has a form in JSON.
            let words = self.opened.iter().filter_map(|it| serde_json::to_value(it).ok());
            marks.opened = words.collect();
        }
        if is_new || !came_by.is_empty() {
            marks.came_by = came_by.to_vec();
        }
    }
}
