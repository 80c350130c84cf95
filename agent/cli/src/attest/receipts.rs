//! `bowline attest receipts`: carries what hosts signed of a revision to where other hosts look for it.
//!
//! **Invariant:** nothing is signed here, and no line is changed: whoever carries a receipt is believed nothing.
//! **Invariant:** what the same logs say against a revision is carried along.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::anyhow;
use bowline_api::record::{Kind, Record};
use bowline_host::door::files::replace_cheaply;
use bowline_host::evidence_notes;
use bowline_host::repository::{NOTES, Repository, view};
use bowline_model::digest::Sha256;
use bowline_model::duration::Span;
use bowline_model::object_id::ObjectId;
use bowline_trust::commit::Commit;
use bowline_trust::receipt::Revision;
use serde::Serialize;

use super::arguments::Receipts;
use super::deliver::failed_notes;
use super::record_lines::{self, Entry};
use crate::failure::Failure;
use crate::revision;
use crate::screen::Screen;
use crate::verify::unreachable;

/// Revisions that are carried for at once: what is older waits for nothing any more.
const REVISIONS_MAX: usize = 256;

/// What was carried, as JSON.
#[derive(Debug, Serialize)]
struct Report {
    receipts: Vec<Carried>,
    /// How many lines the notes did not hold before; 0 where only a file was written.
    added: usize,
    places: Vec<String>,
}

/// One line that was carried.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Carried {
    commit: String,
    host: String,
    key: String,
    seq: u64,
    at: String,
    kind: Kind,
    outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    lasting_ms: Option<u64>,
}

/// A revision, and the lines that are carried to it.
struct Load<'e> {
    revision: Revision,
    commit: ObjectId,
    entries: Vec<&'e Entry>,
}

/// Carries receipts.
pub(super) fn attest(given: &Receipts, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    if given.json && given.delivery.out.as_deref() == Some(Path::new("-")) {
        let what = anyhow!("--json and --out - would both write to stdout");
        return Err(Failure::usage(what).hint("write the receipts to a file: --out FILE"));
    }
    let repository = Repository::view(&given.repo).map_err(unreachable)?;
    let entries = record_lines::read(&given.records)?;
    let mut loads = Vec::new();
    for commit in commits(given, &entries)? {
        let Some(revision) = revision(&repository, commit, given.rev.is_some())? else { continue };
        let entries = pick(&entries, &revision);
        if !entries.is_empty() {
            loads.push(Load { revision, commit, entries });
        }
    }
    if loads.is_empty() {
        let of = given.rev.as_deref().unwrap_or("a commit of this repository");
        let what = anyhow!("these records hold no receipt of {of}");
        let hint = "a host writes one once a gate with `hosts` asks its environment, after the time it asks for";
        return Err(Failure::failed(what).hint(hint));
    }
    let (added, places) = deliver(given, &repository, &loads, screen)?;
    tell(given, &loads, (added, places), screen)?;
    Ok(0)
}

/// The revision that is named, else each one that a receipt names, the newest receipt first.
fn commits(given: &Receipts, entries: &[Entry]) -> Result<Vec<ObjectId>, Failure> {
    if let Some(rev) = &given.rev {
        return Ok(vec![revision::find(&given.repo, rev)?]);
    }
    let mut newest: BTreeMap<ObjectId, &str> = BTreeMap::new();
    for Record { kind, commit, at, .. } in entries.iter().map(|it| it.claim.record()) {
        let commit = commit.as_ref().filter(|_| *kind == Kind::Healthy);
        let Some(id) = commit.and_then(|it| it.id.parse().ok()) else { continue };
        let known = newest.entry(id).or_default();
        *known = (*known).max(at.as_str());
    }
    let mut by_age: Vec<_> = newest.into_iter().map(|(id, at)| (at, id)).collect();
    by_age.sort_unstable_by(|one, other| other.cmp(one));
    Ok(by_age.into_iter().take(REVISIONS_MAX).map(|(_, id)| id).collect())
}

/// What a commit is called in receipts; `None` for one that this repository does not hold, unless it was named.
fn revision(
    repository: &Repository,
    commit: ObjectId,
    is_named: bool,
) -> Result<Option<Revision>, Failure> {
    let raw = match repository.raw_commit(&commit) {
        Ok(raw) => raw,
        Err(failure) if is_named => return Err(Failure::usage(failure)),
        Err(_) => return Ok(None),
    };
    let parsed = Commit::parse(&raw, commit.format()).map_err(Failure::failed)?;
    let commit_sha256 = Sha256::of(&raw);
    Ok(Some(Revision { commit: Some(commit), commit_sha256, tree: parsed.tree }))
}

/// Of each host the newest receipt for each time, and its newest word against the revision if that came later.
fn pick<'e>(entries: &'e [Entry], revision: &Revision) -> Vec<&'e Entry> {
    let mut hosts: BTreeMap<&str, BTreeMap<Option<u64>, &Entry>> = BTreeMap::new();
    for entry in entries {
        let record = entry.claim.record();
        let Some(repo) = &record.repo else { continue };
        let is_it = entry.claim.is_about(revision, (&repo.uri, &repo.ref_name)).is_some();
        if !is_it || !entry.claim.is_proved() {
            continue;
        }
        let lasting = record.healthy.as_ref().map(|it| it.lasting_ms);
        let host = hosts.entry(entry.claim.fingerprint()).or_default();
        let known = host.entry(lasting).or_insert(entry);
        if known.claim.record().seq < record.seq {
            *known = entry;
        }
    }
    let mut picked = Vec::new();
    for host in hosts.into_values() {
        let seq = |it: &Entry| it.claim.record().seq;
        let Some(last) =
            host.iter().filter(|(time, _)| time.is_some()).map(|(_, it)| seq(it)).max()
        else {
            continue;
        };
        let is_carried = |(time, it): &(Option<u64>, &Entry)| time.is_some() || seq(it) > last;
        picked.extend(host.into_iter().filter(is_carried).map(|(_, it)| it));
    }
    picked
}

/// Writes the lines where they were asked for. Says how many the notes did not hold, and where they are then.
fn deliver(
    given: &Receipts,
    repository: &Repository,
    loads: &[Load<'_>],
    screen: &mut Screen<'_>,
) -> Result<(usize, Vec<String>), Failure> {
    let (mut added, mut places) = (0, Vec::new());
    if let Some(file) = &given.delivery.out {
        let each: BTreeSet<_> =
            loads.iter().flat_map(|it| &it.entries).map(|it| &it.line).collect();
        let text: Vec<_> = each.into_iter().map(|it| [it, &b"\n"[..]].concat()).collect();
        if file == Path::new("-") {
            screen.text(&text.concat())?;
        } else {
            replace_cheaply(file, &text.concat(), 0o644).map_err(Failure::failed)?;
            places.push(file.display().to_string());
        }
    }
    if !given.delivery.note && given.delivery.push.is_none() {
        return Ok((added, places));
    }
    let repo = Path::new(&given.repo);
    let notes = view::tip_of(&given.repo, NOTES).ok();
    for load in loads {
        for object in [load.commit, load.revision.tree] {
            let note = notes.and_then(|it| repository.note_on(&it, &object)).unwrap_or_default();
            let known: BTreeSet<_> = note.split(|it| *it == b'\n').collect();
            let new = load.entries.iter().filter(|it| !known.contains(it.line.as_slice()));
            let new: Vec<_> = new.map(|it| [&it.line, &b"\n"[..]].concat()).collect();
            if !new.is_empty() {
                evidence_notes::add(repo, &[object], &new.concat()).map_err(failed_notes)?;
            }
            added += new.len();
        }
    }
    match &given.delivery.push {
        None => places.push("notes".to_owned()),
        Some(remote) => {
            let pushed = evidence_notes::push(repo, remote).map_err(failed_notes)?;
            places.push(format!("notes on {}", pushed.remote));
        }
    }
    Ok((added, places))
}

fn tell(
    given: &Receipts,
    loads: &[Load<'_>],
    (added, places): (usize, Vec<String>),
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    if given.json {
        let of = |load: &Load<'_>| -> Vec<Carried> {
            load.entries.iter().map(|it| carried(load.commit, it)).collect()
        };
        let receipts = loads.iter().flat_map(of).collect();
        return screen.json(&Report { receipts, added, places });
    }
    if given.delivery.out.as_deref() == Some(Path::new("-")) {
        return Ok(());
    }
    for load in loads {
        let said: Vec<_> = load.entries.iter().map(|it| in_words(it.claim.record())).collect();
        screen.table(&[
            ("commit", load.commit.to_string()),
            ("tree", load.revision.tree.to_string()),
            ("receipts", said.join(", ")),
        ])?;
    }
    screen.table(&[("evidence", places.join(", "))])
}

fn carried(commit: ObjectId, entry: &Entry) -> Carried {
    let record = entry.claim.record();
    Carried {
        commit: commit.to_string(),
        host: record.host.clone(),
        key: entry.claim.fingerprint().to_owned(),
        seq: record.seq,
        at: record.at.clone(),
        kind: record.kind,
        outcome: record.outcome.to_string(),
        lasting_ms: record.healthy.as_ref().map(|it| it.lasting_ms),
    }
}

fn in_words(record: &Record) -> String {
    match &record.healthy {
        Some(mark) => format!("{} healthy for {}", record.host, Span::from_millis(mark.lasting_ms)),
        None => format!("{} {}", record.host, record.outcome),
    }
}
