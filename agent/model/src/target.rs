//! Which hosts a manifest is for.
//!
//! **Invariant:** facts only select; nothing is trusted because of one.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::{Key, Label};

/// The hosts a manifest is for; without any entry, every host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default, expecting = "a map")]
pub struct Target {
    /// Labels that the host must have, with these values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<Key, Label>,
    /// Facts that the host must report, with these values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub match_facts: BTreeMap<Key, String>,
}

impl Target {
    /// Whether a host with these labels and facts is meant.
    pub fn matches(&self, labels: &BTreeMap<Key, Label>, facts: &BTreeMap<String, String>) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_facts.iter().all(|(key, value)| facts.get(key.as_str()) == Some(value))
    }

    /// Whether every host meant by `self` is meant by `other` as well.
    pub fn implies(&self, other: &Self) -> bool {
        other.match_labels.iter().all(|(key, value)| self.match_labels.get(key) == Some(value))
            && other.match_facts.iter().all(|(key, value)| self.match_facts.get(key) == Some(value))
    }

    /// Whether it is written at all.
    pub fn is_everywhere(&self) -> bool {
        self.match_labels.is_empty() && self.match_facts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(labels: &[(&str, &str)], facts: &[(&str, &str)]) -> Target {
        Target {
            match_labels: labels
                .iter()
                .map(|(key, value)| (key.parse().unwrap(), value.parse().unwrap()))
                .collect(),
            match_facts: facts
                .iter()
                .map(|(key, value)| (key.parse().unwrap(), (*value).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn every_entry_must_match() {
        let host = target(&[("role", "web"), ("zone", "a")], &[]).match_labels;
        let facts = BTreeMap::from([("os.family".to_owned(), "debian".to_owned())]);
        for (labels, asked, matches) in [
            (vec![], vec![], true),
            (vec![("role", "web")], vec![], true),
            (vec![("role", "web"), ("zone", "b")], vec![], false),
            (vec![("tier", "web")], vec![], false),
            (vec![], vec![("os.family", "debian")], true),
            (vec![("role", "web")], vec![("os.family", "redhat")], false),
            (vec![], vec![("cpu.count", "2")], false),
        ] {
            let asked = target(&labels, &asked);
            assert_eq!(asked.matches(&host, &facts), matches, "{asked:?}");
        }
    }

    #[test]
    fn a_narrower_target_implies_a_wider_one() {
        let (all, web) = (target(&[], &[]), target(&[("role", "web")], &[]));
        let narrow = target(&[("role", "web")], &[("os.family", "debian")]);
        assert!(web.implies(&all) && narrow.implies(&web) && web.implies(&web));
        assert!(!all.implies(&web) && !web.implies(&narrow));
        assert!(!web.implies(&target(&[("role", "db")], &[])));
    }
}
