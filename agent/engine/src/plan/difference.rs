//! Compares each object with what was seen, and makes the steps between.
//!
//! **Invariant:** an object of somebody else's that differs is never changed unless its manifest says
//! `adopt: always`.
//! **Invariant:** a path that cannot be exchanged safely is refused here, before anything is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;

use bowline_model::form::Form;
use bowline_model::generation::Held;
use bowline_model::host_path::HostPath;
use bowline_model::manifest::{
    Adopt, CommandSpec, Drift, Manifest, OnConflict, Prune, Rollback, Spec, WriteStrategy,
};
use bowline_model::step::{Class, Deed, Run, Step};
use bowline_model::survey::Seen;
use bowline_model::tree::Content;

use super::units::late;
use super::{Given, NoPlan, Validation};
use crate::compile::{Object, Resource};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) steps: Vec<Step>,
    pub(super) contents: Vec<Content>,
    pub(super) validations: Vec<Validation>,
    pub(super) inventory: Vec<Held>,
    pub(super) drifted: Vec<String>,
    /// What was to go and is left in place, because of what somebody else made of it.
    pub(super) left: BTreeSet<HostPath>,
    /// Artifacts of which a member would have to be staged, and the archive is not here.
    pub(super) short: BTreeSet<u32>,
    pub(super) warnings: Vec<String>,
}

impl Found {
    /// Resources that some step changes.
    pub(super) fn changed(&self) -> BTreeSet<Arc<str>> {
        self.steps.iter().map(|step| Arc::clone(&step.resource)).collect()
    }

    pub(super) fn push(&mut self, resource: &Arc<str>, class: Class, deed: Deed, content: Content) {
        let index = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
        self.steps.push(Step { index, resource: Arc::clone(resource), class, deed });
        self.contents.push(content);
    }

    /// Puts steps before and after those that were found. Gives how many stand once all files do.
    pub(super) fn enclose(&mut self, early: Vec<Loose>, late: Vec<Loose>) -> usize {
        let shift = u32::try_from(early.len()).unwrap_or(u32::MAX);
        let steps = mem::take(&mut self.steps);
        let contents = mem::take(&mut self.contents);
        let plain = |found: &mut Self, steps: Vec<Loose>| {
            for Loose { resource, class, deed } in steps {
                found.push(&resource, class, deed, Content::Nothing);
            }
        };
        plain(self, early);
        for (Step { resource, class, deed, .. }, content) in steps.into_iter().zip(contents) {
            self.push(&resource, class, deed, content);
        }
        let checked_at = self.steps.len();
        plain(self, late);
        self.validations.iter_mut().for_each(|it| it.step += shift);
        checked_at
    }
}

/// A step without its place.
#[derive(Debug, Clone)]
pub(super) struct Loose {
    pub(super) resource: Arc<str>,
    pub(super) class: Class,
    pub(super) deed: Deed,
}

/// Compares everything, in the order in which it comes to stand.
pub(super) fn differences(
    given: &Given<'_>,
    held: &BTreeMap<&HostPath, &Held>,
) -> Result<Found, NoPlan> {
    let mut found = Found::default();
    let mut objects = given.compiled.objects.iter().peekable();
    let mut made: BTreeSet<&HostPath> = BTreeSet::new();
    let late = late(given);
    for (number, resource) in given.compiled.resources.iter().enumerate() {
        refuse_unsupported(resource)?;
        while let Some(object) = objects.next_if(|it| it.resource as usize == number) {
            let compared = Compared::of(given, held, resource, object)?;
            compared.note(&mut found, &mut made)?;
        }
        if let Spec::Command(spec) = &resource.manifest.spec
            && !late.contains(&resource.id)
            && let Some(Loose { resource, class, deed }) = command(given, resource, spec)
        {
            found.push(&resource, class, deed, Content::Nothing);
        }
    }
    found.inventory.sort_unstable_by(|one, two| one.path.cmp(&two.path));
    Ok(found)
}

/// A command's step, if its guard asks for it.
pub(super) fn command(given: &Given<'_>, resource: &Resource, spec: &CommandSpec) -> Option<Loose> {
    let class = if spec.undo.is_some() { Class::Declared } else { Class::None };
    let asked = given.sight.guards.get(&*resource.id) == Some(&true);
    let step = || Loose { resource: Arc::clone(&resource.id), class, deed: Deed::Run(run(spec)) };
    asked.then(step)
}

struct Compared<'a> {
    given: &'a Given<'a>,
    resource: &'a Resource,
    object: &'a Object,
    seen: &'a Seen,
    mine: Option<&'a Held>,
}

impl<'a> Compared<'a> {
    fn of(
        given: &'a Given<'a>,
        held: &BTreeMap<&HostPath, &'a Held>,
        resource: &'a Resource,
        object: &'a Object,
    ) -> Result<Self, NoPlan> {
        let Some(seen) = given.seen(&object.path) else {
            return Err(refuse(
                &resource.manifest,
                "io",
                format!("{} was not looked at", object.path),
            ));
        };
        let mine = held.get(&object.path).copied();
        Ok(Self { given, resource, object, seen, mine })
    }

    fn manifest(&self) -> &'a Manifest {
        &self.resource.manifest
    }

    fn note(&self, found: &mut Found, made: &mut BTreeSet<&'a HostPath>) -> Result<(), NoPlan> {
        let (wanted, live) = (&self.object.form, &self.seen.form);
        let exists = *live != Form::Absent;
        // Whose it is once it stands: ours if we made it, in an earlier generation or now.
        let created = self.mine.map_or(!exists, |it| it.created);
        if *wanted != Form::Absent {
            found.inventory.push(Held {
                path: self.object.path.clone(),
                resource: Arc::clone(&self.resource.id),
                form: wanted.clone(),
                created,
                prune: self.manifest().policy.prune == Prune::Auto,
            });
        }
        if live.is_like(wanted) {
            return self.check_adoption();
        }
        if exists && self.is_create_only() {
            return Ok(());
        }
        self.check_ownership()?;
        let drifted = self.mine.is_some_and(|it| it.form.is_like(wanted));
        match self.manifest().policy.drift {
            Drift::Repair => {}
            Drift::Detect if drifted => {
                found.drifted.push(self.object.path.to_string());
                return Ok(());
            }
            Drift::Ignore if drifted => return Ok(()),
            Drift::Detect | Drift::Ignore => {}
        }
        if self.object.content == Content::Away {
            return self.do_without(found);
        }
        self.check_place(made)?;
        let stands_as_folder = matches!(live, Form::Directory { .. });
        if matches!(wanted, Form::Directory { .. }) && !stands_as_folder {
            made.insert(&self.object.path);
        }
        self.push_step(found);
        Ok(())
    }

    /// A file that cannot be staged: where only it drifted, the rest goes on being looked after.
    fn do_without(&self, found: &mut Found) -> Result<(), NoPlan> {
        let path = &self.object.path;
        let detail = format!("{path} differs, and waits for the archive that holds it");
        if self.given.is_new() {
            return Err(NoPlan::Short { resource: self.object.resource, detail });
        }
        found.short.insert(self.object.resource);
        found.drifted.push(path.to_string());
        found.warnings.push(detail);
        Ok(())
    }

    fn push_step(&self, found: &mut Found) {
        let target = self.object.path.clone();
        let (pre, post) = (self.seen.form.clone(), self.object.form.clone());
        let class = match self.manifest().policy.rollback {
            Rollback::Auto => Class::Exact,
            Rollback::None(_) => Class::None,
        };
        let both_folders =
            matches!((&pre, &post), (Form::Directory { .. }, Form::Directory { .. }));
        let deed = if both_folders {
            Deed::Alter { target, pre, post }
        } else {
            Deed::Place { target, pre, post, inode: self.seen.inode, stage: 0 }
        };
        let step = u32::try_from(found.steps.len()).unwrap_or(u32::MAX);
        found.push(&self.resource.id, class, deed, self.object.content.clone());
        let validate = match &self.manifest().spec {
            Spec::File(spec) => spec.validate.as_ref(),
            Spec::Template(spec) => spec.validate.as_ref(),
            _ => None,
        };
        let staged = validate.filter(|it| it.is_staged() && self.object.form != Form::Absent);
        if let Some(validation) = staged {
            found.validations.push(Validation {
                step,
                resource: Arc::clone(&self.resource.id),
                argv: validation.argv().words().to_vec(),
            });
        }
    }

    fn is_create_only(&self) -> bool {
        match &self.manifest().spec {
            Spec::File(spec) => spec.create_only,
            Spec::Template(spec) => spec.create_only,
            _ => false,
        }
    }

    /// An object that already is as wanted, and was not ours.
    fn check_adoption(&self) -> Result<(), NoPlan> {
        let is_new = self.mine.is_none() && self.seen.form != Form::Absent;
        if is_new && self.manifest().policy.adopt == Adopt::Never {
            let detail = format!("{} stands already, and adopt is never", self.object.path);
            return Err(refuse(self.manifest(), "not-ours", detail));
        }
        Ok(())
    }

    /// An object that differs must be ours, or its manifest says to take it over.
    fn check_ownership(&self) -> Result<(), NoPlan> {
        let live = &self.seen.form;
        let theirs = *live != Form::Absent && self.mine.is_none();
        if theirs
            && self.object.form != Form::Absent
            && self.manifest().policy.adopt != Adopt::Always
        {
            let detail = format!(
                "{} is not Bowline's and differs: it is {live}; policy.adopt: always takes it over",
                self.object.path
            );
            return Err(refuse(self.manifest(), "not-ours", detail));
        }
        Ok(())
    }

    fn check_place(&self, made: &BTreeSet<&HostPath>) -> Result<(), NoPlan> {
        let path = &self.object.path;
        let unsafe_path = |why: &str| {
            refuse(
                self.manifest(),
                "unsafe-path",
                format!("{path} cannot be changed safely: {why}"),
            )
        };
        if let Some(why) = &self.seen.obstacle {
            return Err(unsafe_path(why));
        }
        match (&self.seen.form, &self.object.form) {
            (Form::Other { what }, _) => return Err(unsafe_path(&format!("{what} stands there"))),
            (Form::Directory { .. }, Form::Absent) => {
                let at = self.given.survey.listings.iter().position(|it| it == path);
                let listed = at.and_then(|at| self.given.sight.listings.get(at));
                if listed.is_none_or(|names| !names.is_empty()) {
                    let detail = format!("{path} is not empty, so it is not removed");
                    return Err(refuse(self.manifest(), "not-empty", detail));
                }
            }
            (Form::Directory { .. }, Form::File { .. } | Form::Symlink { .. }) => {
                return Err(unsafe_path("a directory stands there"));
            }
            _ => {}
        }
        let Some(parent) = path.parent() else {
            return Ok(());
        };
        if made.contains(&parent) || self.object.form == Form::Absent {
            return Ok(());
        }
        match self.given.seen(&parent).map(|it| (&it.form, &it.obstacle)) {
            Some((Form::Directory { .. }, None)) => Ok(()),
            Some((_, Some(why))) => Err(unsafe_path(why)),
            _ => {
                let detail =
                    format!("its folder {parent} does not exist; declare a Directory for it");
                Err(refuse(self.manifest(), "missing-parent", detail))
            }
        }
    }
}

fn run(spec: &CommandSpec) -> Run {
    Run {
        argv: spec.argv.words().to_vec(),
        undo: spec.undo.as_ref().map(|it| it.words().to_vec()),
        timeout_ms: u64::try_from(spec.timeout.as_duration().as_millis()).unwrap_or(u64::MAX),
        run_as: spec.run_as.as_ref().map(|it| it.as_str().to_owned()),
    }
}

/// Refuses what the manifest asks for and this version cannot do: it is never ignored.
fn refuse_unsupported(resource: &Resource) -> Result<(), NoPlan> {
    let policy = &resource.manifest.policy;
    let asked = match policy {
        it if it.write_strategy == WriteStrategy::InPlace => "policy.writeStrategy: inPlace",
        it if it.on_conflict == OnConflict::Fail => "policy.onConflict: fail",
        _ => return Ok(()),
    };
    let detail = format!("{asked} is not supported by this version");
    Err(refuse(&resource.manifest, "unsupported", detail))
}

pub(super) fn refuse(manifest: &Manifest, code: &'static str, detail: String) -> NoPlan {
    NoPlan::Refused { at: format!("{} ({})", manifest.origin, manifest.id()), code, detail }
}
