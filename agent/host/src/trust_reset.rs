//! Forgets how far a host has verified: the one way out for a host whose memory was tampered with.
//!
//! **Invariant:** only whoever owns the host does it, while no agent runs, and a signed record says why before
//! anything is forgotten.
//! **Invariant:** nothing else is forgotten: what is committed, quarantined and recorded stays. The next walk begins
//! at the trust file's anchor, and below its floors nothing is accepted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bowline_api::outcome::Outcome;
use bowline_api::record::{self, Kind as RecordKind, Record, StepCount};
use bowline_model::digest::Sha256;
use nix::sys::stat::lstat;
use nix::unistd::geteuid;
use thiserror::Error;

use crate::door::files;
use crate::failure::{OsFailure, chain};
use crate::key::{HostKey, KeyFailure};
use crate::lock::{self, Lock, LockFailure};
use crate::record::{Bookmark, RecordFailure, RecordLog, Spool};
use crate::settings::Settings;
use crate::state::{State, StateFailure};
use crate::witness::{Said, Witness, WitnessFailure};

/// Earlier memories that are kept: nobody looks at more.
const KEPT_MAX: usize = 8;

/// More files than a state folder has.
const NAMES_MAX: usize = 1_000;

/// How the copies' names begin.
const PREFIX: &str = "reset-";

/// What a host remembers, as far as it can be read.
#[derive(Debug)]
pub struct Memory {
    /// The state's word; why it cannot be read, if it cannot.
    pub state: Result<Said, String>,
    /// The witness's word; why it cannot be read, if it cannot.
    pub witness: Result<Option<Said>, String>,
    /// Where the witness lies.
    pub witness_path: PathBuf,
}

/// What was done.
#[derive(Debug)]
pub struct Reset {
    /// The record that says so.
    pub record: Record,
    /// Where the old memory lies.
    pub kept: Vec<PathBuf>,
}

/// Why nothing was forgotten.
#[derive(Debug, Error)]
pub enum NoReset {
    /// Somebody else's host.
    #[error("only {who} forgets how far this host has verified")]
    NotTheOwner {
        /// Whose it is.
        who: &'static str,
    },
    /// An agent runs.
    #[error(transparent)]
    Lock(#[from] LockFailure),
    /// Nothing was ever kept.
    #[error("there is no state folder {}", path.display())]
    NoState {
        /// The folder.
        path: PathBuf,
    },
    /// The key is gone with which the record would be signed.
    #[error("the host's key {} is gone", path.display())]
    NoKey {
        /// The key.
        path: PathBuf,
    },
    /// The host's key cannot be used.
    #[error("sign the record of it")]
    Key(#[from] KeyFailure),
    /// The committed generation cannot be read.
    #[error("read the committed generation")]
    State(#[from] StateFailure),
    /// The record cannot be kept.
    #[error("keep the record of it")]
    Record(#[from] RecordFailure),
    /// The witness cannot be told.
    #[error("tell the witness")]
    Witness(#[from] WitnessFailure),
    /// The system refused.
    #[error("forget how far was verified")]
    Os(#[from] OsFailure),
}

/// What a host remembers; nothing is touched.
///
/// # Errors
/// When whoever asks does not own the host, or there is no memory.
pub fn look(settings: &Settings) -> Result<Memory, NoReset> {
    let path = &settings.state;
    if !path.is_dir() {
        return Err(NoReset::NoState { path: path.clone() });
    }
    demand_owner(settings)?;
    let state = State::view(path);
    let said = || {
        let generation = state.generation_number().map_err(|error| chain(&error))?;
        let high_water = state.high_water().map_err(|error| chain(&error))?;
        Ok(Said { generation, high_water })
    };
    let witness = Witness::beside(&settings.key);
    Ok(Memory {
        state: said(),
        witness: witness.said().map_err(|error| chain(&error)),
        witness_path: witness.path().to_owned(),
    })
}

/// Forgets how far this host has verified, for a reason.
///
/// # Errors
/// When whoever asks does not own the host, an agent runs, or the record cannot be kept. What was forgotten by
/// then is forgotten: asking once more goes on.
pub fn reset(settings: &Settings, trust_sha256: Sha256, reason: &str) -> Result<Reset, NoReset> {
    let memory = look(settings)?;
    let _lock: Lock = lock::take(&settings.state)?;
    let state = State::view(&settings.state);
    let record = tell(settings, &state, trust_sha256, &detail(&memory, reason))?;
    // It names records that whoever rolled the state back took away.
    Bookmark::beside(&settings.key).forget()?;
    let mut kept = Vec::new();
    let copy = |what: &str| settings.state.join(format!("{PREFIX}{:010}.{what}", record.seq));
    if files::length(&memory.witness_path)? > 0 {
        let aside = copy("witness.json");
        files::copy_aside(&memory.witness_path, &aside)?;
        kept.push(aside);
    }
    // The witness first: a state without a witness's word is what it is, one behind it would be restored from it.
    let generation = state.generation_number()?;
    Witness::beside(&settings.key).tell(&Said { generation, high_water: None })?;
    let aside = copy("verify.json");
    if files::rename(&state.marks_path(), &aside)? {
        kept.push(aside);
    }
    drop_surplus(&settings.state)?;
    Ok(Reset { record, kept })
}

/// On the system itself only root; below another root whoever owns the state.
fn demand_owner(settings: &Settings) -> Result<(), NoReset> {
    let me = geteuid();
    if me.is_root() {
        return Ok(());
    }
    if settings.root == Path::new("/") {
        return Err(NoReset::NotTheOwner { who: "root" });
    }
    let stat = lstat(&settings.state)
        .map_err(|errno| OsFailure::new("look at", &settings.state, errno))?;
    if stat.st_uid == me.as_raw() {
        return Ok(());
    }
    Err(NoReset::NotTheOwner { who: "root, or whoever owns the state folder," })
}

fn detail(memory: &Memory, reason: &str) -> String {
    let user = geteuid();
    let was = match &memory.state {
        Ok(Said { high_water: Some(marks), .. }) => {
            format!("verified to {}, policy version {}", marks.head, marks.policy_version)
        }
        Ok(_) => "nothing verified".to_owned(),
        Err(why) => format!("unreadable: {why}"),
    };
    format!("{reason} (trust reset by uid {user}; the state was: {was})")
}

/// Signs the record of it, chained to those before.
fn tell(
    settings: &Settings,
    state: &State,
    trust_sha256: Sha256,
    detail: &str,
) -> Result<Record, NoReset> {
    if !settings.key.exists() {
        return Err(NoReset::NoKey { path: settings.key.clone() });
    }
    let key = Arc::new(HostKey::open(&settings.key)?);
    let spool = Arc::new(Spool::of_nobody(settings.spool));
    let mut log = RecordLog::open_within(&settings.state.join("records"), key, spool)?;
    let stands = state.generation()?.map(|it| it.revision.to_string());
    let last = log.newest(1)?.into_iter().next();
    let host = match last {
        Some(it) => it.host,
        None => settings.host.clone(),
    };
    Ok(log.append(Record {
        v: record::VERSION,
        host,
        seq: 0,
        prev: String::new(),
        at: String::new(),
        kind: RecordKind::Alarm,
        deployment: String::new(),
        revision: stands.clone(),
        subject: None,
        environment: None,
        base: stands,
        outcome: Outcome::Unchanged,
        reason: "TrustReset".to_owned(),
        detail: detail.to_owned(),
        trust_sha256: trust_sha256.to_string(),
        policy: None,
        evidence: Vec::new(),
        gates: Vec::new(),
        adopted: Vec::new(),
        approvals: Vec::new(),
        commit: None,
        host_key: None,
        repo: None,
        steps: StepCount::default(),
        irreversible: Vec::new(),
        probes: Vec::new(),
        snapshots: Vec::new(),
        conflicts: Vec::new(),
        after_revert: Vec::new(),
        standing_probes: None,
        proof: None,
        healthy: None,
        durations: BTreeMap::new(),
    })?)
}

/// Removes the oldest copies.
fn drop_surplus(folder: &Path) -> Result<(), OsFailure> {
    for what in ["verify.json", "witness.json"] {
        let mut names = files::names(folder, NAMES_MAX)?;
        names.retain(|it| it.starts_with(PREFIX) && it.ends_with(what));
        names.sort();
        let surplus = names.len().saturating_sub(KEPT_MAX);
        for name in names.into_iter().take(surplus) {
            files::remove(&folder.join(name))?;
        }
    }
    Ok(())
}
