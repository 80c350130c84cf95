//! A host's agent: started, asked, killed.
//!
//! **Invariant:** what it is asked, it is asked at its own socket, as an operator would.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bowline_api::record::Record;
use bowline_api::route;
use bowline_api::status::Status;
use serde::de::DeserializeOwned;
use tests::{http, patience, programs};

use crate::place::Seat;
use crate::process::Process;

/// Opening a state folder takes milliseconds; taking 2,000 files back takes less than a second.
const START: Duration = Duration::from_secs(20);

/// The agent of a throw-away host.
#[derive(Debug)]
pub(crate) struct Agent {
    program: PathBuf,
    home: PathBuf,
    /// Where its host lies.
    pub(crate) seat: Seat,
    process: Process,
}

impl Agent {
    /// An agent that does not run yet.
    pub(crate) fn new(program: &Path, home: &Path, seat: Seat) -> Self {
        let process = Process::new("the agent", seat.log.clone());
        Self { program: program.to_owned(), home: home.to_owned(), seat, process }
    }

    /// Starts it, and waits until it answers; gives its process id.
    pub(crate) fn start(&mut self) -> Result<u32> {
        let mut command = programs::sealed(&self.program, &self.home);
        command.arg("--config").arg(&self.seat.settings).arg("--root").arg(&self.seat.root);
        let pid = self.process.start(command)?;
        patience::until("the agent to answer", START, || {
            self.check()?;
            let answer = http::get_at_socket(&self.seat.socket, route::HEALTHZ);
            Ok(answer.ok().filter(|it| it.0 == 200))
        })?;
        Ok(pid)
    }

    /// Fails when the agent has ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.process.check()
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// What it says of itself.
    pub(crate) fn status(&self) -> Result<Status> {
        self.ask(route::STATUS)
    }

    /// Its records, newest first.
    pub(crate) fn history(&self) -> Result<Vec<Record>> {
        self.ask(route::HISTORY)
    }

    fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let (status, body) = http::get_at_socket(&self.seat.socket, path)?;
        if status != 200 {
            bail!("the agent answered {path} with status {status}");
        }
        serde_json::from_slice(&body).with_context(|| format!("read the answer to {path}"))
    }

    /// The end of its log.
    pub(crate) fn last_words(&self) -> String {
        self.process.last_words()
    }
}
