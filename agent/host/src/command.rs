//! Runs the programs that manifests name: steps, their undos, guards and judges.
//!
//! **Invariant:** a program is never a shell's line, and its paths are never rewritten: it runs on the
//! machine, whatever the root is, and is told the root in `BOWLINE_ROOT`.

use std::collections::BTreeMap;
use std::time::Duration;

use bowline_model::host_path::HostPath;
use bowline_model::step::{Check, Run};
use bowline_model::survey::{Condition, Guard};
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::fstatat;
use nix::unistd::{User, geteuid};
use thiserror::Error;

use crate::door::command::{Bond, Order, Ran, run};
use crate::door::root::{Folders, NoFolder, Root};
use crate::failure::{Kind, OsFailure};

/// Time for a program that judges a file: it reads one, and asks nobody.
pub const CHECK_TIMEOUT: Duration = Duration::from_mins(1);

/// A program did not do what it was run for.
#[derive(Debug, Error)]
pub enum CommandFailure {
    /// It could not be run.
    #[error("run the program of {resource}")]
    Os {
        /// Whose program.
        resource: String,
        /// What the system said.
        #[source]
        source: OsFailure,
    },
    /// The account it should run under cannot be used.
    #[error("run the program of {resource} as {account}: {why}")]
    Account {
        /// Whose program.
        resource: String,
        /// The account.
        account: String,
        /// Why.
        why: String,
    },
    /// It ended badly.
    #[error("the program {program} of {resource} {}", ran.summary())]
    Ended {
        /// Whose program.
        resource: String,
        /// The program.
        program: String,
        /// How.
        ran: Box<Ran>,
    },
}

impl CommandFailure {
    /// What it means for the deployment.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Os { source, .. } => source.kind,
            Self::Account { .. } | Self::Ended { .. } => Kind::Broken,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Os { .. } => "io",
            Self::Account { .. } => "account",
            Self::Ended { ran, .. } if ran.timed_out => "command-timeout",
            Self::Ended { .. } => "command-failed",
        }
    }

    /// What the program wrote, if it ran.
    pub fn output(&self) -> &str {
        match self {
            Self::Ended { ran, .. } => &ran.output,
            _ => "",
        }
    }
}

/// Runs the programs of commands and files, below a root.
#[derive(Debug)]
pub struct Commands<'a> {
    root: &'a Root,
    bond: Bond,
}

impl<'a> Commands<'a> {
    /// Programs that are told of this root.
    pub fn of(root: &'a Root) -> Self {
        Self { root, bond: Bond::Tied }
    }

    /// Programs that outlive the agent, or start what does.
    pub fn free(root: &'a Root) -> Self {
        Self { root, bond: Bond::Free }
    }

    /// Runs a program to its end, however it ends.
    pub fn run(
        &self,
        resource: &str,
        argv: &[String],
        timeout: Duration,
        run_as: Option<&str>,
    ) -> Result<Ran, CommandFailure> {
        let account = run_as.map_or(Ok(None), |name| account(resource, name))?;
        let root = (!self.root.is_machine()).then(|| self.root.path());
        run(&Order { argv, timeout, account, bond: self.bond, root })
            .map_err(|source| CommandFailure::Os { resource: resource.to_owned(), source })
    }

    /// Runs a program that must end with exit code 0.
    pub fn run_well(
        &self,
        resource: &str,
        argv: &[String],
        timeout: Duration,
        run_as: Option<&str>,
    ) -> Result<Ran, CommandFailure> {
        let ran = self.run(resource, argv, timeout, run_as)?;
        if ran.succeeded() {
            return Ok(ran);
        }
        let program = argv.first().cloned().unwrap_or_default();
        Err(CommandFailure::Ended { resource: resource.to_owned(), program, ran: Box::new(ran) })
    }

    /// Does a step that is a program.
    pub fn step(&self, resource: &str, step: &Run) -> Result<Ran, CommandFailure> {
        let timeout = Duration::from_millis(step.timeout_ms);
        self.run_well(resource, &step.argv, timeout, step.run_as.as_deref())
    }

    /// Takes a step back that is a program; `None` when its author named no way.
    pub fn undo(&self, resource: &str, step: &Run) -> Result<Option<Ran>, CommandFailure> {
        let Some(argv) = &step.undo else {
            return Ok(None);
        };
        let timeout = Duration::from_millis(step.timeout_ms);
        self.run_well(resource, argv, timeout, step.run_as.as_deref()).map(Some)
    }

    /// Runs programs that judge what was applied, until one is not content.
    pub fn check(&self, checks: &[Check]) -> Result<(), CommandFailure> {
        checks.iter().try_for_each(|check| {
            let file = check.file.as_ref().map(|it| self.root.outside(it.as_str()));
            let argv: Vec<String> = match file {
                Some(file) => {
                    let file = file.display().to_string();
                    check.argv.iter().map(|word| word.replace("%s", &file)).collect()
                }
                None => check.argv.clone(),
            };
            self.run_well(&check.resource, &argv, CHECK_TIMEOUT, None).map(drop)
        })
    }

    /// Asks each guard whether its command should run.
    pub fn guards(&self, guards: &[Guard]) -> Result<BTreeMap<String, bool>, CommandFailure> {
        guards.iter().map(|it| Ok((it.resource.clone(), self.guard(it)?))).collect()
    }

    fn guard(&self, guard: &Guard) -> Result<bool, CommandFailure> {
        let (argv, runs_if_it_succeeds) = match &guard.condition {
            Condition::Creates(path) => {
                return self.stands(path).map(|it| !it).map_err(|source| CommandFailure::Os {
                    resource: guard.resource.clone(),
                    source,
                });
            }
            Condition::Unless(argv) => (argv, false),
            Condition::OnlyIf(argv) => (argv, true),
        };
        let timeout = Duration::from_millis(guard.timeout_ms);
        let ran = self.run(&guard.resource, argv, timeout, guard.run_as.as_deref())?;
        // A guard that was ended by force has not said anything.
        if ran.timed_out || ran.code.is_none() {
            let program = argv.first().cloned().unwrap_or_default();
            let resource = guard.resource.clone();
            return Err(CommandFailure::Ended { resource, program, ran: Box::new(ran) });
        }
        Ok(ran.succeeded() == runs_if_it_succeeds)
    }

    /// Whether anything stands at a path below the root.
    fn stands(&self, path: &HostPath) -> Result<bool, OsFailure> {
        let fail = |errno| OsFailure::new("look at", self.root.outside(path.as_str()), errno);
        let mut folders = Folders::of(self.root);
        let (folder, name) = match folders.parent(path) {
            Ok(found) => found,
            Err(NoFolder::Missing) => return Ok(false),
            Err(why) => return Err(fail(why.errno())),
        };
        match fstatat(&folder, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(fail(errno)),
        }
    }
}

/// User and group of an account; `None` when it is the agent's own.
fn account(resource: &str, name: &str) -> Result<Option<(u32, u32)>, CommandFailure> {
    let refuse = |why: String| CommandFailure::Account {
        resource: resource.to_owned(),
        account: name.to_owned(),
        why,
    };
    let user = User::from_name(name)
        .map_err(|errno| refuse(format!("accounts cannot be read: {errno}")))?
        .ok_or_else(|| refuse("the machine has no such account".to_owned()))?;
    if user.uid == geteuid() {
        return Ok(None);
    }
    if !geteuid().is_root() {
        return Err(refuse("only an agent that runs as root can change accounts".to_owned()));
    }
    Ok(Some((user.uid.as_raw(), user.gid.as_raw())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::scratch::Scratch;

    fn argv(words: &[&str]) -> Vec<String> {
        words.iter().map(|it| (*it).to_owned()).collect()
    }

    fn guard(condition: Condition) -> Guard {
        Guard { resource: "Command/a".to_owned(), condition, timeout_ms: 10_000, run_as: None }
    }

    #[test]
    fn guards_say_whether_their_command_should_run() {
        let scratch = Scratch::new();
        std::fs::write(scratch.path().join("there"), "").unwrap();
        symlink("nowhere", scratch.path().join("dangling")).unwrap();
        let root = Root::open(scratch.path()).unwrap();
        let creates = |path: &str| Condition::Creates(path.parse().unwrap());
        for (condition, expected) in [
            (creates("/there"), false),
            (creates("/dangling"), false),
            (creates("/not-there"), true),
            (creates("/no/such/folder"), true),
            (Condition::Unless(argv(&["/bin/true"])), false),
            (Condition::Unless(argv(&["/bin/false"])), true),
            (Condition::OnlyIf(argv(&["/bin/true"])), true),
            (Condition::OnlyIf(argv(&["/bin/false"])), false),
        ] {
            let said = Commands::of(&root).guards(&[guard(condition.clone())]).unwrap();
            assert_eq!(said.get("Command/a"), Some(&expected), "{condition:?}");
        }
    }

    #[test]
    fn a_guard_that_says_nothing_is_a_failure() {
        let scratch = Scratch::new();
        let root = Root::open(scratch.path()).unwrap();
        for (words, code) in [
            (&["/nowhere/at/all"][..], "io"),
            (&["/bin/sh", "-c", "kill -9 $$"][..], "command-failed"),
        ] {
            let asked = [guard(Condition::Unless(argv(words)))];
            let failure = Commands::of(&root).guards(&asked).unwrap_err();
            assert_eq!(failure.code(), code, "{words:?}");
        }
    }

    #[test]
    fn a_failed_program_is_told_with_its_last_line() {
        let scratch = Scratch::new();
        let root = Root::open(scratch.path()).unwrap();
        let step = Run {
            argv: argv(&["/bin/sh", "-c", "echo one; echo two; exit 4"]),
            undo: None,
            timeout_ms: 10_000,
            run_as: None,
        };
        let failure = Commands::of(&root).step("Command/a", &step).unwrap_err();
        let text = "the program /bin/sh of Command/a ended with exit code 4: two";
        assert_eq!(failure.to_string(), text);
        assert!(Commands::of(&root).undo("Command/a", &step).unwrap().is_none());
    }

    #[test]
    fn an_unknown_account_is_refused() {
        let scratch = Scratch::new();
        let root = Root::open(scratch.path()).unwrap();
        let name = Some("no-such-account-here");
        let failure =
            Commands::of(&root).run("Command/a", &argv(&["/bin/true"]), CHECK_TIMEOUT, name);
        assert_eq!(failure.unwrap_err().code(), "account");
    }
}
