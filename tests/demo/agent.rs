//! The agent as a process: started, asked, killed, stopped.
//!
//! **Invariant:** it is ended by its own process id, and waited for.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bowline_api::record::Record;
use bowline_api::route;
use bowline_api::status::Status;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::de::DeserializeOwned;
use tests::{http, patience, programs};

use crate::place::Place;

/// Opening a state folder takes milliseconds; taking 2,000 files back takes less than a second.
const START: Duration = Duration::from_secs(20);

/// The agent stops at its next barrier.
const STOP: Duration = Duration::from_secs(20);

/// Lines of the log that explain a failure.
const LAST_WORDS: usize = 12;

/// The agent of the throw-away host.
#[derive(Debug)]
pub(crate) struct Agent {
    program: PathBuf,
    settings: PathBuf,
    host: PathBuf,
    folder: PathBuf,
    log: PathBuf,
    /// Where it listens.
    pub(crate) socket: PathBuf,
    running: Option<Child>,
}

impl Agent {
    /// An agent that does not run yet.
    pub(crate) fn new(program: PathBuf, place: &Place) -> Self {
        Self {
            program,
            settings: place.settings.clone(),
            host: place.host.clone(),
            folder: place.folder.clone(),
            log: place.log.clone(),
            socket: place.agent.clone(),
            running: None,
        }
    }

    /// Starts it, and waits until it answers; gives its process id.
    pub(crate) fn start(&mut self) -> Result<u32> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let mut command = programs::sealed(&self.program, &self.folder);
        command.arg("--config").arg(&self.settings).arg("--root").arg(&self.host);
        command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
        command.stderr(log.context("open the agent's log")?);
        // A group of its own: Ctrl-C ends the demo, and the demo ends the agent.
        let child = command.process_group(0).spawn().context("start the agent")?;
        let pid = child.id();
        self.running = Some(child);
        patience::until("the agent to answer", START, || {
            self.check()?;
            Ok(http::get_at_socket(&self.socket, route::HEALTHZ).ok().filter(|it| it.0 == 200))
        })?;
        Ok(pid)
    }

    /// Fails when the agent has ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        if let Some(ended) = self.running.as_mut().and_then(|it| it.try_wait().transpose()) {
            self.running = None;
            bail!("the agent has ended by itself: {}", ended.context("look at the agent")?);
        }
        Ok(())
    }

    /// Ends it with SIGKILL: whatever it was doing stays as it is.
    pub(crate) fn kill(&mut self) -> Result<()> {
        let mut child = self.running.take().context("kill the agent: it does not run")?;
        child.kill().context("kill the agent")?;
        child.wait().context("wait for the agent's end")?;
        Ok(())
    }

    fn stop(&mut self) -> Result<()> {
        let Some(mut child) = self.running.take() else { return Ok(()) };
        let pid = Pid::from_raw(i32::try_from(child.id()).context("stop the agent")?);
        kill(pid, Signal::SIGTERM).context("stop the agent")?;
        for _ in 0..STOP.as_millis() / 10 {
            if child.try_wait().context("wait for the agent's end")?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        child.kill().context("kill the agent")?;
        child.wait().context("wait for the agent's end")?;
        Ok(())
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
        let (status, body) = http::get_at_socket(&self.socket, path)?;
        if status != 200 {
            bail!("the agent answered {path} with status {status}");
        }
        serde_json::from_slice(&body).with_context(|| format!("read the answer to {path}"))
    }

    /// The end of its log.
    pub(crate) fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        let from = lines.len().saturating_sub(LAST_WORDS);
        lines.get(from..).unwrap_or_default().join("\n")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("{error:#}");
        }
    }
}
