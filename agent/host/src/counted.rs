//! What counted for each commit when it was judged: approvals, gates and their envelopes, on the disk.
//!
//! **Invariant:** it is kept before the marks are: afterwards what counted is not counted again.
//! **Invariant:** it is bounded, the oldest goes first, and no decision rests on it.

use bowline_model::counted::Counted;
use bowline_model::object_id::ObjectId;

use crate::door::files;
use crate::state::{State, StateFailure};

/// Below the state folder.
const FOLDER: &str = "evidence";

/// Commits of some months on a busy branch.
const FILES_MAX: usize = 512;

/// All of them together: four times what one walk may gather.
const BYTES_MAX: u64 = 128 << 20;

/// More names than that are not ours.
const NAMES_MAX: usize = 4 * FILES_MAX;

impl State {
    /// What counted for a commit; `None` where nothing did, or it is gone.
    pub fn counted(&self, commit: &ObjectId) -> Result<Option<Counted>, StateFailure> {
        match self.name_of(commit)? {
            Some(name) => self.load(&format!("{FOLDER}/{name}")),
            None => Ok(None),
        }
    }

    /// Keeps what counted, beside what counted for the same commits before. `wall` is now, in seconds since 1970.
    pub fn keep_counted(&self, all: Vec<Counted>, wall: i64) -> Result<(), StateFailure> {
        if all.is_empty() {
            return Ok(());
        }
        files::make_folder(&self.folder().join(FOLDER))?;
        for it in all {
            let known = self.name_of(&it.commit)?;
            // Names sort by age.
            let name = known.unwrap_or_else(|| format!("{:012}-{}.json", wall.max(0), it.commit));
            let name = format!("{FOLDER}/{name}");
            let before = self.load(&name).unwrap_or_else(|error: StateFailure| {
                tracing::warn!(%error, name, "what counted before cannot be read, and is replaced");
                None
            });
            let kept = before.unwrap_or_else(|| Counted::of(it.commit)).with(it);
            self.save(&name, &kept)?;
        }
        self.drop_oldest()
    }

    fn name_of(&self, commit: &ObjectId) -> Result<Option<String>, StateFailure> {
        let end = format!("-{commit}.json");
        let names = files::names(&self.folder().join(FOLDER), NAMES_MAX)?;
        Ok(names.into_iter().find(|it| it.ends_with(&end)))
    }

    fn drop_oldest(&self) -> Result<(), StateFailure> {
        let folder = self.folder().join(FOLDER);
        let (mut count, mut bytes) = (0, 0_u64);
        for name in files::names(&folder, NAMES_MAX)?.iter().rev() {
            let path = folder.join(name);
            count += 1;
            bytes = bytes.saturating_add(files::length(&path)?);
            // The newest stays, however large it is.
            if count > 1 && (count > FILES_MAX || bytes > BYTES_MAX) {
                files::remove(&path)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use bowline_api::record::ApprovalMark;
    use serde_json::json;

    fn commit(number: usize) -> ObjectId {
        format!("{number:040x}").parse().unwrap()
    }

    fn approved(number: usize, line: &str) -> Counted {
        let approval = ApprovalMark { principal: "bob".to_owned(), sha256: "aa".to_owned() };
        let (approvals, envelopes) = (vec![approval], vec![line.to_owned()]);
        Counted { approvals, envelopes, ..Counted::of(commit(number)) }
    }

    #[test]
    fn what_counted_at_two_times_is_kept_together() {
        let scratch = Scratch::new();
        let state = State::open(scratch.path()).unwrap();
        assert_eq!(state.counted(&commit(1)).unwrap(), None);
        state.keep_counted(vec![approved(1, "one")], 10).unwrap();
        let gates = vec![json!({"id": "tests", "met": true, "evidence": ["bb"]})];
        let met = Counted { gates: gates.clone(), ..Counted::of(commit(1)) };
        state.keep_counted(vec![met], 20).unwrap();
        let kept = state.counted(&commit(1)).unwrap().unwrap();
        assert_eq!(kept, Counted { gates, ..approved(1, "one") });
        let names = files::names(&scratch.path().join(FOLDER), 9).unwrap();
        assert_eq!(names, [format!("000000000010-{}.json", commit(1))]);
        std::fs::write(scratch.path().join(FOLDER).join(&names[0]), "{").unwrap();
        assert!(state.counted(&commit(1)).is_err());
        state.keep_counted(vec![approved(1, "one")], 30).unwrap();
        assert_eq!(state.counted(&commit(1)).unwrap(), Some(approved(1, "one")));
    }

    #[test]
    fn of_too_many_or_too_large_the_oldest_go() {
        let scratch = Scratch::new();
        let state = State::open(scratch.path()).unwrap();
        for number in 0..=FILES_MAX {
            let wall = i64::try_from(number).unwrap();
            state.keep_counted(vec![approved(number, "x")], wall).unwrap();
        }
        assert_eq!(state.counted(&commit(0)).unwrap(), None);
        assert!(state.counted(&commit(1)).unwrap().is_some());
        let large = "x".repeat(usize::try_from(BYTES_MAX).unwrap());
        state.keep_counted(vec![approved(9_999, &large)], 9_999).unwrap();
        assert!(state.counted(&commit(9_999)).unwrap().is_some(), "the newest stays");
        assert_eq!(state.counted(&commit(FILES_MAX)).unwrap(), None);
    }
}
