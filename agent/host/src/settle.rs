//! Keeps the generation that a deployment leads to, before it is known whether it will stand.
//!
//! **Invariant:** a staged generation is durable before the host is changed, and committing it is one
//! rename: it can be finished without Git, network or manifests.

use std::path::PathBuf;

use bowline_model::generation::Generation;
use nix::errno::Errno;

use crate::door::files;
use crate::failure::OsFailure;
use crate::state::{State, StateFailure};

/// What staged generations are called, before the deployment's id.
const CANDIDATE: &str = "candidate-";

/// Files in the folder of generations; more were not made by the agent.
const FILES_MAX: usize = 1_000;

/// Keeps a generation durably, that stands when its deployment is committed.
pub fn stage_generation(
    state: &State,
    generation: &Generation,
    deployment: &str,
) -> Result<(), StateFailure> {
    state.save(&candidate(deployment), generation)
}

/// Makes the staged generation of a deployment the one that stands. Doing it twice is doing it once.
pub fn commit_generation(state: &State, deployment: &str) -> Result<Generation, StateFailure> {
    let staged: Option<Generation> = state.load(&candidate(deployment))?;
    let Some(generation) = staged else {
        // Renamed already, by a process that ended before it could say so.
        return match state.generation()? {
            Some(standing) if standing.deployment == deployment => Ok(standing),
            _ => Err(lost(state, deployment).into()),
        };
    };
    let from = state.folder().join(candidate(deployment));
    let to = state.folder().join(State::generation_name(generation.number));
    if !files::rename(&from, &to)? {
        return Err(lost(state, deployment).into());
    }
    discard_generations(state)?;
    state.drop_surplus()?;
    Ok(generation)
}

/// Removes staged generations that never stood.
pub fn discard_generations(state: &State) -> Result<(), StateFailure> {
    let folder = state.folder().join("generations");
    for name in files::names(&folder, FILES_MAX)? {
        if name.starts_with(CANDIDATE) {
            files::remove(&folder.join(name))?;
        }
    }
    Ok(())
}

fn candidate(deployment: &str) -> String {
    format!("generations/{CANDIDATE}{deployment}.json")
}

fn lost(state: &State, deployment: &str) -> OsFailure {
    let path: PathBuf = state.folder().join(candidate(deployment));
    OsFailure::new("find the staged generation", path, Errno::ENOENT)
}
