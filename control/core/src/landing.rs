//! What one record says about where its host stands.
//!
//! **Invariant:** a host runs what it said it committed; after `stranded` nobody knows.
//! **Invariant:** a host is well when its probes said so, never because nobody asked, nor because it has none.

use bowline_api::fleet::Health;
use bowline_api::outcome::Outcome;
use bowline_api::record::{Kind, Record};

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

/// What a record says of how its host is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// So its probes said, or nobody knows how it stands.
    Health(Health),
    /// What stands has no probe: nothing is claimed.
    NoProbe,
    /// None of its probes complained, if it has any.
    NoComplaint,
    /// Nothing.
    AsBefore,
}

impl Says {
    /// What this and, after it, `next` say together.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        match (next, self) {
            (Self::AsBefore, before) => before,
            (Self::NoComplaint, Self::NoProbe) => Self::NoProbe,
            (Self::NoComplaint, Self::Health(_)) => Self::Health(Health::Well),
            (next, _) => next,
        }
    }
}

/// Whether the record only says that what was taken back is not tried again: it tells nothing new of the host.
pub fn repeats_a_revert(record: &Record) -> bool {
    record.outcome == Outcome::Held && record.reason == "Quarantined"
}

/// What the record says of how the host is now.
pub fn health(record: &Record) -> Says {
    let word = |is_well| Says::Health(if is_well { Health::Well } else { Health::Unwell });
    let is_kept = match record.outcome {
        Outcome::Stranded => return word(false),
        Outcome::Committed | Outcome::Unchanged => true,
        Outcome::Reverted
        | Outcome::Refused
        | Outcome::Pending
        | Outcome::Held
        | Outcome::Failed => false,
    };
    // Probes of a change that did not stay say nothing of what stands again.
    let failed = if is_kept {
        record.probes.iter().any(|it| !it.passed)
    } else {
        !record.after_revert.is_empty()
    };
    // What was tried out and is over tells of its own deployment, not of what stands.
    let is_trial = !record.deployment.is_empty() && record.kind != Kind::State;
    match record.standing_probes {
        Some(0) => Says::NoProbe,
        _ if failed => word(false),
        Some(_) => word(true),
        None if is_kept && !record.probes.is_empty() => word(true),
        // A trial asks every probe that there is.
        None if is_kept && is_trial => Says::NoProbe,
        // Agents of before told only who complained afterwards.
        None if !record.probes.is_empty() => Says::NoComplaint,
        None => Says::AsBefore,
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
        let (well, unwell) = (Says::Health(Health::Well), Says::Health(Health::Unwell));
        let (none, before) = (Says::NoProbe, Says::AsBefore);
        let cases = [
            // As agents of before tell it.
            (Outcome::Committed, None, vec![], vec![], none),
            (Outcome::Committed, None, vec![true, true], vec![], well),
            (Outcome::Unchanged, None, vec![true, false], vec![], unwell),
            (Outcome::Reverted, None, vec![false], vec![], Says::NoComplaint),
            (Outcome::Reverted, None, vec![false], vec![false], unwell),
            (Outcome::Failed, None, vec![false], vec![], Says::NoComplaint),
            (Outcome::Reverted, None, vec![], vec![], before),
            (Outcome::Refused, None, vec![], vec![], before),
            (Outcome::Stranded, None, vec![], vec![], unwell),
            // As agents tell it that count the probes of what stands.
            (Outcome::Committed, Some(0), vec![], vec![], none),
            (Outcome::Committed, Some(2), vec![], vec![], well),
            (Outcome::Committed, Some(2), vec![false], vec![], unwell),
            (Outcome::Reverted, Some(0), vec![false], vec![], none),
            (Outcome::Reverted, Some(1), vec![false], vec![], well),
            (Outcome::Reverted, Some(1), vec![true], vec![false], unwell),
            (Outcome::Refused, Some(0), vec![], vec![], none),
            (Outcome::Stranded, Some(0), vec![], vec![], unwell),
        ];
        for (outcome, standing, probes, after, expected) in cases {
            let mut record = record(outcome, Some("new"), None);
            record.probes = probes.into_iter().map(probe).collect();
            record.after_revert = after.into_iter().map(probe).collect();
            record.standing_probes = standing;
            assert_eq!(health(&record), expected, "{outcome} {standing:?}");
        }
        // What stood already was asked, and only who failed is told.
        let mut adopted = record(Outcome::Committed, Some("new"), None);
        adopted.deployment = String::new();
        assert_eq!(health(&adopted), before);
    }

    #[test]
    fn who_never_had_a_probe_is_not_well_for_want_of_complaints() {
        let (well, unwell) = (Says::Health(Health::Well), Says::Health(Health::Unwell));
        for (before, next, expected) in [
            (Says::NoProbe, Says::NoComplaint, Says::NoProbe),
            (unwell, Says::NoComplaint, well),
            (Says::AsBefore, Says::NoComplaint, Says::NoComplaint),
            (well, Says::NoProbe, Says::NoProbe),
            (well, Says::AsBefore, well),
            (well, unwell, unwell),
        ] {
            assert_eq!(before.then(next), expected, "{before:?} {next:?}");
        }
    }

    #[test]
    fn a_commit_is_what_stands_behind_branch_and_format() {
        assert_eq!(commit_of("release/1@sha1:abc"), "abc");
        assert_eq!(commit_of("abc"), "abc");
    }
}
