//! How a host made of memory carries out steps, and takes them back.
//!
//! **Invariant:** of a batch cut short exactly those parts happen that survive.

use bowline_engine::phase::{Event, Failure, Staging, Weight};
use bowline_model::form::Form;
use bowline_model::mark::Mark;
use bowline_model::step::{Deed, Step};
use bowline_model::tree::Content;

use crate::sim_host::{SimHost, failed};

impl SimHost {
    pub(crate) fn stage(&mut self, staging: &Staging, survives: impl Fn(usize) -> bool) -> Event {
        for (at, (step, content)) in staging.steps.iter().zip(&staging.contents).enumerate() {
            if let Content::Blob(id) = content {
                let bytes = self.village.blob(id);
                assert!(
                    matches!(step.post(), Some(Form::File { size, .. }) if *size == bytes.len() as u64)
                );
            }
            if let Content::Member { archive, .. } = content
                && !self.disk.archives.iter().any(|it| it.sha256 == *archive)
            {
                let (code, detail) = ("artifact-away".to_owned(), "it is gone".to_owned());
                return Event::Failed(Failure { weight: Weight::Transient, code, detail });
            }
            assert_ne!(*content, Content::Away, "what cannot be had is staged");
            if let Deed::Place { post, .. } = &step.deed
                && *post != Form::Absent
                && survives(at)
            {
                let thing = self.disk.thing(post.clone());
                self.disk.slots.insert((staging.deployment.clone(), step.index), thing);
            }
        }
        self.disk.candidate = Some((*staging.generation).clone());
        Event::Staged {
            stages: vec!["/.bowline-stage".to_owned()],
            of_step: vec![0; staging.steps.len()],
        }
    }

    /// Invariant 1: no change without a durable intent.
    pub(crate) fn check_intents(&mut self, steps: &[Step]) {
        for step in steps {
            let intended = self
                .disk
                .journal
                .iter()
                .any(|mark| matches!(mark, Mark::StepIntent { steps } if steps.contains(step)));
            if !intended {
                self.broken.push(format!("step {} is done without a durable intent", step.index));
            }
        }
    }

    pub(crate) fn apply(
        &mut self,
        deployment: &str,
        steps: &[Step],
        survives: impl Fn(usize) -> bool,
    ) -> Event {
        for (at, step) in steps.iter().enumerate() {
            if !survives(at) {
                continue;
            }
            match &step.deed {
                Deed::Place { target, pre, .. } => {
                    let now = self.seen(target.as_str()).form;
                    if now != *pre {
                        return failed("changed by another");
                    }
                    self.disk.swap(deployment, step.index, target.as_str());
                }
                Deed::Alter { target, post, .. } => {
                    if let Some(thing) = self.disk.live.get_mut(target.as_str()) {
                        thing.form = post.clone();
                    }
                }
                Deed::Run(run) => {
                    self.disk.ran.insert(run.argv.last().unwrap().clone());
                }
                Deed::Unit(telling) => {
                    let unit = telling.unit.as_deref().unwrap_or_default();
                    let told = telling.there.map_or(Ok(()), |it| self.disk.tell(it, unit));
                    if let Err(why) = told {
                        return guilty(&why);
                    }
                }
            }
        }
        Event::Applied
    }

    pub(crate) fn undo(
        &mut self,
        deployment: &str,
        steps: &[Step],
        survives: impl Fn(usize) -> bool,
    ) -> Event {
        for (at, step) in steps.iter().enumerate().rev() {
            if !survives(at) {
                continue;
            }
            match &step.deed {
                Deed::Place { target, pre, post, inode, .. } => {
                    let slot = self.disk.slots.get(&(deployment.to_owned(), step.index));
                    let done = match (pre, post) {
                        (Form::Absent, _) => slot.is_none(),
                        (_, Form::Absent) => slot.is_some(),
                        _ => slot.map(|it| it.number) == inode.map(|it| it.ino),
                    };
                    if done {
                        self.disk.swap(deployment, step.index, target.as_str());
                    }
                }
                Deed::Alter { target, pre, .. } => {
                    if let Some(thing) = self.disk.live.get_mut(target.as_str()) {
                        thing.form = pre.clone();
                    }
                }
                Deed::Run(run) => {
                    if run.undo.is_some() {
                        self.disk.ran.remove(run.argv.last().unwrap());
                    }
                }
                Deed::Unit(telling) => {
                    if let Err(why) = self.disk.tell_back(telling) {
                        return failed(&why);
                    }
                }
            }
        }
        Event::Undone(Vec::new())
    }
}

/// A failure that the change is to blame for.
fn guilty(detail: &str) -> Event {
    let (code, detail) = ("unit-failed".to_owned(), detail.to_owned());
    Event::Failed(Failure { weight: Weight::Guilty, code, detail })
}
