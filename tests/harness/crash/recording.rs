//! What a program did to its folders, as operations, and where the moments of a deployment are in it.
//!
//! **Invariant:** all operations together lead from the first tree to what the disk held at the end.

use super::op::{Op, Volume, apply};
use super::tree::Tree;

/// What a program did to its folders.
#[derive(Debug)]
pub struct Recording {
    /// What stood there before, and, without names yet, everything that was made.
    pub before: Tree,
    /// Every operation, with the filesystem it was on.
    pub ops: Vec<(Op, Volume)>,
}

impl Recording {
    /// The tree after those operations that survive.
    pub fn tree<'a>(&self, ops: impl Iterator<Item = &'a Op>) -> Tree {
        let mut tree = self.before.clone();
        ops.for_each(|op| apply(&mut tree, op));
        tree
    }

    /// The barrier after which what was fetched is there; `None` where nothing is.
    pub fn fetched(&self) -> Option<usize> {
        let is_fetch = |name: &str| name == "filesystem after start";
        self.barriers().into_iter().find(|(_, name)| is_fetch(name)).map(|(at, _)| at)
    }

    /// The operations that make the record of an end durable: from then on the world may know it.
    pub fn announced(&self) -> Vec<usize> {
        let (mut found, mut is_over) = (Vec::new(), false);
        for (at, name) in self.barriers() {
            is_over |= name.starts_with("journal end");
            if is_over && name.contains("state/records/") {
                found.push(at);
                is_over = false;
            }
        }
        found
    }

    /// What was on the disk when the last step was done, and nothing about it was recorded yet.
    pub fn applied(&self) -> Tree {
        let is_batch = |name: &str| name.starts_with("filesystem") && name.ends_with("stepIntent");
        let barriers = self.barriers();
        let (at, _) = barriers.iter().find(|(_, name)| is_batch(name)).unwrap();
        self.tree(self.ops[..*at].iter().map(|(op, _)| op))
    }

    /// Each barrier, by its place among the operations, with its name.
    pub fn barriers(&self) -> Vec<(usize, &str)> {
        let mut found = Vec::new();
        for (at, (op, _)) in self.ops.iter().enumerate() {
            if let Op::Barrier(_, _, name) = op {
                found.push((at, name.as_str()));
            }
        }
        found
    }
}
