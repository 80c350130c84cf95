//! From a staged plan to the decision: apply, check, notify, probe.
//!
//! **Invariant:** intents are durable before their steps; a decision is durable before what follows it.

use std::sync::Arc;
use std::time::Duration;

use bowline_model::mark::{Blame, Mark, Verdict, Why};
use bowline_model::probe_call::Answer;

use super::{backward, health, testing, turn};
use crate::memory::Memory;
use crate::phase::{Effect, Phase, Quest, Settlement, Turn};
use crate::plan::Plan;
use crate::quarantine;
use crate::transaction::{Transaction, next_batch};
use crate::trial::{Says, Trial};

/// Steps in one record of the journal: so that a record stays well below a megabyte.
const STEPS_PER_MARK: usize = 250;

/// The next batch, or what follows the last.
pub(super) fn next(
    memory: Memory,
    quest: Quest,
    plan: Box<Plan>,
    mut tx: Box<Transaction>,
) -> Turn {
    let mut marks = Vec::new();
    if tx.steps.len() > tx.done {
        let number = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
        let done = Mark::StepDone { from: number(tx.done), to: number(tx.steps.len() - 1) };
        tx.note(&done);
        marks.push(done);
    }
    // Programs that judge files do so before any unit reads them.
    let is_time = tx.done == plan.checked_at() && !plan.checks().is_empty();
    let mut next = if is_time {
        let effect = Effect::Check(plan.checks().to_vec());
        turn(memory, Phase::Checking(quest, plan, tx), effect)
    } else {
        go_on(memory, quest, plan, tx)
    };
    next.marks.splice(..0, marks);
    next
}

/// The next batch, or units that are told last.
pub(super) fn go_on(
    memory: Memory,
    quest: Quest,
    plan: Box<Plan>,
    mut tx: Box<Transaction>,
) -> Turn {
    let Some(range) = next_batch(plan.steps(), tx.done) else {
        return notify(memory, quest, plan, tx);
    };
    let mut marks = Vec::new();
    let steps = plan.steps().get(range).unwrap_or_default().to_vec();
    for some in steps.chunks(STEPS_PER_MARK) {
        let intent = Mark::StepIntent { steps: some.to_vec() };
        tx.note(&intent);
        marks.push(intent);
    }
    let (deployment, stages) = (tx.opening.deployment.clone(), tx.stages.clone());
    let effect = Effect::Apply { deployment, stages, steps };
    Turn { marks, ..turn(memory, Phase::Applying(quest, plan, tx), effect) }
}

/// Tells units, once each.
fn notify(memory: Memory, quest: Quest, plan: Box<Plan>, mut tx: Box<Transaction>) -> Turn {
    if plan.handlers().is_empty() {
        return probe(memory, quest, &plan, tx);
    }
    let marks = vec![Mark::Handlers { list: plan.handlers().to_vec() }];
    for mark in &marks {
        tx.note(mark);
    }
    let effect = Effect::Notify(plan.handlers().to_vec());
    Turn { marks, ..turn(memory, Phase::Notifying(quest, plan, tx), effect) }
}

pub(super) fn notified(
    memory: Memory,
    quest: Quest,
    plan: &Plan,
    tx: Box<Transaction>,
    failures: &[String],
) -> Turn {
    if failures.is_empty() {
        return probe(memory, quest, plan, tx);
    }
    let why = Why {
        reason: "HandlerFailed".to_owned(),
        code: "handler-failed".to_owned(),
        detail: failures.join("; "),
        blame: Blame::Change,
    };
    decide_revert(memory, quest, tx, why)
}

fn probe(memory: Memory, quest: Quest, plan: &Plan, mut tx: Box<Transaction>) -> Turn {
    let marks = vec![Mark::Applied];
    for mark in &marks {
        tx.note(mark);
    }
    // The trial begins at the first answer's clock; until then probes run at once.
    let trial = Trial::begin(plan.probes().iter().cloned(), Duration::ZERO);
    let mut next = match plan.probes() {
        [] => keep_decided(memory, quest, tx, "no probe is declared"),
        probes => {
            let names: Vec<String> = probes.iter().map(|(name, _)| name.clone()).collect();
            let effect = ask(&trial, Duration::ZERO, &names);
            turn(memory, Phase::Probing(quest, tx, Box::new(trial)), effect)
        }
    };
    next.marks.splice(..0, marks);
    next
}

fn ask(trial: &Trial, not_before: Duration, names: &[String]) -> Effect {
    let call = |name: &String| {
        Some(health::call(name, trial.spec(name)?, trial.patience(name, not_before)))
    };
    Effect::Probe { not_before, calls: names.iter().filter_map(call).collect() }
}

pub(super) fn probed(
    memory: Memory,
    quest: Quest,
    mut tx: Box<Transaction>,
    mut trial: Box<Trial>,
    answers: Vec<Answer>,
    now: Duration,
) -> Turn {
    trial.start_at(now);
    let mut marks = Vec::new();
    for answer in trial.take(answers, now) {
        let Answer { name, passed, detail } = answer;
        marks.push(Mark::Probe { name, passed, detail });
    }
    for mark in &marks {
        tx.note(mark);
    }
    let mut next = match trial.judge(now) {
        Says::Healthy => keep_decided(memory, quest, tx, "every probe is content"),
        Says::Failed { detail } => {
            let why = Why {
                reason: "HealthCheckFailed".to_owned(),
                code: "probe-failed".to_owned(),
                detail,
                blame: Blame::Change,
            };
            decide_revert(memory, quest, tx, why)
        }
        Says::Probe { not_before, names } => {
            let effect = ask(&trial, not_before, &names);
            turn(memory, Phase::Probing(quest, tx, trial), effect)
        }
    };
    next.marks.splice(..0, marks);
    next
}

fn decide_revert(memory: Memory, quest: Quest, tx: Box<Transaction>, why: Why) -> Turn {
    backward::decide_revert(memory, quest, tx, why)
}

fn keep_decided(memory: Memory, quest: Quest, mut tx: Box<Transaction>, detail: &str) -> Turn {
    if let Some(testing) = testing::of(&quest, &tx.opening.revision) {
        return testing::stay(memory, testing, tx);
    }
    let ordered = tx.opening.withdraws.as_ref().map(|it| it.reason.as_str());
    let (reason, detail) = match ordered {
        Some(because) => ("RevertRequested", because),
        None => ("ReconciliationSucceeded", detail),
    };
    let why = Why {
        reason: reason.to_owned(),
        code: String::new(),
        detail: detail.to_owned(),
        blame: Blame::Nobody,
    };
    let marks = vec![Mark::Decide { verdict: Verdict::Commit, why }];
    for mark in &marks {
        tx.note(mark);
    }
    let mut next = keep(memory, quest, tx);
    next.marks.splice(..0, marks);
    next
}

/// Makes the staged generation the one that stands.
pub(crate) fn keep(memory: Memory, quest: Quest, tx: Box<Transaction>) -> Turn {
    let ledger = Arc::new(quarantine::after_commit(&memory.ledger, &tx.opening));
    let deployment = tx.opening.deployment.clone();
    let effect =
        Effect::Settle(Box::new(Settlement::Commit { deployment, ledger: Arc::clone(&ledger) }));
    let memory = Memory { ledger, ..memory };
    turn(memory, Phase::Keeping(quest, tx), effect)
}
