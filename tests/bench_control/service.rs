//! The service that is measured, and what the kernel says about it.
//!
//! **Invariant:** it listens on loopback and keeps its records in a folder that is removed at the end.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use nix::unistd::{SysconfVar, sysconf};

use crate::load::ask;
use crate::way::{Client, Stream, Way};

/// The service.
pub(crate) struct Service {
    program: PathBuf,
    folder: PathBuf,
    child: Child,
    address: SocketAddr,
    client: Client,
}

impl Service {
    pub(crate) fn start(program: &Path, way: Way) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("bowline-bench-control-{}", process::id()));
        fs::create_dir_all(&folder)?;
        let (client, tls) = Client::prepare(way, &folder)?;
        let settings = "[listen]\naddress = \"127.0.0.1:0\"\n[store]\nfile = \"control.db\"\n\
                        [limits]\nconnections = 20000\nconnectionsPerAddress = 20000\nheadTime = \"10m\"\n";
        fs::write(folder.join("control.toml"), format!("{settings}{tls}"))?;
        let mut command = Command::new(program);
        command.arg("--config").arg(folder.join("control.toml")).stderr(Stdio::piped());
        let mut child = command.spawn().context("start the service")?;
        let mut lines = BufReader::new(child.stderr.take().context("its stderr")?).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            line.split_once("listens at ").and_then(|(_, it)| it.trim().parse().ok())
        });
        thread::spawn(move || lines.for_each(drop));
        let address = address.context("the service did not start")?;
        Ok(Self { program: program.to_owned(), folder, child, address, client })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A connection that stays open.
    pub(crate) fn connect(&self) -> Result<Stream> {
        self.client.connect(self.address)
    }

    pub(crate) fn token(&self, host: &str) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(self.folder.join("control.toml"));
        let output = command.args(["token", "new", "--host", host]).output()?;
        ensure!(output.status.success(), "no token: {output:?}");
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// CPU seconds that it used.
    pub(crate) fn cpu(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // Behind the name in brackets: user and system time are the 12th and 13th.
        let rest = stat.rsplit_once(')').context("a process's state")?.1;
        let words: Vec<&str> = rest.split_whitespace().collect();
        let ticks = words[11].parse::<f64>()? + words[12].parse::<f64>()?;
        let second = sysconf(SysconfVar::CLK_TCK)?.context("the kernel's tick")?;
        Ok(ticks / second as f64)
    }

    pub(crate) fn peak_mib(&self) -> Result<f64> {
        self.memory_mib("VmHWM:")
    }

    pub(crate) fn resident_mib(&self) -> Result<f64> {
        self.memory_mib("VmRSS:")
    }

    fn memory_mib(&self, key: &str) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|it| it.strip_prefix(key)).context("its memory")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }

    /// Gives so many other hosts what the first one has, a key and its last words included.
    pub(crate) fn multiply(&self, number: u32) -> Result<()> {
        let db = rusqlite::Connection::open(self.folder.join("control.db"))?;
        db.busy_timeout(std::time::Duration::from_secs(10))?;
        db.execute_batch(&format!(
            "BEGIN;
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number})
             INSERT INTO host (name, revision, outcome, at, seen, environment, reason, since, health)
             SELECT 'fleet-' || i, revision, outcome, at, seen, 'production', reason, since, health
             FROM n, host WHERE host.id = 1;
             INSERT INTO host_key (host, fingerprint, public, state, since, seq, digest)
             SELECT h.id, 'SHA256:' || h.id, k.public, k.state, k.since, k.seq, k.digest
             FROM host h, host_key k WHERE k.id = 1 AND h.id > 1;
             INSERT INTO landing (revision, host, outcome, seq, at)
             SELECT l.revision, h.id, l.outcome, l.seq, l.at
             FROM landing l, host h WHERE l.host = 1 AND h.id > 1;
             COMMIT;"
        ))?;
        Ok(())
    }

    /// Records that it took.
    pub(crate) fn taken(&self) -> Result<u64> {
        let page = ask(&mut self.connect()?, "GET", "/metrics", b"")?;
        let name = "bowline_control_records_taken_total ";
        let line = page.lines().find_map(|it| it.strip_prefix(name));
        Ok(line.context("how many were taken")?.parse()?)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}
