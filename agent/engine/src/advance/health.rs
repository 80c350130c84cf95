//! Probes outside a trial: the baseline before a change, and a look after one was taken back.
//!
//! **Invariant:** nothing is decided by the look after: the host is proved to be as it was, and a
//! dependency's outage strands nobody.

use std::time::Duration;

use bowline_api::outcome::Outcome;
use bowline_api::record::{ProbeWord, Record};
use bowline_model::manifest::ProbeSpec;
use bowline_model::probe_call::Answer;

use super::{finish, prepare, source, turn};
use crate::ending::Ending;
use crate::memory::Memory;
use crate::phase::{Call, Effect, Phase, Quest, Turn};
use crate::plan::Plan;

/// Looks after going back: what was restarted may need a moment.
const LOOKS_MAX: u32 = 5;

/// Longest pause between two looks.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A probe as it is run.
pub(super) fn call(name: &str, spec: &ProbeSpec) -> Call {
    let timeout = spec.timeout.as_duration();
    Call { name: name.to_owned(), means: spec.means.clone(), timeout }
}

/// Asks the probes that must be content before anything is changed.
pub(super) fn baseline(memory: Memory, quest: Quest, plan: Plan) -> Turn {
    let asked = plan.probes().iter().filter(|(_, spec)| spec.baseline);
    let calls: Vec<Call> = asked.map(|(name, spec)| call(name, spec)).collect();
    if calls.is_empty() {
        return prepare::stage(memory, quest, plan);
    }
    let effect = Effect::Probe { not_before: Duration::ZERO, calls };
    turn(memory, Phase::Baselining(quest, Box::new(plan)), effect)
}

/// A host that is not well already could not tell whether the change was good: it waits.
pub(super) fn baselined(memory: Memory, quest: Quest, plan: Plan, answers: &[Answer]) -> Turn {
    let Some(Answer { name, detail, .. }) = answers.iter().find(|it| !it.passed) else {
        return prepare::stage(memory, quest, plan);
    };
    let detail = format!("Probe/{name} asks for a baseline, and fails before the change: {detail}");
    let why = ("BaselineFailed", "baseline-failed", detail.as_str());
    let verified = plan.verified().clone();
    source::unplanned(memory, quest, &verified, Outcome::Failed, why)
}

/// A record whose host may have to be looked at first.
pub(super) fn after(
    memory: Memory,
    record: Box<Record>,
    ending: Box<Ending>,
    went_back: bool,
) -> Turn {
    let standing = memory.generation.as_ref().filter(|_| went_back);
    let all: Vec<_> = standing.iter().flat_map(|it| &it.probes).collect();
    let calls: Vec<Call> = all.iter().map(|it| call(&it.name, &it.spec)).collect();
    if calls.is_empty() {
        return finish::record(memory, record, ending);
    }
    let effect = Effect::Probe { not_before: Duration::ZERO, calls };
    turn(memory, Phase::Rechecking(record, ending, 0), effect)
}

/// Looks again at those that fail, and tells of those that go on failing.
pub(super) fn looked(
    memory: Memory,
    (mut record, mut ending, looks): (Box<Record>, Box<Ending>, u32),
    answers: &[Answer],
    now: Duration,
) -> Turn {
    let bad: Vec<&Answer> = answers.iter().filter(|it| !it.passed).collect();
    let standing = memory.generation.clone();
    let probes = standing.iter().flat_map(|it| &it.probes);
    let failing = || probes.clone().filter(|it| bad.iter().any(|bad| bad.name == it.name));
    let pause = failing().map(|it| it.spec.interval.as_duration()).min();
    if let Some(pause) = pause.filter(|_| looks + 1 < LOOKS_MAX) {
        let calls = failing().map(|it| call(&it.name, &it.spec)).collect();
        let effect = Effect::Probe { not_before: now + pause.min(PAUSE_MAX), calls };
        return turn(memory, Phase::Rechecking(record, ending, looks + 1), effect);
    }
    for Answer { name, detail, .. } in bad {
        let warning = format!("the host is back as it was, and Probe/{name} fails there: {detail}");
        ending.cycle.warnings.push(warning);
        let (name, detail) = (name.clone(), detail.clone());
        record.after_revert.push(ProbeWord { name, passed: false, detail });
    }
    finish::record(memory, record, ending)
}
