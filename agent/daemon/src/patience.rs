//! How long each effect may take before the loop counts as hung.
//!
//! **Invariant:** an effect that keeps to its own limits is never too slow for the watchdog.

use std::time::Duration;

use bowline_engine::phase::Effect;
use bowline_host::artifact::UNPACK_TIME;
use bowline_host::command::CHECK_TIMEOUT;
use bowline_host::service;
use bowline_host::settings::Settings;
use bowline_model::step::{Deed, Step};
use bowline_model::survey::Survey;

/// For each path that is looked at: many small ones. What large ones take is told while they are read.
const PER_LOOK: Duration = Duration::from_millis(100);

/// For each path that is staged or exchanged, and read again: the largest file on a slow disk.
const PER_STEP: Duration = Duration::from_secs(3);

/// What an effect may take, beside the moment that anything may.
pub(crate) fn allowance(effect: &Effect, settings: &Settings) -> Duration {
    match effect {
        Effect::Fetch { .. } => each(settings.fetch_timeout, settings.remotes.len()),
        Effect::Obtain(..) => settings.artifacts.timeout + UNPACK_TIME,
        Effect::Observe(survey) => of_survey(survey),
        Effect::Prove { paths, units } => of_proof(paths.len(), units.len()),
        Effect::Stage(staging) => {
            each(PER_STEP, staging.steps.len()) + each(CHECK_TIMEOUT, staging.validations.len())
        }
        Effect::Apply { steps, .. } | Effect::Undo { steps, .. } => {
            steps.iter().map(of_step).sum::<Duration>()
        }
        Effect::Check(checks) => each(CHECK_TIMEOUT, checks.len()),
        Effect::Notify(handlers) => each(service::TELL_TIME, handlers.len()),
        Effect::Probe { calls, .. } => calls.iter().map(|it| it.timeout).sum(),
        // Waits are told in slices, and the rest is the agent's own small files.
        _ => Duration::ZERO,
    }
}

/// What a look around may take.
pub(crate) fn of_survey(survey: &Survey) -> Duration {
    let guards = survey.guards.iter().map(|it| Duration::from_millis(it.timeout_ms));
    let looks = of_proof(survey.paths.len() + survey.listings.len(), survey.units.len());
    looks + guards.sum::<Duration>()
}

/// What a look at so many paths and units may take.
pub(crate) fn of_proof(paths: usize, units: usize) -> Duration {
    each(PER_LOOK, paths) + each(service::ASK_TIME, units)
}

fn each(time: Duration, number: usize) -> Duration {
    time.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX))
}

fn of_step(step: &Step) -> Duration {
    match &step.deed {
        Deed::Run(run) => Duration::from_millis(run.timeout_ms),
        // On the way back it may be told several things.
        Deed::Unit(it) => each(service::TELL_TIME, it.back.len().max(1)),
        _ => PER_STEP,
    }
}
