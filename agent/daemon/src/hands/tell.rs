//! Tells how cycles end and what is waited for: in the log, in the status, to listeners.
//!
//! **Invariant:** what is waited for is in the status, with its end.

use std::time::Duration;

use bowline_api::ask::{Over, Paused, event};
use bowline_api::cycle::Cycle;
use bowline_api::hint;
use bowline_api::outcome::Outcome;
use bowline_api::status::{Committed, Condition, Last, Quarantined, WaitingFor};
use bowline_engine::ending::Ending;
use bowline_engine::testing::{Untried, branch_of};
use bowline_host::door::clock;
use bowline_host::pause::Pause;
use jiff::Timestamp;

use super::conditions::Known;
use super::{Host, conditions};

/// Orders that were turned down before anything was looked at.
const TURNED_DOWN: [&str; 2] = ["nothing-to-revert", "testing-runs"];

impl Host {
    /// Tells the log and the status how a cycle ended.
    pub(super) fn say(&self, ending: &Ending) {
        let cycle = &ending.cycle;
        let revision = cycle.revision.clone().unwrap_or_default();
        if cycle.outcome.exit_code() == 0 {
            tracing::info!(
                outcome = %cycle.outcome, revision, deployment = cycle.deployment.as_deref(),
                detail = cycle.detail, "cycle over"
            );
        } else {
            tracing::warn!(
                outcome = %cycle.outcome, revision, deployment = cycle.deployment.as_deref(),
                reason = cycle.reason, code = cycle.code,
                commit = cycle.commit.as_deref(), detail = cycle.detail,
                hint = hint::of(&cycle.code), "cycle over"
            );
        }
        // What did nothing is told to who ordered it: of the host and of the newest revision nothing new is known.
        if !did_nothing(cycle) {
            self.note(cycle);
        }
        // Last, so that who waits for it finds it in status and figures.
        let over = Over { number: self.board.number(), cycle: cycle.clone() };
        self.board.events().publish(event::OUTCOME, &over);
    }

    /// Tells figures and status how a cycle ended.
    fn note(&self, cycle: &Cycle) {
        self.board.meters().end(cycle.outcome, clock::wall());
        let known = self.known(cycle);
        self.board.tell(|status| {
            status.last = Some(Last {
                deployment: cycle.deployment.clone().unwrap_or_default(),
                revision: cycle.revision.clone(),
                outcome: cycle.outcome,
                reason: cycle.reason.clone(),
                code: cycle.code.clone(),
                detail: cycle.detail.clone(),
                at: rfc3339(clock::wall()),
            });
            status.last_attempted_revision.clone_from(&cycle.revision);
            status.warnings.clone_from(&cycle.warnings);
            status.gates.clone_from(&cycle.gates);
            if !cycle.freshness.is_empty() {
                status.freshness.clone_from(&cycle.freshness);
            }
            status.adopted.clone_from(&cycle.adopted);
            status.conditions = conditions::after(cycle, known, &status.conditions);
            status.conditions.extend(self.testing(cycle));
            // What was not judged in this cycle is as it was told.
            if cycle.policy.is_some() {
                status.policy.clone_from(&cycle.policy);
                status.root_version = cycle.root_version;
            }
            status.conditions.extend(status.policy.as_ref().and_then(conditions::expiring));
        });
    }

    /// Why what is offered to this host alone is not tried out: told in the log when it is another reason.
    pub(super) fn note_untried(&mut self, untried: Option<&Untried>) {
        if self.untried.as_ref() == untried {
            return;
        }
        self.untried = untried.cloned();
        if let Some(Untried { reason, detail }) = untried {
            tracing::info!(reason, detail, "a test waits");
        }
    }

    /// Whether something is tried out, where anything is offered for that.
    fn testing(&self, cycle: &Cycle) -> Option<Condition> {
        let condition = |status: &str, reason: &str, message: &str| Condition {
            kind: "Testing".to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
        };
        match &self.untried {
            _ if self.is_testing => Some(condition("True", &cycle.reason, &cycle.detail)),
            Some(it) => Some(condition("False", &it.reason, &it.detail)),
            None if self.is_aside(cycle) => Some(condition("False", &cycle.reason, &cycle.detail)),
            None => None,
        }
    }

    /// Whether a cycle ended with the branch of this host's own.
    fn is_aside(&self, cycle: &Cycle) -> bool {
        let own = format!("{}@", branch_of(&self.name));
        cycle.revision.as_ref().is_some_and(|it| it.starts_with(&own))
    }

    /// What is known of a cycle's revision.
    fn known(&self, cycle: &Cycle) -> Known {
        let revision = cycle.revision.as_deref().unwrap_or_default();
        let head = self.state.high_water().ok().flatten().map(|it| format!(":{}", it.head));
        if self.is_aside(cycle) {
            Known::Aside
        } else if head.is_some_and(|it| revision.ends_with(&it)) {
            Known::Verified
        } else {
            Known::Unverified
        }
    }

    /// Tells what stands, from what is durable.
    pub(super) fn tell_standing(&self) {
        let standing = self.standing.as_ref();
        let ledger = self.state.ledger().unwrap_or_default();
        self.board.tell(|status| {
            status.last_applied_revision = standing.map(|it| it.revision.to_string());
            status.committed = standing.map(|it| Committed {
                generation: it.number,
                revision: it.revision.to_string(),
                since: rfc3339(it.at),
            });
            let entry = |it: bowline_model::generation::Quarantine| Quarantined {
                revision: it.revision.to_string(),
                resources: it.delta.into_iter().map(|change| change.resource).collect(),
                reason: it.reason,
                at: rfc3339(it.at),
            };
            status.quarantine = ledger.quarantine.into_iter().map(entry).collect();
        });
    }

    /// One line for the service manager: how the last cycle ended, and what comes next.
    pub(super) fn tell_manager(&self) {
        let status = self.board.status();
        let last = status.last.map(|it| {
            let revision = it.revision.unwrap_or_default();
            format!("{} {revision}: {}", it.outcome, it.reason)
        });
        let next = status.next_poll.map(|it| format!("; next look at {it}"));
        let (last, next) = (last.unwrap_or_default(), next.unwrap_or_default());
        self.board.herald().status(&format!("{last}{next}"));
    }

    /// Tells what is waited for: a person, the end of a pause, or the next poll.
    pub(super) fn tell_wait(&self, time: Option<Duration>, stranded: bool, pause: Option<&Pause>) {
        let now = clock::wall();
        let until = time.map(|it| rfc3339(now + i64::try_from(it.as_secs()).unwrap_or(0)));
        let waiting = |kind: &str, holder: &str, until: Option<String>, detail: &str| WaitingFor {
            kind: kind.to_owned(),
            holder: holder.to_owned(),
            since: rfc3339(now),
            until,
            detail: detail.to_owned(),
        };
        let waiting = match pause.map(paused) {
            _ if stranded => waiting("person", "an operator", None, "the host is stranded"),
            Some(Paused { holder, reason, since, until }) => {
                WaitingFor { since, ..waiting("pause", &holder, until, &reason) }
            }
            None => waiting("poll", "the agent", until.clone(), "the next look at the repository"),
        };
        self.board.tell(|status| {
            status.next_poll.clone_from(&until);
            status.waiting_for = Some(waiting);
        });
    }
}

/// Whether a cycle was only an order that cannot be carried out.
fn did_nothing(cycle: &Cycle) -> bool {
    cycle.outcome == Outcome::Refused && TURNED_DOWN.contains(&cycle.code.as_str())
}

/// A pause on the wire.
pub(crate) fn paused(pause: &Pause) -> Paused {
    Paused {
        holder: pause.holder.clone(),
        reason: pause.reason.clone(),
        since: rfc3339(pause.since),
        until: pause.until.map(rfc3339),
    }
}

fn rfc3339(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap_or_default().to_string()
}
