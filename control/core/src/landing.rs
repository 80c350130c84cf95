//! What one record says about where its host stands.
//!
//! **Invariant:** a host runs what it said it committed; after `stranded` nobody knows.

use bowline_api::outcome::Outcome;
use bowline_api::record::Record;

/// What a host runs, by one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands<'a> {
    /// This revision.
    On(&'a str),
    /// Nobody knows.
    Unknown,
    /// The record does not say: as before.
    AsBefore,
}

/// What the host runs after what the record tells of.
pub fn stands(record: &Record) -> Stands<'_> {
    let said = match record.outcome {
        Outcome::Stranded => return Stands::Unknown,
        Outcome::Committed | Outcome::Unchanged => record.revision.as_deref(),
        Outcome::Reverted
        | Outcome::Refused
        | Outcome::Pending
        | Outcome::Held
        | Outcome::Failed => record.base.as_deref(),
    };
    said.map_or(Stands::AsBefore, Stands::On)
}

/// The commit of a revision as hosts show it: what stands behind `main@sha1:`.
pub fn commit_of(revision: &str) -> &str {
    revision.rsplit_once(':').map_or(revision, |(_, commit)| commit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(outcome: Outcome, revision: Option<&str>, base: Option<&str>) -> Record {
        serde_json::from_value(json!({
            "v": 1, "host": "a", "seq": 1, "prev": "", "at": "", "kind": "deployment",
            "deployment": "d", "revision": revision, "base": base, "outcome": outcome,
            "reason": "r", "trustSha256": "00", "policy": null,
            "steps": {"changed": 0, "byKind": {}}
        }))
        .unwrap()
    }

    #[test]
    fn a_host_runs_what_it_kept_and_else_what_it_had() {
        for outcome in Outcome::ALL {
            let found = record(outcome, Some("new"), Some("old"));
            let expected = match outcome {
                Outcome::Committed | Outcome::Unchanged => Stands::On("new"),
                Outcome::Stranded => Stands::Unknown,
                _ => Stands::On("old"),
            };
            assert_eq!(stands(&found), expected, "{outcome}");
        }
        assert_eq!(stands(&record(Outcome::Refused, Some("new"), None)), Stands::AsBefore);
    }

    #[test]
    fn a_commit_is_what_stands_behind_branch_and_format() {
        assert_eq!(commit_of("release/1@sha1:abc"), "abc");
        assert_eq!(commit_of("abc"), "abc");
    }
}
