//! The rest between two cycles: tells how the last one ended, and waits for the next.
//!
//! **Invariant:** what is waited for is in the status, with its end.

use std::sync::Arc;
use std::time::Duration;

use bowline_api::hint;
use bowline_api::outcome::Outcome;
use bowline_api::status::{Committed, Condition, Last, Quarantined, WaitingFor};
use bowline_engine::ending::Ending;
use bowline_engine::phase::Event;
use bowline_engine::wish::Wish;
use bowline_host::door::clock;
use bowline_host::facts;
use bowline_host::failure::chain;
use jiff::Timestamp;

use super::{Host, Run};
use crate::cannot_start::opening;
use crate::driver::Halt;

impl Host {
    pub(super) fn rest(
        &mut self,
        ending: Option<Box<Ending>>,
        wait: Duration,
    ) -> Result<Event, Halt> {
        let is_end = ending.is_some();
        let stranded = ending.as_ref().is_some_and(|it| it.cycle.outcome == Outcome::Stranded);
        let again = ending.as_ref().is_some_and(|it| it.again);
        if let Some(ending) = ending {
            self.say(&ending);
            self.ending = Some(ending);
        }
        self.tell_standing();
        if self.board.is_stopping() {
            return Err(Halt::Stop);
        }
        // The first rest comes when what an earlier process left is ended.
        self.board.herald().ready();
        match self.run {
            Run::Once { recovering: true } if !stranded => {
                self.run = Run::Once { recovering: false };
                self.ending = None;
                return self.wake(true);
            }
            Run::Once { .. } if is_end => return Err(Halt::Stop),
            Run::Once { .. } => return self.wake(true),
            Run::Always => {}
        }
        if !is_end {
            return self.wake(true);
        }
        let time = match (again || stranded, self.settings.interval.is_zero()) {
            (false, true) => None,
            _ => Some(jittered(wait)),
        };
        self.tell_wait(time, stranded);
        self.tell_manager();
        let asked = self.board.wait(time);
        if asked.stop {
            return Err(Halt::Stop);
        }
        self.board.tell(|status| status.waiting_for = None);
        self.refresh(asked.reload);
        self.wake(asked.sync)
    }

    fn wake(&mut self, thorough: bool) -> Result<Event, Halt> {
        if let Some(damage) = self.damage.take() {
            // What was open is ended; nothing new begins on what cannot be read.
            return Err(damage.into());
        }
        let facts = match (facts::read(&self.root), self.facts.take()) {
            (Ok(facts), _) => facts,
            (Err(error), Some(facts)) => {
                tracing::warn!(error = %chain(&error), "facts of an earlier look are used");
                facts
            }
            // Without facts manifests would seem to be for other hosts.
            (Err(error), None) => return Err(opening("read the host's facts")(error).into()),
        };
        self.facts = Some(facts.clone());
        let gear = self.gear()?;
        let (settings, next_deployment) = (Arc::clone(&gear.known), gear.records.next_seq());
        Ok(Event::Woke {
            settings,
            now: clock::since_boot(),
            wall: clock::wall(),
            facts,
            next_deployment,
            wish: Wish { thorough, ..Wish::default() },
        })
    }

    /// Tells the log and the status how a cycle ended.
    fn say(&self, ending: &Ending) {
        let cycle = &ending.cycle;
        let revision = cycle.revision.clone().unwrap_or_default();
        if cycle.outcome.exit_code() == 0 {
            tracing::info!(outcome = %cycle.outcome, revision, detail = cycle.detail, "cycle over");
        } else {
            tracing::warn!(
                outcome = %cycle.outcome, revision, reason = cycle.reason, code = cycle.code,
                commit = cycle.commit.as_deref(), detail = cycle.detail,
                hint = hint::of(&cycle.code), "cycle over"
            );
        }
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
            status.warnings.extend(self.settings.control.as_ref().map(|url| no_control(url)));
            status.conditions = conditions(ending);
        });
    }

    /// Tells what stands, from what is durable.
    fn tell_standing(&self) {
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
    fn tell_manager(&self) {
        let status = self.board.status();
        let last = status.last.map(|it| {
            let revision = it.revision.unwrap_or_default();
            format!("{} {revision}: {}", it.outcome, it.reason)
        });
        let next = status.next_poll.map(|it| format!("; next look at {it}"));
        let (last, next) = (last.unwrap_or_default(), next.unwrap_or_default());
        self.board.herald().status(&format!("{last}{next}"));
    }

    fn tell_wait(&self, time: Option<Duration>, stranded: bool) {
        let now = clock::wall();
        let until = time.map(|it| rfc3339(now + i64::try_from(it.as_secs()).unwrap_or(0)));
        let (kind, holder) =
            if stranded { ("person", "an operator") } else { ("poll", "the agent") };
        let detail =
            if stranded { "the host is stranded" } else { "the next look at the repository" };
        self.board.tell(|status| {
            status.next_poll.clone_from(&until);
            status.waiting_for = Some(WaitingFor {
                kind: kind.to_owned(),
                holder: holder.to_owned(),
                since: rfc3339(now),
                until: until.filter(|_| !stranded),
                detail: detail.to_owned(),
            });
        });
    }
}

/// What is said while a control service is named that nothing is sent to.
pub(crate) fn no_control(url: &str) -> String {
    format!("control.url is {url}: this version keeps records on the host only")
}

/// A fifth more or less, so that a fleet does not ask all at once.
fn jittered(wait: Duration) -> Duration {
    let grain = clock::since_boot().subsec_nanos() % 401;
    wait.saturating_mul(800 + grain) / 1000
}

fn rfc3339(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap_or_default().to_string()
}

fn conditions(ending: &Ending) -> Vec<Condition> {
    let cycle = &ending.cycle;
    let good = cycle.outcome.exit_code() == 0;
    let condition = |kind: &str, holds: bool, reason: &str| Condition {
        kind: kind.to_owned(),
        status: if holds { "True" } else { "False" }.to_owned(),
        reason: reason.to_owned(),
        message: cycle.detail.clone(),
    };
    let reason = match cycle.outcome {
        Outcome::Reverted => "RolledBack",
        _ => cycle.reason.as_str(),
    };
    let unverified = matches!(cycle.outcome, Outcome::Refused | Outcome::Pending);
    let stalled = matches!(cycle.outcome, Outcome::Stranded | Outcome::Held | Outcome::Refused);
    vec![
        condition("Ready", good, reason),
        condition("Reconciling", false, reason),
        condition("Stalled", stalled, reason),
        condition("Healthy", good, reason),
        condition("SourceVerified", !unverified, reason),
    ]
}
