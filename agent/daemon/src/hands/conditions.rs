//! What the end of a cycle says of the host, in the five conditions of the status.
//!
//! **Invariant:** a condition is false only for what was seen; what a cycle did not look at stays as it was
//! told.

use bowline_api::cycle::Cycle;
use bowline_api::outcome::Outcome;
use bowline_api::status::Condition;

/// The conditions after a cycle. `verified`: its revision is the newest that this host verified.
pub(super) fn after(cycle: &Cycle, verified: bool, before: &[Condition]) -> Vec<Condition> {
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
    let source = match source(cycle, verified) {
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
fn source(cycle: &Cycle, verified: bool) -> Option<&'static str> {
    // What a host tries out on a branch of its own says nothing of the branch.
    if cycle.code.starts_with("testing") {
        return None;
    }
    match cycle.outcome {
        Outcome::Refused | Outcome::Pending => Some(word(verified)),
        Outcome::Stranded if cycle.reason == "Tampered" => Some("False"),
        Outcome::Stranded | Outcome::Failed => None,
        Outcome::Committed | Outcome::Unchanged | Outcome::Held | Outcome::Reverted => Some("True"),
    }
}

fn word(holds: bool) -> &'static str {
    if holds { "True" } else { "False" }
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
        use Outcome::{Committed, Failed, Held, Pending, Refused, Reverted, Stranded, Unchanged};
        for (outcome, reason, code, verified, first, later) in [
            (Committed, "ReconciliationSucceeded", "", true, "TFTT", "TFTT"),
            (Unchanged, "ReconciliationSucceeded", "", true, "TFTT", "TFFT"),
            (Unchanged, "Paused", "drift-detected", true, "TFTT", "TFFT"),
            (Unchanged, "Testing", "testing", true, "TFTU", "TFFF"),
            (Reverted, "HealthCheckFailed", "probe-failed", true, "FFTT", "FFTT"),
            (Held, "Quarantined", "quarantined", true, "FTUT", "FTFT"),
            (Held, "Paused", "paused", true, "FTUT", "FTFT"),
            (Refused, "Refused", "unsigned", false, "FTUF", "FTFF"),
            (Refused, "Refused", "invalid", true, "FTUT", "FTFT"),
            (Refused, "Refused", "testing-unbound", false, "FTUU", "FTFF"),
            (Pending, "PendingEvidence", "missing", false, "FFUF", "FFFF"),
            (Failed, "Failed", "fetch", false, "FFUU", "FFFF"),
            (Failed, "BaselineFailed", "baseline-failed", true, "FFFU", "FFFF"),
            (Stranded, "Stranded", "stranded", true, "FTFU", "FTFF"),
            (Stranded, "Tampered", "rewound", false, "FTFF", "FTFF"),
        ] {
            let cycle = of(outcome, reason, code);
            let unwell = Cycle {
                failing: vec!["web".to_owned()],
                ..of(Committed, "ReconciliationSucceeded", "")
            };
            let unverified = of(Refused, "Refused", "unsigned");
            let before = after(&unverified, false, &after(&unwell, true, &[]));
            assert_eq!(told(&before), "FTFF");
            assert_eq!(told(&after(&cycle, verified, &[])), first, "{outcome} {code}");
            assert_eq!(told(&after(&cycle, verified, &before)), later, "{outcome} {code}");
        }
    }
}
