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
use bowline_host::repository::tree::TreeFailure;
use bowline_host::repository::{Repository, view};
use bowline_model::object_id::ObjectId;
use bowline_model::policy::{Policy, ROOTS_PATH};
use bowline_trust::ROOT_NAMESPACE;
use bowline_trust::root_in_force::{RootInForce, Standing};
use bowline_trust::root_statement::{assemble, bytes_to_sign, extend, statement_in};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use self::arguments::Word;
use crate::approve::policy_of;
use crate::failure::{Failure, read_given};
use crate::keys;
use crate::revision;
use crate::root_signatures;
use crate::screen::Screen;
use crate::verify::{read_trust, unreachable};

pub(crate) use adopt::adopt;
pub(crate) use checkpoint::checkpoint;

/// As much as a host reads.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// A repository, a commit of it and the policy there.
struct Place {
    repo: String,
    repository: Repository,
    commit: ObjectId,
    policy: Policy,
}

impl Place {
    fn find(repo: &str, rev: &str) -> Result<Self, Failure> {
        let repository = Repository::view(repo).map_err(unreachable)?;
        let commit = revision::find(repo, rev)?;
        let policy = policy_of(&repository, &commit)?;
        Ok(Self { repo: repo.to_owned(), repository, commit, policy })
    }

    /// The root in force: hosts ask the newest commit of the branch, which is here as origin has it or as it is.
    fn root(&self, trust: &Path) -> Result<RootInForce, Failure> {
        let full = self.policy.ref_name.as_str();
        let origins = full.replacen("refs/heads/", "refs/remotes/origin/", 1);
        let mut names = [origins.as_str(), full].into_iter();
        let tip = names.find_map(|it| view::tip_of(&self.repo, it).ok()).unwrap_or(self.commit);
        let file = match self.repository.contents(&tip, &[ROOTS_PATH.to_owned()]) {
            Err(TreeFailure::NoFile { .. }) => None,
            found => found.map_err(Failure::failed)?.remove(ROOTS_PATH),
        };
        root_signatures::in_force(&read_trust(trust)?, file.as_deref())
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

/// What became of a statement.
#[derive(Debug, Serialize)]
struct Delivered {
    signatures: usize,
    /// How far the root in force has signed it; nothing without a trust file.
    root: Option<Standing>,
    /// The file that it went to.
    written: Option<String>,
    /// The remote that has it.
    pushed: Option<String>,
}

/// Signs a statement, beside those who signed it before, and hands the line over: to a file or to a commit's note.
fn deliver(
    word: &Word,
    (statement, earlier): (&[u8], Option<&Earlier>),
    place: &Place,
    screen: &mut Screen<'_>,
) -> Result<Delivered, Failure> {
    // Before anybody is asked for a key, so that a touch is not in vain.
    let root = word.trust.as_deref().map(|it| place.root(it)).transpose()?;
    root.iter().try_for_each(|it| root_signatures::warn(it, screen))?;
    let message = bytes_to_sign(statement);
    let mut signatures = Vec::new();
    let keys = keys::read(&word.keys)?;
    root.iter().try_for_each(|it| root_signatures::warn_of_strangers(it, &keys, screen))?;
    for key in keys {
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
    let root = root.map(|it| it.standing_of_line(&line)).transpose().map_err(Failure::failed)?;
    let mut delivered = Delivered { signatures: signed.len(), root, written: None, pushed: None };
    if is_quiet(word) {
        screen.text(&line)?;
        return Ok(delivered);
    }
    if let Some(path) = &word.out {
        replace_cheaply(path, &line, 0o644).map_err(Failure::failed)?;
        delivered.written = Some(path.display().to_string());
        return Ok(delivered);
    }
    let repo = Path::new(&word.repo);
    evidence_notes::add(repo, &[place.commit], &line).map_err(Failure::failed)?;
    if let Some(remote) = &word.push {
        evidence_notes::push(repo, remote).map_err(Failure::failed)?;
        delivered.pushed = Some(remote.clone());
    }
    Ok(delivered)
}

impl Delivered {
    fn show(&self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let pushed = self.pushed.as_ref().map(|it| format!("refs/notes/attestations to {it}"));
        screen.table(&[
            ("signatures", self.signatures.to_string()),
            ("root", self.root.as_ref().map(root_signatures::line).unwrap_or_default()),
            ("written", self.written.clone().unwrap_or_default()),
            ("pushed", pushed.unwrap_or_default()),
        ])?;
        if self.written.is_some() || self.pushed.is_some() {
            return Ok(());
        }
        screen.note("note: it is in the notes here; with --push REMOTE it goes to where hosts look")
    }
}

/// Refuses what would write two things to stdout.
fn demand_one_output(word: &Word) -> Result<(), Failure> {
    if word.json && is_quiet(word) {
        let what = anyhow!("--json and --out - would both write to stdout");
        return Err(Failure::usage(what).hint("write the word to a file: --out FILE"));
    }
    Ok(())
}

/// Whether stdout is for the line alone.
fn is_quiet(word: &Word) -> bool {
    word.out.as_deref() == Some(Path::new("-"))
}
