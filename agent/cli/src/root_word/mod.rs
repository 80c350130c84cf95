//! What root keys say of commits: that some are adopted, or that one is a checkpoint.
//!
//! **Invariant:** what is signed is shown, and words of others are signed only where they say the same.
//! **Invariant:** the private key is not read here: `ssh-keygen` or its agent signs.

pub mod arguments;
mod adopt;
mod checkpoint;

use std::path::Path;

use anyhow::anyhow;
use bowline_host::door::clock;
use bowline_host::door::files::replace_cheaply;
use bowline_host::evidence_notes;
use bowline_host::repository::Repository;
use bowline_model::object_id::ObjectId;
use bowline_model::policy::Policy;
use bowline_trust::ROOT_NAMESPACE;
use bowline_trust::root_statement::{assemble, bytes_to_sign, extend, statement_in};
use jiff::Timestamp;
use serde_json::Value;

use self::arguments::Word;
use crate::approve::policy_of;
use crate::failure::{Failure, read_given};
use crate::keys;
use crate::revision;
use crate::screen::Screen;
use crate::verify::unreachable;

pub(crate) use adopt::adopt;
pub(crate) use checkpoint::checkpoint;

/// As much as a host reads.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// A repository, a commit of it and the policy there.
struct Place {
    repository: Repository,
    commit: ObjectId,
    policy: Policy,
}

impl Place {
    fn find(repo: &str, rev: &str) -> Result<Self, Failure> {
        let repository = Repository::view(repo).map_err(unreachable)?;
        let commit = revision::find(repo, rev)?;
        let policy = policy_of(&repository, &commit)?;
        Ok(Self { repository, commit, policy })
    }
}

fn now() -> Timestamp {
    // The clock's seconds are in range for some thousand years.
    Timestamp::from_second(clock::wall()).unwrap_or(Timestamp::MAX)
}

/// A line that others signed: its bytes, its predicate and the whole of what they signed.
struct Earlier {
    line: Vec<u8>,
    predicate: Value,
    payload: Vec<u8>,
}

/// Reads what others signed; it must be of this type.
fn earlier(word: &Word, predicate_type: &str) -> Result<Option<Earlier>, Failure> {
    let Some(path) = &word.with else { return Ok(None) };
    let line = read_given(path, "signed statement", LINE_BYTES_MAX)?;
    let wrong = |what: String| Failure::usage(anyhow!(what)).of(format!("read {}", path.display()));
    let (statement, _, payload) = statement_in(&line).map_err(wrong)?;
    if statement.predicate_type != predicate_type {
        return Err(wrong(format!("it is no {predicate_type:?}")));
    }
    Ok(Some(Earlier { line, predicate: statement.predicate, payload }))
}

/// Signs a statement, beside those who signed it before, and hands the line over: to a file or to a commit's note.
fn deliver(
    word: &Word,
    (statement, earlier): (&[u8], Option<&Earlier>),
    on: &ObjectId,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let message = bytes_to_sign(statement);
    let mut signatures = Vec::new();
    for key in keys::read(&word.keys)? {
        signatures.push(key.sign(ROOT_NAMESPACE, &message, screen)?);
    }
    let line = match earlier {
        Some(it) => extend(&it.line, &signatures),
        None => assemble(statement, &signatures),
    };
    let line = line.map_err(|what| Failure::failed(anyhow!(what)).of("add signatures"))?;
    if line.len() as u64 > LINE_BYTES_MAX {
        let what = anyhow!("the line has {} bytes, hosts read 1 MiB", line.len());
        return Err(Failure::failed(what).hint("name fewer commits at once"));
    }
    let (_, signed, _) = statement_in(&line).map_err(|what| Failure::failed(anyhow!(what)))?;
    let count = signed.len().to_string();
    match word.out.as_deref() {
        Some(path) if path == Path::new("-") => return screen.text(&line),
        Some(path) => {
            replace_cheaply(path, &line, 0o644).map_err(Failure::failed)?;
            let written = path.display().to_string();
            return screen.table(&[("signatures", count), ("written", written)]);
        }
        None => {}
    }
    let repo = Path::new(&word.repo);
    evidence_notes::add(repo, &[*on], &line).map_err(Failure::failed)?;
    let Some(remote) = &word.push else {
        screen.table(&[("signatures", count)])?;
        let note = "note: it is in the notes here; with --push REMOTE it goes to where hosts look";
        return screen.note(note);
    };
    evidence_notes::push(repo, remote).map_err(Failure::failed)?;
    let pushed = format!("refs/notes/attestations to {remote}");
    screen.table(&[("signatures", count), ("pushed", pushed)])
}

/// Whether stdout is for the line alone.
fn is_quiet(word: &Word) -> bool {
    word.out.as_deref() == Some(Path::new("-"))
}
