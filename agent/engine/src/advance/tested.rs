//! What is tried out goes on until something moves, and is taken back then.
//!
//! **Invariant:** its transaction stays open, so whatever ends the agent takes it back: no recovery of its own.
//! **Invariant:** only a remote that knows at least as much as the one that named it ends it.
//! **Invariant:** its end is no deployment that went back: the host runs what it had committed, and goes on.

use std::time::Duration;

use bowline_api::cycle::Cycle;
use bowline_api::outcome::Outcome;
use bowline_api::record::{Kind, Record};
use bowline_model::bundle::Bundle;
use bowline_model::mark::{Blame, Why};
use bowline_model::object_id::ObjectId;
use bowline_model::revision::Revision;
use bowline_model::step::Step;
use bowline_model::survey::{Depth, Sight, Survey};
use bowline_trust::commit::Commit;

use super::{OutOfTurn, backward, turn};
use crate::ending::Ending;
use crate::memory::{Carried, LOOK_EVERY, Memory};
use crate::phase::{Ear, Effect, Event, Failure, Means, Phase, Quest, State, Turn};
use crate::plan::{self, Given};
use crate::report::{cycle_of, plain_cycle, record_of};
use crate::testing::{OVER, Offer, Retired, Tested};
use crate::transaction::Transaction;

/// How long a remote that knows less may say that a test is over before it is believed: no mirror is that far
/// behind, and a first remote that is gone for good leaves no host with a test for ever.
const DOUBT_MAX: Duration = Duration::from_hours(1);

/// What a remote says of a test.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// It goes on.
    Same,
    /// It may be over, and this remote may only know less.
    Perhaps(String),
    /// The branch went on.
    Merged,
    /// The branch of this host's own is elsewhere, or gone.
    Moved,
}

/// Waits, and asks again and again whether something moved.
pub(super) fn go_on(state: State, event: Event, unexpected: OutOfTurn) -> Result<Turn, OutOfTurn> {
    let State { phase, memory } = state;
    Ok(match (phase, event) {
        (Phase::Testing(tx, tested), Event::Recorded) => rest(memory, tx, tested),
        (Phase::Testing(tx, mut tested), Event::Failed(failure)) => {
            let warning = format!("it could not be recorded: {}", failure.detail);
            tested.ending.cycle.warnings.push(warning);
            rest(memory, tx, tested)
        }
        (
            Phase::Testing(tx, tested),
            Event::Woke { settings, now, wall, wish, next_deployment, .. },
        ) => {
            let quest = Quest { wish, now, wall, ..Quest::default() };
            let is_told_so = tested.settings.as_ref().is_some_and(|it| it.says_as(&settings));
            let memory = memory.told(&settings);
            let interval = settings.interval;
            let memory = Memory { interval, settings: Some(settings), next_deployment, ..memory };
            wake(memory, quest, (tx, tested), is_told_so)
        }
        (Phase::Asking(quest, tx, mut tested), Event::Fetched(bundle, offer)) => {
            let said = hear(&tested, &bundle, &offer);
            match weigh(&mut tested, said, quest.now) {
                None => mind(memory, quest, tx, tested),
                Some(detail) => {
                    let [_, tip] = tested.testing.tips;
                    let place = offer.place.unwrap_or_default();
                    let retired = Some(Retired { tip, place });
                    over(Memory { retired, ..memory }, quest, tx, &detail)
                }
            }
        }
        (Phase::Asking(quest, tx, mut tested), Event::Failed(Failure { code, detail, .. })) => {
            tested.doubt = Some(format!("{code}: {detail}"));
            mind(memory, quest, tx, tested)
        }
        (Phase::Minding(_, tx, mut tested, survey), Event::Seen(sight)) => {
            tested.drift = drift_of(&tested, &survey, &sight);
            rest(memory, tx, tested)
        }
        (Phase::Minding(_, tx, mut tested, _), Event::Failed(failure)) => {
            tested.drift = Some(format!("it cannot be looked at: {}", failure.detail));
            rest(memory, tx, tested)
        }
        _ => return Err(unexpected),
    })
}

/// Somebody or something asks for a cycle; what people order waits for the end of the test, and is told so.
fn wake(
    memory: Memory,
    quest: Quest,
    (tx, tested): (Box<Transaction>, Box<Tested>),
    is_told_so: bool,
) -> Turn {
    let [from, tip] = tested.testing.tips;
    if quest.wish.order.is_some() || quest.wish.dry {
        let detail = format!("{} is tried out on this host", tip.short());
        let standing = memory.standing();
        let why = ("Testing", "testing-runs", detail.as_str());
        let cycle = plain_cycle(Outcome::Refused, standing.clone(), standing, why);
        return told(memory, tx, tested, Ending { cycle, again: false });
    }
    if !is_told_so {
        return over(memory, quest, tx, "settings or trust file were changed");
    }
    if quest.wish.hint {
        return look(memory, quest, (tx, tested), Depth::Stat);
    }
    let effect = Effect::Fetch { from, waiting: Vec::new(), fresh: None, means: Means::Remote };
    turn(memory, Phase::Asking(quest, tx, tested), effect)
}

/// What a remote says of both branches.
fn hear(tested: &Tested, bundle: &Bundle, offer: &Offer) -> Said {
    let [main, own] = tested.testing.tips;
    if bundle.tip != main && !follows(bundle, main) {
        // As without a test: what was verified is not left for a remote that lacks it.
        let detail = format!("the branch does not hold {}, which was verified", main.short());
        return Said::Perhaps(detail);
    }
    if bundle.tip != main {
        return Said::Merged;
    }
    let Some(offered) = &offer.bundle else { return elsewhere(tested, offer, "does not have it") };
    if offered.tip == own {
        return Said::Same;
    }
    // Whoever built on it knows it.
    if offered.commits.iter().any(|it| it.id == own) {
        return Said::Moved;
    }
    elsewhere(tested, offer, "has another in its place")
}

fn elsewhere(tested: &Tested, offer: &Offer, how: &str) -> Said {
    if offer.place.is_none_or(|it| it <= tested.testing.place) {
        return Said::Moved;
    }
    Said::Perhaps(format!("a remote that is asked after the one that offered the test {how}"))
}

/// Whether the branch goes on from a commit.
fn follows(bundle: &Bundle, from: ObjectId) -> bool {
    let first = bundle.commits.first();
    let parsed = first.and_then(|it| Commit::parse(&it.raw, bundle.format).ok());
    parsed.is_some_and(|it| it.parents.first() == Some(&from))
}

/// Why a test is over, if it is.
fn weigh(tested: &mut Tested, said: Said, now: Duration) -> Option<String> {
    match said {
        Said::Same => {
            (tested.doubt, tested.doubted) = (None, None);
            None
        }
        Said::Merged => Some("the branch went on".to_owned()),
        Said::Moved => Some("the branch of this host's own moved, or went".to_owned()),
        Said::Perhaps(detail) => {
            let since = *tested.doubted.get_or_insert(now);
            let is_settled = now >= since.saturating_add(DOUBT_MAX);
            tested.doubt = Some(format!("the test goes on: {detail}"));
            is_settled.then_some(detail)
        }
    }
}

/// Looks at what is tried out as often as at what stands, and when a person asks.
fn mind(memory: Memory, quest: Quest, tx: Box<Transaction>, tested: Box<Tested>) -> Turn {
    let is_due = memory.last_look.is_none_or(|it| quest.now >= it.saturating_add(LOOK_EVERY));
    if quest.wish.thorough || is_due {
        let depth = if quest.wish.thorough { Depth::Full } else { Depth::Stat };
        return look(memory, quest, (tx, tested), depth);
    }
    rest(memory, tx, tested)
}

fn look(
    memory: Memory,
    quest: Quest,
    (tx, tested): (Box<Transaction>, Box<Tested>),
    depth: Depth,
) -> Turn {
    let Some((compiled, generation)) = &tested.testing.wish else {
        return rest(memory, tx, tested);
    };
    let survey = Box::new(plan::survey(compiled, Some(generation), depth));
    let memory = Memory { last_look: Some(quest.now), ..memory };
    let effect = Effect::Observe(survey.clone());
    turn(memory, Phase::Minding(quest, tx, tested, survey), effect)
}

/// What is not as it is tried out, as a plan would put it right. Nothing is: its way back is by the marks of its
/// own steps, and whoever changes what is tried out may well be at it.
fn drift_of(tested: &Tested, survey: &Survey, sight: &Sight) -> Option<String> {
    let (compiled, generation) = tested.testing.wish.as_ref()?;
    let ledger = &bowline_model::generation::Ledger::default();
    let generation = Some(&**generation);
    let given = Given { compiled, generation, ledger, survey, sight, ordered: false };
    match plan::plan(&given) {
        Ok(plan) => {
            let of_step = |it: &Step| {
                it.target().map_or_else(|| it.resource.to_string(), ToString::to_string)
            };
            // What its manifest leaves alone, or no archive is here for, is not as it is tried out either.
            let mut differ: Vec<_> = plan.steps().iter().map(of_step).collect();
            differ.extend(plan.drifted().iter().cloned());
            let what = differ.first()?;
            Some(match differ.len() {
                1 => format!("{what} is not as it is tried out"),
                some => format!("{what} and {} more are not as they are tried out", some - 1),
            })
        }
        Err(none) => Some(none.to_string()),
    }
}

fn rest(memory: Memory, tx: Box<Transaction>, tested: Box<Tested>) -> Turn {
    let mut ending = tested.ending.clone();
    ending.cycle.warnings.extend(tested.doubt.clone());
    if let Some(drift) = &tested.drift {
        "DriftDetected".clone_into(&mut ending.cycle.reason);
        "testing-drifted".clone_into(&mut ending.cycle.code);
        ending.cycle.detail.clone_from(drift);
        ending.cycle.warnings.push(drift.clone());
    }
    told(memory, tx, tested, ending)
}

fn told(memory: Memory, tx: Box<Transaction>, tested: Box<Tested>, ending: Ending) -> Turn {
    let wait = memory.interval;
    let effect = Effect::Rest { ending: Some(Box::new(ending)), wait, ear: Ear::Open };
    turn(memory, Phase::Testing(tx, tested), effect)
}

/// Takes it back: nobody is to blame, and nothing is barred.
fn over(memory: Memory, quest: Quest, tx: Box<Transaction>, detail: &str) -> Turn {
    let why = Why {
        reason: "TestingOver".to_owned(),
        code: OVER.to_owned(),
        detail: detail.to_owned(),
        blame: Blame::Nobody,
    };
    backward::decide_revert(memory, quest, tx, why)
}

/// Whether what was tried out went well and was taken back for that alone.
pub(super) fn is_over(tx: &Transaction, outcome: Outcome) -> bool {
    let is_over = tx.decision.as_ref().is_some_and(|(_, why)| why.code == OVER);
    is_over && outcome == Outcome::Reverted
}

/// The record and the ending of a test: the host runs what it had committed.
pub(super) fn end(memory: &Memory, tx: &Transaction) -> (Box<Record>, Box<Ending>) {
    let mut cycle = cycle_of(tx, Outcome::Unchanged, &memory.warnings);
    let mut record = record_of(memory, tx, Outcome::Unchanged);
    record.kind = Kind::State;
    let tried = tx.opening.revision.to_string();
    record.detail = format!("{tried} is taken back: {}", record.detail);
    record.revision = tx.opening.base.as_ref().map(Revision::to_string);
    record.base = Some(tried);
    // They are another revision's.
    record.subject = None;
    record.probes.clear();
    for it in &tx.conflicts {
        let kept = it.kept.as_ref().map(|at| format!(" (kept at {at})")).unwrap_or_default();
        cycle.warnings.push(format!("at the end of the test: {}: {}{kept}", it.path, it.detail));
    }
    (Box::new(record), Box::new(Ending { cycle, again: false }))
}

/// The end of a test is no answer to anybody: the next cycle begins at once, as after a start, and goes on with
/// what waits.
pub(super) fn leave(mut memory: Memory, ending: Ending) -> Turn {
    let Cycle { warnings, failing, .. } = ending.cycle;
    memory.carried = Carried { warnings, failing };
    memory.failures = 0;
    let effect = Effect::Rest { ending: None, wait: Duration::ZERO, ear: Ear::Open };
    turn(memory, Phase::Resting, effect)
}
