//! The pause that a person put on this host's agent: who, why, since when, until when.
//!
//! **Invariant:** it is durable before anybody is told that the agent is paused.
//! **Invariant:** a pause that cannot be read is an error, never no pause.

use serde::{Deserialize, Serialize};

use crate::door::files;
use crate::state::{State, StateFailure};

/// Below the state folder.
const FILE: &str = "pause.json";

/// A pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// Who paused.
    pub holder: String,
    /// Why.
    pub reason: String,
    /// Since when, in seconds since 1970.
    pub since: i64,
    /// Until when; `None`: until somebody resumes.
    pub until: Option<i64>,
}

impl Pause {
    /// Whether it still holds at a time.
    pub fn holds(&self, wall: i64) -> bool {
        self.until.is_none_or(|until| wall < until)
    }

    /// Who and why, in one line.
    pub fn line(&self) -> String {
        format!("{}: {}", self.holder, self.reason)
    }
}

impl State {
    /// The pause, if there is one.
    pub fn pause(&self) -> Result<Option<Pause>, StateFailure> {
        self.load(FILE)
    }

    /// Keeps a pause.
    pub fn keep_pause(&self, pause: &Pause) -> Result<(), StateFailure> {
        self.save(FILE, pause)
    }

    /// Ends the pause.
    pub fn drop_pause(&self) -> Result<(), StateFailure> {
        Ok(files::remove(&self.folder().join(FILE))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_pause_is_kept_until_its_end_or_until_it_is_ended() {
        let scratch = Scratch::new();
        let state = State::open(scratch.path()).unwrap();
        let pause = Pause {
            holder: "root".to_owned(),
            reason: "upgrade".to_owned(),
            since: 10,
            until: Some(20),
        };
        state.keep_pause(&pause).unwrap();
        let kept = State::open(scratch.path()).unwrap().pause().unwrap().unwrap();
        assert_eq!(kept, pause);
        assert_eq!((kept.holds(19), kept.holds(20)), (true, false));
        assert!(Pause { until: None, ..kept }.holds(i64::MAX));
        state.drop_pause().unwrap();
        state.drop_pause().unwrap();
        assert_eq!(state.pause().unwrap(), None);
        std::fs::write(scratch.path().join(FILE), "{}").unwrap();
        assert!(state.pause().is_err());
    }
}
