//! What the service manager is told: before the files for the way back, after them for the way there.
//!
//! **Invariant:** units are told after every file, in the order of their needs; on the way back each is
//! brought down while its new files stand, and up again once the old ones do.
//! **Invariant:** a unit is told to start, restart or reload once, whoever asks for it.

mod one;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bowline_model::generation::HeldUnit;
use bowline_model::manifest::{Drift, Prune, Rollback, Spec, UnitSpec};
use bowline_model::step::{Class, Deed, Step, Telling};
use bowline_model::unit::{Enablement, UnitState, UnitWish, Verb, is_made_by, unit_of};

use super::difference::{Found, Loose, command, refuse};
use super::handlers::{self, Actions};
use super::{Given, NoPlan};
use crate::compile::Resource;
use one::{One, Told};

/// Steps around those of files, and what is remembered of units.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// Before all files.
    pub(super) early: Vec<Loose>,
    /// After them.
    pub(super) late: Vec<Loose>,
    /// What is managed then.
    pub(super) held: Vec<HeldUnit>,
}

/// Units, and commands that come after one.
pub(super) fn late(given: &Given<'_>) -> BTreeSet<Arc<str>> {
    let mut late: BTreeSet<Arc<str>> = BTreeSet::new();
    for resource in &given.compiled.resources {
        let is_unit = matches!(resource.manifest.spec, Spec::Unit(_));
        let mut needs = resource.manifest.depends_on.iter();
        if is_unit || needs.any(|it| late.contains(it.to_string().as_str())) {
            late.insert(Arc::clone(&resource.id));
        }
    }
    late
}

/// Works out what units are told. Actions of units that are told anyway are taken out.
pub(super) fn units(
    given: &Given<'_>,
    found: &mut Found,
    actions: &mut Actions,
) -> Result<Around, NoPlan> {
    let mut at =
        Planning { given, files: Files::of(&found.steps), found, actions, told: Vec::new() };
    let mut around = Around::default();
    let mut wanted = BTreeSet::new();
    let mut early = Vec::new();
    let late = late(given);
    for resource in given.compiled.resources.iter().filter(|it| late.contains(&it.id)) {
        match &resource.manifest.spec {
            Spec::Unit(spec) => {
                wanted.insert(spec.name.as_str());
                let (told, held) = at.wanted(resource, spec)?;
                let class = match resource.manifest.policy.rollback {
                    Rollback::Auto => Class::Exact,
                    Rollback::None(_) => Class::None,
                };
                early.push(loose(&resource.id, class, told.early));
                around.late.extend(loose(&resource.id, class, told.late));
                around.held.push(held);
            }
            Spec::Command(spec) => around.late.extend(command(given, resource, spec)),
            _ => {}
        }
    }
    for held in known(given).filter(|it| !wanted.contains(it.unit.as_str())) {
        let told = at.released(held);
        early.push(loose(&held.resource, Class::Exact, told.early));
        around.late.extend(loose(&held.resource, Class::Exact, told.late));
    }
    // The first is the last on the way back: units come up again in the order of their needs.
    around.early = early.into_iter().rev().flatten().collect();
    at.reload(&mut around);
    let told = at.told;
    actions.retain(|unit, _| !told.contains(unit));
    Ok(around)
}

/// What earlier generations manage.
fn known<'a>(given: &Given<'a>) -> impl Iterator<Item = &'a HeldUnit> {
    given.generation.into_iter().flat_map(|it| &it.units)
}

fn loose(resource: &Arc<str>, class: Class, told: Vec<Telling>) -> Vec<Loose> {
    let step = |it| Loose { resource: Arc::clone(resource), class, deed: Deed::Unit(it) };
    told.into_iter().map(step).collect()
}

/// Which units' files the steps change, and whether a unit's own text is among them.
struct Files(BTreeMap<String, (Arc<str>, bool)>);

impl Files {
    fn of(steps: &[Step]) -> Self {
        let mut files: BTreeMap<String, (Arc<str>, bool)> = BTreeMap::new();
        for step in steps {
            let Some(path) = step.target() else { continue };
            let Some(unit) = unit_of(path.as_str()) else { continue };
            let first = || (Arc::clone(&step.resource), false);
            let (_, is_text) = files.entry(unit.to_owned()).or_insert_with(first);
            *is_text |= path.file_name() == unit;
        }
        Self(files)
    }

    /// Whether files of a unit change, and whether its own text does.
    fn changed(&self, unit: &str) -> (bool, bool) {
        let made = self.0.iter().filter(|(files, _)| is_made_by(unit, files));
        made.fold((false, false), |(_, text), (_, (_, it))| (true, text || *it))
    }
}

struct Planning<'a, 'g> {
    given: &'g Given<'g>,
    files: Files,
    found: &'a mut Found,
    actions: &'a mut Actions,
    /// Units that are told to run, to end, or to run anew.
    told: Vec<String>,
}

impl Planning<'_, '_> {
    /// How a unit stands; `None` where nobody may ask.
    fn seen(&self, unit: &str) -> Option<UnitState> {
        let at = self.given.survey.units.iter().position(|it| it == unit)?;
        self.given.sight.units.as_ref()?.get(at).copied()
    }

    fn wanted(&mut self, resource: &Resource, spec: &UnitSpec) -> Result<(Told, HeldUnit), NoPlan> {
        let unit = spec.name.as_str();
        let wish = spec.wish();
        let mine = known(self.given).find(|it| it.unit == unit);
        let seen = self.seen(unit);
        let held = HeldUnit {
            unit: unit.to_owned(),
            resource: Arc::clone(&resource.id),
            wanted: wish,
            on_change: spec.on_change.verb(),
            prune: resource.manifest.policy.prune == Prune::Auto,
            made: made(mine, wish, seen.unwrap_or_default()),
        };
        let Some(seen) = seen else { return Ok((Told::default(), held)) };
        let (has_new_files, is_new_text) = self.files.changed(unit);
        let own = spec.on_change.verb().filter(|_| has_new_files);
        let act = match (own, self.actions.get(unit)) {
            (Some(own), Some(asked)) => Some(handlers::stronger(own, *asked)),
            (own, _) => own,
        };
        let one = One { unit, seen, wish, is_new_text, act };
        self.check(resource, &one)?;
        let told = one.told();
        let drifted = mine.is_some_and(|it| it.wanted == wish) && !has_new_files;
        let drift = resource.manifest.policy.drift;
        if drifted && drift != Drift::Repair && !told.is_empty() {
            if drift == Drift::Detect {
                self.found.drifted.push(format!("{unit} ({seen})"));
            }
            return Ok((Told::default(), held));
        }
        if told.has_job() || wish.up == Some(false) {
            self.told.push(unit.to_owned());
        }
        if !told.is_empty() && !self.found.steps.iter().any(|it| it.resource == resource.id) {
            handlers::add(self.actions, &resource.manifest);
        }
        Ok((told, held))
    }

    fn check(&mut self, resource: &Resource, one: &One<'_>) -> Result<(), NoPlan> {
        if one.stays_masked() {
            let detail = format!("{} is masked, so it cannot be started", one.unit);
            return Err(refuse(&resource.manifest, "unit-masked", detail));
        }
        let asked = one.seen.enabled.is_none();
        if asked && (one.wish.enabled.is_some() || one.wish.masked.is_some()) {
            let detail = format!(
                "the service manager does not say whether {} is enabled (is-enabled)",
                one.unit
            );
            return Err(refuse(&resource.manifest, "unit-unknown", detail));
        }
        if one.cannot_be_enabled() {
            let id = &resource.id;
            let warning = format!("{id}: {} has no [Install]: it cannot be enabled", one.unit);
            self.found.warnings.push(warning);
        }
        Ok(())
    }

    /// A unit that nobody wants any more: what the agent did to it is undone.
    fn released(&mut self, held: &HeldUnit) -> Told {
        let unit = held.unit.as_str();
        let Some(seen) = self.seen(unit) else { return Told::default() };
        let left = |made: Option<bool>| made.filter(|_| held.prune).map(|it| !it);
        let wish = UnitWish {
            enabled: left(held.made.enabled),
            masked: left(held.made.masked),
            up: left(held.made.up),
        };
        let (has_new_files, is_new_text) = self.files.changed(unit);
        let act = held.on_change.filter(|_| has_new_files);
        let told = One { unit, seen, wish, is_new_text, act }.told();
        if told.has_job() {
            self.told.push(unit.to_owned());
        }
        if !held.prune && held.made != UnitWish::default() {
            let warning = format!("{unit} is no longer wanted and left as it is (policy.prune)");
            self.found.warnings.push(warning);
        }
        told
    }

    /// One look at all units' files, on the way there and on the way back.
    fn reload(&mut self, around: &mut Around) {
        let asks = !self.given.survey.units.is_empty() || !self.actions.is_empty();
        if self.given.sight.units.is_none() {
            if !around.held.is_empty() {
                let warning = "units are not told anything, and their state is not asked: no service manager \
                               is set for this root";
                self.found.warnings.push(warning.to_owned());
            }
            return;
        }
        let Some((resource, _)) = self.files.0.values().next().filter(|_| asks) else { return };
        let telling = |there, back| Telling { unit: None, there, back, pre: UnitState::default() };
        let back = telling(None, vec![Verb::DaemonReload]);
        let there = telling(Some(Verb::DaemonReload), Vec::new());
        around.early.extend(loose(resource, Class::Exact, vec![back]));
        around.late.splice(..0, loose(resource, Class::Exact, vec![there]));
    }
}

/// What of a unit's state the agent makes, or made before.
fn made(mine: Option<&HeldUnit>, wish: UnitWish, seen: UnitState) -> UnitWish {
    let (before, made) = mine.map(|it| (it.wanted, it.made)).unwrap_or_default();
    let of = |wants: Option<bool>, wanted: Option<bool>, made: Option<bool>, differs: bool| {
        let is_mine = if wanted == Some(true) { made.is_some() } else { differs };
        wants.filter(|it| *it && is_mine)
    };
    let differs = |it: Enablement| seen.enabled.is_some_and(|seen| seen != it);
    UnitWish {
        enabled: of(wish.enabled, before.enabled, made.enabled, differs(Enablement::Enabled)),
        masked: of(wish.masked, before.masked, made.masked, differs(Enablement::Masked)),
        up: of(wish.up, before.up, made.up, seen.up == Some(false)),
    }
}
