//! `bowline plan`: what the agent would do on this host.
//!
//! **Invariant:** nothing is written, fetched into the state, or run: of commands' guards only `creates`
//! is looked at; a command whose guard is a program is shown as `run?`. The service manager is only asked, and
//! an archive that is not in the state is fetched into a folder that goes with it.
//! **Invariant:** what is planned is verified first, exactly as the agent would.

mod here;
mod source;

use std::collections::BTreeSet;
use std::path::absolute;
use std::sync::Arc;

use anyhow::anyhow;
use bowline_api::cycle::PlanView;
use bowline_api::hint;
use bowline_engine::compile::{CompileFailure, Compiled, Material, Step, compile};
use bowline_engine::plan::{Given, NoPlan, plan as make, survey};
use bowline_engine::verify::Verified;
use bowline_host::settings;
use bowline_model::survey::Depth;

use crate::arguments::Plan;
use crate::failure::Failure;
use crate::screen::Screen;
use here::Here;
use source::Source;

/// Rounds of reading: `bowline.yaml`, manifests, templates, and one to spare.
const ROUNDS_MAX: usize = 4;

/// Shows what would be done.
pub fn plan(given: &Plan, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let root = absolute(&given.root).map_err(Failure::usage)?;
    let settings = settings::load(&given.config, &root).map_err(|failure| {
        Failure::usage(failure).hint("packaging/default.toml documents every key")
    })?;
    let here = Here::look(settings)?;
    let mut source = Source::open(&here, given.rev.as_deref())?;
    let verified = source.verify(&here, screen)?;
    let compiled = read_and_compile(&here, &mut source, &verified)?;
    let (view, unknown) = work_out(&here, &compiled)?;
    for warning in &view.warnings {
        screen.note(format_args!("warning: {warning}"))?;
    }
    if !unknown.is_empty() {
        screen.note(format_args!(
            "note: run? is decided by a program that plan does not start: {}",
            unknown.into_iter().collect::<Vec<_>>().join(", ")
        ))?;
    }
    if given.json {
        screen.json(&view)?;
    } else {
        show(&view, screen)?;
    }
    Ok(0)
}

fn read_and_compile(
    here: &Here,
    source: &mut Source,
    verified: &Verified,
) -> Result<Arc<Compiled>, Failure> {
    let commit = verified.revision().commit;
    let tree = source.tree(&commit)?;
    let mut material = Material::default();
    let mut rounds = 0;
    while rounds < ROUNDS_MAX {
        match compile(&here.known, verified, &tree, &material, &here.facts) {
            Ok(Step::Done(compiled)) => return Ok(Arc::from(compiled)),
            Ok(Step::Read(paths)) => {
                rounds += 1;
                material.contents.extend(source.contents(&commit, &paths)?);
            }
            // Each is another one, and their number is limited.
            Ok(Step::Obtain(wanted)) => {
                let supply = here.obtain(&wanted)?;
                material.obtained.insert(wanted.archive, supply);
            }
            Err(failure) => return Err(uncompiled(failure, verified)),
        }
    }
    Err(Failure::failed(anyhow!("the manifests ask for ever more files")))
}

/// Faults are named all at once, a line each.
fn uncompiled(failure: CompileFailure, verified: &Verified) -> Failure {
    let code = failure.code();
    let what = format!("{code}: {} cannot be compiled", verified.revision());
    Failure::failed(failure).of(what).hint(hint::of(code).unwrap_or_default())
}

/// The plan as shown, and the commands whose guards were not asked.
fn work_out(
    here: &Here,
    compiled: &Arc<Compiled>,
) -> Result<(PlanView, BTreeSet<String>), Failure> {
    let survey = survey(compiled, here.generation.as_ref(), Depth::Full);
    let (sight, unknown) = here.observe(&survey)?;
    let planned = make(&Given {
        compiled,
        generation: here.generation.as_ref(),
        ledger: &here.ledger,
        survey: &survey,
        sight: &sight,
        ordered: false,
    });
    let plan = planned.map_err(|none| {
        let (code, would) = match &none {
            NoPlan::Refused { code, .. } => (*code, "refuse"),
            NoPlan::Held { code, .. } => (*code, "hold"),
            NoPlan::Short { .. } => ("artifact-away", "hold"),
        };
        let what = format!("{code}: the agent would {would} {}", revision_of(compiled));
        Failure::failed(none).of(what).hint(hint::of(code).unwrap_or_default())
    })?;
    let mut view = plan.view();
    let mut shown = BTreeSet::new();
    for step in view.steps.iter_mut().filter(|it| unknown.contains(&it.resource)) {
        step.action.push('?');
        shown.insert(step.resource.clone());
    }
    Ok((view, shown))
}

fn revision_of(compiled: &Compiled) -> String {
    compiled.cleared.verified().revision().to_string()
}

/// A plan as lines for people.
pub(crate) fn show(view: &PlanView, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let widths = view.steps.iter().fold((0, 0, 0), |(action, class, resource), step| {
        (
            action.max(step.action.len()),
            class.max(step.class.len()),
            resource.max(step.resource.len()),
        )
    });
    let (action, class, resource) = widths;
    for step in &view.steps {
        let line = format!(
            "{:<action$}  {:<class$}  {:<resource$}  {}",
            step.action,
            step.class,
            step.resource,
            step.path.as_deref().unwrap_or_default()
        );
        screen.line(line.trim_end())?;
    }
    let steps = match view.steps.len() {
        0 => "none: the host already is as this revision asks".to_owned(),
        steps => steps.to_string(),
    };
    screen.table(&[
        ("steps", steps),
        ("irreversible", view.irreversible.join(", ")),
        ("revision", view.revision.clone()),
        ("digest", if view.steps.is_empty() { String::new() } else { view.digest.clone() }),
    ])
}
