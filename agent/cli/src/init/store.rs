//! Writes the founded repository, so that `git status` is clean and the next commit is signed.
//!
//! **Invariant:** objects go in as they were signed; no hook, template or filter of the account runs.

use bowline_host::door::files::replace_cheaply;
use bowline_model::bundle::CommitEvidence;
use git2::build::CheckoutBuilder;
use git2::{Config, ObjectType, Oid, Repository, RepositoryInitOptions};

use super::keys::RootKey;
use super::objects::Objects;
use super::place::Place;
use crate::failure::Failure;

/// Who commits when Git's settings do not say: the signature says who it was.
const NOBODY: (&str, &str) = ("Bowline", "bowline@localhost");

/// Author and committer, as `Name <address>`.
pub(super) fn author() -> String {
    let config = Config::open_default();
    let of = |key: &str, default: &str| {
        let set = config.as_ref().ok().and_then(|it| it.get_string(key).ok()).unwrap_or_default();
        // Brackets and line feeds would end the header.
        let plain: String =
            set.chars().filter(|it| !it.is_control() && !"<>".contains(*it)).collect();
        match plain.trim() {
            "" => default.to_owned(),
            plain => plain.to_owned(),
        }
    };
    format!("{} <{}>", of("user.name", NOBODY.0), of("user.email", NOBODY.1))
}

/// Writes objects, branch, index, work tree and the repository's own settings.
pub(super) fn write(
    place: &Place,
    objects: &Objects,
    commit: &CommitEvidence,
    keys: &[RootKey],
) -> Result<(), Failure> {
    make(place, objects, commit, keys).map_err(|error| {
        Failure::failed(error).of(format!("make the repository {}", place.folder.display()))
    })
}

fn make(
    place: &Place,
    objects: &Objects,
    commit: &CommitEvidence,
    keys: &[RootKey],
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
    sign_from_now_on(&repository, keys)
}

/// Signers as `git log --show-signature` wants them. Hosts go by the policy, never by this file.
fn signers(keys: &[RootKey]) -> String {
    let line = |key: &RootKey| format!("{} namespaces=\"git\" {}\n", key.name, key.line);
    keys.iter().map(line).collect()
}

/// A commit that nobody signed would be refused by every host.
fn sign_from_now_on(repository: &Repository, keys: &[RootKey]) -> anyhow::Result<()> {
    let mut config = repository.config()?.open_level(git2::ConfigLevel::Local)?;
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
