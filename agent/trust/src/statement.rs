//! in-toto statements: what somebody says about which objects.
//!
//! **Invariant:** a statement is read only from bytes whose signature verified.
//! **Invariant:** a digest counts by algorithm, length and lower-case letters; its name alone never does.

use std::collections::BTreeMap;

use bowline_model::digest::Sha256;
use bowline_model::object_id::ObjectId;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::json;

/// Both versions have the same fields; cosign 2 and witness still write the older one.
const STATEMENTS: [&str; 2] =
    ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"];

/// A release with more files than this is attested by its archive.
const MOST_SUBJECTS: usize = 4_096;

/// What witness calls the commit it ran on; it files the id under "sha1".
const WITNESS_COMMIT: &str = "https://witness.dev/attestations/git/v0.1/commithash:";

/// What somebody says about which objects.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// The objects.
    pub subjects: Vec<Subject>,
    /// What kind of thing is said.
    pub predicate_type: String,
    /// What is said.
    pub predicate: Value,
}

/// An object that a statement is about.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Subject {
    /// What the signer calls it.
    pub name: Option<String>,
    /// Its digests, by algorithm.
    #[serde(default)]
    pub digest: BTreeMap<String, String>,
    /// What the signer says of it besides.
    pub annotations: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Text {
    // gittuf leaves the underscore out.
    #[serde(rename = "_type", alias = "type")]
    kind: String,
    subject: Vec<Subject>,
    #[serde(rename = "predicateType", alias = "predicate_type")]
    predicate_type: String,
    #[serde(default)]
    predicate: Value,
}

impl Statement {
    /// Reads a statement; `None` when the bytes are none.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let text: Text = serde_json::from_value(json::read(payload).ok()?).ok()?;
        let is_statement = STATEMENTS.contains(&text.kind.as_str());
        let is_bounded = (1..=MOST_SUBJECTS).contains(&text.subject.len());
        (is_statement && is_bounded).then_some(Self {
            subjects: text.subject,
            predicate_type: text.predicate_type,
            predicate: text.predicate,
        })
    }
}

impl Subject {
    /// Whether it is this commit.
    pub fn is_commit(&self, commit: &ObjectId) -> bool {
        let id = commit.to_string();
        let witness = || {
            let named = self.name.as_deref().and_then(|it| it.strip_prefix(WITNESS_COMMIT));
            named == Some(id.as_str()) && self.digest.get("sha1") == Some(&id)
        };
        self.digest.get("gitCommit") == Some(&id) || witness()
    }

    /// Whether it is this tree.
    pub fn is_tree(&self, tree: &ObjectId) -> bool {
        self.digest.get("gitTree") == Some(&tree.to_string())
    }

    /// The SHA-256 digest of the content that it is.
    pub fn content(&self) -> Option<Sha256> {
        self.digest.get("sha256")?.parse().ok()
    }

    /// Whether it is the content of this SHA-256 digest.
    pub fn is_content(&self, digest: Sha256) -> bool {
        self.content() == Some(digest)
    }

    /// The text of an annotation.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(name)?.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "9a04d1ee393b5be2773b1ce204f61fe0fd02366a";

    fn statement(kind: &str, subject: &str) -> Option<Statement> {
        let text = format!(
            r#"{{"_type":"{kind}","subject":[{subject}],"predicateType":"t","predicate":{{}},"x":1}}"#
        );
        Statement::read(text.as_bytes())
    }

    fn subject(text: &str) -> Subject {
        statement(STATEMENTS[0], text).unwrap().subjects.remove(0)
    }

    #[test]
    fn both_versions_are_read_and_others_are_not() {
        for kind in STATEMENTS {
            assert!(statement(kind, r#"{"digest":{}}"#).is_some(), "{kind}");
        }
        assert!(statement("https://in-toto.io/Statement/v2", r#"{"digest":{}}"#).is_none());
        assert!(statement(STATEMENTS[0], "").is_none(), "about nothing");
        assert!(statement(STATEMENTS[0], r#"{"digest":{"a":"b","a":"c"}}"#).is_none());
        assert!(Statement::read(b"{}").is_none());
    }

    #[test]
    fn attack_18_a_digest_under_another_algorithm_or_spelling_is_another_object() {
        let commit: ObjectId = COMMIT.parse().unwrap();
        let upper = COMMIT.to_uppercase();
        for (digest, expected) in [
            (format!(r#"{{"gitCommit":"{COMMIT}"}}"#), true),
            (format!(r#"{{"sha256":"00","gitCommit":"{COMMIT}"}}"#), true),
            (format!(r#"{{"gitCommit":"{upper}"}}"#), false),
            (format!(r#"{{"gitCommit":"{}"}}"#, &COMMIT[..12]), false),
            (format!(r#"{{"sha1":"{COMMIT}"}}"#), false),
            (format!(r#"{{"sha256":"{COMMIT}"}}"#), false),
            (format!(r#"{{"gitTree":"{COMMIT}"}}"#), false),
        ] {
            let found = subject(&format!(r#"{{"name":"commit:{COMMIT}","digest":{digest}}}"#));
            assert_eq!(found.is_commit(&commit), expected, "{digest}");
        }
        let witness = |name: &str| {
            let text = format!(r#"{{"name":"{name}{COMMIT}","digest":{{"sha1":"{COMMIT}"}}}}"#);
            subject(&text).is_commit(&commit)
        };
        assert!(witness(WITNESS_COMMIT));
        assert!(!witness("https://witness.dev/attestations/git/v0.1/parenthash:"));
    }
}
