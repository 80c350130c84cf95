//! A repository made of memory: signed commits over trees of text.
//!
//! **Invariant:** commits are really signed and policies really root-signed; only the storage is
//! not Git's.

use std::collections::BTreeMap;
use std::sync::Arc;

use bowline_model::bundle::{Beside, Bundle, CommitEvidence, PathEvidence};
use bowline_model::digest::Sha256;
use bowline_model::object_id::{ObjectFormat, ObjectId};
use bowline_model::tree::{Contents, Entry, Tree};
use bowline_model::trust_root::TrustRoot;
use bowline_trust::commit::object_id;
use bowline_trust::policy_sign::{assemble, bytes_to_sign};

use crate::signer::Signer;

/// 2026-11-01T00:00:00Z, when the first commit was made.
pub const BEGINNING: i64 = 1_793_491_200;

/// The repository's identity.
const URI: &str = "git+https://git.example/ops/fleet";

/// Files of one commit.
pub type Files = BTreeMap<String, String>;

/// A repository.
#[derive(Debug, Clone)]
pub struct Village {
    trust: Arc<TrustRoot>,
    trust_sha256: Sha256,
    commits: Vec<CommitEvidence>,
    /// What is offered to one host alone.
    offered: Option<CommitEvidence>,
    trees: BTreeMap<ObjectId, Files>,
    policy: [PathEvidence; 2],
}

impl Village {
    /// A repository with one commit that holds these files.
    pub fn new(files: &Files) -> Self {
        let alice = Signer::new(1);
        let policy = policy(1, &[], "");
        let (anchor, tree) = commit(None, (files, "change"), &policy, 1, 0);
        let yaml = format!(
            "version: 1\nrepo: {{uri: \"{URI}\", ref: refs/heads/main}}\n\
             anchor: {{commit: \"{}\", commitSha256: \"{}\"}}\n\
             root: {{threshold: 1, keys: [{{id: alice, key: \"{}\"}}]}}\n",
            anchor.id,
            Sha256::of(&anchor.raw),
            alice.line()
        );
        let trust = TrustRoot::parse("trust.yaml", yaml.as_bytes()).unwrap();
        Self {
            trust: Arc::new(trust),
            trust_sha256: Sha256::of(yaml.as_bytes()),
            trees: BTreeMap::from([(tree, files.clone())]),
            commits: vec![anchor],
            offered: None,
            policy,
        }
    }

    /// Merges files, signed by the key of a seed; 1 is the only merger.
    pub fn merge(&mut self, files: &Files, seed: u8) {
        let parent = self.commits.last().unwrap();
        let age = i64::try_from(self.commits.len()).unwrap() * 60;
        let (next, tree) = commit(Some(parent.id), (files, "change"), &self.policy, seed, age);
        self.trees.insert(tree, files.clone());
        self.commits.push(next);
    }

    /// Offers files to the simulated host alone, on top of the newest commit, signed by the key of a seed.
    pub fn offer(&mut self, files: &Files, seed: u8) {
        self.offer_as("try\n\nBowline-Testing: sim", files, seed);
    }

    /// The same, with a message.
    pub fn offer_as(&mut self, message: &str, files: &Files, seed: u8) {
        let age = i64::try_from(self.commits.len()).unwrap() * 60;
        let (own, tree) = commit(Some(self.tip()), (files, message), &self.policy, seed, age);
        self.trees.insert(tree, files.clone());
        self.offered = Some(own);
    }

    /// Moves the branch to what is offered to one host, as a thief or a server may.
    pub fn pass_off(&mut self) {
        self.commits.extend(self.offered.clone());
    }

    /// The same before its newest commit: a mirror that lags.
    #[must_use]
    pub fn before(&self) -> Self {
        let mut before = self.clone();
        (before.offered, _) = (None, before.commits.pop());
        before
    }

    /// Offers nothing any more.
    pub fn withdraw(&mut self) {
        self.offered = None;
    }

    /// What is offered, as a fetch brings it: the walk ends where the branch stood.
    pub fn own_bundle(&self) -> Option<Bundle> {
        let own = self.offered.as_ref()?;
        let start = self.commits.last().cloned();
        let commits = vec![own.clone()];
        Some(Bundle {
            format: ObjectFormat::Sha1,
            tip: own.id,
            start,
            commits,
            cut_short: false,
            waiting: Vec::new(),
        })
    }

    /// A policy from the next merge on that revokes a commit.
    pub fn revoke(&mut self, commit: ObjectId) {
        self.policy = policy(2, &[commit], "");
    }

    /// A policy from the next merge on whose gates ask hosts of staging for good health: for each of these times.
    pub fn ask_of_hosts(&mut self, times: &[&str]) {
        let gate = |(at, time): (usize, &&str)| {
            let hosts = format!("{{environment: staging, healthy: \"60%\", for: {time}}}");
            format!("  - {{id: staging-{at}, environments: [production], hosts: {hosts}}}\n")
        };
        let gates: String = times.iter().enumerate().map(gate).collect();
        let gates = if gates.is_empty() { gates } else { format!("gates:\n{gates}") };
        self.policy = policy(2, &[], &gates);
    }

    /// The root of trust for this repository.
    pub fn trust(&self) -> (Arc<TrustRoot>, Sha256) {
        (Arc::clone(&self.trust), self.trust_sha256)
    }

    /// The id of the newest commit.
    pub fn tip(&self) -> ObjectId {
        self.commits.last().unwrap().id
    }

    /// The history above a commit, as a fetch brings it.
    pub fn bundle(&self, from: ObjectId) -> Bundle {
        let at = self.commits.iter().position(|it| it.id == from);
        Bundle {
            format: ObjectFormat::Sha1,
            tip: self.tip(),
            start: at.map(|at| self.commits[at].clone()),
            commits: self.commits[at.map_or(0, |at| at + 1)..].to_vec(),
            cut_short: false,
            waiting: Vec::new(),
        }
    }

    /// The listed tree of a commit.
    pub fn tree(&self, id: ObjectId) -> Tree {
        let files = self.files(id);
        let entry = |text: &String| Entry::File {
            blob: object_id(ObjectFormat::Sha1, "blob", text.as_bytes()),
            sha256: Sha256::of(text.as_bytes()),
            size: text.len() as u64,
            executable: false,
        };
        Tree {
            commit: id,
            entries: files.iter().map(|(path, text)| (path.clone(), entry(text))).collect(),
            sha256: Sha256::of_value(files).unwrap(),
        }
    }

    /// Contents of files of a commit.
    pub fn contents(&self, id: ObjectId, paths: &[String]) -> Contents {
        let files = self.files(id);
        let one = |path: &String| Some((path.clone(), files.get(path)?.as_bytes().into()));
        paths.iter().filter_map(one).collect()
    }

    /// The content of a blob.
    pub fn blob(&self, id: &ObjectId) -> Vec<u8> {
        let texts = self.trees.values().flat_map(BTreeMap::values);
        let is_meant =
            |text: &&String| object_id(ObjectFormat::Sha1, "blob", text.as_bytes()) == *id;
        texts.into_iter().find(is_meant).unwrap().clone().into_bytes()
    }

    fn files(&self, id: ObjectId) -> &Files {
        let evidence = self.commits.iter().chain(&self.offered).find(|it| it.id == id).unwrap();
        let commit =
            bowline_trust::commit::Commit::parse(&evidence.raw, ObjectFormat::Sha1).unwrap();
        &self.trees[&commit.tree]
    }
}

fn policy(version: u32, revoked: &[ObjectId], gates: &str) -> [PathEvidence; 2] {
    let alice = Signer::new(1);
    let revoked: Vec<String> = revoked.iter().map(|it| format!("\"{it}\"")).collect();
    let policy = format!(
        "version: {version}\nexpires: 2027-11-01T00:00:00Z\nrepoUri: {URI}\nref: refs/heads/main\n\
         labels: repository\nprincipals:\n  alice: {{kind: human, keys: [{{type: ssh, key: \
         \"{}\"}}]}}\nmerge: {{mergers: [alice]}}\nrevoked: {{keys: [], commits: [{}], trees: []}}\n{gates}",
        alice.line(),
        revoked.join(", ")
    );
    let signature = alice.sign("bowline-policy", &bytes_to_sign(policy.as_bytes()));
    let envelope = assemble(policy.as_bytes(), &[signature]).unwrap();
    [blob(policy.as_bytes()), blob(&envelope)]
}

fn blob(bytes: &[u8]) -> PathEvidence {
    PathEvidence::Blob { id: object_id(ObjectFormat::Sha1, "blob", bytes), bytes: bytes.into() }
}

fn commit(
    parent: Option<ObjectId>,
    (files, message): (&Files, &str),
    policy: &[PathEvidence; 2],
    seed: u8,
    age: i64,
) -> (CommitEvidence, ObjectId) {
    let time = BEGINNING + age;
    let tree =
        object_id(ObjectFormat::Sha1, "tree", &bowline_model::digest::canonical(files).unwrap());
    let parent = parent.map(|id| format!("parent {id}\n")).unwrap_or_default();
    let head = format!(
        "tree {tree}\n{parent}author A <a@example.org> {time} +0000\n\
         committer A <a@example.org> {time} +0000\n"
    );
    let payload = format!("{head}\n{message}\n");
    let signature = Signer::new(seed).sign("git", payload.as_bytes());
    let folded = signature.trim_end().replace('\n', "\n ");
    let raw = format!("{head}gpgsig {folded}\n\n{message}\n");
    let [policy, policy_envelope] = policy.clone();
    let evidence = CommitEvidence {
        id: object_id(ObjectFormat::Sha1, "commit", raw.as_bytes()),
        raw: raw.into_bytes().into(),
        policy,
        policy_envelope,
        roots: PathEvidence::Missing,
        outside_policy_unchanged: false,
        beside: Beside::default(),
    };
    (evidence, tree)
}
