//! Keeps the generation that a deployment leads to, before it is known whether it will stand.
//!
//! **Invariant:** a staged generation is durable before the host is changed, and committing it is one
//! rename: it can be finished without Git, network or manifests.
//! **Invariant:** a generation is called committed only once its rename is durable, whoever made it.

use std::path::PathBuf;

use bowline_model::generation::Generation;
use nix::errno::Errno;

use crate::door::{barrier, files};
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
            Some(standing) if standing.deployment == deployment => {
                // What stands in the page cache only is not committed yet.
                let folder = state.folder().join("generations");
                barrier::whole(files::open_folder(&folder)?, &folder)?;
                Ok(standing)
            }
            _ => Err(lost(state, deployment).into()),
        };
    };
    if promote(state, deployment, &generation)? {
        return Ok(generation);
    }
    Err(lost(state, deployment).into())
}

/// As [`commit_generation`], by the process that staged it and so need not read it again.
pub fn commit_staged(state: &State, staged: &Generation) -> Result<(), StateFailure> {
    if promote(state, &staged.deployment, staged)? {
        return Ok(());
    }
    // Renamed already, by an earlier try.
    commit_generation(state, &staged.deployment).map(drop)
}

/// Gives a staged generation its number. `false`: it is not there.
fn promote(state: &State, deployment: &str, staged: &Generation) -> Result<bool, StateFailure> {
    let from = state.folder().join(candidate(deployment));
    let to = state.folder().join(State::generation_name(staged.number));
    if !files::rename(&from, &to)? {
        return Ok(false);
    }
    discard_generations(state)?;
    state.drop_surplus(staged)?;
    Ok(true)
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

/// Where a staged generation lies, below the state folder.
fn candidate(deployment: &str) -> String {
    format!("generations/{CANDIDATE}{deployment}.json")
}

fn lost(state: &State, deployment: &str) -> OsFailure {
    let path: PathBuf = state.folder().join(candidate(deployment));
    OsFailure::new("find the staged generation", path, Errno::ENOENT)
}

#[cfg(test)]
mod tests {
    use bowline_model::digest::Sha256;
    use bowline_model::object_id::ObjectId;
    use bowline_model::revision::Revision;

    use super::*;
    use crate::scratch::Scratch;

    fn revision() -> Revision {
        let id = ObjectId::Sha1([1; 20]);
        let commit_sha256 = Sha256::of(b"commit");
        Revision { branch: "main".to_owned(), commit: id, commit_sha256, tree: id }
    }

    fn generation(number: u64, deployment: &str) -> Generation {
        Generation {
            number,
            before: None,
            revision: revision(),
            deployment: deployment.to_owned(),
            at: 0,
            inventory: Vec::new(),
            units: Vec::new(),
            commands: Vec::new(),
            templates: Vec::new(),
            releases: Vec::new(),
            probes: Vec::new(),
            host: None,
        }
    }

    #[test]
    fn a_staged_generation_stands_only_when_committed() {
        let scratch = Scratch::new();
        let state = State::open(scratch.path()).unwrap();
        stage_generation(&state, &generation(1, "d1"), "d1").unwrap();
        assert_eq!(state.generation().unwrap(), None);
        assert_eq!(commit_generation(&state, "d1").unwrap().number, 1);
        assert_eq!(state.generation().unwrap(), Some(generation(1, "d1")));
    }

    #[test]
    fn committing_twice_is_committing_once() {
        let scratch = Scratch::new();
        let state = State::open(scratch.path()).unwrap();
        stage_generation(&state, &generation(1, "d1"), "d1").unwrap();
        for _ in 0..2 {
            assert_eq!(commit_generation(&state, "d1").unwrap(), generation(1, "d1"));
        }
        assert!(commit_generation(&state, "d2").is_err(), "d2 was never staged");
    }

    #[test]
    fn what_this_process_staged_is_committed_without_reading_it() {
        let scratch = Scratch::new();
        let state = State::open(scratch.path()).unwrap();
        let staged = generation(1, "d1");
        stage_generation(&state, &staged, "d1").unwrap();
        for _ in 0..2 {
            commit_staged(&state, &staged).unwrap();
            assert_eq!(state.generation().unwrap().as_ref(), Some(&staged));
        }
        assert!(commit_staged(&state, &generation(2, "d2")).is_err(), "d2 was never staged");
    }

    #[test]
    fn what_never_stood_is_removed_and_what_can_be_gone_back_to_is_kept() {
        let scratch = Scratch::new();
        let state = State::open(scratch.path()).unwrap();
        stage_generation(&state, &generation(1, "lost"), "lost").unwrap();
        // The fourth and the fifth ask for what the third does.
        for (number, before, kept) in [
            (1, None, &["0000000001.json"][..]),
            (2, Some(1), &["0000000001.json", "0000000002.json"]),
            (3, Some(2), &["0000000002.json", "0000000003.json"]),
            (4, Some(2), &["0000000002.json", "0000000004.json"]),
            (5, Some(2), &["0000000002.json", "0000000005.json"]),
            (6, Some(5), &["0000000005.json", "0000000006.json"]),
        ] {
            let deployment = format!("d{number}");
            let staged = Generation { before, ..generation(number, &deployment) };
            stage_generation(&state, &staged, &deployment).unwrap();
            commit_generation(&state, &deployment).unwrap();
            let names = files::names(&scratch.path().join("generations"), FILES_MAX).unwrap();
            assert_eq!(names, kept);
            let gone_back_to = state.generation_before(Some(&staged)).unwrap();
            assert_eq!(gone_back_to.map(|it| it.number), before);
        }
        stage_generation(&state, &generation(7, "d7"), "d7").unwrap();
        discard_generations(&state).unwrap();
        assert!(commit_generation(&state, "d7").is_err());
        assert_eq!(state.generation().unwrap().map(|it| it.number), Some(6));
    }
}
