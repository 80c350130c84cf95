//! Roots that take another's place, and the file that holds them.
//!
//! **Invariant:** a root as it stands by default is good; a test changes one thing in it.

use std::sync::Arc;

use bowline_model::bundle::{CommitEvidence, PathEvidence};
use bowline_model::digest::Sha256;
use bowline_model::policy::Policy;
use bowline_model::trust_root::{RefName, RepoUri, RootKey};

use jiff::Timestamp;

use super::{DAY, Signer, World, blob};
use crate::new_root::{NewRoot, bytes_to_sign, extend};
use crate::root_statement::{self, Adoption, Checkpoint, Named};

/// A root of these keys, all but one of which it takes.
pub(crate) fn new_root(version: u64, seeds: &[u8]) -> NewRoot {
    let key = |seed: &u8| RootKey { id: format!("root-{seed}"), key: Signer::new(*seed).line() };
    let uri = "git+https://git.example/ops/fleet".to_owned();
    NewRoot {
        version,
        threshold: seeds.len().saturating_sub(1).max(1),
        keys: seeds.iter().map(key).collect(),
        repo_uri: RepoUri::try_from(uri).unwrap(),
        ref_name: RefName::try_from("refs/heads/main".to_owned()).unwrap(),
    }
}

/// A line of the file, signed by these.
pub(crate) fn root_line(root: &NewRoot, seeds: &[u8]) -> String {
    let payload = root.payload();
    let bytes = bytes_to_sign(&payload);
    let signatures: Vec<_> =
        seeds.iter().map(|seed| Signer::new(*seed).sign("bowline-root", &bytes)).collect();
    String::from_utf8(extend(b"", &payload, &signatures).unwrap()).unwrap()
}

/// The file of these lines.
pub(crate) fn roots_file(lines: &[&str]) -> PathEvidence {
    blob(lines.concat().as_bytes())
}

/// An adoption to be: a day old, for a month.
pub(crate) fn adoption(world: &World) -> Adoption {
    let at = |seconds| Timestamp::from_second(seconds).unwrap();
    Adoption {
        repo_uri: world.root.repo.uri.to_string(),
        ref_name: world.root.repo.ref_name.to_string(),
        reason: "a web edit slipped through".to_owned(),
        issued: at(world.now - DAY),
        expires: at(world.now + 29 * DAY),
    }
}

/// The line of a note that adopts commits, signed by root keys of these seeds.
pub(crate) fn adopts(adoption: &Adoption, commits: &[&CommitEvidence], seeds: &[u8]) -> Arc<[u8]> {
    let named: Vec<_> = commits.iter().map(|it| Named::of(it.id, &it.raw)).collect();
    root_says(&adoption.statement(&named), seeds)
}

/// A checkpoint to be: of the policy in a commit, a day old.
pub(crate) fn checkpoint(world: &World, on: &CommitEvidence) -> Checkpoint {
    let PathEvidence::Blob { bytes, .. } = &on.policy else { panic!("a policy") };
    Checkpoint {
        repo_uri: world.root.repo.uri.to_string(),
        ref_name: world.root.repo.ref_name.to_string(),
        policy_version: Policy::parse("policy.yaml", bytes).unwrap().version,
        policy_sha256: Sha256::of(bytes),
        issued: Timestamp::from_second(world.now - DAY).unwrap(),
    }
}

/// The line of a note that vouches for a commit.
pub(crate) fn vouches(checkpoint: &Checkpoint, on: &CommitEvidence, seeds: &[u8]) -> Arc<[u8]> {
    root_says(&checkpoint.statement(Named::of(on.id, &on.raw)), seeds)
}

/// A statement by root keys.
pub(crate) fn root_says(statement: &[u8], seeds: &[u8]) -> Arc<[u8]> {
    let bytes = root_statement::bytes_to_sign(statement);
    let signatures: Vec<_> =
        seeds.iter().map(|seed| Signer::new(*seed).sign("bowline-root", &bytes)).collect();
    Arc::from(root_statement::assemble(statement, &signatures).unwrap())
}

/// The same commit with these lines in its note.
pub(crate) fn noted(commit: &CommitEvidence, lines: &[Arc<[u8]>]) -> CommitEvidence {
    let mut noted = commit.clone();
    noted.beside.root_statements = lines.to_vec();
    noted
}
