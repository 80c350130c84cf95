//! Change approval: somebody's word that this change may go out, and under which ticket.
//!
//! **Invariant:** the predicate is this project's own, so a field that is not known here is refused: it
//! might be what takes the approval back.
//! **Invariant:** it names the repository and the branch that it is for: the same tree may stand in another.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::Case;
use super::reading::{Reading, Standing, quote};
use super::signed_time;
use super::subject::Matter;

/// What an approval says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Approval {
    ticket: Option<String>,
    /// The digest of what was looked at; the subject already binds the result.
    #[serde(rename = "changeSet")]
    _change_set: Option<String>,
    repo_uri: String,
    target_ref: String,
    time_created: Option<Timestamp>,
    expires: Option<Timestamp>,
}

/// Reads a change approval.
pub(super) fn read(
    predicate: &Value,
    matter: &Matter<'_>,
    ticket_required: bool,
    case: &Case<'_>,
) -> Result<Reading, Reading> {
    let approval = Approval::deserialize(predicate).map_err(|bad| {
        Reading::malformed(format!("the approval cannot be read: {}", quote(&bad.to_string())))
    })?;
    let meant = (approval.repo_uri.as_str(), approval.target_ref.as_str());
    if meant != (case.repo_uri.as_str(), case.ref_name.as_str()) {
        let detail = "the approval is meant for another repository or branch";
        return Err(Reading::silent(Standing::AnotherSubject, detail));
    }
    let annotated = signed_time::read_annotation(matter)?;
    let at = approval.time_created.into_iter().chain(annotated).min();
    let ticket = approval.ticket.as_deref().unwrap_or_default().trim();
    let measured = if ticket.is_empty() { "no ticket".to_owned() } else { quote(ticket) };
    let reading = Reading::met(measured).at(at);
    if ticket_required && ticket.is_empty() {
        return Ok(reading.but(Standing::Below, "the approval names no ticket"));
    }
    Ok(match approval.expires.filter(|end| *end <= case.now) {
        Some(end) => reading.but(Standing::Stale, format!("the approval ended {end}")),
        None => reading,
    })
}

#[cfg(test)]
mod tests {
    use crate::gates::bench::{APPROVAL, BRANCH, Bench, REPO};
    use bowline_model::policy::Kind;
    use serde_json::{Value, json};

    fn gate(more: &str) -> Bench {
        Bench::new(&format!(
            "predicate: bowline change-approval/v1, signers: [alice, bob, control, ci]{more}"
        ))
    }

    /// With the repository and the branch, where it names none itself.
    fn here(said: &Value) -> Value {
        let mut whole = json!({"repoUri": REPO, "targetRef": BRANCH});
        let fields = said.as_object().unwrap().clone();
        whole.as_object_mut().unwrap().extend(fields);
        whole
    }

    fn said_of(predicate: &Value) -> String {
        let bench = gate(", ticketRequired: true");
        let attested = bench.by(&[("alice", Kind::Human)], APPROVAL, predicate);
        bench.said(&[attested])
    }

    #[test]
    fn an_approval_says_what_is_known_and_nothing_else() {
        for (predicate, said) in [
            (json!({"ticket": "OPS-7"}), "met"),
            (json!({"ticket": "OPS-7", "changeSet": "ab"}), "met"),
            (json!({"ticket": "OPS-7", "expires": "2026-11-11T00:00:01Z"}), "met"),
            (json!({"ticket": "OPS-7", "expires": "2026-11-11T00:00:00Z"}), "evidence-stale"),
            (json!({"ticket": "OPS-7", "timeCreated": "2026-11-11T00:10:01Z"}), "evidence-stale"),
            (json!({"ticket": "OPS-7", "targetRef": "refs/heads/other"}), "evidence-missing"),
            (json!({"ticket": "OPS-7", "repoUri": "git+https://other"}), "evidence-missing"),
            (json!({"ticket": "OPS-7", "targetRef": null}), "evidence-malformed"),
            (json!({"ticket": "OPS-7", "repoUri": null}), "evidence-malformed"),
            (json!({"ticket": " "}), "evidence-below"),
            (json!({}), "evidence-below"),
            (json!({"ticket": 7}), "evidence-malformed"),
            (json!({"ticket": "OPS-7", "dismissed": true}), "evidence-malformed"),
        ] {
            assert_eq!(said_of(&here(&predicate)), said, "{predicate}");
        }
        assert_eq!(said_of(&json!("OPS-7")), "evidence-malformed");
        for field in ["repoUri", "targetRef"] {
            let mut without = here(&json!({"ticket": "OPS-7"}));
            without.as_object_mut().unwrap().remove(field);
            assert_eq!(
                said_of(&without),
                "evidence-malformed",
                "it could be for anything: {without}"
            );
        }
    }

    #[test]
    fn robots_alone_approve_nothing() {
        let ticket = here(&json!({"ticket": "OPS-7"}));
        let (alice, bob) = (("alice", Kind::Human), ("bob", Kind::Human));
        let (control, ci) = (("control", Kind::Robot), ("ci", Kind::Robot));
        for (threshold, signers, said) in [
            (1, vec![alice], "met"),
            (1, vec![control], "evidence-missing"),
            (1, vec![("control", Kind::Forge)], "evidence-missing"),
            (2, vec![alice], "evidence-missing"),
            (2, vec![alice, alice], "evidence-missing"),
            (2, vec![alice, control], "met"),
            (2, vec![alice, bob], "met"),
            (2, vec![control, ci], "evidence-missing"),
            (2, vec![control, ("carol", Kind::Human)], "evidence-missing"),
        ] {
            let bench = gate(&format!(", threshold: {threshold}"));
            let each = signers.iter().map(|it| bench.by(&[*it], APPROVAL, &ticket));
            assert_eq!(bench.said(&each.collect::<Vec<_>>()), said, "{threshold} {signers:?}");
            let together = bench.by(&signers, APPROVAL, &ticket);
            assert_eq!(bench.said(&[together]), said, "{threshold} {signers:?} in one");
        }
    }
}
