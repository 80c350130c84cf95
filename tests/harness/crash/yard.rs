//! Many hosts that follow one repository with the real agent, each in a folder of its own.
//!
//! **Invariant:** hosts share the repository and the root of trust, and nothing that they write to.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::tape::{self, Call};
use crate::binaries;
use crate::workshop::Workshop;

/// No cycle of the tests takes longer, five tries of a way back included.
const CYCLE_MAX: Duration = Duration::from_secs(60);

/// Between two looks at whether the agent ended.
const LOOK: Duration = Duration::from_millis(2);

/// Where the agent finds its repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remote {
    /// Where it is.
    There,
    /// Nowhere.
    Away,
}

impl Remote {
    const fn settings(self) -> &'static str {
        match self {
            Self::There => "there.toml",
            Self::Away => "away.toml",
        }
    }
}

/// The repository and the hosts.
#[derive(Debug)]
pub struct Yard {
    shop: Workshop,
    commits: AtomicU64,
}

/// One host.
#[derive(Debug)]
pub struct Plot {
    /// Its folder: `root`, `state` and `key` are in it.
    pub folder: PathBuf,
}

impl Yard {
    /// A repository with one revision.
    pub fn new(manifests: &str) -> Self {
        let yard = Self { shop: Workshop::new(), commits: AtomicU64::new(1) };
        yard.commit(manifests);
        yard
    }

    /// Merges manifests as the newest revision.
    pub fn commit(&self, manifests: &str) {
        self.shop.write("apps/all.yaml", manifests);
        // A second later than the one before: how far was verified is told apart by the commit's time.
        let number = self.commits.fetch_add(1, Ordering::Relaxed);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let date = format!("@{} +0000", now + number);
        self.shop.commit_by("alice", "change", &[("GIT_COMMITTER_DATE", &date)]);
    }

    /// Where the repository is, and programs are run.
    pub fn shop(&self) -> &Workshop {
        &self.shop
    }

    /// A host without anything.
    pub fn plot(&self, name: &str) -> Plot {
        let folder = self.shop.folder().join(name);
        fs::create_dir(&folder).unwrap();
        for (remote, url) in [(Remote::There, "repo"), (Remote::Away, "nowhere")] {
            let at = |path: &str| self.shop.folder().join(path).display().to_string();
            let text = format!(
                "[source]\nurl = {:?}\n[host]\nname = \"web-1\"\nkey = {:?}\n[state]\ndir = {:?}\n\
                 [trust]\nfile = {:?}\n[log]\nformat = \"text\"\n",
                at(url),
                folder.join("key/host.key").display().to_string(),
                folder.join("state").display().to_string(),
                at("trust.yaml"),
            );
            fs::write(folder.join(remote.settings()), text).unwrap();
        }
        Plot { folder }
    }

    fn agent(plot: &Plot, remote: Remote) -> Vec<String> {
        let path = |path: PathBuf| path.display().to_string();
        let (agent, root) = (path(binaries::agent()), path(plot.folder.join("root")));
        let settings = path(plot.folder.join(remote.settings()));
        let words = [agent.as_str(), "--config", &settings, "--root", &root, "--once", "--json"];
        words.map(str::to_owned).to_vec()
    }

    fn command(&self, words: &[String]) -> Command {
        let mut command = self.shop.command(&words[0]);
        command.args(&words[1..]).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs one cycle of the agent on a host.
    pub fn cycle(&self, plot: &Plot, remote: Remote) -> Output {
        let mut child = self.command(&Self::agent(plot, remote)).spawn().unwrap();
        let begun = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if begun.elapsed() > CYCLE_MAX {
                child.kill().unwrap();
                break;
            }
            thread::sleep(LOOK);
        }
        child.wait_with_output().unwrap()
    }

    /// Runs one cycle of the agent on a host, and records its calls.
    pub fn record(&self, plot: &Plot, remote: Remote) -> (Output, Vec<Call>) {
        let file = self.shop.folder().join("tape");
        let words = [tape::recorder(&file), Self::agent(plot, remote)].concat();
        let output = self.command(&words).output().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        fs::remove_file(file).unwrap();
        (output, tape::read(&text))
    }
}

impl Plot {
    /// The host's folders, by the names of the model.
    pub fn folders(&self) -> [(&'static str, PathBuf); 3] {
        ["root", "state", "key"].map(|name| (name, self.folder.join(name)))
    }

    /// Removes it.
    pub fn clear(self) {
        fs::remove_dir_all(self.folder).unwrap();
    }
}
