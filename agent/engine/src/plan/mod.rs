//! Works out the way from the host as it was seen to the host as it should be.
//!
//! **Invariant:** deterministic: equal input, equal plan; and the plan leaves nothing to choose.
//! **Invariant:** a [`Plan`] is made only here, out of a [`Cleared`](crate::gate::Cleared) revision.

mod survey;
mod difference;
mod prune;
mod handlers;
mod delta;

use std::collections::BTreeMap;
use std::sync::Arc;

use bowline_api::cycle::{PlanView, StepLine};
use bowline_model::digest::Sha256;
use bowline_model::generation::{Generation, Held, KnownProbe, Ledger};
use bowline_model::host_path::HostPath;
use bowline_model::manifest::{ProbeSpec, Spec};
use bowline_model::mark::{Cause, Change};
use bowline_model::revision::Revision;
use bowline_model::step::{Check, Class, Deed, Handler, Step};
use bowline_model::survey::{Seen, Sight, Survey};
use bowline_model::tree::Content;
use thiserror::Error;

pub use delta::change_since;
pub use survey::survey;

use crate::compile::Compiled;
use crate::quarantine;
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
    commands: Vec<Change>,
    cause: Cause,
    drifted: Vec<String>,
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
    let held: BTreeMap<&HostPath, &Held> =
        given.generation.iter().flat_map(|it| &it.inventory).map(|it| (&it.path, it)).collect();
    check_identity(given)?;
    let mut found = difference::differences(given, &held)?;
    prune::prune(given, &held, &mut found)?;
    let changed = found.changed();
    let handlers = handlers::handlers(given, &changed);
    let checks = handlers::checks(given, &changed);
    let irreversible = irreversible(given, &found.steps)?;
    let is_new = given.is_new();
    // A look that finds nothing to do is not asked what it would have changed.
    let asked = is_new || !found.steps.is_empty();
    let (delta, commands) = delta::delta(given, asked);
    let intended = is_new || !delta.is_empty();
    let cause = if intended { Cause::Intentional } else { Cause::Corrective };
    check_holds(given, cause, found.steps.len(), &delta)?;
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
        commands,
        cause,
        drifted: found.drifted,
        warnings: [given.compiled.warnings.clone(), found.warnings].concat(),
        steps: found.steps,
        contents: found.contents,
        validations: found.validations,
    })
}

/// What holds a plan: its size, and changes that failed before.
/// A host that was somebody and is nobody now would lose everything that is meant for it.
fn check_identity(given: &Given<'_>) -> Result<(), NoPlan> {
    let Some(before) = given.generation.and_then(|it| it.host.as_ref()) else { return Ok(()) };
    if given.compiled.host.is_some() {
        return Ok(());
    }
    let detail = format!(
        "this host was {before}, and no Host names its key any more: nothing is taken away for that"
    );
    Err(NoPlan::Held { reason: "HostUnknown", code: "host-unknown", detail })
}

fn check_holds(
    given: &Given<'_>,
    cause: Cause,
    steps: usize,
    delta: &[Change],
) -> Result<(), NoPlan> {
    let held = |reason, code, detail| Err(NoPlan::Held { reason, code, detail });
    if steps > STEPS_MAX {
        let detail = format!("{steps} steps; at most {STEPS_MAX} are done at once");
        return held("Progressing", "plan-too-large", detail);
    }
    match quarantine::blocks(given.ledger, delta) {
        Some(entry) if cause == Cause::Intentional => {
            let detail = format!(
                "the change of {} failed in deployment {} ({}) and is not tried again by itself",
                names(&entry.delta),
                entry.deployment,
                entry.reason
            );
            held("Quarantined", "quarantined", detail)
        }
        _ => Ok(()),
    }
}

/// A few names tell a person which change is meant.
fn names(delta: &[Change]) -> String {
    let few: Vec<&str> = delta.iter().take(3).map(|it| it.resource.as_str()).collect();
    let more = delta.len().saturating_sub(few.len());
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", few.join(", "))
}

fn irreversible(given: &Given<'_>, steps: &[Step]) -> Result<Vec<String>, NoPlan> {
    let mut names: Vec<String> = Vec::new();
    for step in steps.iter().filter(|step| step.class == Class::None) {
        let resource = given.compiled.resources.iter().find(|it| it.id == step.resource);
        if let Some(manifest) =
            resource.map(|it| &it.manifest).filter(|it| it.policy.require_reversible)
        {
            let detail =
                format!("{} cannot be taken back, and it says requireReversible", step.resource);
            return Err(NoPlan::Refused {
                at: manifest.origin.to_string(),
                code: "irreversible",
                detail,
            });
        }
        if names.last().map(String::as_str) != Some(&*step.resource) {
            names.push(step.resource.to_string());
        }
    }
    Ok(names)
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

    /// What a person should know.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// SHA-256 over revision, steps and handlers.
    pub fn digest(&self) -> Sha256 {
        self.digest
    }

    /// The generation that stands once this plan is committed.
    pub fn generation(&self, number: u64, deployment: &str, wall: i64) -> Generation {
        Generation {
            number,
            revision: self.revision().clone(),
            deployment: deployment.to_owned(),
            at: wall,
            inventory: self.inventory.clone(),
            commands: self.commands.clone(),
            probes: self.probes.iter().map(known).collect(),
            host: self.compiled.host.clone(),
        }
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
            steps: self.steps.iter().map(line).collect(),
            irreversible: self.irreversible.clone(),
            digest: self.digest.to_string(),
            warnings: self.warnings.clone(),
        }
    }
}

/// A step as shown.
pub fn line(step: &Step) -> StepLine {
    StepLine {
        resource: step.resource.to_string(),
        action: step.action().to_owned(),
        class: step.class.word().to_owned(),
        path: step.target().map(ToString::to_string),
    }
}
