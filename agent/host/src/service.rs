//! Tells units of a change, through systemd or a program that stands for it.
//!
//! **Invariant:** the machine's systemd is never called for a root that is not the machine's own.

use std::path::PathBuf;
use std::time::Duration;

use bowline_model::step::Handler;
use thiserror::Error;

use crate::command::{CommandFailure, Commands};
use crate::door::root::Root;
use crate::failure::Kind;

/// systemd's own limit for a start or stop is 90 seconds.
pub const TIMEOUT: Duration = Duration::from_mins(2);

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

/// A unit could not be told.
#[derive(Debug, Error)]
#[error("{action} {unit}")]
pub struct ServiceFailure {
    /// What it should have done.
    pub action: String,
    /// The unit.
    pub unit: String,
    /// What the service manager said.
    #[source]
    pub source: Box<CommandFailure>,
}

impl ServiceFailure {
    /// What it means for the deployment.
    pub fn kind(&self) -> Kind {
        self.source.kind()
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        "service"
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

    /// Tells one unit.
    pub fn notify(&self, root: &Root, handler: &Handler) -> Result<Told, ServiceFailure> {
        let program = match self {
            Self::Systemctl if !root.is_machine() => {
                return Ok(skipped(handler, "the root is not the machine's own"));
            }
            Self::None => return Ok(skipped(handler, "no service manager is set")),
            Self::Systemctl => SYSTEMCTL.to_owned(),
            Self::Program(path) => path.display().to_string(),
        };
        let argv = [program, handler.action.clone(), handler.unit.clone()];
        Commands::free(root)
            .run_well(&format!("the unit {}", handler.unit), &argv, TIMEOUT, None)
            .map(|_| Told::Done)
            .map_err(|source| ServiceFailure {
                action: handler.action.clone(),
                unit: handler.unit.clone(),
                source: Box::new(source),
            })
    }
}

fn skipped(handler: &Handler, why: &str) -> Told {
    Told::Skipped(format!("{} {}: {why}", handler.action, handler.unit))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::scratch::Scratch;

    fn handler() -> Handler {
        Handler { unit: "shop.service".to_owned(), action: "restart".to_owned() }
    }

    fn program(scratch: &Scratch, script: &str) -> ServiceManager {
        let path = scratch.path().join("manager");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        ServiceManager::named(path.to_str().unwrap())
    }

    #[test]
    fn a_program_is_told_action_and_unit() {
        let scratch = Scratch::new();
        let root = Root::open(scratch.path()).unwrap();
        let manager = program(&scratch, "echo \"$*\" > \"$BOWLINE_ROOT/told\"");
        assert_eq!(manager.notify(&root, &handler()).unwrap(), Told::Done);
        let told = std::fs::read_to_string(scratch.path().join("told")).unwrap();
        assert_eq!(told, "restart shop.service\n");
    }

    #[test]
    fn a_failure_names_unit_and_output() {
        let scratch = Scratch::new();
        let root = Root::open(scratch.path()).unwrap();
        let failure =
            program(&scratch, "echo no such unit; exit 5").notify(&root, &handler()).unwrap_err();
        let text = crate::failure::chain(&failure);
        assert!(text.starts_with("restart shop.service: "), "{text}");
        assert!(text.ends_with("ended with exit code 5: no such unit"), "{text}");
    }

    #[test]
    fn another_root_never_reaches_the_machines_systemd() {
        let scratch = Scratch::new();
        let root = Root::open(scratch.path()).unwrap();
        for manager in [ServiceManager::Systemctl, ServiceManager::None] {
            let told = manager.notify(&root, &handler()).unwrap();
            assert!(matches!(told, Told::Skipped(_)), "{manager:?}");
        }
    }
}
