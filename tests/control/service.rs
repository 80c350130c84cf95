//! The service as a process of its own, in a folder of its own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustls::ClientConfig;
use tests::binaries;

use crate::http::{Answer, ask_over, try_ask};
use crate::sealed;

/// A folder, removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("bowline-control-{}-{number}", process::id()));
        // What a killed run with the same id left.
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// The service.
pub(crate) struct Service {
    pub(crate) folder: Folder,
    prefix: Vec<String>,
    child: Option<Child>,
    pub(crate) address: SocketAddr,
    said: Arc<Mutex<String>>,
    /// By which it is asked over TLS.
    pub(crate) trust: Option<Arc<ClientConfig>>,
}

impl Service {
    /// Starts it with these settings beside where it listens and keeps its records.
    pub(crate) fn with(settings: &str) -> Self {
        Self::under(Folder::new(), &[], settings)
    }

    pub(crate) fn new() -> Self {
        Self::with("")
    }

    /// Starts it behind an address that browsers know it by.
    pub(crate) fn behind(url: &str, settings: &str) -> Self {
        Self::with(&format!("listen.publicUrl = \"{url}\"\n{settings}"))
    }

    /// Starts it in a folder, by another program.
    pub(crate) fn under(folder: Folder, prefix: &[&str], settings: &str) -> Self {
        // What was just done is counted at once. Settings may go on with keys of these tables.
        let base = "listen.address = \"127.0.0.1:0\"\nstore.file = \"store/control.db\"\nstore.countTime = \"0s\"\n";
        fs::create_dir_all(folder.path().join("store")).unwrap();
        fs::write(folder.path().join("control.toml"), format!("{base}{settings}")).unwrap();
        let prefix = prefix.iter().map(|it| (*it).to_owned()).collect();
        let mut service = Self {
            folder,
            prefix,
            child: None,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            said: Arc::default(),
            trust: None,
        };
        service.start();
        service
    }

    pub(crate) fn command(&self) -> Command {
        let program = binaries::control();
        let mut command = match self.prefix.split_first() {
            None => Command::new(program),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        command.arg("--config").arg(self.folder.path().join("control.toml"));
        command
    }

    pub(crate) fn start(&mut self) {
        let mut child = self.command().stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        self.child = Some(child);
        let mut before = String::new();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            before += &line;
            before.push('\n');
            line.split_once("listens at ").and_then(|(_, it)| it.trim().parse().ok())
        });
        self.address = address.unwrap_or_else(|| panic!("the service did not start: {before}"));
        let said = Arc::clone(&self.said);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                said.lock().unwrap().push_str(&(line + "\n"));
            }
        });
    }

    /// From now on it listens at the address that it has.
    pub(crate) fn stay(&self) {
        let file = self.folder.path().join("control.toml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("127.0.0.1:0", &self.address.to_string())).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.as_ref().unwrap().id().try_into().unwrap())
    }

    /// How much memory it has.
    pub(crate) fn resident_kib(&self) -> u64 {
        self.kib("VmRSS:")
    }

    /// The most that it ever took.
    pub(crate) fn peak_kib(&self) -> u64 {
        self.kib("VmHWM:")
    }

    fn kib(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|it| it.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Waits for its end; gives its exit code, `None` for a signal's.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.child.take().unwrap().wait().unwrap().code()
    }

    /// Asks it to stop, and waits.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    /// What it logged so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Runs one of its verbs.
    pub(crate) fn verb(&self, words: &[&str]) -> Output {
        self.command().args(words).output().unwrap()
    }

    /// A token for a host.
    pub(crate) fn token(&self, host: &str, more: &[&str]) -> String {
        let output = self.verb(&[&["token", "new", "--host", host], more].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.get_as(None, path)
    }

    #[track_caller]
    pub(crate) fn get_as(&self, token: Option<&str>, path: &str) -> Answer {
        self.ask("GET", path, token, b"")
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.ask("POST", path, None, body.as_ref())
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, token: Option<&str>, body: &[u8]) -> Answer {
        let answer = match &self.trust {
            None => try_ask(self.address, method, path, token, body),
            Some(trust) => {
                let mut stream = sealed::connect(self.address, trust);
                ask_over(&mut stream, method, path, token, body)
            }
        };
        answer.expect("an answer")
    }

    /// Sends records.
    #[track_caller]
    pub(crate) fn send(&self, lines: &[String]) -> Answer {
        self.post("/agent/v1/records", lines.join("\n"))
    }

    /// How many records of a host are kept: where its chain ends.
    #[track_caller]
    pub(crate) fn seq(&self, host: &str) -> u64 {
        self.get(&format!("/api/v1/hosts/{host}")).json()["seq"].as_u64().unwrap()
    }

    /// A figure of its metrics.
    #[track_caller]
    pub(crate) fn figure(&self, name: &str) -> u64 {
        let page = self.get("/metrics").body;
        let line = page.lines().find_map(|it| it.strip_prefix(&format!("bowline_control_{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}
