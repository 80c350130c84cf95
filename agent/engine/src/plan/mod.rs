//! Works out the way from the host as it was seen to the host as it should be.
//!
//! **Invariant:** deterministic: equal input, equal plan; and the plan leaves nothing to choose.
//! **Invariant:** a [`Plan`] is made only here, out of a [`Cleared`](crate::gate::Cleared) revision.

mod survey;
mod difference;
mod prune;
mod releases;
mod handlers;
mod delta;
mod holds;
mod units;

use std::collections::BTreeSet;
use std::sync::Arc;

use bowline_api::cycle::{PlanView, StepLine};
use bowline_model::change::Change;
use bowline_model::digest::Sha256;
use bowline_model::generation::{Generation, Held, HeldUnit, KnownProbe, Ledger};
use bowline_model::host_path::HostPath;
use bowline_model::manifest::{ProbeSpec, Spec};
use bowline_model::mark::Cause;
use bowline_model::release::HeldRelease;
use bowline_model::revision::Revision;
use bowline_model::step::{Check, Deed, Handler, Step};
use bowline_model::survey::{Seen, Sight, Survey};
use bowline_model::tree::Content;
use thiserror::Error;

pub use delta::change_between;
pub use survey::survey;

use crate::compile::Compiled;
use crate::verify::Verified;

/// Steps of one plan: what the journal and a person can hold.
const STEPS_MAX: usize = 200_000;

/// The steps, in order, and nothing left to decide. Made only here.
#[derive(Debug, Clone)]
pub struct Plan {
    compiled: Arc<Compiled>,
    steps: Vec<Step>,
    contents: Vec<Content>,
    validations: Vec<Validation>,
    checks: Vec<Check>,
    handlers: Vec<Handler>,
    probes: Vec<(String, ProbeSpec)>,
    irreversible: Vec<String>,
    delta: Vec<Change>,
    inventory: Vec<Held>,
    units: Vec<HeldUnit>,
    releases: Vec<HeldRelease>,
    checked_at: usize,
    commands: Vec<Change>,
    cause: Cause,
    drifted: Vec<String>,
    short: BTreeSet<u32>,
    warnings: Vec<String>,
    digest: Sha256,
}

/// A staged file and the program that judges it before anything is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validation {
    /// The step whose slot it is.
    pub step: u32,
    /// The resource that asks for it.
    pub resource: Arc<str>,
    /// The program; `%s` stands for the staged file.
    pub argv: Vec<String>,
}

/// A plan cannot be made, or must not be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoPlan {
    /// Never as it is written.
    #[error("{at}: {detail}")]
    Refused {
        /// The manifest.
        at: String,
        /// The stable code.
        code: &'static str,
        /// What is wrong, and what to do.
        detail: String,
    },
    /// Not without an archive that is not here.
    #[error("{detail}")]
    Short {
        /// The number of the artifact's resource.
        resource: u32,
        /// What cannot be staged.
        detail: String,
    },
    /// Not now.
    #[error("{detail}")]
    Held {
        /// The condition's reason.
        reason: &'static str,
        /// The stable code.
        code: &'static str,
        /// What holds it.
        detail: String,
    },
}

/// What planning looks at.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// The revision, compiled.
    pub compiled: &'a Arc<Compiled>,
    /// What this host last committed.
    pub generation: Option<&'a Generation>,
    /// What failed.
    pub ledger: &'a Ledger,
    /// What was asked for.
    pub survey: &'a Survey,
    /// What was seen.
    pub sight: &'a Sight,
    /// Whether a person asked for exactly this: then much may go at once.
    pub ordered: bool,
}

impl<'a> Given<'a> {
    /// How a path was seen; `None` when nobody asked.
    fn seen(&self, path: &HostPath) -> Option<&'a Seen> {
        let at = self.survey.paths.binary_search(path).ok()?;
        self.sight.forms.get(at)
    }

    fn is_new(&self) -> bool {
        let revision = self.compiled.cleared.verified().revision();
        self.generation.is_none_or(|it| it.revision != *revision)
    }
}

/// Plans the way.
pub fn plan(given: &Given<'_>) -> Result<Plan, NoPlan> {
    let held = releases::held(given.generation);
    let mut releases = releases::sort(given.compiled, given.generation);
    holds::check_identity(given)?;
    let mut found = difference::differences(given, &held)?;
    prune::prune(given, (&held, &releases.kept), &mut found)?;
    releases.keep_rests(&found.left);
    let changed = found.changed();
    let mut actions = handlers::actions(given, &changed);
    let checks = handlers::checks(given, &changed);
    found.validations.retain(|it| !handlers::arrives(given, &changed, &it.argv));
    let around = units::units(given, &mut found, &mut actions)?;
    let checked_at = found.enclose(around.early, around.late);
    let handlers = handlers::handlers(actions);
    let irreversible = holds::irreversible(given, &found.steps)?;
    let is_new = given.is_new();
    // A look that finds nothing to do is not asked what it would have changed.
    let asked = is_new || !found.steps.is_empty();
    let (delta, commands) = delta::delta(given, asked);
    let intended = is_new || !delta.is_empty();
    let cause = if intended { Cause::Intentional } else { Cause::Corrective };
    holds::check_holds(given, cause, found.steps.len(), &delta)?;
    // What stands goes on being repaired, however large an earlier version let it become.
    if intended {
        holds::check_room(&found.inventory, &releases.kept)?;
    }
    let digest = digest(given, &found.steps, &handlers);
    Ok(Plan {
        compiled: Arc::clone(given.compiled),
        digest,
        probes: probes(given),
        checks,
        handlers,
        irreversible,
        delta,
        inventory: found.inventory,
        units: around.held,
        releases: releases.kept,
        checked_at,
        commands,
        cause,
        drifted: found.drifted,
        short: found.short,
        warnings: [given.compiled.warnings.clone(), found.warnings].concat(),
        steps: found.steps,
        contents: found.contents,
        validations: found.validations,
    })
}

fn known((name, spec): &(String, ProbeSpec)) -> KnownProbe {
    KnownProbe { name: name.clone(), spec: spec.clone() }
}

fn probes(given: &Given<'_>) -> Vec<(String, ProbeSpec)> {
    given
        .compiled
        .probes()
        .filter_map(|it| match &it.manifest.spec {
            Spec::Probe(spec) => {
                Some((it.manifest.metadata.name.as_str().to_owned(), (*spec).clone()))
            }
            _ => None,
        })
        .collect()
}

fn digest(given: &Given<'_>, steps: &[Step], handlers: &[Handler]) -> Sha256 {
    if steps.is_empty() && handlers.is_empty() {
        return Sha256::default();
    }
    let revision = given.compiled.cleared.verified().revision();
    // Steps and handlers are plain data with text keys, which always have a JSON form.
    let steps = Sha256::of_list(steps).unwrap_or_default();
    Sha256::of_value(&(revision, steps, handlers)).unwrap_or_default()
}

impl Plan {
    /// What the plan leads to.
    pub fn revision(&self) -> &Revision {
        self.verified().revision()
    }

    pub(crate) fn compiled(&self) -> &Arc<Compiled> {
        &self.compiled
    }

    pub(crate) fn verified(&self) -> &Verified {
        self.compiled.cleared.verified()
    }

    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Where each step's new content comes from, in the order of the steps.
    pub fn contents(&self) -> &[Content] {
        &self.contents
    }

    /// Programs that judge staged files before any change.
    pub fn validations(&self) -> &[Validation] {
        &self.validations
    }

    /// Programs that judge what was applied, before handlers.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// How many steps stand when those programs judge: all files, and no unit has been told yet.
    pub(crate) fn checked_at(&self) -> usize {
        self.checked_at
    }

    /// Units to be told, once, after all steps.
    pub fn handlers(&self) -> &[Handler] {
        &self.handlers
    }

    /// Probes that judge the result.
    pub fn probes(&self) -> &[(String, ProbeSpec)] {
        &self.probes
    }

    /// Resources whose change cannot be taken back.
    pub fn irreversible(&self) -> &[String] {
        &self.irreversible
    }

    /// What is quarantined if it fails.
    pub fn delta(&self) -> &[Change] {
        &self.delta
    }

    /// Why there is something to do.
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// Paths that drifted and are only reported.
    pub fn drifted(&self) -> &[String] {
        &self.drifted
    }

    /// Artifacts whose members drifted and wait for their archive, by the numbers of their resources.
    pub(crate) fn short(&self) -> &BTreeSet<u32> {
        &self.short
    }

    /// What a person should know.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// SHA-256 over revision, steps and handlers.
    pub fn digest(&self) -> Sha256 {
        self.digest
    }

    /// The generation that stands once this plan is committed.
    pub fn generation(
        &self,
        standing: Option<&Generation>,
        deployment: &str,
        wall: i64,
    ) -> Generation {
        Generation {
            number: standing.map_or(0, |it| it.number) + 1,
            before: standing.and_then(|it| self.way_back(it)),
            revision: self.revision().clone(),
            deployment: deployment.to_owned(),
            at: wall,
            inventory: self.inventory.clone(),
            units: self.units.clone(),
            releases: self.releases.clone(),
            commands: self.commands.clone(),
            templates: delta::templates(&self.compiled),
            probes: self.probes.iter().map(known).collect(),
            host: self.compiled.host.clone(),
        }
    }

    /// Where an ordered revert goes to once this plan is committed. What asks for the same as what stands,
    /// as a repair does, is no place to go back to.
    fn way_back(&self, standing: &Generation) -> Option<u64> {
        let asks_for_more = *self.revision() != standing.revision && !self.delta().is_empty();
        if asks_for_more { Some(standing.number) } else { standing.before }
    }

    /// Takes over which filesystem's stage holds each step's slot. It is no part of the digest: it
    /// follows from the host's mounts.
    pub(crate) fn settle_stages(&mut self, of_step: &[u16]) {
        for (step, number) in self.steps.iter_mut().zip(of_step) {
            if let Deed::Place { stage, .. } = &mut step.deed {
                *stage = *number;
            }
        }
    }

    /// The plan as shown.
    pub fn view(&self) -> PlanView {
        PlanView {
            revision: self.revision().to_string(),
            steps: lines(&self.steps),
            irreversible: self.irreversible.clone(),
            digest: self.digest.to_string(),
            warnings: self.warnings.clone(),
        }
    }
}

/// Steps as shown: what they do, not what they would take back.
pub fn lines(steps: &[Step]) -> Vec<StepLine> {
    steps.iter().filter(|it| !it.is_silent()).map(line).collect()
}

fn line(step: &Step) -> StepLine {
    StepLine {
        resource: step.resource.to_string(),
        action: step.action().to_owned(),
        class: step.class.word().to_owned(),
        path: step.target().map(ToString::to_string),
    }
}
