//! Writes the founded repository, so that `git status` is clean and the next commit is signed.
//!
//! **Invariant:** objects go in as they were signed; no hook, template or filter of the account runs.

use std::fmt;

use bowline_host::door::files::replace_cheaply;
use bowline_model::bundle::CommitEvidence;
use git2::build::CheckoutBuilder;
use git2::{Config, ConfigLevel, ObjectType, Oid, Repository, RepositoryInitOptions};

use super::objects::Objects;
use super::place::Place;
use crate::failure::Failure;
use crate::keys::RootKey;

/// Author and committer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Author {
    name: String,
    email: String,
    /// Whether Git's settings name somebody.
    pub(super) is_known: bool,
}

impl Author {
    /// Whom Git's settings name; else nobody in particular: the signature says who it was.
    pub(super) fn find() -> Self {
        let config = Config::open_default();
        let of = |key: &str| {
            let set = config.as_ref().ok().and_then(|it| it.get_string(key).ok());
            set.map(|it| header_text(&it)).filter(|it| !it.is_empty())
        };
        let (name, email) = (of("user.name"), of("user.email"));
        Self {
            is_known: name.is_some() && email.is_some(),
            name: name.unwrap_or_else(|| "Bowline".to_owned()),
            email: email.unwrap_or_else(|| "bowline@localhost".to_owned()),
        }
    }
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <{}>", self.name, self.email)
    }
}

/// The text without what would end its header: brackets and line feeds.
fn header_text(text: &str) -> String {
    let plain: String = text.chars().filter(|it| !it.is_control() && !"<>".contains(*it)).collect();
    plain.trim().to_owned()
}

/// Writes objects, branch, index, work tree and the repository's own settings.
pub(super) fn write(
    place: &Place,
    objects: &Objects,
    commit: &CommitEvidence,
    keys: &[RootKey],
    author: &Author,
) -> Result<(), Failure> {
    make(place, objects, commit, keys, author).map_err(|error| {
        Failure::failed(error).of(format!("make the repository {}", place.folder.display()))
    })
}

fn make(
    place: &Place,
    objects: &Objects,
    commit: &CommitEvidence,
    keys: &[RootKey],
    author: &Author,
) -> anyhow::Result<()> {
    let mut options = RepositoryInitOptions::new();
    options.mkpath(true).no_reinit(true).external_template(false);
    let repository = Repository::init_opts(&place.folder, &options)?;
    let store = repository.odb()?;
    for (id, (kind, content)) in &objects.all {
        let kind = ObjectType::from_str(kind).unwrap_or(ObjectType::Blob);
        let stored = store.write(kind, content)?;
        anyhow::ensure!(stored.as_bytes() == id.as_bytes(), "{id} was stored as {stored}");
    }
    let tip = Oid::from_bytes(commit.id.as_bytes())?;
    let ref_name = place.ref_name.as_str();
    repository.reference(ref_name, tip, false, "bowline init")?;
    repository.set_head(ref_name)?;
    let mut checkout = CheckoutBuilder::new();
    checkout.force().disable_filters(true);
    repository.checkout_head(Some(&mut checkout))?;
    if !author.is_known {
        // Without a name Git refuses to commit at all.
        let mut config = repository.config()?.open_level(ConfigLevel::Local)?;
        config.set_str("user.name", &author.name)?;
        config.set_str("user.email", &author.email)?;
    }
    sign_from_now_on(&repository, keys)
}

/// Signers as `git log --show-signature` wants them. Hosts go by the policy, never by this file.
fn signers(keys: &[RootKey]) -> String {
    let line = |key: &RootKey| format!("{} namespaces=\"git\" {}\n", key.name, key.line);
    keys.iter().map(line).collect()
}

/// A commit that nobody signed would be refused by every host.
fn sign_from_now_on(repository: &Repository, keys: &[RootKey]) -> anyhow::Result<()> {
    let mut config = repository.config()?.open_level(ConfigLevel::Local)?;
    config.set_str("gpg.format", "ssh")?;
    config.set_bool("commit.gpgsign", true)?;
    if let Some(file) = keys.first().and_then(|key| key.file.to_str()) {
        config.set_str("user.signingkey", file)?;
    }
    let allowed = repository.path().join("allowed_signers");
    replace_cheaply(&allowed, signers(keys).as_bytes(), 0o644)?;
    if let Some(file) = allowed.to_str() {
        config.set_str("gpg.ssh.allowedSignersFile", file)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_end_its_header() {
        assert_eq!(header_text(" A <a@b>\ntree 0 "), "A a@btree 0");
    }
}
