//! From a plan to what is staged of it.
//!
//! **Invariant:** nothing outside the stages and the state folder is touched here.

use bowline_api::outcome::Outcome;
use bowline_model::mark::{Blame, Cause, JOURNAL_BYTES_MAX, Mark, Opening, Why};
use bowline_model::probe_call::Answer;
use bowline_model::step::Step;
use std::sync::Arc;
use std::time::Duration;

use super::{destination, finish, forward, health, order, testing, turn};
use crate::ending::Ending;
use crate::memory::Memory;
use crate::phase::{Effect, Failure, Phase, Quest, Settlement, Staging, Turn, Weight};
use crate::plan::Plan;
use crate::quarantine;
use crate::report::{plain_cycle, trust_of};
use crate::transaction::Transaction;

/// Journal bytes for a transaction beside its steps: decisions, probes, conflicts.
const JOURNAL_BASE: u64 = 256 << 10;

/// Journal bytes for one step beside its intent: frames, and a conflict met on its way back.
const JOURNAL_STEP: u64 = 500;

/// The code of a file whose archive is no longer here.
pub(super) const ARTIFACT_AWAY: &str = "artifact-away";

/// Does what is planned, unless only the plan is wanted, or the agent is paused.
pub(super) fn carry_out(mut memory: Memory, mut quest: Quest, plan: Plan) -> Turn {
    if quest.candidate.is_some() {
        (memory, quest) = match testing::begin(memory, quest, &plan) {
            Ok(turn) => return turn,
            Err(both) => *both,
        };
    }
    if let Some(why) = testing::objection(&quest, &plan) {
        let (outcome, code, detail) = why;
        let verified = plan.verified().clone();
        return destination::unplanned(
            memory,
            quest,
            &verified,
            outcome,
            ("Testing", code, &detail),
        );
    }
    if quest.wish.dry {
        return order::show(memory, quest, &plan);
    }
    let paused = quest.wish.paused.clone().filter(|_| quest.wish.order.is_none());
    match paused {
        Some(paused) if plan.cause() == Cause::Intentional => {
            let detail = format!("the agent is paused by {paused}");
            let verified = plan.verified().clone();
            let why = ("Paused", "paused", detail.as_str());
            destination::unplanned(memory, quest, &verified, Outcome::Held, why)
        }
        Some(_) if !plan.steps().is_empty() => left_alone(memory, quest, &plan),
        _ if plan.steps().is_empty() => nothing_to_do(memory, quest, &plan),
        _ => ask_first(memory, quest, plan),
    }
}

/// What drifted is not repaired while the agent is paused; it is told, and not recorded at each look.
fn left_alone(memory: Memory, mut quest: Quest, plan: &Plan) -> Turn {
    quest.in_order = Some(false);
    let base = memory.standing();
    let paths = plan.steps().len();
    let detail = format!("{paths} steps of repair wait for the end of the pause");
    let why = ("Paused", "drift-detected", detail.as_str());
    let mut cycle = plain_cycle(Outcome::Unchanged, base.clone(), base, why);
    cycle.warnings.push(detail.clone());
    quest.ending.get_or_insert(Ending { cycle, again: false });
    destination::conclude(memory, quest)
}

/// The host is as it should be; a new revision becomes the committed one all the same.
fn nothing_to_do(memory: Memory, mut quest: Quest, plan: &Plan) -> Turn {
    let base = memory.standing();
    if plan.cause() == Cause::Corrective {
        quest.in_order = Some(plan.drifted().is_empty() && plan.short().is_empty());
        if let (None, Some(first)) = (&quest.ending, plan.drifted().first()) {
            let detail =
                format!("{} paths drifted and are left alone: {first}", plan.drifted().len());
            let why = ("DriftDetected", "drift-detected", detail.as_str());
            let mut cycle = plain_cycle(Outcome::Unchanged, base.clone(), base, why);
            cycle.warnings.push(detail.clone());
            quest.ending = Some(Ending { cycle, again: false });
        }
        return destination::conclude(memory, quest);
    }
    let generation = Box::new(plan.generation(memory.generation.as_deref(), "", quest.wall));
    let left = order::withdrawal(&memory, &quest, plan);
    let ledger = quarantine::after_change(&memory.ledger, plan.delta(), left.as_deref());
    let ledger = Arc::new(ledger);
    let revision = Some(plan.revision().to_string());
    let why = match &left {
        Some(left) => ("RevertRequested", "", left.reason.as_str()),
        None => ("ReconciliationSucceeded", "", "the host already is as the revision asks"),
    };
    let cycle = plain_cycle(Outcome::Committed, revision, base, why);
    let ending = quest.ending.take().unwrap_or(Ending { cycle, again: false });
    let kept = Arc::clone(&ledger);
    let effect = Effect::Settle(Box::new(Settlement::Adopt { generation, ledger: kept }));
    turn(memory, Phase::Adopting(quest, Box::new(ending), ledger), effect)
}

/// Asks the probes that must be content before anything is changed.
fn ask_first(memory: Memory, quest: Quest, plan: Plan) -> Turn {
    let calls = health::baseline(&plan, memory.generation.as_deref());
    // Who goes back by order does so because the host is not well.
    if calls.is_empty() || quest.wish.goes_back_to(plan.revision()) {
        return stage(memory, quest, plan);
    }
    let effect = Effect::Probe { not_before: Duration::ZERO, calls };
    turn(memory, Phase::Baselining(quest, Box::new(plan), 0), effect)
}

/// A host that is not well already could not tell whether the change was good: it waits.
pub(super) fn baselined(
    memory: Memory,
    quest: Quest,
    (plan, looks): (Box<Plan>, u32),
    answers: &[Answer],
    now: Duration,
) -> Turn {
    let Some(Answer { name, detail, .. }) = answers.iter().find(|it| !it.passed) else {
        return stage(memory, quest, *plan);
    };
    if let Some((pause, calls)) = health::again(memory.generation.as_deref(), answers, looks) {
        let effect = Effect::Probe { not_before: now + pause, calls };
        return turn(memory, Phase::Baselining(quest, plan, looks + 1), effect);
    }
    let detail = format!("Probe/{name} asks for a baseline, and fails before the change: {detail}");
    let why = ("BaselineFailed", "baseline-failed", detail.as_str());
    let verified = plan.verified().clone();
    destination::unplanned(memory, quest, &verified, Outcome::Failed, why)
}

fn stage(memory: Memory, mut quest: Quest, plan: Plan) -> Turn {
    let generation = memory.generation.as_ref();
    let short = plan.revision().commit.short();
    let deployment = format!("d{:06}-{short}", memory.next_deployment);
    let attempt = memory.ledger.interrupted.as_ref().map_or(0, |it| it.times) + 1;
    let mut opening = Opening {
        deployment: deployment.clone(),
        revision: plan.revision().clone(),
        base: generation.map(|it| it.revision.clone()),
        generation: generation.map_or(0, |it| it.number),
        plan: plan.digest(),
        trust: trust_of(&memory),
        boot: memory.facts.boot.clone(),
        attempt,
        cause: plan.cause(),
        delta: plan.delta().to_vec(),
        journal_bytes: 0,
        withdraws: order::withdrawal(&memory, &quest, &plan),
    };
    opening.journal_bytes = journal_bytes(&opening, plan.steps());
    if let Some(detail) = outgrown(plan.steps().len(), opening.journal_bytes) {
        let why = ("Refused", "plan-too-large", detail.as_str());
        let verified = plan.verified().clone();
        return destination::unplanned(memory, quest, &verified, Outcome::Refused, why);
    }
    let standing = memory.generation.as_deref();
    let generation = Box::new(plan.generation(standing, &deployment, quest.wall));
    testing::keep_wish(&mut quest, &plan, &generation);
    let staging = Staging {
        generation,
        deployment,
        steps: plan.steps().to_vec(),
        contents: plan.contents().to_vec(),
        validations: plan.validations().to_vec(),
    };
    let marks = vec![Mark::Open(opening.clone())];
    let tx = Box::new(Transaction::open(opening));
    let phase = Phase::Staging(quest, Box::new(plan), tx);
    Turn { marks, ..turn(memory, phase, Effect::Stage(Box::new(staging))) }
}

/// Why a journal cannot hold the steps: no waiting makes room in one that may not be larger.
fn outgrown(steps: usize, bytes: u64) -> Option<String> {
    (bytes > JOURNAL_BYTES_MAX).then(|| {
        format!(
            "{steps} steps take a journal of {bytes} bytes, and it may have {JOURNAL_BYTES_MAX}"
        )
    })
}

/// Room for the opening with the changes it names, and for every step's intent, its way there and its
/// way back.
fn journal_bytes(opening: &Opening, steps: &[Step]) -> u64 {
    // Plain data, which always has a JSON form; it is what the journal holds of a step.
    let intent = |step: &Step| serde_json::to_vec(step).map_or(0, |it| it.len() as u64);
    let conflict = |step: &Step| step.target().map_or(0, |it| 2 * it.as_str().len() as u64);
    let room = |step: &Step| JOURNAL_STEP + intent(step) + conflict(step);
    let named = serde_json::to_vec(opening).map_or(0, |it| it.len() as u64);
    steps.iter().map(room).sum::<u64>() + named + JOURNAL_BASE
}

pub(super) fn staged(
    memory: Memory,
    quest: Quest,
    mut plan: Box<Plan>,
    mut tx: Box<Transaction>,
    stages: Vec<String>,
    of_step: &[u16],
) -> Turn {
    plan.settle_stages(of_step);
    let begin = vec![
        Mark::Staged { stages },
        Mark::Begin { plan: plan.digest(), irreversible: plan.irreversible().to_vec() },
    ];
    for mark in &begin {
        tx.note(mark);
    }
    let mut next = forward::next(memory, quest, plan, tx);
    next.marks.splice(..0, begin);
    next
}

/// Nothing was touched: the revision is refused, or tried again.
pub(super) fn stage_failed(
    mut memory: Memory,
    quest: Quest,
    mut tx: Box<Transaction>,
    failure: &Failure,
) -> Turn {
    let outcome = match failure.weight {
        Weight::Transient => Outcome::Failed,
        Weight::Guilty => Outcome::Refused,
    };
    if failure.code == ARTIFACT_AWAY {
        // What was thought to be here is asked for again.
        memory.compiled = None;
    }
    let reason = if outcome == Outcome::Failed { "StagingFailed" } else { "Refused" };
    let blame = if outcome == Outcome::Failed { Blame::World } else { Blame::Change };
    let why = Why {
        reason: reason.to_owned(),
        code: failure.code.clone(),
        detail: failure.detail.clone(),
        blame,
    };
    let marks = vec![Mark::End { outcome, proof: None }];
    for mark in &marks {
        tx.note(mark);
    }
    // Not a decision of a changed host, so it is no mark; it only words the record.
    tx.decision = Some((bowline_model::mark::Verdict::Revert, why));
    Turn { marks, ..finish(finish::seen_to_fail(memory, outcome), quest, tx) }
}

#[cfg(test)]
mod tests {
    use bowline_api::record::Conflict;
    use bowline_model::change::Change;
    use bowline_model::digest::Sha256;
    use bowline_model::form::Form;
    use bowline_model::generation::Quarantine;
    use bowline_model::object_id::ObjectId;
    use bowline_model::revision::Revision;
    use bowline_model::step::{Class, Deed};

    use super::*;

    /// Every mark of a way there and back on which each path was somebody else's by then.
    fn written(opening: &Opening, steps: &[Step]) -> u64 {
        let last = u32::try_from(steps.len()).unwrap() - 1;
        let conflict = |step: &Step| Conflict {
            path: step.target().unwrap().to_string(),
            kept: Some(format!("/.bowline-stage/kept/d000001-0123456789ab-{}", step.index)),
            detail: "somebody changed it after the exchange; their version is kept".to_owned(),
        };
        let marks = [
            Mark::Open(opening.clone()),
            Mark::StepIntent { steps: steps.to_vec() },
            Mark::StepDone { from: 0, to: last },
            Mark::UndoIntent { from: last, to: 0 },
            Mark::UndoDone { from: last, to: 0, conflicts: steps.iter().map(conflict).collect() },
        ];
        marks.iter().map(|it| serde_json::to_vec(it).unwrap().len() as u64).sum()
    }

    /// An opening that names many more changes than there are steps, as many again of which are left.
    fn opening(count: u32) -> Opening {
        let id = ObjectId::Sha1([1; 20]);
        let commit_sha256 = Sha256::of(b"commit");
        let revision = Revision { branch: "main".to_owned(), commit: id, commit_sha256, tree: id };
        let change = |at: u32| Change {
            resource: format!("Probe/{at:0>60}"),
            digest: Sha256::of(&at.to_be_bytes()),
        };
        let delta: Vec<Change> = (0..3 * count + 2_400).map(change).collect();
        let left = Quarantine {
            revision: revision.clone(),
            deployment: "d000001".to_owned(),
            delta: delta.clone(),
            reason: "uid 0: it is slow".to_owned(),
            at: 0,
        };
        Opening {
            deployment: "d000002".to_owned(),
            revision,
            base: None,
            generation: 1,
            plan: Sha256::default(),
            trust: Sha256::default(),
            boot: String::new(),
            attempt: 1,
            cause: Cause::Intentional,
            delta,
            journal_bytes: 0,
            withdraws: Some(Box::new(left)),
        }
    }

    #[test]
    fn a_plan_that_no_journal_holds_is_refused() {
        let cases = [(0, false), (JOURNAL_BYTES_MAX, false), (JOURNAL_BYTES_MAX + 1, true)];
        for (bytes, is_refused) in cases {
            assert_eq!(outgrown(9, bytes).is_some(), is_refused, "{bytes}");
        }
    }

    #[test]
    fn the_journal_has_room_for_what_it_names_and_for_the_way_there_and_back() {
        for (count, name, target) in
            [(1, 10, 10), (800, 40, 4_000), (3_000, 200, 1), (50, 250, 900)]
        {
            let link = |target| Form::Symlink { target };
            let step = |index: u32| Step {
                index,
                resource: format!("Symlink/{}{index}", "n".repeat(name)).into(),
                class: Class::Exact,
                deed: Deed::Place {
                    target: format!("/etc/{}/\"{index}\"", "d".repeat(name)).parse().unwrap(),
                    pre: link("\"".repeat(target)),
                    post: link("\\".repeat(target)),
                    inode: None,
                    stage: 0,
                },
            };
            let steps: Vec<Step> = (0..count).map(step).collect();
            let opening = opening(count);
            let (room, written) = (journal_bytes(&opening, &steps), written(&opening, &steps));
            assert!(room > written, "{count} steps: {written} bytes in room for {room}");
            assert!(room < 3 * written + JOURNAL_BASE + JOURNAL_STEP * u64::from(count), "{room}");
        }
    }
}
