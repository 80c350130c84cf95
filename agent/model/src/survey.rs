//! What to look at on the host, and what was seen.
//!
//! **Invariant:** what was seen stands in the order in which it was asked for, and is as long.

use std::collections::BTreeMap;

use crate::form::{Form, Inode};
use crate::host_path::HostPath;
use crate::unit::UnitState;

/// How closely to look at files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Trust a file's metadata where they are as when it was last read, and not racy.
    Stat,
    /// Read every file.
    Full,
}

/// What to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Paths, sorted.
    pub paths: Vec<HostPath>,
    /// Directories whose entries are wanted.
    pub listings: Vec<HostPath>,
    /// Conditions of commands.
    pub guards: Vec<Guard>,
    /// Units, sorted.
    pub units: Vec<String>,
    /// How closely.
    pub depth: Depth,
}

/// The condition under which a command runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// The command's resource.
    pub resource: String,
    /// The condition.
    pub condition: Condition,
    /// How long its program may take, in milliseconds.
    pub timeout_ms: u64,
    /// The account it runs under.
    pub run_as: Option<String>,
}

/// What must hold for a command to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Nothing stands at this path.
    Creates(HostPath),
    /// This program exits with something else than 0.
    Unless(Vec<String>),
    /// This program exits with 0.
    OnlyIf(Vec<String>),
}

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sight {
    /// Each path of the survey.
    pub forms: Vec<Seen>,
    /// Names in each listed directory, sorted.
    pub listings: Vec<Vec<String>>,
    /// By command: whether its condition holds.
    pub guards: BTreeMap<String, bool>,
    /// Each unit of the survey; `None` where no service manager may be asked.
    pub units: Option<Vec<UnitState>>,
}

/// One path as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// How it stands.
    pub form: Form,
    /// Which object stands there.
    pub inode: Option<Inode>,
    /// Why it may not be exchanged: a mount point, hard links, an immutable bit; `None`: it may.
    pub obstacle: Option<String>,
}
