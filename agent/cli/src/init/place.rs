//! Where everything goes: the repository, and beside it trust file, settings and state.
//!
//! **Invariant:** trust file and settings lie outside the work tree: what the repository holds must
//! not decide what the host trusts.

use std::io::ErrorKind;
use std::path::{Path, PathBuf, absolute};

use anyhow::anyhow;
use bowline_host::door::files::{names, replace_cheaply};
use bowline_model::trust_root::RefName;

use crate::arguments::Init;
use crate::failure::Failure;

/// Where everything goes; all paths are absolute.
#[derive(Debug)]
pub(super) struct Place {
    /// The work tree.
    pub(super) folder: PathBuf,
    /// The branch.
    pub(super) ref_name: RefName,
    /// The trust file.
    pub(super) trust: PathBuf,
    /// The agent's settings.
    pub(super) agent: PathBuf,
    /// The agent's state, on a first try without privileges.
    pub(super) state: PathBuf,
    /// A root for a first try.
    root: PathBuf,
}

impl Place {
    /// Settles every path, and refuses whatever would overwrite something.
    pub(super) fn settle(given: &Init) -> Result<Self, Failure> {
        let folder = real(&given.folder)?;
        let name = folder.file_name().and_then(|it| it.to_str()).ok_or_else(|| {
            let shown = given.folder.display();
            Failure::usage(anyhow!("{shown} cannot be the folder of a new repository"))
        })?;
        let beside = |ending: &str| folder.with_file_name(format!("{name}{ending}"));
        let out = |given: &Option<PathBuf>, ending: &str| match given {
            Some(path) => absolute(path).map_err(Failure::usage),
            None => Ok(beside(ending)),
        };
        let place = Self {
            ref_name: given.ref_name.clone(),
            trust: out(&given.trust_out, ".trust.yaml")?,
            agent: out(&given.agent_out, ".agent.toml")?,
            state: beside(".state"),
            root: beside(".root"),
            folder,
        };
        place.refuse_what_stands()?;
        Ok(place)
    }

    fn refuse_what_stands(&self) -> Result<(), Failure> {
        let folder = self.folder.display();
        if self.folder.to_str().is_none() {
            return Err(Failure::usage(anyhow!("{folder} is not a path in UTF-8")));
        }
        if self.folder.exists() && !self.folder.is_dir() {
            return Err(Failure::failed(anyhow!("{folder} is not a folder")));
        }
        // One name is enough to say no; more than a million are not looked at.
        let is_empty = match names(&self.folder, 1 << 20) {
            Ok(names) => names.is_empty(),
            Err(error) if error.source.kind() == ErrorKind::ArgumentListTooLong => false,
            Err(error) => return Err(Failure::failed(error)),
        };
        if !is_empty {
            return Err(Failure::failed(anyhow!("{folder} is not empty"))
                .hint("name a folder that is empty or does not exist"));
        }
        if self.trust == self.agent {
            return Err(Failure::usage(anyhow!("trust file and settings cannot be one file")));
        }
        for file in [&self.trust, &self.agent] {
            let shown = file.display();
            if file.starts_with(&self.folder) {
                return Err(Failure::usage(anyhow!("{shown} lies in the repository"))
                    .hint("what a repository holds must not decide what a host trusts"));
            }
            if file.symlink_metadata().is_ok() {
                return Err(Failure::failed(anyhow!("{shown} exists already"))
                    .hint("remove it, or name another with --trust-out and --agent-out"));
            }
            let parent = file.parent().filter(|it| it.is_dir() || self.folder.starts_with(it));
            if parent.is_none() {
                return Err(Failure::usage(anyhow!("the folder of {shown} does not exist")));
            }
        }
        Ok(())
    }

    /// A name that no other repository on this machine has.
    pub(super) fn default_uri(&self) -> String {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte);
        let encoded: String = self
            .folder
            .as_os_str()
            .as_encoded_bytes()
            .iter()
            .map(|it| if plain(it) { char::from(*it).to_string() } else { format!("%{it:02X}") })
            .collect();
        format!("git+file://{encoded}")
    }

    /// Writes trust file and settings.
    pub(super) fn write_beside(&self, trust: &str, settings: &str) -> Result<(), Failure> {
        replace_cheaply(&self.trust, trust.as_bytes(), 0o644).map_err(Failure::failed)?;
        replace_cheaply(&self.agent, settings.as_bytes(), 0o644).map_err(Failure::failed)
    }

    /// What a person does next.
    pub(super) fn next_commands(&self) -> [String; 3] {
        let [folder, trust, agent, root] =
            [&self.folder, &self.trust, &self.agent, &self.root].map(|it| quoted(it));
        [
            format!("bowline verify --repo {folder} --trust {trust}"),
            format!("mkdir -p {root} && bowline plan --config {agent} --root {root}"),
            format!("bowline-agent --config {agent} --root {root} --once"),
        ]
    }
}

/// The path without dots and links, as far as it exists.
fn real(folder: &Path) -> Result<PathBuf, Failure> {
    let fail = |source| {
        Failure::usage(anyhow::Error::new(source)).of(format!("find {}", folder.display()))
    };
    let whole = absolute(folder).map_err(fail)?;
    if whole.exists() {
        return whole.canonicalize().map_err(fail);
    }
    match (whole.parent(), whole.file_name()) {
        (Some(parent), Some(name)) if parent.exists() => {
            Ok(parent.canonicalize().map_err(fail)?.join(name))
        }
        _ => Ok(whole),
    }
}

/// The path as a shell takes it for one word.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |it: char| it.is_alphanumeric() || "/-_.,:+@%=".contains(it);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_for_a_shell() {
        for (path, expected) in [
            ("/srv/fleet", "/srv/fleet"),
            ("/a b", "'/a b'"),
            ("/it's", r"'/it'\''s'"),
            ("/$x", "'/$x'"),
        ] {
            assert_eq!(quoted(Path::new(path)), expected);
        }
    }
}
