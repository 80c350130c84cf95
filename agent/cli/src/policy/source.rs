//! Where a policy comes from: a file, or a commit of the repository around it.
//!
//! **Invariant:** a policy that cannot be read is told as such; it is never taken for a missing one.

use std::path::{Path, PathBuf, absolute};

use anyhow::anyhow;
use bowline_host::repository::Repository;
use bowline_host::repository::tree::TreeFailure;
use bowline_model::policy::{POLICY_PATH, Policy};

use crate::failure::{Failure, read_given};
use crate::revision;
use crate::verify::unreachable;

/// As much as a host reads.
pub(super) const FILE_BYTES_MAX: u64 = 1 << 20;

/// Deeper than any folder of a repository lies.
const DEPTH_MAX: usize = 64;

/// A policy that was read.
#[derive(Debug)]
pub(super) struct Found {
    /// Where, for people.
    pub(super) label: String,
    pub(super) bytes: Vec<u8>,
    pub(super) policy: Policy,
}

impl Found {
    fn parse(label: String, bytes: Vec<u8>) -> Result<Self, Failure> {
        let policy = Policy::parse(&label, &bytes)
            .map_err(|faults| Failure::failed(faults).of("the policy cannot be used"))?;
        Ok(Self { label, bytes, policy })
    }

    /// The policy in a file.
    pub(super) fn in_file(path: &Path) -> Result<Self, Failure> {
        let bytes = read_given(path, "policy", FILE_BYTES_MAX)?;
        Self::parse(path.display().to_string(), bytes)
    }

    /// The policy in a commit; `None` where it has none.
    pub(super) fn in_commit(repo: &str, name: &str) -> Result<Option<Self>, Failure> {
        let commit = revision::find(repo, name)?;
        let repository = Repository::view(repo).map_err(unreachable)?;
        let paths = [POLICY_PATH.to_owned()];
        let found = match repository.contents(&commit, &paths) {
            Err(TreeFailure::NoFile { .. }) => return Ok(None),
            found => found.map_err(Failure::failed)?,
        };
        let label = format!("{POLICY_PATH} at {name}");
        found.get(POLICY_PATH).map(|it| Self::parse(label, it.to_vec())).transpose()
    }

    /// The policy that a change is held against: what was named, else that at the HEAD of the repository in which
    /// the changed one lies, if it lies in one.
    pub(super) fn before(path: &Path, named: Option<&str>) -> Result<Option<Self>, Failure> {
        if let Some(file) = named.map(Path::new).filter(|it| it.is_file()) {
            return Self::in_file(file).map(Some);
        }
        let home = repository_around(path).map(|it| it.display().to_string());
        match (named, home) {
            (Some(name), Some(home)) => {
                let none = || Failure::usage(anyhow!("{name} has no {POLICY_PATH}"));
                Self::in_commit(&home, name)?.map(Some).ok_or_else(none)
            }
            (Some(name), None) => {
                let what = anyhow!("there is no file {name}, and no repository around the policy");
                Err(Failure::usage(what))
            }
            // A repository without a commit has no policy yet.
            (None, Some(home)) if revision::find(&home, "HEAD").is_ok() => {
                Self::in_commit(&home, "HEAD")
            }
            (None, _) => Ok(None),
        }
    }
}

/// The work tree in which a file lies.
fn repository_around(path: &Path) -> Option<PathBuf> {
    let path = absolute(path).ok()?;
    let is_work_tree = |it: &&Path| it.join(".git").exists();
    path.ancestors().skip(1).take(DEPTH_MAX).find(is_work_tree).map(Path::to_owned)
}
