//! Kind Command: a program that is run when its guard says so.
//!
//! **Invariant:** a command without a guard does not exist: it would run again at every turn.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::argv::Argv;
use super::compose::{Written, Wrongs};
use crate::duration::Span;
use crate::host_path::HostPath;
use crate::name::Account;

/// Longest time a command may take: a deployment that waits longer hides a hang.
const LONGEST: Duration = Duration::from_hours(24);

/// A program that is run when its guard says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "CommandFields")]
pub struct CommandSpec {
    /// The program and its arguments.
    pub argv: Argv,
    /// What decides whether it is run.
    pub guard: Guard,
    /// What takes it back, if anything does.
    pub undo: Option<Argv>,
    /// How long it, its guard and its undo may each take.
    pub timeout: Span,
    /// The user that runs it; by default the agent's own.
    pub run_as: Option<Account>,
}

/// What decides whether a command is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// Run while this path is not there.
    Creates(HostPath),
    /// Run while this command fails.
    Unless(Argv),
    /// Run while this command succeeds.
    OnlyIf(Argv),
}

/// What may be written in a Command's spec.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a map")]
pub struct CommandFields {
    /// The program's absolute path and its arguments; no shell.
    argv: Argv,
    /// Run only while this path is not there; exactly one of creates, unless, onlyIf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    creates: Option<HostPath>,
    /// Run only while this command fails; exactly one of creates, unless, onlyIf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unless: Option<Argv>,
    /// Run only while this command succeeds; exactly one of creates, unless, onlyIf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    only_if: Option<Argv>,
    /// What takes it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    undo: Option<Argv>,
    /// How long it may take.
    #[serde(default = "timeout")]
    timeout: Span,
    /// The user that runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_as: Option<Account>,
}

fn timeout() -> Span {
    Span::from_secs(60)
}

impl Written for CommandFields {
    type Spec = CommandSpec;

    fn resolve(self, wrongs: &mut Wrongs) -> Option<CommandSpec> {
        let guards = [
            self.creates.map(|it| ("creates", Guard::Creates(it))),
            self.unless.map(|it| ("unless", Guard::Unless(it))),
            self.only_if.map(|it| ("onlyIf", Guard::OnlyIf(it))),
        ];
        let mut guards = guards.into_iter().flatten();
        let guard = guards.next();
        let expected = "exactly one of creates, unless, onlyIf";
        if guard.is_none() {
            wrongs.add("", "a command that would run at every turn", expected);
        }
        for (field, _) in guards {
            wrongs.add(field, "more than one guard", expected);
        }
        let taken = self.timeout.as_duration();
        if taken.is_zero() || taken > LONGEST {
            wrongs.add("timeout", &format!("a timeout of {}", self.timeout), "1ms to 24h");
        }
        Some(CommandSpec {
            argv: self.argv,
            guard: guard?.1,
            undo: self.undo,
            timeout: self.timeout,
            run_as: self.run_as,
        })
    }
}

impl From<CommandSpec> for CommandFields {
    fn from(spec: CommandSpec) -> Self {
        let (creates, unless, only_if) = match spec.guard {
            Guard::Creates(it) => (Some(it), None, None),
            Guard::Unless(it) => (None, Some(it), None),
            Guard::OnlyIf(it) => (None, None, Some(it)),
        };
        Self {
            argv: spec.argv,
            creates,
            unless,
            only_if,
            undo: spec.undo,
            timeout: spec.timeout,
            run_as: spec.run_as,
        }
    }
}
