//! Bowline as a contender: `bowline-agent --once` with a repository, a root and a state of its own.
//!
//! **Invariant:** full trust checks, full durability, full content hashes: the settings are the
//! defaults but for paths.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::contender::{Contender, put_away};
use crate::repository::Repository;
use crate::weigh::{Weight, weigh};

/// Bowline in one of its forms.
#[derive(Debug)]
pub(crate) struct Bowline {
    name: &'static str,
    agent: PathBuf,
    home: PathBuf,
    root: PathBuf,
}

impl Bowline {
    /// Prepares settings in a folder of its own.
    pub(crate) fn new(
        name: &'static str,
        agent: &Path,
        home: &Path,
        repository: &Repository,
    ) -> Result<Self> {
        fs::create_dir_all(home).with_context(|| format!("make {}", home.display()))?;
        let settings = format!(
            "[source]\nurl = \"{}\"\ninterval = \"0s\"\n[host]\nname = \"bench\"\nkey = \"host.key\"\n\
             [state]\ndir = \"state\"\n[trust]\nfile = \"{}\"\n[api]\nsocket = \"agent.sock\"\n\
             [log]\nformat = \"text\"\n",
            repository.folder.display(),
            repository.trust.display()
        );
        fs::write(home.join("agent.toml"), settings)?;
        let root = home.join("root");
        Ok(Self { name, agent: agent.to_owned(), home: home.to_owned(), root })
    }

    /// Lets the daemon ask the repository so often.
    pub(crate) fn ask_every(&self, interval: &str) -> Result<()> {
        let text = fs::read_to_string(self.settings()).context("read the settings")?;
        let text = text.replace("interval = \"0s\"", &format!("interval = \"{interval}\""));
        fs::write(self.settings(), text).context("write the settings")
    }

    /// The settings file.
    pub(crate) fn settings(&self) -> PathBuf {
        self.home.join("agent.toml")
    }

    /// The local API's socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.home.join("agent.sock")
    }

    /// The agent's program.
    pub(crate) fn agent(&self) -> &Path {
        &self.agent
    }

    /// The words that name settings and root.
    pub(crate) fn words(&self) -> Vec<PathBuf> {
        ["--config".into(), self.settings(), "--root".into(), self.root.clone()].into()
    }

    /// Forgets every earlier run but for the objects that were fetched.
    pub(crate) fn reset_but_objects(&self) -> Result<()> {
        let (objects, aside) = (self.home.join("state/objects.git"), self.home.join("fetched.git"));
        fs::rename(&objects, &aside).context("keep what was fetched")?;
        self.reset()?;
        fs::create_dir_all(self.home.join("state"))?;
        fs::set_permissions(self.home.join("state"), Permissions::from_mode(0o700))?;
        fs::rename(&aside, &objects).context("bring back what was fetched")
    }

    /// One run that must end with an outcome.
    pub(crate) fn run_to(&self, outcome: &str, code: i32) -> Result<Weight> {
        let words = self.words();
        let mut words: Vec<&OsStr> = words.iter().map(AsRef::as_ref).collect();
        words.push("--once".as_ref());
        let weight = weigh(&self.agent, &words, &[code])?;
        let said = weight.stdout.lines().next().unwrap_or_default();
        ensure!(said.starts_with(outcome), "{} says {said:?}, not {outcome}", self.name);
        Ok(weight)
    }
}

impl Contender for Bowline {
    fn name(&self) -> &str {
        self.name
    }

    fn root(&self) -> &Path {
        &self.root
    }

    fn reset(&self) -> Result<()> {
        let state = self.home.join("state");
        if state.exists() {
            fs::remove_dir_all(&state).with_context(|| format!("empty {}", state.display()))?;
        }
        // The witness beside the key would notice that the state is gone.
        for name in ["host.key", "host.key.pub", "host.key.witness"] {
            let path = self.home.join(name);
            if path.exists() {
                fs::remove_file(path)?;
            }
        }
        put_away(&self.root)
    }

    fn run(&self) -> Result<Weight> {
        self.run_to("", 0)
    }
}
