//! Tells units of a change, through systemd or a program that stands for it.
//!
//! **Invariant:** the machine's systemd is never called for a root that is not the machine's own.
//! **Invariant:** what a unit is told on the way back it is told once more, or found to be done: telling
//! twice is telling once.

mod state;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use bowline_model::step::{Handler, Telling};
use bowline_model::unit::Verb;
use thiserror::Error;

use crate::command::{CommandFailure, Commands};
use crate::door::root::Root;
use crate::failure::Kind;

/// systemd's own limit for a start, and for a stop, is 90 seconds; a restart is both, and some seconds
/// pass between.
const JOB_TIMEOUT: Duration = Duration::from_mins(4);

/// Asking a unit's status looks into the journal, which may be large.
const STATUS_TIMEOUT: Duration = Duration::from_secs(10);

/// All that telling one unit one thing may take: it is asked first, told, and its status looked up.
pub const TELL_TIME: Duration = Duration::from_mins(6);

/// All that asking for one unit may take: two questions.
pub const ASK_TIME: Duration = Duration::from_secs(65);

/// Lines of a unit's log that are told.
const LOG_LINES: usize = 5;

/// Letters of them: a record holds some of these.
const SAID_LETTERS_MAX: usize = 1_000;

/// Where distributions have it.
const SYSTEMCTL: &str = "/usr/bin/systemctl";

/// Who is asked to start, stop and restart units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceManager {
    /// systemd, by `systemctl ACTION UNIT`.
    Systemctl,
    /// A program, by `PROGRAM ACTION UNIT`.
    Program(PathBuf),
    /// Nobody.
    None,
}

/// A unit could not be told, or nobody could say how it stands.
#[derive(Debug, Error)]
pub enum ServiceFailure {
    /// It was told, and that did not come off.
    #[error("{action} {unit}{said}")]
    Told {
        /// What it should have done.
        action: &'static str,
        /// The unit.
        unit: String,
        /// What its log or the service manager says of it.
        said: String,
        /// How the service manager ended.
        #[source]
        source: Box<CommandFailure>,
    },
    /// It could not be asked.
    #[error("ask how {unit} stands")]
    Asked {
        /// The unit, or the first of several.
        unit: String,
        /// Why.
        #[source]
        source: Box<CommandFailure>,
    },
    /// The answer is none.
    #[error("the service manager does not say how {unit} stands: {detail}")]
    Answered {
        /// The unit, or the first of several.
        unit: String,
        /// What it said instead.
        detail: String,
    },
}

impl ServiceFailure {
    /// What it means for the deployment.
    pub fn kind(&self) -> Kind {
        match self {
            // A program that says no is the change's fault, as with commands.
            Self::Told { source, .. } if source.kind() == Kind::Broken => Kind::Refused,
            Self::Told { source, .. } => source.kind(),
            Self::Asked { .. } | Self::Answered { .. } => Kind::Transient,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Told { .. } => "unit-failed",
            Self::Asked { .. } | Self::Answered { .. } => "service",
        }
    }
}

/// How a unit was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It was.
    Done,
    /// It was not, and why that is right.
    Skipped(String),
}

impl ServiceManager {
    /// Reads `serviceManager` of the agent's settings: `systemd`, `none`, or a program's path.
    pub fn named(text: &str) -> Self {
        match text {
            "systemd" | "" => Self::Systemctl,
            "none" => Self::None,
            program => Self::Program(PathBuf::from(program)),
        }
    }

    /// The program to call for a root, or why there is none.
    fn program(&self, root: &Root) -> Result<String, &'static str> {
        match self {
            Self::Systemctl if !root.is_machine() => Err("the root is not the machine's own"),
            Self::None => Err("no service manager is set"),
            Self::Systemctl => Ok(SYSTEMCTL.to_owned()),
            Self::Program(path) => Ok(path.display().to_string()),
        }
    }

    /// Tells one unit of a change.
    pub fn notify(&self, root: &Root, handler: &Handler) -> Result<Told, ServiceFailure> {
        // What is started by it lives on when the agent is killed.
        let verb = match handler.action.as_str() {
            "reload" => Verb::Reload,
            "reload-or-restart" => Verb::ReloadOrRestart,
            "start" => Verb::Start,
            "stop" => Verb::Stop,
            _ => Verb::Restart,
        };
        self.tell(&Commands::free(root), root, verb, Some(&handler.unit))
    }

    /// Does a step.
    pub fn carry_out(&self, root: &Root, telling: &Telling) -> Result<Told, ServiceFailure> {
        let Some(verb) = telling.there else { return Ok(Told::Done) };
        self.tell(&Commands::of(root), root, verb, telling.unit.as_deref())
    }

    /// Takes a step back: what already is as it was is left alone.
    pub fn take_back(&self, root: &Root, telling: &Telling) -> Result<(), ServiceFailure> {
        let unit = telling.unit.as_deref();
        let commands = Commands::of(root);
        for verb in &telling.back {
            let state = match unit {
                Some(unit) => {
                    self.ask(root, &[unit.to_owned()])?.and_then(|it| it.first().copied())
                }
                None => None,
            };
            if !state.is_some_and(|it| verb.is_met(it)) {
                self.tell(&commands, root, *verb, unit)?;
            }
            if *verb == Verb::Stop {
                self.forgive(&commands, unit);
            }
        }
        Ok(())
    }

    fn tell(
        &self,
        commands: &Commands<'_>,
        root: &Root,
        verb: Verb,
        unit: Option<&str>,
    ) -> Result<Told, ServiceFailure> {
        let shown = unit.unwrap_or("all units");
        let program = match self.program(root) {
            Ok(program) => program,
            Err(why) => return Ok(Told::Skipped(format!("{} {shown}: {why}", verb.word()))),
        };
        if matches!(verb, Verb::Start | Verb::Restart | Verb::ReloadOrRestart) {
            self.forgive(commands, unit);
        }
        let mut argv = vec![program, verb.word().to_owned()];
        argv.extend(unit.map(str::to_owned));
        // The end of the start's own job decides: one that is always restarted never reads as failed.
        let ran = commands.run_well(&format!("the unit {shown}"), &argv, JOB_TIMEOUT, None);
        ran.map(|_| Told::Done).map_err(|source| ServiceFailure::Told {
            action: verb.word(),
            unit: shown.to_owned(),
            said: self.said_of(commands, verb, unit, &source),
            source: Box::new(source),
        })
    }

    /// Lets systemd forget that a unit failed: it refuses to start one that failed too often, and one
    /// that did not run before shall not read as failed afterwards.
    fn forgive(&self, commands: &Commands<'_>, unit: Option<&str>) {
        if let (Self::Systemctl, Some(unit)) = (self, unit) {
            let argv = [SYSTEMCTL, "reset-failed", "--", unit].map(str::to_owned);
            // It fails for a unit that has nothing to forget.
            drop(commands.run("the service manager", &argv, STATUS_TIMEOUT, None));
        }
    }

    /// The last lines about a unit, for the reason of a failure.
    fn said_of(
        &self,
        commands: &Commands<'_>,
        verb: Verb,
        unit: Option<&str>,
        failure: &CommandFailure,
    ) -> String {
        let status = match (self, unit.filter(|_| verb.is_job())) {
            (Self::Systemctl, Some(unit)) => {
                let lines = format!("--lines={LOG_LINES}");
                let words = [SYSTEMCTL, "status", "--no-pager", "--full", &lines, "--", unit];
                let argv = words.map(str::to_owned);
                let ran = commands.run("the service manager", &argv, STATUS_TIMEOUT, None);
                ran.map(|it| it.output).unwrap_or_default()
            }
            _ => failure.output().to_owned(),
        };
        let lines: Vec<&str> =
            status.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let last = lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default();
        if last.is_empty() {
            return String::new();
        }
        let plain = last.join("; ").chars().filter(|it| !it.is_control()).collect::<String>();
        format!(" ({})", plain.chars().take(SAID_LETTERS_MAX).collect::<String>())
    }
}
