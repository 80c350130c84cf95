//! Policies to be, and the two files they make.
//!
//! **Invariant:** a law as it stands by default is accepted; a test changes one thing in it.

use std::sync::Arc;

use bowline_model::bundle::PathEvidence;
use bowline_model::object_id::ObjectFormat;

use super::{Robot, Signer};
use crate::commit::object_id;
use crate::policy_sign;

/// A policy to be: valid as it stands, changed field by field.
#[derive(Clone)]
pub(crate) struct Law {
    pub(crate) version: u64,
    pub(crate) expires: &'static str,
    pub(crate) uri: &'static str,
    pub(crate) branch: &'static str,
    /// Name, kind, seed of the key, further fields of the key.
    pub(crate) principals: Vec<(&'static str, &'static str, u8, &'static str)>,
    /// Name and seed of robots with a bare key.
    pub(crate) robots: Vec<(&'static str, u8)>,
    pub(crate) mergers: &'static str,
    pub(crate) revoked: String,
    /// Further lines.
    pub(crate) more: &'static str,
}

impl Default for Law {
    fn default() -> Self {
        Self {
            version: 1,
            expires: "2027-02-01T00:00:00Z",
            uri: "git+https://git.example/ops/fleet",
            branch: "refs/heads/main",
            principals: vec![
                ("alice", "human", 1, ""),
                ("bob", "human", 2, ""),
                ("carol", "human", 3, ""),
            ],
            robots: Vec::new(),
            mergers: "[alice, bob]",
            revoked: "[]".to_owned(),
            more: "",
        }
    }
}

impl Law {
    pub(crate) fn version(version: u64) -> Self {
        Self { version, ..Self::default() }
    }

    pub(crate) fn yaml(&self) -> String {
        let lines = self.principals.iter().map(|(name, kind, seed, more)| {
            let key = Signer::new(*seed).line();
            format!("  {name}: {{kind: {kind}, keys: [{{type: ssh, key: \"{key}\"{more}}}]}}\n")
        });
        let robots = self.robots.iter().map(|(name, seed)| {
            let pem = Robot::new(*seed).pem().replace('\n', "\\n");
            format!("  {name}: {{kind: robot, keys: [{{type: spki, key: \"{pem}\"}}]}}\n")
        });
        let principals = lines.chain(robots).collect::<Vec<_>>().concat();
        let Self { version, expires, uri, branch, mergers, revoked, more, .. } = self;
        format!(
            "version: {version}\nexpires: {expires}\nrepoUri: {uri}\nref: {branch}\n\
             principals:\n{principals}merge: {{mergers: {mergers}}}\n\
             revoked: {{keys: {revoked}, commits: [], trees: []}}\n{more}"
        )
    }

    /// The two files, signed by these.
    pub(crate) fn signed_by(&self, seeds: &[u8]) -> [PathEvidence; 2] {
        sign_policy(&self.yaml(), seeds)
    }

    /// The two files, signed by both root keys.
    pub(crate) fn signed(&self) -> [PathEvidence; 2] {
        self.signed_by(&[1, 2])
    }
}

pub(crate) fn sign_policy(yaml: &str, seeds: &[u8]) -> [PathEvidence; 2] {
    let bytes = policy_sign::bytes_to_sign(yaml.as_bytes());
    let signatures: Vec<_> =
        (seeds.iter()).map(|seed| Signer::new(*seed).sign("bowline-policy", &bytes)).collect();
    let envelope = policy_sign::assemble(yaml.as_bytes(), &signatures).unwrap();
    [blob(yaml.as_bytes()), blob(&envelope)]
}

pub(crate) fn blob(bytes: &[u8]) -> PathEvidence {
    PathEvidence::Blob { id: object_id(ObjectFormat::Sha1, "blob", bytes), bytes: Arc::from(bytes) }
}
