//! Keys, policies, commits and bundles for tests, all made from fixed seeds.
//!
//! **Invariant:** the same call makes the same bytes, so a failure can be repeated.

mod approver;
pub(crate) mod openpgp;
pub(crate) mod ssh_certificate;
mod robot;
mod host;
mod signer;
mod law;
mod roots;

use std::sync::Arc;

use bowline_model::bundle::{Beside, Bundle, CommitEvidence, PathEvidence};
use bowline_model::digest::Sha256;
use bowline_model::high_water::HighWater;
use bowline_model::object_id::{ObjectFormat, ObjectId};
use bowline_model::trust_root::TrustRoot;
use jiff::Timestamp;

use crate::commit::object_id;
use crate::verdict::Verdict;
use crate::verify::verify;

pub(crate) use approver::{Approver, change};
pub(crate) use host::{Host, line as record_line};
pub(crate) use law::{Law, blob, sign_policy};
pub(crate) use robot::{Robot, person_attests, robot_pem};
pub(crate) use roots::{
    adoption, adopts, checkpoint, new_root, noted, root_line, root_says, roots_file, vouches,
};
pub(crate) use signer::{Signer, Twist};

/// 2026-11-01T00:00:00Z, when the anchor was committed.
pub(crate) const BEGINNING: i64 = 1_793_491_200;
pub(crate) const HOUR: i64 = 3_600;
pub(crate) const DAY: i64 = 86_400;

/// Ten days after the beginning.
pub(crate) const NOW: i64 = BEGINNING + 10 * DAY;

/// A commit to be: by default a child with one parent, signed by Alice.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) format: ObjectFormat,
    pub(crate) parents: Vec<ObjectId>,
    pub(crate) time: i64,
    pub(crate) committer: &'static str,
    pub(crate) message: String,
    pub(crate) signer: Option<u8>,
    pub(crate) law: [PathEvidence; 2],
    pub(crate) roots: PathEvidence,
    pub(crate) policy_only: bool,
    pub(crate) beside: Beside,
}

impl Draft {
    pub(crate) fn on(parent: &CommitEvidence, time: i64) -> Self {
        Self {
            format: parent.id.format(),
            parents: vec![parent.id],
            time,
            committer: "Alice <alice@example.org>",
            message: "change".to_owned(),
            signer: Some(1),
            law: [parent.policy.clone(), parent.policy_envelope.clone()],
            roots: parent.roots.clone(),
            policy_only: false,
            beside: Beside::default(),
        }
    }

    /// What is found besides it.
    pub(crate) fn beside(mut self, beside: Beside) -> Self {
        self.beside = beside;
        self
    }

    pub(crate) fn by(mut self, seed: u8) -> Self {
        self.signer = Some(seed);
        self
    }

    pub(crate) fn with(mut self, law: [PathEvidence; 2]) -> Self {
        self.law = law;
        self
    }

    /// With this file of roots.
    pub(crate) fn rooted(mut self, roots: &PathEvidence) -> Self {
        self.roots = roots.clone();
        self
    }

    pub(crate) fn payload(&self) -> String {
        let tree = object_id(self.format, "tree", self.message.as_bytes());
        let parent_lines = self.parents.iter().map(|id| format!("parent {id}\n"));
        let parents = parent_lines.collect::<Vec<_>>().concat();
        let Self { time, committer, message, .. } = self;
        format!(
            "tree {tree}\n{parents}author A U Thor <a@example.org> {time} +0000\n\
             committer {committer} {time} +0000\n\n{message}\n"
        )
    }

    pub(crate) fn raw(&self) -> String {
        let payload = self.payload();
        let Some(seed) = self.signer else {
            return payload;
        };
        let signature = Signer::new(seed).sign("git", payload.as_bytes());
        let name = match self.format {
            ObjectFormat::Sha1 => "gpgsig",
            ObjectFormat::Sha256 => "gpgsig-sha256",
        };
        insert_header(&payload, name, &signature)
    }

    pub(crate) fn commit(&self) -> CommitEvidence {
        self.evidence(self.raw().into_bytes())
    }

    /// These bytes, as though they had been committed.
    pub(crate) fn evidence(&self, raw: Vec<u8>) -> CommitEvidence {
        let [policy, policy_envelope] = self.law.clone();
        CommitEvidence {
            id: object_id(self.format, "commit", &raw),
            raw: Arc::from(raw),
            policy,
            policy_envelope,
            roots: self.roots.clone(),
            outside_policy_unchanged: self.policy_only,
            beside: self.beside.clone(),
        }
    }
}

/// Puts a folded header before the blank line.
pub(crate) fn insert_header(payload: &str, name: &str, value: &str) -> String {
    let (headers, message) = payload.split_once("\n\n").unwrap();
    let folded = value.trim_end().replace('\n', "\n ");
    format!("{headers}\n{name} {folded}\n\n{message}")
}

/// A host and the repository it follows.
pub(crate) struct World {
    pub(crate) root: TrustRoot,
    pub(crate) root_sha256: Sha256,
    pub(crate) anchor: CommitEvidence,
    pub(crate) marks: Option<HighWater>,
    pub(crate) now: i64,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::under(ObjectFormat::Sha1, Law::default().signed())
    }

    /// A world whose anchor holds these policy files.
    pub(crate) fn under(format: ObjectFormat, law: [PathEvidence; 2]) -> Self {
        let anchor = Draft {
            format,
            parents: Vec::new(),
            time: BEGINNING,
            committer: "Alice <alice@example.org>",
            message: "begin".to_owned(),
            signer: Some(1),
            law,
            roots: PathEvidence::Missing,
            policy_only: false,
            beside: Beside::default(),
        };
        let anchor = anchor.commit();
        let (alice, bob) = (Signer::new(1).line(), Signer::new(2).line());
        let yaml = format!(
            "version: 1\n\
             repo: {{uri: \"git+https://git.example/ops/fleet\", ref: refs/heads/main}}\n\
             anchor: {{commit: \"{}\", commitSha256: \"{}\"}}\n\
             root: {{threshold: 2, keys: [{{id: alice, key: \"{alice}\"}}, {{id: bob, key: \"{bob}\"}}]}}\n",
            anchor.id,
            Sha256::of(&anchor.raw),
        );
        Self {
            root: TrustRoot::parse("trust.yaml", yaml.as_bytes()).unwrap(),
            root_sha256: Sha256::of(yaml.as_bytes()),
            anchor,
            marks: None,
            now: NOW,
        }
    }

    pub(crate) fn bundle(&self, commits: &[&CommitEvidence]) -> Bundle {
        self.bundle_from(&self.anchor, commits)
    }

    pub(crate) fn bundle_from(
        &self,
        start: &CommitEvidence,
        commits: &[&CommitEvidence],
    ) -> Bundle {
        Bundle {
            format: self.anchor.id.format(),
            tip: commits.last().map_or(start.id, |it| it.id),
            start: Some(start.clone()),
            commits: commits.iter().map(|it| (*it).clone()).collect(),
            cut_short: false,
            waiting: Vec::new(),
        }
    }

    pub(crate) fn judge(&self, bundle: &Bundle) -> Verdict {
        let now = Timestamp::from_second(self.now).unwrap();
        verify(&self.root, self.root_sha256, self.marks.as_ref(), bundle, now)
    }

    /// The verdict over these commits above the anchor, as `word` or `word code`.
    pub(crate) fn says(&self, commits: &[&CommitEvidence]) -> String {
        said(&self.judge(&self.bundle(commits)))
    }

    /// Walks these commits and remembers how far it came.
    pub(crate) fn remember(&mut self, commits: &[&CommitEvidence]) {
        match self.judge(&self.bundle(commits)) {
            Verdict::Accepted { walked, .. }
            | Verdict::Pending { walked, .. }
            | Verdict::Stale { walked, .. } => {
                self.marks = Some(walked.high_water);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A verdict as `word` or `word code`.
pub(crate) fn said(verdict: &Verdict) -> String {
    match verdict.code() {
        None => verdict.word().to_owned(),
        Some(code) => format!("{} {code}", verdict.word()),
    }
}
