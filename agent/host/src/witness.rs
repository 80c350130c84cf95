//! A second memory of how far this host has come, beside its key and outside its state folder.
//!
//! **Invariant:** it is told after the state, so it is never ahead of it: a state that is behind its
//! witness was rolled back.
//! **Invariant:** a lost state begins where the witness last stood, never below.

use std::path::{Path, PathBuf};

use bowline_model::high_water::HighWater;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::door::files;
use crate::failure::{Kind, OsFailure};

/// Some hundred bytes are written, and 150 for each approval that was used: 16,384 of them at most.
const BYTES_MAX: u64 = 32 << 20;

/// The witness.
#[derive(Debug, Clone)]
pub struct Witness {
    path: PathBuf,
}

/// What it was told last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Said {
    /// The number of the committed generation; 0 for none.
    pub generation: u64,
    /// How far was verified.
    pub high_water: Option<HighWater>,
}

/// How a state stands to what the witness says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Not behind.
    Agrees,
    /// The state is gone; the host had come this far.
    Lost(Box<HighWater>),
    /// The state is behind: it was rolled back.
    Older {
        /// In what.
        detail: String,
    },
}

/// The witness could not be heard or told.
#[derive(Debug, Error)]
pub enum WitnessFailure {
    /// The system refused.
    #[error("keep the witness of the agent's state")]
    Os(#[from] OsFailure),
    /// It holds something else than was written.
    #[error("read the witness {}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
}

impl WitnessFailure {
    /// What it means for a deployment.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Os(failure) => failure.kind,
            Self::Damaged { .. } => Kind::Broken,
        }
    }
}

impl Witness {
    /// The witness beside a host's key.
    pub fn beside(key: &Path) -> Self {
        let mut name = key.file_name().unwrap_or_default().to_owned();
        name.push(".witness");
        Self { path: key.with_file_name(name) }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it was told last.
    pub fn said(&self) -> Result<Option<Said>, WitnessFailure> {
        let Some(bytes) = files::read(&self.path, BYTES_MAX)? else { return Ok(None) };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| WitnessFailure::Damaged { path: self.path.clone(), source })
    }

    /// Tells it how far the host has come.
    pub fn tell(&self, said: &Said) -> Result<(), WitnessFailure> {
        let bytes = serde_json::to_vec(said)
            .map_err(|source| WitnessFailure::Damaged { path: self.path.clone(), source })?;
        Ok(files::replace(&self.path, &bytes, 0o600)?)
    }
}

/// Holds a state against what the witness said.
pub fn compare(state: &Said, witness: Option<&Said>) -> Standing {
    let Some(witness) = witness else { return Standing::Agrees };
    let behind = |detail: String| Standing::Older { detail };
    match (&state.high_water, &witness.high_water) {
        (None, Some(marks)) => return Standing::Lost(Box::new(marks.clone())),
        (Some(mine), Some(its)) => {
            // Another repository has a policy of its own, whose versions count anew.
            let is_same = mine.repo.as_ref().is_none_or(|repo| its.is_of(repo));
            let lower_policy = is_same && mine.policy_version < its.policy_version;
            if lower_policy || mine.highest_time < its.highest_time {
                return behind(format!("this host had verified {} already", its.head));
            }
        }
        (_, None) => {}
    }
    // A generation that is gone while the marks are there is a state put together from parts.
    if state.generation < witness.generation {
        return behind(format!(
            "its generation is {}, and this host had committed {}",
            state.generation, witness.generation
        ));
    }
    Standing::Agrees
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_model::digest::Sha256;
    use bowline_model::high_water::Spent;

    fn said(generation: u64, time: i64) -> Said {
        let high_water = (time > 0).then(|| HighWater {
            trust_sha256: Sha256::default(),
            head: "a".repeat(40).parse().unwrap(),
            head_sha256: Sha256::default(),
            policy_version: 1,
            policy_sha256: Sha256::default(),
            highest_time: time,
            cleared: None,
            environments: Vec::new(),
            waiting: Vec::new(),
            root_version: None,
            adopted: Vec::new(),
            spent: Vec::new(),
            fresh: None,
            healthy: Vec::new(),
            hurried: Vec::new(),
            opened: Vec::new(),
            came_by: Vec::new(),
            repo: None,
        });
        Said { generation, high_water }
    }

    #[test]
    fn a_witness_of_many_used_approvals_is_heard() {
        let scratch = crate::scratch::Scratch::new();
        let witness = Witness { path: scratch.path().join("witness.json") };
        let spent = (0..16_384_u32).map(|number| Spent {
            sha256: Sha256::of(&number.to_le_bytes()),
            commit: "a".repeat(40).parse().unwrap(),
            until: i64::MAX,
        });
        let mut said = said(1, 7);
        said.high_water.as_mut().unwrap().spent = spent.collect();
        witness.tell(&said).unwrap();
        assert_eq!(witness.said().unwrap(), Some(said));
    }

    #[test]
    fn a_state_behind_its_witness_is_older_and_a_missing_one_is_lost() {
        let is = |state: &Said, witness: Option<&Said>| match compare(state, witness) {
            Standing::Agrees => "agrees",
            Standing::Lost(_) => "lost",
            Standing::Older { .. } => "older",
        };
        let cases = [
            (said(3, 50), None, "agrees"),
            (said(3, 50), Some(said(3, 50)), "agrees"),
            (said(4, 60), Some(said(3, 50)), "agrees"),
            (said(2, 50), Some(said(3, 50)), "older"),
            (said(3, 40), Some(said(3, 50)), "older"),
            (said(0, 0), Some(said(3, 50)), "lost"),
            (said(0, 0), Some(said(0, 0)), "agrees"),
        ];
        for (state, witness, expected) in cases {
            assert_eq!(is(&state, witness.as_ref()), expected, "{state:?} {witness:?}");
        }
        let of = |version: u64, branch: &str| {
            let mut said = said(3, 50);
            let marks = said.high_water.as_mut().unwrap();
            let repo = format!(r#"{{"uri":"git+https://git.example/a","ref":"{branch}"}}"#);
            marks.repo = serde_json::from_str(&repo).unwrap();
            (marks.trust_sha256, marks.policy_version) = (Sha256::of(branch.as_bytes()), version);
            said
        };
        let (mine, other) = ("refs/heads/main", "refs/heads/other");
        let mut later_file = of(1, mine);
        later_file.high_water.as_mut().unwrap().trust_sha256 = Sha256::of(b"another trust file");
        assert_eq!(is(&later_file, Some(&of(2, mine))), "older", "the same repository");
        assert_eq!(is(&of(1, other), Some(&of(2, mine))), "agrees", "another one");
    }
}
