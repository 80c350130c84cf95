//! What system calls do to a tree, one operation at a time, and which of them a barrier covers.
//!
//! **Invariant:** an operation whose ground is missing has no effect, as in the model of the design.

use super::tree::{Body, Number, Tree};

/// A name in a folder.
pub type Place = (Number, String);

/// How a rename treats what stands at the new name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It is replaced.
    Replace,
    /// Nothing may stand there.
    Fresh,
    /// Both names swap what they name, at once.
    Exchange,
}

/// What is done to a file's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// These bytes are written there.
    Write(usize, Vec<u8>),
    /// The file gets this length.
    Length(usize),
    /// The file has at least this length.
    Reserve(usize),
}

/// How far a barrier reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// A file's bytes and length.
    Data,
    /// A file with its mode; a folder with its names.
    Whole,
    /// Everything on the filesystem.
    Volume,
}

/// The filesystems of the test. Several ask more of the agent than one: no barrier on the one may be
/// relied on for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volume {
    /// What is managed.
    Root,
    /// The agent's state.
    State,
    /// The host's key and what lies beside it.
    Key,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// A name is given to an object, new or old.
    Enter(Place, Number),
    /// A name is taken away.
    Leave(Place),
    /// A rename.
    Move(Place, Place, Manner),
    /// A file's bytes.
    Data(Number, Change),
    /// An object's permission bits.
    Mode(Number, u32),
    /// A barrier, and what it is called.
    Barrier(Number, Reach, String),
}

/// Does it.
pub fn apply(tree: &mut Tree, op: &Op) {
    match op {
        Op::Enter((folder, name), number) => {
            tree.names_mut(*folder).entry(name.clone()).or_insert(*number);
        }
        Op::Leave((folder, name)) => {
            let stands = tree.names(*folder).and_then(|names| names.get(name)).copied();
            let is_full = |it| tree.names(it).is_some_and(|names| !names.is_empty());
            if stands.is_some_and(|it| !is_full(it)) {
                tree.names_mut(*folder).remove(name);
            }
        }
        Op::Move(from, to, manner) => rename(tree, from, to, *manner),
        Op::Data(number, change) => {
            if let Body::File(content) = &mut tree.thing_mut(*number).body {
                match change {
                    Change::Write(at, bytes) => content.write(*at, bytes),
                    Change::Length(length) => content.cut(*length),
                    Change::Reserve(length) => content.reserve(*length),
                }
            }
        }
        Op::Mode(number, mode) => tree.thing_mut(*number).mode = *mode,
        Op::Barrier(..) => {}
    }
}

fn rename(tree: &mut Tree, from: &Place, to: &Place, manner: Manner) {
    let at = |place: &Place| tree.names(place.0).and_then(|names| names.get(&place.1)).copied();
    let (Some(source), target) = (at(from), at(to)) else { return };
    match (manner, target) {
        (Manner::Fresh, Some(_)) | (Manner::Exchange, None) => return,
        (Manner::Exchange, Some(target)) => {
            tree.names_mut(from.0).insert(from.1.clone(), target);
        }
        _ => drop(tree.names_mut(from.0).remove(&from.1)),
    }
    tree.names_mut(to.0).insert(to.1.clone(), source);
}

impl Op {
    /// The folders that must be synced before it is durable; none for what is no matter of names.
    pub fn folders(&self) -> Vec<Number> {
        match self {
            Self::Enter((folder, _), _) | Self::Leave((folder, _)) => vec![*folder],
            Self::Move((from, _), (to, _), _) if from == to => vec![*from],
            Self::Move((from, _), (to, _), _) => vec![*from, *to],
            Self::Data(..) | Self::Mode(..) | Self::Barrier(..) => Vec::new(),
        }
    }

    /// Whether a barrier at an object covers it, as far as it is no matter of names.
    pub fn is_covered(&self, number: Number, reach: Reach) -> bool {
        match self {
            Self::Data(of, _) => *of == number,
            Self::Mode(of, _) => *of == number && reach != Reach::Data,
            _ => false,
        }
    }

    /// Whether it can be lost.
    pub fn is_losable(&self) -> bool {
        !matches!(self, Self::Barrier(..))
    }
}
