//! What one record says about where its host stands.
//!
//! **Invariant:** a host runs what it said it committed; after `stranded` nobody knows.
//! **Invariant:** a host is well when its probes said so, never because nobody asked.

use bowline_api::fleet::Health;
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

/// What the record's probes say of how the host is now; `None`: as before.
pub fn health(record: &Record) -> Option<Health> {
    let word = |is_well| if is_well { Health::Well } else { Health::Unwell };
    match record.outcome {
        Outcome::Stranded => Some(Health::Unwell),
        // The change's probes failed; what stands again was asked afterwards.
        Outcome::Reverted => {
            let is_asked = !record.probes.is_empty() || !record.after_revert.is_empty();
            is_asked.then(|| word(record.after_revert.is_empty()))
        }
        _ if record.probes.is_empty() => None,
        _ => Some(word(record.probes.iter().all(|it| it.passed))),
    }
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
    fn a_host_is_as_well_as_what_stands_on_it() {
        let probe = |passed| bowline_api::record::ProbeWord {
            name: "p".to_owned(),
            passed,
            detail: String::new(),
        };
        let cases = [
            (Outcome::Committed, vec![], vec![], None),
            (Outcome::Committed, vec![true, true], vec![], Some(Health::Well)),
            (Outcome::Unchanged, vec![true, false], vec![], Some(Health::Unwell)),
            (Outcome::Reverted, vec![false], vec![], Some(Health::Well)),
            (Outcome::Reverted, vec![false], vec![false], Some(Health::Unwell)),
            (Outcome::Reverted, vec![], vec![], None),
            (Outcome::Refused, vec![], vec![], None),
            (Outcome::Stranded, vec![], vec![], Some(Health::Unwell)),
        ];
        for (outcome, probes, after, expected) in cases {
            let mut record = record(outcome, Some("new"), None);
            record.probes = probes.into_iter().map(probe).collect();
            record.after_revert = after.into_iter().map(probe).collect();
            assert_eq!(health(&record), expected, "{outcome}");
        }
    }

    #[test]
    fn a_commit_is_what_stands_behind_branch_and_format() {
        assert_eq!(commit_of("release/1@sha1:abc"), "abc");
        assert_eq!(commit_of("abc"), "abc");
    }
}
