//! One transaction as its marks tell it: the same fold on the way forward and after a crash.
//!
//! **Invariant:** nothing is known of a transaction that is not in its marks.
//! **Invariant:** marks come in one order only; any other is damage.

use std::collections::BTreeMap;
use std::ops::Range;

use bowline_api::outcome::Outcome;
use bowline_api::record::{Conflict, Proof};
use bowline_model::mark::{Mark, Opening, Verdict, Why};
use bowline_model::probe_call::Answer;
use bowline_model::step::{Class, Deed, Handler, Step, Telling};
use bowline_model::unit::{UnitState, Verb};
use thiserror::Error;

/// File steps that share their barriers: enough that barriers cost little, few enough that a journal
/// record stays small.
const BATCH: usize = 1000;

/// How far a test came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// It is none, or its trial is not over.
    Open,
    /// It passed its trial, and rests.
    Passed,
}

/// A transaction so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Transaction {
    /// What it is about.
    pub opening: Opening,
    /// The stage of each filesystem.
    pub stages: Vec<String>,
    /// Whether the host may be changed.
    pub began: bool,
    /// Resources whose change cannot be taken back.
    pub irreversible: Vec<String>,
    /// Steps whose intent is durable, in order.
    pub steps: Vec<Step>,
    /// How many of them are done.
    pub done: usize,
    /// Units that were about to be told.
    pub handlers: Vec<Handler>,
    /// Whether everything was in place.
    pub applied: bool,
    /// How far a test of it came.
    pub test: Test,
    /// Whether the agent was asked to stop in it.
    pub stopped: bool,
    /// Last words of probes.
    pub probes: Vec<Answer>,
    /// The decision.
    pub decision: Option<(Verdict, Why)>,
    /// How many steps, from the last, are taken back.
    pub undone: usize,
    /// Somebody else's changes that were met.
    pub conflicts: Vec<Conflict>,
    /// How often units were taken back once more, in this process.
    pub units_again: u32,
    /// The end.
    pub end: Option<(Outcome, Option<Proof>)>,
}

/// Marks that no run of the engine writes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("record {number} of the journal, {name}, does not belong there")]
pub struct OutOfOrder {
    /// Its place, from 1.
    pub number: usize,
    /// Its name.
    pub name: &'static str,
}

impl Transaction {
    /// Begins with its first mark.
    pub fn open(opening: Opening) -> Self {
        Self {
            opening,
            stages: Vec::new(),
            began: false,
            irreversible: Vec::new(),
            steps: Vec::new(),
            done: 0,
            handlers: Vec::new(),
            applied: false,
            test: Test::Open,
            stopped: false,
            probes: Vec::new(),
            decision: None,
            undone: 0,
            conflicts: Vec::new(),
            units_again: 0,
            end: None,
        }
    }

    /// Folds the marks of a journal; `None` when there are none.
    pub fn fold(marks: &[Mark]) -> Result<Option<Self>, OutOfOrder> {
        let mut found: Option<Self> = None;
        for (at, mark) in marks.iter().enumerate() {
            let fits = match (&mut found, mark) {
                (None, Mark::Open(opening)) => {
                    found = Some(Self::open(opening.clone()));
                    true
                }
                (Some(it), mark) => it.note(mark),
                (None, _) => false,
            };
            if !fits {
                return Err(OutOfOrder { number: at + 1, name: name(mark) });
            }
        }
        Ok(found)
    }

    /// Takes the next mark; false when it does not belong here.
    pub fn note(&mut self, mark: &Mark) -> bool {
        let undecided = self.decision.is_none() && self.end.is_none();
        let working = self.began && undecided;
        match mark {
            Mark::Open(_) => return false,
            Mark::Staged { stages } if !self.began && undecided => self.stages.clone_from(stages),
            Mark::Begin { irreversible, plan } if !self.began && undecided => {
                if *plan != self.opening.plan {
                    return false;
                }
                self.began = true;
                self.irreversible.clone_from(irreversible);
            }
            Mark::StepIntent { steps } if working => {
                let follows =
                    |(at, step): (usize, &Step)| step.index as usize == self.steps.len() + at;
                if !steps.iter().enumerate().all(follows) {
                    return false;
                }
                self.steps.extend(steps.iter().cloned());
            }
            Mark::StepDone { from, to } if working => {
                if *from as usize != self.done || *to as usize >= self.steps.len() {
                    return false;
                }
                self.done = *to as usize + 1;
            }
            Mark::Handlers { list } if working => self.handlers.clone_from(list),
            Mark::Applied if working => self.applied = true,
            Mark::Tried if working && self.applied => self.test = Test::Passed,
            Mark::Probe { name, passed, detail } if working => {
                self.probes.retain(|it| it.name != *name);
                let (name, passed, detail) = (name.clone(), *passed, detail.clone());
                self.probes.push(Answer { name, passed, detail });
            }
            // It may come anywhere: it only says that nobody is to blame.
            Mark::Stopped => self.stopped = true,
            Mark::Decide { verdict, why } if working => {
                self.decision = Some((*verdict, why.clone()));
            }
            Mark::UndoIntent { .. } if self.is_reverting() => {}
            Mark::UndoDone { from, to, conflicts } if self.is_reverting() => {
                return self.note_undone(*from, *to, conflicts);
            }
            Mark::End { outcome, proof } if self.end.is_none() => {
                self.end = Some((*outcome, proof.clone()));
            }
            _ => return false,
        }
        true
    }

    fn note_undone(&mut self, from: u32, to: u32, conflicts: &[Conflict]) -> bool {
        let left = self.steps.len() - self.undone;
        if from as usize + 1 != left || to > from {
            return false;
        }
        self.undone = self.steps.len() - to as usize;
        self.conflicts.extend(conflicts.iter().cloned());
        true
    }

    /// Whether it is on the way back.
    pub fn is_reverting(&self) -> bool {
        matches!(self.decision, Some((Verdict::Revert, _))) && self.end.is_none()
    }

    /// The next steps to take back, as a range of their indices; `None` when all are.
    pub fn next_undo(&self) -> Option<Range<usize>> {
        let left = self.steps.len().checked_sub(self.undone)?;
        let steps = self.steps.get(..left)?;
        let last = steps.last()?;
        let together = steps.iter().rev().take(BATCH).take_while(|step| !step.is_alone()).count();
        let count = if last.is_alone() { 1 } else { together };
        Some(left - count..left)
    }

    /// Steps that are proved back after a revert: all that are taken back to the byte.
    pub fn provable(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.class == Class::Exact)
    }
}

impl Transaction {
    /// How units stood before, as far as steps that are taken back exactly changed them.
    pub fn units(&self) -> BTreeMap<&str, UnitState> {
        let mut units: BTreeMap<&str, UnitState> = BTreeMap::new();
        for step in self.provable() {
            let Deed::Unit(Telling { unit: Some(unit), pre, .. }) = &step.deed else { continue };
            let known = units.entry(unit).or_default();
            known.enabled = known.enabled.or(pre.enabled);
            known.up = known.up.or(pre.up);
        }
        units
    }

    /// A step as it is taken back, in this boot.
    ///
    /// A unit that was not told of the change needs not be told of its end: it only has to run. But a boot
    /// in between may have started it with its new files, whoever was told.
    pub fn backward(&self, step: &Step, boot: &str) -> Step {
        let mut step = step.clone();
        let Deed::Unit(Telling { unit: unit @ Some(_), there: None, back, pre }) = &mut step.deed
        else {
            return step;
        };
        let tells = |it: &Step| match &it.deed {
            Deed::Unit(it) => it.unit == *unit && it.there.is_some_and(Verb::is_job),
            _ => false,
        };
        let is_same_boot = !boot.is_empty() && self.opening.boot == boot;
        let is_told = self.steps.iter().any(tells);
        let only_runs = back.as_slice() == [Verb::Start];
        *back = match pre.up {
            _ if is_same_boot && is_told => return step,
            Some(true) if !is_same_boot && !only_runs => vec![Verb::Restart],
            Some(true) => vec![Verb::Start],
            // Whether it runs is nobody's promise.
            Some(false) | None => Vec::new(),
        };
        step
    }
}

/// The next steps of a plan to do together, from `from` on; `None` at its end.
pub fn next_batch(steps: &[Step], from: usize) -> Option<Range<usize>> {
    let rest = steps.get(from..)?;
    let first = rest.first()?;
    let together = rest.iter().take(BATCH).take_while(|step| !step.is_alone()).count();
    let count = if first.is_alone() { 1 } else { together };
    Some(from..from + count)
}

fn name(mark: &Mark) -> &'static str {
    match mark {
        Mark::Open(_) => "Open",
        Mark::Staged { .. } => "Staged",
        Mark::Begin { .. } => "Begin",
        Mark::StepIntent { .. } => "StepIntent",
        Mark::StepDone { .. } => "StepDone",
        Mark::Handlers { .. } => "Handlers",
        Mark::Applied => "Applied",
        Mark::Probe { .. } => "Probe",
        Mark::Tried => "Tried",
        Mark::Stopped => "Stopped",
        Mark::Decide { .. } => "Decide",
        Mark::UndoIntent { .. } => "UndoIntent",
        Mark::UndoDone { .. } => "UndoDone",
        Mark::End { .. } => "End",
    }
}
