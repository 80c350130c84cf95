//! Everything inside the namespaces: the operator with the repository, and the hosts.
//!
//! **Invariant:** a host gets what the operator merged by its own agent only.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bowline_api::outcome::Outcome;
use bowline_api::record::Record;
use tests::fleet::{Fleet, Person};
use tests::patience;
use tests::programs::{run, sealed};

use crate::agent;
use crate::arguments::Ground;
use crate::bridge;
use crate::host::{self, Host};
use crate::hub;

/// Addresses below this belong to the lab and to the hub.
const FIRST_ADDRESS: u8 = 11;

/// A poll and a cycle that changes nothing, on a busy machine.
const SETTLED: Duration = Duration::from_secs(30);

/// Everything inside.
#[derive(Debug)]
pub(crate) struct World {
    /// The repository, as its people work with it.
    pub(crate) fleet: Fleet,
    /// Where the operator works.
    pub(crate) office: PathBuf,
    /// The hosts that run, by number.
    pub(crate) hosts: Vec<Host>,
    /// The hub, once it runs.
    pub(crate) hub: Option<Host>,
    /// How many hosts there are to be.
    pub(crate) count: u8,
    folder: PathBuf,
    image: PathBuf,
    groups: PathBuf,
    /// Bare repositories that are pushed to: the first is the one that the hub serves.
    remotes: Vec<PathBuf>,
}

impl World {
    /// Makes the network and the repository; no host runs yet.
    pub(crate) fn make(ground: &Ground) -> Result<Self> {
        let groups = bridge::raise(&ground.group)?;
        let office = ground.folder.join("office");
        fs::create_dir(&office).context("make the operator's folder")?;
        let bowline = ground.folder.join("clone/target/release/bowline");
        let (fleet, _) = Fleet::found(&office, &bowline)?;
        let served = ground.folder.join("served/fleet.git");
        let mut init = sealed("git", &office);
        run(init.args(["init", "-q", "--bare", "-b", "main"]).arg(&served), "git init")?;
        Ok(Self {
            fleet,
            office,
            hosts: Vec::new(),
            hub: None,
            count: ground.hosts,
            folder: ground.folder.clone(),
            image: ground.image.clone(),
            groups,
            remotes: vec![served],
        })
    }

    /// Makes the next host, with the image alone or with Bowline installed on it.
    pub(crate) fn make_host(&self, installed: Installed) -> Result<Host> {
        let number = u8::try_from(self.hosts.len()).context("count the hosts")? + 1;
        let name = format!("web-{number}");
        let layers = match installed {
            Installed::No => vec![self.image.clone()],
            Installed::Yes => vec![self.folder.join("layer"), self.image.clone()],
        };
        let binds = [self.bind("--bind-ro", "clone", "/home/me/bowline")];
        let (folder, groups) = (&self.folder, &self.groups);
        let ground = host::Ground { folder, layers: &layers, groups, binds: &binds };
        Host::make(&ground, &name, FIRST_ADDRESS + number - 1)
    }

    /// Boots the hosts that do not run yet, all at once; gives how many these were.
    pub(crate) fn boot_all(&mut self, installed: Installed) -> Result<usize> {
        let first = self.hosts.len();
        while self.hosts.len() < usize::from(self.count) {
            let mut host = self.make_host(installed)?;
            host.start()?;
            self.hosts.push(host);
        }
        self.hosts.iter_mut().skip(first).try_for_each(Host::await_boot)?;
        Ok(self.hosts.len() - first)
    }

    /// Sets the operator's repository up for somebody who sits down at it.
    pub(crate) fn lend_office(&self) -> Result<()> {
        let fleet = self.office.join("fleet");
        let served = self.folder.join("served/fleet.git").display().to_string();
        let key = self.office.join("alice").display().to_string();
        for words in [
            &["remote", "add", "origin", &served][..],
            &["branch", "--quiet", "--set-upstream-to=origin/main", "main"],
            &["config", "user.signingkey", &key],
            &["config", "user.name", "Alice"],
            &["config", "user.email", "alice@example.org"],
        ] {
            if words.first() == Some(&"branch") {
                let mut fetch = sealed("git", &fleet);
                run(fetch.args(["fetch", "-q", "origin"]), "git fetch")?;
            }
            run(sealed("git", &fleet).args(words), "set the operator's repository up")?;
        }
        Ok(())
    }

    /// Makes the hub and boots it.
    pub(crate) fn raise_hub(&mut self) -> Result<&Host> {
        let binds = [
            self.bind("--bind-ro", "clone", "/home/me/bowline"),
            self.bind("--bind", "served", "/srv/git"),
        ];
        let layers = [self.image.clone()];
        let (folder, groups) = (&self.folder, &self.groups);
        let ground = host::Ground { folder, layers: &layers, groups, binds: &binds };
        self.push()?;
        Ok(self.hub.insert(hub::raise(&ground)?))
    }

    /// A folder of the lab as nspawn is told to show it to a host.
    fn bind(&self, how: &str, folder: &str, seen: &str) -> String {
        format!("{how}={}:{seen}", self.folder.join(folder).display())
    }

    /// From now on what is merged is pushed to this repository too.
    pub(crate) fn push_to(&mut self, remote: PathBuf) {
        self.remotes.push(remote);
    }

    /// Merges files as a branch of their own, and pushes; gives the merge's id.
    pub(crate) fn merge(&self, branch: &str, files: &[(String, String)]) -> Result<String> {
        let merge = self.fleet.merge(Person::Alice, branch, branch, files)?;
        self.push()?;
        Ok(merge)
    }

    /// Takes the last merge back by a new commit, and pushes; gives its id.
    pub(crate) fn revert_last(&self) -> Result<String> {
        let commit = self.fleet.revert_last(Person::Alice)?;
        self.push()?;
        Ok(commit)
    }

    /// Takes the last merge back, and waits until the host has nothing to do for it.
    pub(crate) fn settle(&self, host: &Host) -> Result<()> {
        let commit = self.revert_last()?;
        let what = format!("{} to be content with {commit}", host.name);
        patience::until(&what, SETTLED, || {
            let status = agent::status(host)?;
            let is_it = |it: &String| it.ends_with(&commit);
            let applied = status.last_applied_revision.as_ref().is_some_and(is_it);
            Ok((applied && status.phase == "rest").then_some(()))
        })
    }

    fn push(&self) -> Result<()> {
        self.remotes.iter().try_for_each(|it| self.fleet.push(it))
    }

    /// Merges files, and waits until a host has recorded how they ended.
    pub(crate) fn deploy(
        &self,
        host: &Host,
        branch: &str,
        files: &[(String, String)],
        expected: Outcome,
    ) -> Result<Record> {
        let since = agent::newest_record(host)?;
        let merge = self.merge(branch, files)?;
        agent::await_record(host, since, &merge, expected)
    }
}

/// What a host comes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Installed {
    /// Debian alone.
    No,
    /// Bowline's programs and units too.
    Yes,
}

/// Copies a folder with everything below it.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    run(Command::new("cp").arg("-a").arg(from).arg(to), "copy").map(drop)
}
