//! The smallest change a plan makes, with everything that is needed to take it back.
//!
//! **Invariant:** a step leaves nothing to choose: paths, forms and arguments are exact.
//! **Invariant:** a step holds no secret value and no content, only digests: it goes into the journal.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::form::{Form, Inode};
use crate::host_path::HostPath;
use crate::unit::{UnitState, Verb};

/// One change. Doing it twice is doing it once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// Its place in the plan, from 0; also the name of its slot in the stage.
    pub index: u32,
    /// The resource that asks for it, as `Kind/name`.
    pub resource: Arc<str>,
    /// How it is taken back.
    pub class: Class,
    /// What is done.
    pub deed: Deed,
}

/// How a step is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// To the byte.
    Exact,
    /// By a counter-action that brings back what matters.
    Compensate,
    /// By what the manifest's author declared.
    Declared,
    /// Not at all.
    None,
}

impl Class {
    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Compensate => "compensate",
            Self::Declared => "declared",
            Self::None => "none",
        }
    }
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase", deny_unknown_fields)]
pub enum Deed {
    /// Puts a staged object in the place of what stands there, or takes that away, in one exchange.
    Place {
        /// Where.
        target: HostPath,
        /// How the target stood when the plan was made.
        pre: Form,
        /// How it stands afterwards.
        post: Form,
        /// Which object stood there; `None` where nothing did.
        inode: Option<Inode>,
        /// On which filesystem's stage the slot lies; set when staged.
        stage: u16,
    },
    /// Changes a directory's owner and mode where it stands.
    Alter {
        /// Where.
        target: HostPath,
        /// How it stood.
        pre: Form,
        /// How it stands afterwards.
        post: Form,
    },
    /// Runs a program.
    Run(Run),
    /// Tells the service manager something.
    Unit(Telling),
}

/// A program to run, and the one that takes its effect back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Run {
    /// The program and its arguments; never a shell.
    pub argv: Vec<String>,
    /// What takes its effect back; `None`: nothing does.
    pub undo: Option<Vec<String>>,
    /// How long each may take, in milliseconds.
    pub timeout_ms: u64,
    /// The account it runs under; `None`: the agent's own.
    pub run_as: Option<String>,
}

/// What the service manager is told on the way there, and on the way back.
///
/// A unit's state can only be brought back once its files are, and only be taken away while they stand.
/// So a change of a running unit has a step before its files, which says nothing on the way there, and
/// one behind them, which says nothing on the way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Telling {
    /// Whom it is about; `None`: all units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What is told on the way there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub there: Option<Verb>,
    /// What is told on the way back, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub back: Vec<Verb>,
    /// How the unit stood, as far as this step changes it.
    #[serde(default)]
    pub pre: UnitState,
}

impl Step {
    /// The path it changes, when it has one.
    pub fn target(&self) -> Option<&HostPath> {
        match &self.deed {
            Deed::Place { target, .. } | Deed::Alter { target, .. } => Some(target),
            Deed::Run(_) | Deed::Unit(_) => None,
        }
    }

    /// How its path stood before.
    pub fn pre(&self) -> Option<&Form> {
        match &self.deed {
            Deed::Place { pre, .. } | Deed::Alter { pre, .. } => Some(pre),
            Deed::Run(_) | Deed::Unit(_) => None,
        }
    }

    /// How its path stands afterwards.
    pub fn post(&self) -> Option<&Form> {
        match &self.deed {
            Deed::Place { post, .. } | Deed::Alter { post, .. } => Some(post),
            Deed::Run(_) | Deed::Unit(_) => None,
        }
    }

    /// Whether it is done by itself: what it does is no file's.
    pub fn is_alone(&self) -> bool {
        matches!(self.deed, Deed::Run(_) | Deed::Unit(_))
    }

    /// Whether it only waits for a way back.
    pub fn is_silent(&self) -> bool {
        matches!(self.deed, Deed::Unit(Telling { there: None, .. }))
    }

    /// What it does, in one word.
    pub fn action(&self) -> &'static str {
        match &self.deed {
            Deed::Place { pre: Form::Absent, .. } => "create",
            Deed::Place { post: Form::Absent, .. } => "remove",
            Deed::Place { .. } => "replace",
            Deed::Alter { .. } => "update",
            Deed::Run(_) => "run",
            Deed::Unit(it) => it.there.map_or("none", Verb::word),
        }
    }

    /// The kind of its resource.
    pub fn kind(&self) -> &str {
        self.resource.split('/').next().unwrap_or_default()
    }
}

/// A unit to be told of a change, once, after all steps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handler {
    /// The unit.
    pub unit: String,
    /// What it is told: restart, reload, reload-or-restart, start, stop.
    pub action: String,
}

/// A program that judges what was applied, before handlers run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The resource that asks for it.
    pub resource: Arc<str>,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// The file for which `%s` stands in them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<HostPath>,
}
