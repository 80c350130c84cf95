//! What the end of a cycle says of the host, in the five conditions of the status.
//!
//! **Invariant:** a condition is false only for what was seen; what a cycle did not look at stays as it was
//! told.

use bowline_api::cycle::{Cycle, PolicyStanding, PolicyState};
use bowline_api::outcome::Outcome;
use bowline_api::status::Condition;

/// What is known of the revision that a cycle ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It is the newest that this host verified.
    Verified,
    /// It is not.
    Unverified,
    /// It is of the branch that is tried out, or none: it says nothing of the source.
    Aside,
}

/// The conditions after a cycle.
pub(super) fn after(cycle: &Cycle, known: Known, before: &[Condition]) -> Vec<Condition> {
    use Outcome::{Held, Refused, Stranded};
    let reason = match cycle.outcome {
        Outcome::Reverted => "RolledBack",
        _ => cycle.reason.as_str(),
    };
    let said = |kind: &str, status: &str| Condition {
        kind: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: cycle.detail.clone(),
    };
    let as_before = |kind: &str, unless: &str| {
        let stood = before.iter().find(|it| it.kind == kind).cloned();
        stood.unwrap_or_else(|| said(kind, unless))
    };
    let is_good = cycle.outcome.exit_code() == 0;
    let needs_someone = matches!(cycle.outcome, Stranded | Held | Refused);
    let healthy = match health(cycle) {
        Some(status) => said("Healthy", status),
        None => as_before("Healthy", if is_good { "True" } else { "Unknown" }),
    };
    let source = match source(cycle, known) {
        Some(status) => said("SourceVerified", status),
        None => as_before("SourceVerified", "Unknown"),
    };
    vec![
        said("Ready", word(is_good)),
        said("Reconciling", word(false)),
        said("Stalled", word(needs_someone)),
        healthy,
        source,
    ]
}

/// Whether the host is well, if the cycle asked.
fn health(cycle: &Cycle) -> Option<&'static str> {
    let is_unwell = !cycle.failing.is_empty() || cycle.code == "baseline-failed";
    match cycle.outcome {
        _ if is_unwell => Some("False"),
        // Nobody knows how it stands.
        Outcome::Stranded => Some("False"),
        Outcome::Committed | Outcome::Reverted => Some("True"),
        _ => None,
    }
}

/// Whether what the source offers was verified, if the cycle asked.
fn source(cycle: &Cycle, known: Known) -> Option<&'static str> {
    match cycle.outcome {
        _ if known == Known::Aside => None,
        Outcome::Refused | Outcome::Pending => Some(word(known == Known::Verified)),
        Outcome::Stranded if cycle.reason == "Tampered" => Some("False"),
        Outcome::Stranded | Outcome::Failed => None,
        Outcome::Committed | Outcome::Unchanged | Outcome::Held | Outcome::Reverted => Some("True"),
    }
}

fn word(holds: bool) -> &'static str {
    if holds { "True" } else { "False" }
}

/// That the policy in force ends soon, or has ended; nothing while it is well.
pub(super) fn expiring(policy: &PolicyStanding) -> Option<Condition> {
    let PolicyStanding { version, expires, .. } = policy;
    let (reason, message) = match policy.state {
        PolicyState::InForce => return None,
        PolicyState::ExpiresSoon => (
            "PolicyExpiresSoon",
            format!("policy version {version} expires {expires}: have a renewal signed"),
        ),
        PolicyState::Expired => (
            "PolicyExpired",
            format!("policy version {version} expired {expires}: only its renewal will be taken"),
        ),
    };
    Some(Condition {
        kind: "PolicyExpiring".to_owned(),
        status: "True".to_owned(),
        reason: reason.to_owned(),
        message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(outcome: Outcome, reason: &str, code: &str) -> Cycle {
        Cycle::plain(outcome, (reason, code, "why"))
    }

    /// Ready, Stalled, Healthy and `SourceVerified`, by their first letters.
    fn told(conditions: &[Condition]) -> String {
        let named = |kind: &str| conditions.iter().find(|it| it.kind == kind).unwrap();
        let kinds = ["Ready", "Stalled", "Healthy", "SourceVerified"];
        kinds.map(|it| named(it).status.chars().next().unwrap()).iter().collect()
    }

    #[test]
    fn a_condition_is_false_only_for_what_was_seen() {
        use Known::{Aside, Unverified, Verified};
        use Outcome::{Committed, Failed, Held, Pending, Refused, Reverted, Stranded, Unchanged};
        for (outcome, reason, code, known, first, later) in [
            (Committed, "ReconciliationSucceeded", "", Verified, "TFTT", "TFTT"),
            (Unchanged, "ReconciliationSucceeded", "", Verified, "TFTT", "TFFT"),
            (Unchanged, "Paused", "drift-detected", Verified, "TFTT", "TFFT"),
            (Unchanged, "Testing", "testing", Aside, "TFTU", "TFFF"),
            (Reverted, "HealthCheckFailed", "probe-failed", Verified, "FFTT", "FFTT"),
            (Held, "Quarantined", "quarantined", Verified, "FTUT", "FTFT"),
            (Held, "Paused", "paused", Verified, "FTUT", "FTFT"),
            (Refused, "Refused", "unsigned", Unverified, "FTUF", "FTFF"),
            (Refused, "Refused", "invalid", Verified, "FTUT", "FTFT"),
            (Refused, "Refused", "unsigned", Aside, "FTUU", "FTFF"),
            (Pending, "PendingEvidence", "missing", Unverified, "FFUF", "FFFF"),
            (Failed, "Failed", "fetch", Unverified, "FFUU", "FFFF"),
            (Failed, "BaselineFailed", "baseline-failed", Verified, "FFFU", "FFFF"),
            (Stranded, "Stranded", "stranded", Verified, "FTFU", "FTFF"),
            (Stranded, "Tampered", "rewound", Unverified, "FTFF", "FTFF"),
        ] {
            let cycle = of(outcome, reason, code);
            let unwell = Cycle {
                failing: vec!["web".to_owned()],
                ..of(Committed, "ReconciliationSucceeded", "")
            };
            let unverified = of(Refused, "Refused", "unsigned");
            let before = after(&unverified, Unverified, &after(&unwell, Verified, &[]));
            assert_eq!(told(&before), "FTFF");
            assert_eq!(told(&after(&cycle, known, &[])), first, "{outcome} {code}");
            assert_eq!(told(&after(&cycle, known, &before)), later, "{outcome} {code}");
        }
    }
}
