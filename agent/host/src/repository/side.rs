//! The commits that a merge brought in: reachable from its other parents, not from its first.
//!
//! **Invariant:** dates order the walk and decide nothing: one that lies makes the answer longer, never
//! shorter.

use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use bowline_model::object_id::ObjectId;
use bowline_trust::commit::{Commit, LARGEST_COMMIT};
use git2::{ObjectType, Odb};

use super::objects::read;
use super::oid;

/// More commits than this are no change that people looked at one by one.
const COMMITS_MAX: usize = 1_000;

/// Commits that are read for one merge, those of the branch it went into counted too.
const READ_MAX: usize = 20_000;

/// Further steps for commits that are dated before their parents: rebases and slow clocks make some.
const SLACK: usize = 128;

/// Reached from the first parent.
const MAIN: u8 = 1;
/// Reached from another.
const SIDE: u8 = 2;

/// The commits, newest first.
pub(super) struct Side {
    pub(super) raw: Vec<Arc<[u8]>>,
    /// There are more, or one could not be read.
    pub(super) cut_short: bool,
}

/// Walks what a merge brought in.
pub(super) fn commits(odb: &Odb<'_>, merge: &Commit, bytes_max: usize) -> Side {
    let (seen, queue) = (HashMap::new(), BinaryHeap::new());
    let mut walk = Walk { odb, seen, queue, read: 0, bytes: 0, bytes_max };
    let mut whole = true;
    for (at, parent) in merge.parents.iter().enumerate() {
        whole &= walk.reach(*parent, if at == 0 { MAIN } else { SIDE });
    }
    let mut slack = SLACK;
    while whole && slack > 0 {
        // As long as something that only the side reaches is still to be gone on from, and some more.
        let is_open = walk.queue.iter().any(|(_, id)| walk.flags(id) == SIDE);
        slack = if is_open { SLACK } else { slack - 1 };
        let Some((_, id)) = walk.queue.pop() else { break };
        let (flags, parents) = match walk.seen.get(&id) {
            Some(it) => (it.flags, it.parents.clone()),
            None => continue,
        };
        for parent in parents {
            whole &= walk.reach(parent, flags);
        }
    }
    let mut side: Vec<_> = walk.seen.into_values().filter(|it| it.flags == SIDE).collect();
    side.sort_by_key(|it| std::cmp::Reverse(it.time));
    whole &= side.len() <= COMMITS_MAX;
    let raw = side.into_iter().filter_map(|it| it.raw).take(COMMITS_MAX).collect();
    Side { raw, cut_short: !whole }
}

struct Walk<'o> {
    odb: &'o Odb<'o>,
    seen: HashMap<ObjectId, Seen>,
    queue: BinaryHeap<(i64, ObjectId)>,
    read: usize,
    bytes: usize,
    bytes_max: usize,
}

struct Seen {
    flags: u8,
    time: i64,
    parents: Vec<ObjectId>,
    /// Kept of what only the side reaches.
    raw: Option<Arc<[u8]>>,
}

impl Walk<'_> {
    fn flags(&self, id: &ObjectId) -> u8 {
        self.seen.get(id).map_or(0, |it| it.flags)
    }

    /// Marks a commit as reached; one that was reached in a new way is gone on from once more. Whether it
    /// could be read.
    fn reach(&mut self, id: ObjectId, flags: u8) -> bool {
        if let Some(seen) = self.seen.get_mut(&id) {
            if seen.flags | flags != seen.flags {
                seen.flags |= flags;
                // What the first parent has as well was not brought in.
                self.bytes -= seen.raw.take().map_or(0, |it| it.len());
                self.queue.push((seen.time, id));
            }
            return true;
        }
        self.read += 1;
        let raw = oid(&id)
            .filter(|_| self.read <= READ_MAX)
            .and_then(|oid| read(self.odb, oid, ObjectType::Commit, LARGEST_COMMIT as u64).ok());
        let Some(raw) = raw else { return false };
        let Ok(commit) = Commit::parse(raw.data(), id.format()) else { return false };
        let time = commit.time;
        let raw = (flags == SIDE).then(|| Arc::from(raw.data()));
        self.bytes += raw.as_ref().map_or(0, |it: &Arc<[u8]>| it.len());
        self.seen.insert(id, Seen { flags, time, parents: commit.parents, raw });
        if self.bytes > self.bytes_max {
            return false;
        }
        self.queue.push((time, id));
        true
    }
}
