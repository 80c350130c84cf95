//! `bowline trust inspect`: what is the signature of one commit or tag worth?
//!
//! **Invariant:** a policy is not looked at: `valid` means signed by a listed key, not "may be deployed".

use std::path::Path;

use bowline_host::repository::{Repository, revision};
use bowline_host::settings;
use bowline_model::trust_root::RootKey;
use bowline_trust::commit::LARGEST_COMMIT;
use bowline_trust::inspect::{Inspection, Worth, inspect as look};
use bowline_trust::key_file::{ListedKey, Role};
use bowline_trust::keys::Keys;
use bowline_trust::revoked_file::Revoked;
use bowline_trust::ssh_key::SshKey;

use crate::arguments::Inspect;
use crate::failure::{Failure, read_given};
use crate::revision::unknown;
use crate::screen::Screen;
use crate::verify::{read_trust, unreachable};

/// Ten times what a commit may have: a larger one is said to be malformed, not unreadable.
const COMMIT_BYTES_MAX: u64 = 10 * LARGEST_COMMIT as u64;

/// Git's own least.
const SHORTEST_ID: usize = 4;

/// Lists of keys that people keep; the reader refuses larger ones by itself.
const KEYS_BYTES_MAX: u64 = 16 << 20;

/// Looks at one commit.
pub fn inspect(given: &Inspect, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let mut keys = keys(given, screen)?;
    if let Some(file) = &given.revoked {
        keys.revoked = revoked(file)?;
    }
    let raw = match &given.repo {
        Some(repo) => of_repository(repo, &given.what)?,
        None => read_given(Path::new(&given.what), "file", COMMIT_BYTES_MAX).map_err(|it| {
            it.hint("name a file with a raw commit or tag, or a revision together with --repo")
        })?,
    };
    let found = look(&raw, &keys);
    let found = match &given.repo {
        Some(_) => offered(found, &given.what),
        None => found,
    };
    if given.json {
        screen.json(&found)?;
    } else {
        show(&found, screen)?;
    }
    Ok(u8::from(found.result != Worth::Valid))
}

/// The keys that count: those named, else the root keys of a trust file.
fn keys(given: &Inspect, screen: &mut Screen<'_>) -> Result<Keys, Failure> {
    if let Some(file) = &given.keys {
        let keys = read_given(file, "key file", KEYS_BYTES_MAX)?;
        return Keys::read(&keys).map_err(|source| {
            Failure::usage(source).of(format!("{} cannot be used", file.display()))
        });
    }
    let file = match &given.trust {
        Some(file) => file.clone(),
        None => settings::default_of_this_machine().map_err(Failure::failed)?.trust,
    };
    let trusted = read_trust(&file).map_err(|failure| {
        failure.hint("name public keys with --keys, or a trust file with --trust")
    })?;
    screen.note(format_args!("note: the keys are the root keys of {}", file.display()))?;
    let listed = |it: &RootKey| {
        let key = SshKey::from_line(&it.key).map_err(|bad| {
            Failure::usage(bad).of(format!("root key {:?} of {}", it.id, file.display()))
        })?;
        let name = it.id.clone();
        Ok(ListedKey { key, name, role: Role::Signer, valid_after: None, valid_before: None })
    };
    let ssh = trusted.root.root.keys.iter().map(listed).collect::<Result<_, Failure>>()?;
    Ok(Keys { ssh, ..Keys::default() })
}

/// The keys that were taken back. Git goes on without a list that it cannot find; a list that is named counts here, or
/// nothing does.
fn revoked(file: &Path) -> Result<Revoked, Failure> {
    let list = read_given(file, "list of revoked keys", KEYS_BYTES_MAX)?;
    Revoked::read(&list)
        .map_err(|source| Failure::usage(source).of(format!("{} cannot be used", file.display())))
}

fn of_repository(repo: &str, name: &str) -> Result<Vec<u8>, Failure> {
    let id = revision::find_signed(repo, name).map_err(unknown)?;
    let repository = Repository::view(repo).map_err(unreachable)?;
    Ok(repository.raw_signed(&id).map_err(unknown)?.to_vec())
}

/// Holds a tag against the name under which it was found; an id names no tag.
fn offered(found: Inspection, what: &str) -> Inspection {
    let is_id = what.len() >= SHORTEST_ID && what.bytes().all(|it| it.is_ascii_hexdigit());
    if is_id { found } else { found.offered_as(what.strip_prefix("refs/tags/").unwrap_or(what)) }
}

fn show(found: &Inspection, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let result = match found.result {
        Worth::Valid => "valid",
        Worth::Invalid => "invalid",
        Worth::Unsigned => "unsigned",
        Worth::Malformed => "malformed",
        Worth::Unsupported => "unsupported",
    };
    screen.table(&[
        ("result", result.to_owned()),
        ("reason", found.reason.clone()),
        ("format", found.format.to_owned()),
        ("tag", found.tag.clone().unwrap_or_default()),
        ("key", found.key.clone().unwrap_or_default()),
        ("payload", found.payload_sha256.map(|it| format!("sha256:{it}")).unwrap_or_default()),
    ])
}
