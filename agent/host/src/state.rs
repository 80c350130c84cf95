//! The agent's state folder: how far it verified, what it committed, what failed.
//!
//! **Invariant:** each file is replaced in one go and durably before anything relies on it.
//! **Invariant:** a file that cannot be read is an error, never an empty state.

use std::path::{Path, PathBuf};

use bowline_model::generation::{Generation, Ledger};
use bowline_model::high_water::HighWater;
use bowline_model::steady::Steady;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::door::files;
use crate::failure::{Kind, OsFailure};

/// Largest state file: more than twice a generation's limit, and what earlier versions wrote can be read.
const STATE_BYTES_MAX: u64 = 256 << 20;

/// Since when the host is in good health.
const STEADY: &str = "steady.json";

/// The state folder.
#[derive(Debug, Clone)]
pub struct State {
    folder: PathBuf,
}

/// State could not be read or written.
#[derive(Debug, Error)]
pub enum StateFailure {
    /// The system refused.
    #[error("keep the agent's state")]
    Os(#[from] OsFailure),
    /// It could not be read back.
    #[error("write {bytes} bytes to the state file {}, which may have {STATE_BYTES_MAX}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What it would have.
        bytes: u64,
    },
    /// A file holds something else than was written.
    #[error("read the state file {}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
}

impl StateFailure {
    /// What it means for a deployment.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Os(failure) => failure.kind,
            Self::Damaged { .. } => Kind::Broken,
            Self::TooLarge { .. } => Kind::Refused,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "generation-too-large",
            Self::Os(_) | Self::Damaged { .. } => "state",
        }
    }
}

impl State {
    /// Opens the state folder, and makes it when there is none.
    pub fn open(folder: &Path) -> Result<Self, OsFailure> {
        for inner in ["", "journal", "generations", "records", "cache"] {
            files::make_folder(&folder.join(inner))?;
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// The state folder as it is, for whoever only looks; nothing is made.
    pub fn view(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where journals lie.
    pub fn journals(&self) -> PathBuf {
        self.folder.join("journal")
    }

    /// Where it stands how far this host has verified.
    pub(crate) fn marks_path(&self) -> PathBuf {
        self.folder.join("verify.json")
    }

    /// How far this host has verified.
    pub fn high_water(&self) -> Result<Option<HighWater>, StateFailure> {
        self.load("verify.json")
    }

    /// Keeps how far this host has verified.
    pub fn keep_high_water(&self, marks: &HighWater) -> Result<(), StateFailure> {
        self.save("verify.json", marks)
    }

    /// What failed on this host.
    pub fn ledger(&self) -> Result<Ledger, StateFailure> {
        Ok(self.load("ledger.json")?.unwrap_or_default())
    }

    /// Keeps what failed.
    pub fn keep_ledger(&self, ledger: &Ledger) -> Result<(), StateFailure> {
        self.save("ledger.json", ledger)
    }

    /// Since when what was committed stands in good health; `None` where nothing is kept, or it cannot be read:
    /// then that begins anew.
    pub fn steady(&self) -> Option<Steady> {
        self.load(STEADY).unwrap_or_else(|error| {
            tracing::warn!(%error, "since when the host is in good health begins anew");
            None
        })
    }

    /// Keeps that, without a barrier: it may be lost.
    pub fn keep_steady(&self, steady: &Steady) -> Result<(), StateFailure> {
        let path = self.folder.join(STEADY);
        let bytes = serde_json::to_vec(steady)
            .map_err(|source| StateFailure::Damaged { path: path.clone(), source })?;
        Ok(files::replace_cheaply(&path, &bytes, 0o600)?)
    }

    /// The committed generation.
    pub fn generation(&self) -> Result<Option<Generation>, StateFailure> {
        match self.generation_files()?.pop() {
            Some(name) => self.load(&format!("generations/{name}")),
            None => Ok(None),
        }
    }

    /// The generation that an ordered revert of this one goes to, while it is kept.
    pub fn generation_before(
        &self,
        standing: Option<&Generation>,
    ) -> Result<Option<Generation>, StateFailure> {
        match standing.and_then(|it| it.before) {
            Some(number) => self.load(&Self::generation_name(number)),
            None => Ok(None),
        }
    }

    /// The number of the committed generation, without reading it; 0 for none.
    pub fn generation_number(&self) -> Result<u64, StateFailure> {
        let newest = self.generation_files()?.pop();
        Ok(newest.and_then(|it| number_of(&it)).unwrap_or(0))
    }

    /// Keeps a generation; of older ones only that to which an ordered revert goes is kept.
    pub fn keep_generation(&self, generation: &Generation) -> Result<(), StateFailure> {
        self.save(&Self::generation_name(generation.number), generation)?;
        self.drop_surplus(generation)
    }

    /// Where a generation of this number lies, below the folder.
    pub(crate) fn generation_name(number: u64) -> String {
        format!("generations/{number:010}.json")
    }

    /// Removes generations that neither stand nor can be gone back to.
    pub(crate) fn drop_surplus(&self, standing: &Generation) -> Result<(), StateFailure> {
        let kept = [Some(standing.number), standing.before];
        for name in self.generation_files()? {
            let number = number_of(&name);
            if number < Some(standing.number) && !kept.contains(&number) {
                files::remove(&self.folder.join("generations").join(name))?;
            }
        }
        Ok(())
    }

    fn generation_files(&self) -> Result<Vec<String>, StateFailure> {
        let mut names = files::names(&self.folder.join("generations"), 1000)?;
        names.retain(|name| number_of(name).is_some());
        Ok(names)
    }

    pub(crate) fn load<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StateFailure> {
        let path = self.folder.join(name);
        let Some(bytes) = files::read(&path, STATE_BYTES_MAX)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| StateFailure::Damaged { path, source })
    }

    pub(crate) fn save(&self, name: &str, value: &impl Serialize) -> Result<(), StateFailure> {
        let path = self.folder.join(name);
        let bytes = serde_json::to_vec(value)
            .map_err(|source| StateFailure::Damaged { path: path.clone(), source })?;
        check_size(&path, bytes.len() as u64)?;
        Ok(files::replace(&path, &bytes, 0o600)?)
    }
}

/// The number in a generation's name; `None`: the file is none.
fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".json")?;
    let is_number = digits.len() == 10 && digits.bytes().all(|it| it.is_ascii_digit());
    if is_number { digits.parse().ok() } else { None }
}

/// Whether a file of this size can be read again.
fn check_size(path: &Path, bytes: u64) -> Result<(), StateFailure> {
    let path = path.to_owned();
    if bytes > STATE_BYTES_MAX { Err(StateFailure::TooLarge { path, bytes }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use bowline_model::generation::BYTES_MAX;

    use super::*;

    #[test]
    fn a_time_in_good_health_is_kept_and_lost_without_harm() {
        let scratch = crate::scratch::Scratch::new();
        let state = State::open(&scratch.path().join("state")).unwrap();
        assert_eq!(state.steady(), None);
        let steady = Steady {
            generation: 1,
            settled: None,
            boot: "b".to_owned(),
            since_ms: 5,
            at: 0,
            told: Vec::new(),
        };
        state.keep_steady(&steady).unwrap();
        assert_eq!(state.steady(), Some(steady));
        for damage in ["", "{", "[]"] {
            std::fs::write(state.folder().join(STEADY), damage).unwrap();
            assert_eq!(state.steady(), None, "{damage}");
        }
    }

    #[test]
    fn what_could_not_be_read_back_is_not_written() {
        for (bytes, fits) in [
            (0, true),
            (2 * BYTES_MAX, true),
            (STATE_BYTES_MAX, true),
            (STATE_BYTES_MAX + 1, false),
        ] {
            let checked = check_size(Path::new("generations/1.json"), bytes);
            assert_eq!(checked.is_ok(), fits, "{bytes}: {checked:?}");
            let code = checked.err().map(|it| it.code());
            assert_eq!(code.is_some_and(|it| it == "generation-too-large"), !fits);
        }
    }
}
