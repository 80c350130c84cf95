//! Sorts the host's failures by what they mean to the engine.
//!
//! **Invariant:** a failing disk or a full one is the world's fault; a path that cannot be changed
//! safely, or a program that says no, is the revision's.

use std::error::Error;

use bowline_engine::phase::{Event, Failure, Weight};
use bowline_host::apply::ApplyFailure;
use bowline_host::artifact::ArtifactFailure;
use bowline_host::command::CommandFailure;
use bowline_host::failure::{Kind, OsFailure, chain};
use bowline_host::journal::JournalFailure;
use bowline_host::record::RecordFailure;
use bowline_host::repository::RepositoryFailure;
use bowline_host::repository::fetch::FetchFailure;
use bowline_host::repository::history::HistoryFailure;
use bowline_host::repository::tree::TreeFailure;
use bowline_host::service::ServiceFailure;
use bowline_host::stage::StageFailure;
use bowline_host::state::StateFailure;
use bowline_host::witness::WitnessFailure;

use crate::driver::Halt;

/// A failure of the host that the engine hears of.
pub(super) trait Sorted: Error + 'static {
    /// What it means, and its code.
    fn sort(&self) -> (Kind, String);
}

/// Nothing may be written after this.
pub(super) fn fatal(error: &(dyn Error + 'static)) -> Halt {
    Halt::Fatal(chain(error))
}

/// An event, or the failure as an event; a failed barrier ends the process.
pub(super) fn told<E: Sorted>(done: Result<Event, E>) -> Result<Event, Halt> {
    match done {
        Ok(event) => Ok(event),
        Err(error) => Ok(Event::Failed(failure(&error)?)),
    }
}

/// The failure as the engine hears of it; a failed barrier ends the process.
pub(super) fn failure<E: Sorted>(error: &E) -> Result<Failure, Halt> {
    let (kind, code) = error.sort();
    let weight = match kind {
        Kind::Fatal => return Err(fatal(error)),
        Kind::Transient | Kind::Broken => Weight::Transient,
        Kind::Refused => Weight::Guilty,
    };
    Ok(Failure { weight, code, detail: chain(error) })
}

/// A failure that is the world's fault.
pub(super) fn transient(code: &str, error: &(dyn Error + 'static)) -> Failure {
    Failure { weight: Weight::Transient, code: code.to_owned(), detail: chain(error) }
}

/// A refusal of the system that no barrier is part of.
pub(super) fn of_os(error: &OsFailure) -> Failure {
    transient("io", error)
}

impl Sorted for OsFailure {
    fn sort(&self) -> (Kind, String) {
        (self.kind, "io".to_owned())
    }
}

impl Sorted for JournalFailure {
    fn sort(&self) -> (Kind, String) {
        (self.kind(), "journal".to_owned())
    }
}

impl Sorted for StateFailure {
    fn sort(&self) -> (Kind, String) {
        (self.kind(), self.code().to_owned())
    }
}

impl Sorted for WitnessFailure {
    fn sort(&self) -> (Kind, String) {
        (self.kind(), "state".to_owned())
    }
}

impl Sorted for RecordFailure {
    fn sort(&self) -> (Kind, String) {
        (self.kind(), "record".to_owned())
    }
}

impl Sorted for StageFailure {
    fn sort(&self) -> (Kind, String) {
        (self.kind(), self.code().to_owned())
    }
}

impl Sorted for ApplyFailure {
    fn sort(&self) -> (Kind, String) {
        (self.kind(), self.code().to_owned())
    }
}

impl Sorted for ArtifactFailure {
    fn sort(&self) -> (Kind, String) {
        (self.kind(), self.code().to_owned())
    }
}

impl Sorted for FetchFailure {
    fn sort(&self) -> (Kind, String) {
        (self.kind(), self.code().to_owned())
    }
}

impl Sorted for HistoryFailure {
    fn sort(&self) -> (Kind, String) {
        (self.kind(), self.code().to_owned())
    }
}

impl Sorted for RepositoryFailure {
    fn sort(&self) -> (Kind, String) {
        (self.kind(), self.code().to_owned())
    }
}

impl Sorted for TreeFailure {
    fn sort(&self) -> (Kind, String) {
        (self.kind(), self.code().to_owned())
    }
}

impl Sorted for ServiceFailure {
    fn sort(&self) -> (Kind, String) {
        (self.kind(), self.code().to_owned())
    }
}

impl Sorted for CommandFailure {
    fn sort(&self) -> (Kind, String) {
        // A program that ran and said no is the change's fault; one that could not be run may be.
        let kind = if self.kind() == Kind::Broken { Kind::Refused } else { self.kind() };
        (kind, self.code().to_owned())
    }
}
