//! `bowline policy rotate`: a principal gets a new key, and an old one ends.
//!
//! **Invariant:** what is written is the policy as it was, but for these keys and its version: read back and compared.
//! **Invariant:** nobody is locked out: somebody can still merge the very change.

use anyhow::anyhow;
use bowline_host::door::files::replace_cheaply;
use bowline_model::policy::{KeyEntry, KeyMaterial, Policy};
use bowline_trust::check_keys;
use bowline_trust::spki::SpkiKey;
use serde_json::{Value, json};

use super::arguments::Rotate;
use super::change::changes;
use super::duty::{Level, alone, can_be_merged};
use super::source::Found;
use super::{edit, key_state};
use crate::failure::{Failure, read_given};
use crate::keys;
use crate::screen::Screen;
use crate::verify::now_or;

/// A public key is one line, or a PEM file.
const KEY_BYTES_MAX: u64 = 64 << 10;

const PEM: &[u8] = b"-----BEGIN PUBLIC KEY-----";

/// Gives a principal a new key.
pub(super) fn rotate(given: &Rotate, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let found = Found::in_file(&given.policy)?;
    let material = new_key(given)?;
    let next = wanted(&found.policy, given, material)?;
    refuse_lock_out(&found.policy, &next)?;
    let text = String::from_utf8(found.bytes).map_err(Failure::failed)?;
    let text = rewritten(&text, &found.policy, &next, given).ok_or_else(|| {
        let what = anyhow!("{} is laid out in a way that is not edited here", found.label);
        Failure::failed(what).hint(by_hand(&next, given))
    })?;
    let same = Policy::parse(&found.label, text.as_bytes()).is_ok_and(|it| it == next);
    if !same {
        let what = anyhow!("{} would not say what was asked for", found.label);
        return Err(Failure::failed(what).hint(by_hand(&next, given)));
    }
    replace_cheaply(&given.policy, text.as_bytes(), 0o644).map_err(Failure::failed)?;
    let changes = changes(&found.policy, &next);
    if given.json {
        screen.json(&json!({
            "policy": given.policy.display().to_string(),
            "version": next.version,
            "changes": changes,
        }))?;
        return Ok(0);
    }
    screen.table(&[
        ("policy", format!("{}: version {}", found.label, next.version)),
        ("next", format!("bowline policy sign {} --key FILE", given.policy.display())),
    ])?;
    for it in changes {
        screen.line(format_args!("  {:<8}  {}", it.effect.to_string(), it.what))?;
    }
    screen.note("note: a root key is another thing: those stand in the hosts' trust files")?;
    Ok(0)
}

fn new_key(given: &Rotate) -> Result<KeyMaterial, Failure> {
    let bytes = read_given(&given.key_file, "key file", KEY_BYTES_MAX)?;
    if bytes.trim_ascii_start().starts_with(PEM) {
        let pem = String::from_utf8(bytes).map_err(Failure::usage)?;
        SpkiKey::from_pem(&pem).map_err(Failure::usage)?;
        return Ok(KeyMaterial::Spki { pem: pem.trim_start().to_owned() });
    }
    Ok(KeyMaterial::Ssh { line: keys::public(&given.key_file)? })
}

/// The policy as it is to be.
fn wanted(old: &Policy, given: &Rotate, material: KeyMaterial) -> Result<Policy, Failure> {
    let mut next = old.clone();
    next.version = old.version.saturating_add(1);
    let name = &given.name;
    let Some(principal) = next.principals.get_mut(name) else {
        return Err(Failure::usage(anyhow!("{name:?} is not among the principals")));
    };
    if let (Some(fingerprint), Some(end)) = (&given.retire, given.not_after) {
        let is_it = |it: &&mut KeyEntry| key_state::fingerprint(it).as_deref() == Some(fingerprint);
        let Some(entry) = principal.keys.iter_mut().find(is_it) else {
            let what = anyhow!("{name:?} has no key {fingerprint}");
            return Err(Failure::usage(what).hint("bowline policy show lists them"));
        };
        if entry.not_before.is_some_and(|it| it >= end) {
            return Err(Failure::usage(anyhow!("the key would end before it begins to count")));
        }
        if entry.not_after.is_some_and(|it| it < end) {
            let what = anyhow!("the key ends earlier already: {}", key_state::shown(entry));
            return Err(Failure::usage(what));
        }
        entry.not_after = Some(end);
    }
    principal
        .keys
        .insert(place(&principal.keys), KeyEntry { material, not_before: None, not_after: None });
    check_keys(&next).map_err(|what| Failure::usage(anyhow!(what)))?;
    Ok(next)
}

/// Where a new key goes: behind the first one.
fn place(keys: &[KeyEntry]) -> usize {
    keys.len().min(1)
}

fn refuse_lock_out(old: &Policy, next: &Policy) -> Result<(), Failure> {
    let now = now_or(None);
    let refuse = |what: String| {
        Err(Failure::failed(anyhow!(what)).of("nothing is written: it would lock people out"))
    };
    if old.expires > now && !can_be_merged(old, next, now) {
        return refuse(
            "whoever merges the change signs with a key that counts before and after: let the old one end later"
                .to_owned(),
        );
    }
    let known: Vec<_> = alone(old, now).into_iter().map(|it| it.what).collect();
    let mut errors = alone(next, now).into_iter().filter(|it| it.level == Level::Error);
    match errors.find(|it| !known.contains(&it.what)) {
        Some(bad) => refuse(bad.what),
        None => Ok(()),
    }
}

/// The text with the new key, the old one's end and a higher version; `None` where its layout is not known.
fn rewritten(text: &str, old: &Policy, next: &Policy, given: &Rotate) -> Option<String> {
    let entries = &old.principals.get(&given.name)?.keys;
    let added = &next.principals.get(&given.name)?.keys.get(place(entries))?.material;
    let text = edit::set_version(text, old.version, next.version)?;
    // First the end, while the text of the old key stands once for sure.
    let text = match (&given.retire, given.not_after) {
        (Some(fingerprint), Some(end)) => {
            let is_it = |it: &&KeyEntry| key_state::fingerprint(it).as_deref() == Some(fingerprint);
            let entry = entries.iter().find(is_it)?;
            edit::end_key(&text, entry, &end.to_string())?
        }
        _ => text,
    };
    edit::add_key(&text, entries.first()?, &entry_text(added)?)
}

/// A key's entry on one line.
fn entry_text(material: &KeyMaterial) -> Option<String> {
    let (kind, key) = match material {
        KeyMaterial::Ssh { line } => ("ssh", line),
        KeyMaterial::Spki { pem } => ("spki", pem),
        KeyMaterial::SshAuthority { .. } | KeyMaterial::OpenPgp { .. } => return None,
    };
    Some(format!("{{type: {kind}, key: {}}}", Value::from(key.as_str())))
}

fn by_hand(next: &Policy, given: &Rotate) -> String {
    let keys = next.principals.get(&given.name).map(|it| it.keys.as_slice()).unwrap_or_default();
    let added = keys.get(1).or(keys.first()).and_then(|it| entry_text(&it.material));
    format!(
        "write version: {} and among the keys of {}: {}",
        next.version,
        given.name,
        added.unwrap_or_default()
    )
}
