//! The repository, as its people work with it: branches, signed commits, merges.
//!
//! **Invariant:** whoever merges signs; the only one who may is Alice.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::programs::{run, sealed};

/// Somebody with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Person {
    /// The root key and the only merger.
    Alice,
    /// Somebody who looks at what others merge.
    Bob,
    /// Somebody who can push, and whom no policy names.
    Mallory,
}

impl Person {
    const ALL: [Self; 3] = [Self::Alice, Self::Bob, Self::Mallory];

    fn name(self) -> &'static str {
        match self {
            Self::Alice => "alice",
            Self::Bob => "bob",
            Self::Mallory => "mallory",
        }
    }
}

/// The repository and its people.
#[derive(Debug)]
pub struct Fleet {
    folder: PathBuf,
    home: PathBuf,
}

impl Fleet {
    /// Makes their keys in a folder, and has `bowline init` make the repository beside them; gives what
    /// it said.
    pub fn found(home: &Path, bowline: &Path) -> Result<(Self, String)> {
        let fleet = Self { folder: home.join("fleet"), home: home.to_owned() };
        for person in Person::ALL {
            let mut keygen = sealed("ssh-keygen", &fleet.home);
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", person.name(), "-f"]);
            run(keygen.arg(fleet.key(person)), "make a key")?;
        }
        let mut init = sealed(bowline, &fleet.home);
        init.arg("init").arg(&fleet.folder).arg("--key").arg(fleet.key(Person::Alice));
        let said = run(&mut init, "bowline init")?;
        Ok((fleet, said))
    }

    /// Where somebody's private key lies.
    pub fn key(&self, person: Person) -> PathBuf {
        self.home.join(person.name())
    }

    /// Makes a branch with these files and merges it; gives the merge's id.
    pub fn merge(
        &self,
        person: Person,
        branch: &str,
        message: &str,
        files: &[(String, String)],
    ) -> Result<String> {
        self.git(person, &["switch", "-q", "-c", branch])?;
        for (path, text) in files {
            let path = self.folder.join(path);
            let write = || -> std::io::Result<()> {
                fs::create_dir_all(path.parent().unwrap_or(&self.folder))?;
                fs::write(&path, text)
            };
            write().with_context(|| format!("write {}", path.display()))?;
        }
        self.git(person, &["add", "--all"])?;
        self.git(person, &["commit", "-q", "-S", "-m", message])?;
        self.git(person, &["switch", "-q", "main"])?;
        let merged = format!("Merge {branch}: {message}");
        self.git(person, &["merge", "-q", "--no-ff", "-S", "-m", &merged, branch])?;
        self.head()
    }

    /// Takes the last merge back by a new commit; gives its id.
    pub fn revert_last(&self, person: Person) -> Result<String> {
        self.git(person, &["revert", "--no-edit", "-S", "-m", "1", "HEAD"])?;
        self.head()
    }

    /// Takes the last merge off the branch, as an administrator would.
    pub fn drop_last(&self) -> Result<()> {
        self.git(Person::Alice, &["reset", "-q", "--hard", "HEAD^1"]).map(drop)
    }

    /// Sends main to another repository, as somebody who may push there.
    pub fn push(&self, remote: &Path) -> Result<()> {
        let remote = remote.display().to_string();
        // It may be of whoever pushes on that host.
        let theirs = "--receive-pack=git -c safe.directory=* receive-pack";
        self.git(Person::Alice, &["push", "-q", theirs, &remote, "main"]).map(drop)
    }

    /// The newest commit of main.
    pub fn head(&self) -> Result<String> {
        let head = self.git(Person::Alice, &["rev-parse", "HEAD"])?;
        Ok(head.trim().to_owned())
    }

    fn git(&self, person: Person, words: &[&str]) -> Result<String> {
        let name = person.name();
        let mut git: Command = sealed("git", &self.home);
        for role in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{role}_NAME"), name);
            git.env(format!("GIT_{role}_EMAIL"), format!("{name}@example.org"));
        }
        // A thousand loose objects would start a collector that outlives the demo.
        git.args(["-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "core.fsync=none"]);
        let key = self.key(person);
        git.arg("-C").arg(&self.folder).arg("-c");
        git.arg(format!("user.signingkey={}", key.display())).args(words);
        let doing = format!("git {}", words.first().unwrap_or(&""));
        run(&mut git, &doing)
    }
}
