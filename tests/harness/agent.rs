//! The agent's program, run for one cycle or as a service, and what it told.
//!
//! **Invariant:** the agent sees the workshop's clean environment and nothing else.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use bowline_api::cycle::Cycle;
use bowline_api::outcome::Outcome;
use nix::fcntl::OFlag;
use serde::de::DeserializeOwned;

use crate::binaries;
use crate::workshop::Workshop;

/// Longer than anything here should take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// What one cycle told.
#[derive(Debug)]
pub struct Told {
    /// The exit code; `None` when a signal ended it.
    pub exit: Option<i32>,
    /// What it printed for programs, if it came so far.
    pub cycle: Option<Cycle>,
    /// What it printed for people.
    pub said: String,
}

impl Told {
    /// What a finished program told.
    pub fn by(output: &Output) -> Self {
        Self {
            exit: output.status.code(),
            cycle: serde_json::from_slice(&output.stdout).ok(),
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The cycle, which must have ended so, in JSON and in the exit code alike.
    #[track_caller]
    pub fn ended(&self, outcome: Outcome) -> &Cycle {
        let cycle = self.cycle.as_ref().unwrap_or_else(|| panic!("no cycle was told: {self:?}"));
        assert_eq!(cycle.outcome, outcome, "{self:#?}");
        assert_eq!(self.exit, Some(i32::from(outcome.exit_code())), "{self:#?}");
        cycle
    }

    /// The cycle, which must have ended so and for this reason.
    #[track_caller]
    pub fn ended_for(&self, outcome: Outcome, code: &str) -> &Cycle {
        let cycle = self.ended(outcome);
        assert_eq!(cycle.code, code, "{self:#?}");
        cycle
    }

    /// How the cycle ended, if it came so far.
    pub fn outcome(&self) -> Option<Outcome> {
        self.cycle.as_ref().map(|it| it.outcome)
    }
}

impl Workshop {
    /// The agent's command line for one cycle.
    pub fn one_cycle(&self) -> Vec<String> {
        let agent = binaries::agent().display().to_string();
        let rest = ["--config", "agent.toml", "--root", "root", "--once", "--json"];
        std::iter::once(agent).chain(rest.map(str::to_owned)).collect()
    }

    /// Runs one cycle.
    pub fn once(&self) -> Told {
        self.once_under(&[])
    }

    /// Runs one cycle by way of another program, such as `strace`.
    pub fn once_under(&self, before: &[&str]) -> Told {
        Told::by(&self.prepared(before).output().unwrap())
    }

    /// Begins one cycle, to be waited for.
    pub fn begin(&self) -> Running {
        let mut command = self.prepared(&[]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running { child: Some(command.spawn().unwrap()) }
    }

    fn prepared(&self, before: &[&str]) -> Command {
        let line = self.one_cycle();
        let words: Vec<&str> =
            before.iter().copied().chain(line.iter().map(String::as_str)).collect();
        let mut command = self.command(words[0]);
        command.args(&words[1..]);
        command
    }

    /// Runs `bowline` on the agent's socket. Gives its exit code, and what it said to programs and people.
    pub fn bowline(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = self.command(binaries::bowline());
        let output = command.args(arguments).args(["--socket", "a.sock"]).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    }

    /// Starts the agent as a service, and waits until it answers.
    pub fn serve(&self) -> Service<'_> {
        self.serve_under(&[])
    }

    /// Starts the agent as a service with further environment, and waits until it answers.
    pub fn serve_under(&self, environment: &[(&str, &str)]) -> Service<'_> {
        let service = self.launch(environment);
        until("the agent answers", || service.ask("GET", "/healthz").is_some());
        service
    }

    /// Starts the agent as a service with further environment, and waits for nothing.
    pub fn launch(&self, environment: &[(&str, &str)]) -> Service<'_> {
        let mut command = self.command(binaries::agent());
        command.args(["--config", "agent.toml", "--root", "root"]);
        command.envs(environment.iter().copied());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Service { shop: self, running: Running { child: Some(child) } }
    }

    /// Puts a pipe in a file's place, which whoever reads it waits at.
    pub fn hold_up(&self, name: &str) -> HeldUp {
        let path = self.folder().join(name);
        let text = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        self.run("mkfifo", &[name]);
        HeldUp { path, text }
    }
}

/// A file in whose place a pipe stands.
#[derive(Debug)]
pub struct HeldUp {
    path: PathBuf,
    text: Vec<u8>,
}

impl HeldUp {
    /// Waits until somebody reads, lets things happen, puts the file back, and lets the reader go on with
    /// what stood there.
    pub fn meanwhile(self, happens: impl FnOnce()) {
        let mut pipe = None;
        until("somebody reads", || {
            // Without a reader it is refused; with one it is no longer waited for.
            let mut open = OpenOptions::new();
            pipe = open.write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&self.path).ok();
            pipe.is_some()
        });
        happens();
        let aside = self.path.with_extension("aside");
        fs::write(&aside, &self.text).unwrap();
        fs::rename(aside, &self.path).unwrap();
        pipe.unwrap().write_all(&self.text).unwrap();
    }
}

/// A running agent; it is ended when this value goes.
#[derive(Debug)]
pub struct Running {
    child: Option<Child>,
}

impl Running {
    /// Waits for its end.
    pub fn wait(mut self) -> Told {
        Told::by(&self.child.take().unwrap().wait_with_output().unwrap())
    }

    /// Sends it a signal, such as `HUP`.
    pub fn signal(&self, name: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Kills it.
    pub fn kill(mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// An agent that runs as a service.
#[derive(Debug)]
pub struct Service<'w> {
    shop: &'w Workshop,
    running: Running,
}

impl Service<'_> {
    /// What it answers to a path, as JSON.
    pub fn tell<T: DeserializeOwned>(&self, path: &str) -> T {
        let body = self.ask("GET", path).unwrap_or_else(|| panic!("no answer to {path}"));
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
    }

    /// Asks for a cycle now.
    pub fn sync(&self) {
        self.ask("POST", "/v1/sync").unwrap();
    }

    /// Sends it a signal, such as `HUP`.
    pub fn signal(&self, name: &str) {
        self.running.signal(name);
    }

    /// Waits until it ends by itself. Gives its exit code.
    pub fn ended(mut self) -> Option<i32> {
        let mut child = self.running.child.take().unwrap();
        let mut status = None;
        until("the agent ends", || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.running.child.as_ref().unwrap().id()
    }

    /// Whether it answers that it lives.
    pub fn answers(&self) -> bool {
        self.ask("GET", "/healthz").is_some()
    }

    /// Asks it to end, and waits. Gives its exit code.
    pub fn stop(mut self) -> Option<i32> {
        let mut child = self.running.child.take().unwrap();
        let id = child.id().to_string();
        self.shop.run("kill", &["-TERM", &id]);
        child.wait().unwrap().code()
    }

    /// The body of the answer; `None` while nobody listens.
    /// The status and the body of an answer.
    pub fn answer(&self, path: &str) -> (String, String) {
        let answer = self.raw("GET", path).unwrap_or_else(|| panic!("no answer to {path}"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap_or_default().to_owned(), body.to_owned())
    }

    fn ask(&self, method: &str, path: &str) -> Option<String> {
        let answer = self.raw(method, path)?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let good = head.starts_with("HTTP/1.1 200") || head.starts_with("HTTP/1.1 202");
        assert!(good, "{method} {path}: {answer}");
        Some(body.to_owned())
    }

    /// The whole answer of a request; `None` while nobody listens.
    pub fn raw(&self, method: &str, path: &str) -> Option<String> {
        let mut stream = UnixStream::connect(self.shop.folder().join("a.sock")).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        )
        .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }
}

/// Waits until something holds, looking again and again for a limited time.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
