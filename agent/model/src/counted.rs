//! What counted for one commit when this host judged it, kept because notes may be rewritten later.
//!
//! **Invariant:** it proves nothing by itself: the envelopes do, to whoever verifies them again.

use std::collections::BTreeSet;

use bowline_api::record::ApprovalMark;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::object_id::ObjectId;

/// What counted for one commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Counted {
    /// The commit.
    pub commit: ObjectId,
    /// Approvals that counted.
    pub approvals: Vec<ApprovalMark>,
    /// What each gate said when the commit met them.
    pub gates: Vec<Value>,
    /// The envelopes of both, as they came, each once.
    pub envelopes: Vec<String>,
    /// The envelope of the adoption that let the commit in, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adoption: Option<String>,
}

impl Counted {
    /// Nothing yet.
    pub fn of(commit: ObjectId) -> Self {
        let (approvals, gates, envelopes) = (Vec::new(), Vec::new(), Vec::new());
        Self { commit, approvals, gates, envelopes, adoption: None }
    }

    /// Whether nothing counted.
    pub fn is_empty(&self) -> bool {
        self.approvals.is_empty() && self.gates.is_empty() && self.adoption.is_none()
    }

    /// Adds what counted at a later judgement: approvals count in one, gates are met in another.
    #[must_use]
    pub fn with(mut self, later: Self) -> Self {
        self.approvals.extend(later.approvals);
        self.approvals.sort();
        self.approvals.dedup();
        if !later.gates.is_empty() {
            self.gates = later.gates;
        }
        self.adoption = later.adoption.or(self.adoption);
        self.envelopes.extend(later.envelopes);
        self.envelopes.sort();
        self.envelopes.dedup();
        self
    }

    /// SHA-256 (hex) of the payload of each envelope that counted.
    pub fn evidence(&self) -> BTreeSet<&str> {
        let met = self.gates.iter().filter(|it| it["met"] == true);
        let skipped =
            self.gates.iter().filter_map(|it| it.pointer("/skipped/evidence")?.as_array());
        let lists = met.filter_map(|it| it["evidence"].as_array()).chain(skipped).flatten();
        let approvals = self.approvals.iter().map(|it| it.sha256.as_str());
        lists.filter_map(Value::as_str).chain(approvals).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn approvals_and_gates_of_two_judgements_are_one_account() {
        let commit: ObjectId = "a1".repeat(20).parse().unwrap();
        let approval =
            |name: &str| ApprovalMark { principal: name.to_owned(), sha256: "aa".into() };
        let first = Counted {
            approvals: vec![approval("bob")],
            envelopes: vec!["two".to_owned()],
            ..Counted::of(commit)
        };
        let gates = vec![
            json!({"id": "a", "met": true, "evidence": ["bb", "aa"]}),
            json!({"id": "b", "met": false, "evidence": ["cc"]}),
        ];
        let second = Counted {
            gates: gates.clone(),
            envelopes: vec!["one".to_owned(), "two".to_owned()],
            ..Counted::of(commit)
        };
        let both = first.clone().with(second).with(first);
        assert_eq!(both.approvals, [approval("bob")]);
        assert_eq!(both.gates, gates);
        assert_eq!(both.envelopes, ["one", "two"]);
        assert_eq!(both.evidence().into_iter().collect::<Vec<_>>(), ["aa", "bb"]);
        assert!(Counted::of(commit).is_empty() && !both.is_empty());
    }
}
