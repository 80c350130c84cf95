//! Probes outside a trial: the baseline before a change, and a look after one was taken back.
//!
//! **Invariant:** a baseline asks only what a committed revision was asked already: what a change
//! brings for the first time, or a repair mends, cannot be well before it.
//! **Invariant:** nothing is decided by the look after: the host is proved to be as it was, and a
//! dependency's outage strands nobody.

use std::time::Duration;

use bowline_model::generation::{Generation, KnownProbe};
use bowline_model::manifest::ProbeSpec;
use bowline_model::mark::Cause;
use bowline_model::probe_call::Answer;

use crate::phase::Call;
use crate::plan::Plan;

/// Looks at most: what was restarted may need a moment.
const LOOKS_MAX: u32 = 5;

/// Longest pause between two looks.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Longest look: all of them together end within half a minute.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// A probe as it is run, for at most so long.
pub(super) fn call(name: &str, spec: &ProbeSpec, most: Duration) -> Call {
    let timeout = spec.timeout.as_duration().min(most);
    Call { name: name.to_owned(), means: spec.means.clone(), timeout }
}

/// The probes that must be content before a change.
pub(super) fn baseline(plan: &Plan, generation: Option<&Generation>) -> Vec<Call> {
    let known =
        |name: &str| generation.is_some_and(|it| it.probes.iter().any(|it| it.name == name));
    let intended = plan.cause() == Cause::Intentional;
    let asked =
        plan.probes().iter().filter(|(name, spec)| intended && spec.baseline && known(name));
    asked.map(|(name, spec)| call(name, spec, LOOK_MAX)).collect()
}

/// The probes of a committed generation.
pub(super) fn standing(generation: &Generation) -> Vec<Call> {
    generation.probes.iter().map(look).collect()
}

fn look(probe: &KnownProbe) -> Call {
    call(&probe.name, &probe.spec, LOOK_MAX)
}

/// Those that failed, to be asked once more after a pause; `None` when there is nothing to ask.
pub(super) fn again(
    generation: Option<&Generation>,
    answers: &[Answer],
    looks: u32,
) -> Option<(Duration, Vec<Call>)> {
    let bad = |name: &str| answers.iter().any(|it| !it.passed && it.name == name);
    let probes = generation.iter().flat_map(|it| &it.probes).filter(|it| bad(&it.name));
    let pause = probes.clone().map(|it| it.spec.interval.as_duration()).min()?;
    let calls = probes.map(look).collect();
    (looks + 1 < LOOKS_MAX).then_some((pause.min(PAUSE_MAX), calls))
}
