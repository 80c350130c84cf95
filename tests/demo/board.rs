//! The control service with its board: started before the hosts, asked at the end.
//!
//! **Invariant:** hosts' records reach it over HTTP only, signed by the hosts themselves.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tests::{http, patience, programs};

use crate::place::Place;
use crate::process::Process;

/// Making a database takes milliseconds.
const START: Duration = Duration::from_secs(20);

/// The service.
#[derive(Debug)]
pub(crate) struct Board {
    program: PathBuf,
    home: PathBuf,
    settings: PathBuf,
    process: Process,
    /// Where its pages are.
    pub(crate) address: SocketAddr,
}

impl Board {
    /// Starts it at an address, and waits until it answers.
    pub(crate) fn serve(program: PathBuf, place: &Place, address: SocketAddr) -> Result<Self> {
        let settings = place.folder.join("control.toml");
        let text = format!(
            "[listen]\naddress = \"{address}\"\n\n[store]\nfile = \"control.state/control.db\"\n"
        );
        fs::write(&settings, text).context("write the board's settings")?;
        let store = place.folder.join("control.state");
        fs::DirBuilder::new().mode(0o700).create(store).context("make the board's folder")?;
        let log = place.folder.join("control.log");
        let process = Process::new("the control service", log);
        let mut board = Self { program, home: place.folder.clone(), settings, process, address };
        let command = board.command();
        board.process.start(command)?;
        patience::until("the control service to answer", START, || {
            board.process.check()?;
            Ok(http::get_at(address, "/healthz").ok().filter(|it| it.0 == 200))
        })?;
        Ok(board)
    }

    fn command(&self) -> std::process::Command {
        let mut command = programs::sealed(&self.program, &self.home);
        command.arg("--config").arg(&self.settings);
        command
    }

    /// Fails when it has ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.process.check()
    }

    /// Makes a token by which a host enrols, and puts it where its agent reads it.
    pub(crate) fn invite(&self, host: &str, file: &Path) -> Result<()> {
        let mut command = self.command();
        command.args(["token", "new", "--host", host]);
        let token = programs::run(&mut command, "bowline-control token new")?;
        // Whoever reads it may take the host's name: it is nobody else's from its first byte on.
        let made =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file);
        let written = made.and_then(|mut it| it.write_all(token.as_bytes()));
        written.with_context(|| format!("write {}", file.display()))
    }

    /// A page in its JSON form.
    pub(crate) fn read(&self, path: &str) -> Result<Value> {
        let (status, body) = http::get_at(self.address, path)?;
        ensure!(status == 200, "the control service answered {path} with status {status}");
        serde_json::from_slice(&body).with_context(|| format!("read the answer to {path}"))
    }
}
