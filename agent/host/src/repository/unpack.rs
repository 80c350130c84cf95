//! The confined process that unpacks what a stranger sent: the agent's own binary, called for one pack.
//!
//! It reads a pack from its input, puts it together beside the agent's repository, looks whether everything
//! below the wanted commit is there, and answers with one line.
//!
//! **Invariant:** nothing is read before the process is confined, and nothing at all where root could not be.
//! **Invariant:** what is unpacked lies where nothing else looks, until the agent lets it in.

use std::ffi::OsStr;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::{ErrorClass, Indexer, ObjectType, Oid};
use serde::{Deserialize, Serialize};

use super::complete::missing_below;
use super::fetch_failure::FetchFailure;
use super::watch::{FetchLimits, Watch};
use super::{ARRIVALS, objects_in};
use crate::door::clock;
use crate::door::confined::{self, Bounds, Cell, Lack};
use crate::failure::chain;
use crate::wire::bad_answer::plain;

/// The word that makes the agent's binary this process.
pub const WORD: &str = "--unpack";

/// Read at once: a pipe's usual size.
const BUFFER: usize = 64 << 10;

/// What is to be done, as the agent says it on the command line.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Task {
    /// The agent.
    pub(super) parent: i32,
    /// Whether to run as nobody.
    pub(super) as_nobody: bool,
    /// What may be taken.
    pub(super) bounds: Bounds,
    /// How long it may take.
    pub(super) millis: u64,
    /// The commit that is wanted.
    pub(super) tip: String,
    /// One below which everything is there.
    pub(super) known: Option<String>,
    /// Whether differences may build on what is there.
    pub(super) thin: bool,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    /// What could not be taken away from the process.
    pub(super) lacks: Vec<Lack>,
    pub(super) found: Found,
}

/// What the pack turned out to be.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Found {
    /// With it everything is there.
    Whole,
    /// This object is not.
    Missing(String),
    /// What is wanted is there, and of this kind.
    NoCommit(String),
    /// It is not as a pack should be.
    Damaged(String),
    /// It cannot be put together in so much memory.
    NoMemory,
    /// It has too many objects.
    TooMany,
    /// It takes too long.
    Late,
    /// It cannot be written.
    Unwritten(String),
    /// It was not read: this process is root and reaches every file.
    Unconfined,
}

/// Does what the agent's command line says. Gives the exit code.
#[allow(clippy::print_stderr, reason = "the agent reads it")]
pub fn serve(task: &OsStr) -> u8 {
    let task: Option<Task> = task.to_str().and_then(|it| serde_json::from_str(it).ok());
    let Some(task) = task else {
        eprintln!("{WORD} is for the agent itself");
        return 2;
    };
    let folders = folders();
    let reads = [folders[0].as_path(), folders[1].as_path()];
    let (parent, as_nobody, bounds) = (task.parent, task.as_nobody, task.bounds);
    let cell = Cell { parent, as_nobody, bounds, reads: &reads, writes: Path::new(ARRIVALS) };
    let lacks = match confined::enter(&cell) {
        Ok(lacks) => lacks,
        Err(failure) => {
            eprintln!("{}", chain(&failure));
            return 1;
        }
    };
    let found = if confined::is_open(&lacks) { Found::Unconfined } else { unpack(&task) };
    let answer = Answer { lacks, found };
    let told = serde_json::to_vec(&answer).is_ok_and(|it| io::stdout().write_all(&it).is_ok());
    u8::from(!told)
}

/// The agent's repository and what arrives beside it: this process begins in their folder.
fn folders() -> [PathBuf; 2] {
    ["objects", "arriving"].map(PathBuf::from)
}

fn unpack(task: &Task) -> Found {
    let timeout = Duration::from_millis(task.millis);
    let limits = FetchLimits { bytes: u64::MAX, timeout };
    let stop = std::sync::Arc::default();
    let deadline = clock::since_boot().saturating_add(timeout);
    let watch = Watch::over(String::new(), &limits, deadline, &stop);
    read(task, &watch).and_then(|()| judge(task, &watch)).unwrap_or_else(|failure| failure)
}

/// Reads the pack and puts it together.
fn read(task: &Task, watch: &Watch<'_>) -> Result<(), Found> {
    let sorted = |error: git2::Error| sorted(watch, &error);
    let own = objects_in(&[PathBuf::from("objects")]).map_err(sorted)?;
    let bases = task.thin.then_some(&own);
    let mut index = Indexer::new(bases, Path::new(ARRIVALS), 0o400, false).map_err(sorted)?;
    // Differences are put together long after the last byte came.
    index.progress(|_| watch.check().is_ok());
    let (mut input, mut buffer) = (io::stdin().lock(), vec![0; BUFFER]);
    loop {
        let count = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Found::Damaged(error.to_string())),
        };
        let taken = index.write_all(buffer.get(..count).unwrap_or_default());
        taken.map_err(|error| {
            let said = error.to_string();
            let cause = error.into_inner().and_then(|it| it.downcast::<git2::Error>().ok());
            sorted(cause.map_or_else(|| git2::Error::from_str(&said), |it| *it))
        })?;
    }
    index.commit().map(drop).map_err(sorted)
}

/// Looks whether what is wanted is there with all that it is made of.
fn judge(task: &Task, watch: &Watch<'_>) -> Result<Found, Found> {
    let id = |text: &str| Oid::from_str(text).map_err(|error| sorted(watch, &error));
    let tip = id(&task.tip)?;
    let known = task.known.as_deref().map(id).transpose()?;
    let both = objects_in(&folders()).map_err(|error| sorted(watch, &error))?;
    match both.read_header(tip) {
        Ok((_, ObjectType::Commit)) => {}
        Ok((_, kind)) => return Ok(Found::NoCommit(kind.to_string())),
        Err(_) => return Ok(Found::Missing(tip.to_string())),
    }
    match missing_below(&folders(), tip, known, watch) {
        Ok(None) => Ok(Found::Whole),
        Ok(Some(missing)) => Ok(Found::Missing(missing.to_string())),
        Err(FetchFailure::Git { source, .. }) => Err(sorted(watch, &source)),
        Err(FetchFailure::TooLarge { .. }) => Err(Found::TooMany),
        Err(FetchFailure::TimedOut { .. }) => Err(Found::Late),
        Err(other) => Err(Found::Damaged(plain(chain(&other).as_bytes()))),
    }
}

/// Whether the disk here, the limits or the pack is to blame.
fn sorted(watch: &Watch<'_>, error: &git2::Error) -> Found {
    let words = plain(error.message().as_bytes());
    match error.class() {
        _ if watch.check().is_err() => Found::Late,
        ErrorClass::NoMemory => Found::NoMemory,
        ErrorClass::Os | ErrorClass::Filesystem => Found::Unwritten(words),
        _ => Found::Damaged(words),
    }
}
