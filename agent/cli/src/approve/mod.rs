//! `bowline approve`: one person's signed word that one change may be merged into one branch.
//!
//! **Invariant:** what is signed is shown, and an approval that would not count is not made.
//! **Invariant:** the private key is not read here: `ssh-keygen` or its agent signs.

mod target;
mod urgent;

use std::path::Path;
use std::slice;

use anyhow::anyhow;
use bowline_host::door::clock;
use bowline_host::door::files::replace_cheaply;
use bowline_host::door::merge_tree::keep_blob;
use bowline_host::evidence_notes;
use bowline_host::repository::evidence::change_of;
use bowline_model::change_set::ChangeSet;
use bowline_model::duration::Span;
use bowline_model::envelope::{Envelope, EnvelopeSignature};
use bowline_model::policy::{KeyMaterial, Kind, Policy};
use bowline_trust::approval::{Approval, Approved, LONGEST_LIFE};
use bowline_trust::emergency::LONGEST_EMERGENCY;
use bowline_trust::ssh_key::SshKey;
use bowline_trust::{APPROVAL_NAMESPACE, attested, dsse};
use jiff::{SignedDuration, Timestamp};

use self::target::Target;
pub(crate) use self::target::policy_of;
use crate::arguments::Approve;
use crate::failure::Failure;
use crate::keys::{self, RootKey};
use crate::screen::Screen;

/// How long an approval counts where nobody says.
const USUAL_LIFE: Span = Span::from_secs(14 * 86_400);

/// How long the word of somebody on call counts where nobody says.
const USUAL_EMERGENCY: Span = Span::from_secs(86_400);

/// Paths that are shown; whoever approves more has looked at them elsewhere.
const PATHS_SHOWN: usize = 40;

/// Approves a change.
pub fn approve(given: &Approve, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let target = Target::find(given)?;
    let key = keys::read(slice::from_ref(&given.key))?.pop();
    let key = key.ok_or_else(|| Failure::usage(anyhow!("no key was named")))?;
    // The clock's seconds are in range for some thousand years.
    let now = Timestamp::from_second(clock::wall()).unwrap_or(Timestamp::MAX);
    let approver = match &given.emergency {
        None => approver(&target.policy, &key, now)?,
        Some(_) => urgent::caller(&target.policy, &key, now)?,
    };
    let expires = end_of(given, now)?;
    let list = target.change.text();
    let change = change_of(&list, target.tree);
    let approval = Approval {
        repo_uri: target.policy.repo_uri.to_string(),
        target_ref: target.policy.ref_name.to_string(),
        base: target.base,
        issued: now,
        expires,
    };
    let subject = Approved { change, tree: target.tree, head: target.head };
    let verb = if given.emergency.is_some() { "hurries" } else { "approves" };
    if given.out.as_deref() != Some(Path::new("-")) {
        show(&target, (verb, &approval), approver, screen)?;
    }
    let statement = match &given.emergency {
        None => approval.statement(&subject),
        Some(reason) => urgent::word(approval, reason)?.statement(&subject),
    };
    let unsigned = attested::unsigned(&statement);
    let sig = key.sign(APPROVAL_NAMESPACE, &unsigned.pae(), screen)?.into_bytes();
    let key_id = Some(key.key().fingerprint());
    let line =
        dsse::write(&Envelope { signatures: vec![EnvelopeSignature { key_id, sig }], ..unsigned });
    deliver(given, (&line, &list), &subject, screen)?;
    Ok(0)
}

/// The person of the policy whose key this is, if it counts now; else why not.
fn holder<'p>(
    policy: &'p Policy,
    key: &RootKey,
    now: Timestamp,
) -> Result<(&'p String, Kind), String> {
    let is_this = |material: &KeyMaterial| match material {
        KeyMaterial::Ssh { line } => SshKey::from_line(line).is_ok_and(|it| it == *key.key()),
        _ => false,
    };
    let fingerprint = key.key().fingerprint();
    let found = policy.principals.iter().find_map(|(name, principal)| {
        let entry = principal.keys.iter().find(|it| is_this(&it.material))?;
        Some((name, principal.kind, entry))
    });
    let (name, kind, entry) =
        found.ok_or_else(|| format!("{fingerprint} belongs to no principal of the policy"))?;
    let is_revoked = policy.revoked.keys.iter().any(|it| it.as_str() == fingerprint);
    if !entry.counts_at(now) || is_revoked {
        return Err(format!("{fingerprint} of {name:?} is not valid now, or revoked"));
    }
    Ok((name, kind))
}

/// Whose approval it would be. One that would not count is not made: nobody would learn why.
fn approver<'p>(policy: &'p Policy, key: &RootKey, now: Timestamp) -> Result<&'p str, Failure> {
    let would_not = |why: String| {
        Err(Failure::failed(anyhow!("{why}"))
            .of("an approval with this key would not count")
            .hint("see principals and merge.approvals in .bowline/policy.yaml"))
    };
    let (name, kind) = holder(policy, key, now).or_else(would_not)?;
    let from = &policy.merge.approvals.from;
    if kind != Kind::Human {
        would_not(format!("{name:?} is a {kind}, and only people approve"))?;
    } else if !from.is_empty() && !from.contains(name) {
        would_not(format!("{name:?} is not among merge.approvals.from"))?;
    }
    Ok(name)
}

fn end_of(given: &Approve, now: Timestamp) -> Result<Timestamp, Failure> {
    let (longest, usual) = match given.emergency {
        None => (LONGEST_LIFE, USUAL_LIFE),
        Some(_) => (LONGEST_EMERGENCY, USUAL_EMERGENCY),
    };
    let lasting = given.lasting.unwrap_or(usual);
    let length = SignedDuration::try_from(lasting.as_duration()).ok();
    let length = length.filter(|it| *it <= longest && !it.is_zero());
    let end = length.and_then(|it| now.checked_add(it).ok());
    let days = longest.as_hours() / 24;
    end.ok_or_else(|| Failure::usage(anyhow!("--for {lasting} is not between 1s and {days}d")))
}

fn show(
    target: &Target,
    (verb, approval): (&'static str, &Approval),
    approver: &str,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let did = if target.is_merged { "merged" } else { "to be merged" };
    screen.table(&[
        (verb, format!("{} ({did})", target.head)),
        ("onto", format!("{} of {}", target.base.short(), approval.target_ref)),
        ("in", approval.repo_uri.clone()),
        ("by", approver.to_owned()),
        ("until", approval.expires.to_string()),
        ("changes", counted(target.change.len())),
    ])?;
    for line in paths(&target.change) {
        screen.line(line)?;
    }
    Ok(())
}

fn counted(files: usize) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
}

/// One line for each changed path, as `git diff --name-status` has them.
fn paths(change: &ChangeSet) -> Vec<String> {
    let mut lines: Vec<_> = change
        .differing()
        .take(PATHS_SHOWN)
        .map(|(path, pair)| {
            let letter = match pair {
                [None, _] => 'A',
                [_, None] => 'D',
                _ => 'M',
            };
            format!("  {letter} {}", String::from_utf8_lossy(path).escape_debug())
        })
        .collect();
    let more = change.len().saturating_sub(PATHS_SHOWN);
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
    lines
}

/// Hands it over: to a file, or to the notes on the change, on what is merged and on what results.
fn deliver(
    given: &Approve,
    (line, list): (&[u8], &[u8]),
    approved: &Approved,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    match given.out.as_deref() {
        Some(path) if path == Path::new("-") => return screen.text(line),
        Some(path) => {
            replace_cheaply(path, line, 0o644).map_err(Failure::failed)?;
            return screen.table(&[("written", path.display().to_string())]);
        }
        None => {}
    }
    let repo = Path::new(&given.repo);
    // Notes on an object that is not here would be cleared away with `git notes prune`.
    keep_blob(repo, list).map_err(Failure::failed)?;
    let places = [approved.change.blob, approved.head, approved.tree];
    evidence_notes::add(repo, &places, line).map_err(Failure::failed)?;
    let Some(remote) = &given.push else {
        let note = "note: it is in the notes here; with --push REMOTE it goes to where hosts look";
        return screen.note(note);
    };
    evidence_notes::push(repo, remote).map_err(Failure::failed)?;
    screen.table(&[("pushed", format!("refs/notes/attestations to {remote}"))])
}
