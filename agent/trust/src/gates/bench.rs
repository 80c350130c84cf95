//! A gate, a revision and statements for tests.
//!
//! **Invariant:** a statement as it is made here is right in all but what a test changes.

use bowline_model::digest::Sha256;
use bowline_model::object_id::ObjectId;
use bowline_model::policy::{Gate, Kind};
use bowline_model::trust_root::{RefName, RepoUri};
use jiff::Timestamp;
use serde_json::Value;

use super::{Case, GateVerdict, judge};
use crate::attested::{Attested, Signer};
use crate::here::Scope;
use crate::manifested::Found;
use crate::receipt::Receipt;
use crate::statement::{Statement, Subject};
use crate::verdict::Code;

pub(crate) use bowline_model::policy::predicate::{
    ATTRIBUTE as SCAI, CHANGE_APPROVAL as APPROVAL, PROVENANCE, SUMMARY, TEST_RESULT as TESTS,
    VULNERABILITIES as VULNS, VULNERABILITIES_COSIGN as VULNS_COSIGN,
    VULNERABILITIES_FIRST as VULNS_FIRST,
};

pub(crate) const REPO: &str = "git+https://git.example/ops/fleet";
pub(crate) const BRANCH: &str = "refs/heads/main";
pub(crate) const TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
pub(crate) const COMMIT: &str = "9a04d1ee393b5be2773b1ce204f61fe0fd02366a";

/// A gate and a revision that is to pass it at 2026-11-11T00:00:00Z.
pub(crate) struct Bench {
    pub(crate) gate: Gate,
    pub(crate) tree: String,
    pub(crate) commit: String,
    pub(crate) now: Timestamp,
    pub(crate) manifested: Found,
    pub(crate) receipts: Vec<Receipt>,
}

impl Bench {
    /// A gate with these fields.
    pub(crate) fn new(fields: &str) -> Self {
        Self {
            gate: gate(fields),
            tree: TREE.to_owned(),
            commit: COMMIT.to_owned(),
            now: "2026-11-11T00:00:00Z".parse().unwrap(),
            manifested: Err("nobody read them".to_owned()),
            receipts: Vec::new(),
        }
    }

    /// A statement on tree and commit, by these principals.
    pub(crate) fn by(&self, signers: &[(&str, Kind)], kind: &str, predicate: &Value) -> Attested {
        let subject = |algorithm: &str, digest: &str| Subject {
            name: None,
            digest: [(algorithm.to_owned(), digest.to_owned())].into_iter().collect(),
            annotations: None,
        };
        let signer = |(name, kind): &(&str, Kind)| {
            ((*name).to_owned(), Signer { kind: *kind, fingerprint: format!("SHA256:{name}") })
        };
        Attested {
            statement: Statement {
                subjects: vec![subject("gitTree", &self.tree), subject("gitCommit", &self.commit)],
                predicate_type: kind.to_owned(),
                predicate: predicate.clone(),
            },
            signers: signers.iter().map(signer).collect(),
            sha256: Sha256::of(format!("{signers:?} {kind} {predicate}").as_bytes()),
        }
    }

    /// A statement by the robot `ci`.
    pub(crate) fn by_ci(&self, kind: &str, predicate: &Value) -> Attested {
        self.by(&[("ci", Kind::Robot)], kind, predicate)
    }

    pub(crate) fn judge(&self, evidence: &[Attested]) -> GateVerdict {
        let object = |text: &str| text.parse::<ObjectId>().unwrap();
        let verdict = judge(
            &self.gate,
            &Case {
                commit: Some(object(&self.commit)),
                tree: object(&self.tree),
                repo_uri: &RepoUri::try_from(REPO.to_owned()).unwrap(),
                ref_name: &RefName::try_from(BRANCH.to_owned()).unwrap(),
                now: self.now,
                manifested: &self.manifested,
                scope: &Scope::All,
                receipts: &self.receipts,
            },
            evidence,
        );
        assert_eq!(verdict.met, verdict.code.is_none(), "{verdict:?}");
        assert_eq!(verdict.met, verdict.detail.is_empty(), "{verdict:?}");
        verdict
    }

    /// `met`, or the code.
    pub(crate) fn said(&self, evidence: &[Attested]) -> String {
        self.judge(evidence).code.map_or("met", Code::as_str).to_owned()
    }

    /// `met`, or the code, of one statement by the robot `ci`.
    pub(crate) fn says(&self, kind: &str, predicate: &Value) -> String {
        self.said(&[self.by_ci(kind, predicate)])
    }
}

/// A gate with these fields, as it would stand in a policy.
fn gate(fields: &str) -> Gate {
    use bowline_model::policy::Policy;
    let names = ["alice", "bob", "carol", "control", "ci", "scanner"];
    let lines = names.map(|name| {
        format!("  {name}: {{kind: human, keys: [{{type: ssh, key: \"ssh-ed25519 {name}\"}}]}}\n")
    });
    let yaml = format!(
        "version: 1\nexpires: 2027-02-01T00:00:00Z\nrepoUri: {REPO}\nref: {BRANCH}\nprincipals:\n{}\
         merge: {{mergers: [alice]}}\nrevoked: {{keys: [], commits: [], trees: []}}\n\
         gates:\n  - {{id: it, {fields}}}\n",
        lines.concat()
    );
    Policy::parse("policy.yaml", yaml.as_bytes()).unwrap().gates.remove(0)
}
