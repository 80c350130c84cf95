//! The half of the hands that changes the host, and takes changes back.
//!
//! **Invariant:** what is done here was recorded as an intent before.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bowline_api::ask::event;
use bowline_api::record::{Conflict, Kind, Record};
use bowline_engine::phase::{Call, Event, Failure, Settlement, Slots, Staging, Weight};
use bowline_engine::plan::Validation;
use bowline_host::artifact::{Sources, Store};
use bowline_host::clean::Ended;
use bowline_host::command::{CHECK_TIMEOUT, Commands};
use bowline_host::door::clock;
use bowline_host::failure::chain;
use bowline_host::service::Told;
use bowline_host::stage::Staged;
use bowline_host::witness::Said;
use bowline_host::{apply, settle, stage, undo};
use bowline_model::counted::Counted;
use bowline_model::high_water::HighWater;
use bowline_model::step::{Check, Deed, Handler, Step};

use super::Host;
use super::failures::{failure, fatal, told};
use super::source::or_tell;
use crate::driver::Halt;
use crate::gear::Gear;

/// What the slots of a finished transaction hold, in the host's words.
pub(super) fn ended(slots: Slots) -> Ended {
    match slots {
        Slots::Abandoned => Ended::Abandoned,
        Slots::Reverted => Ended::Reverted,
        Slots::Committed => Ended::Committed,
    }
}

impl Host {
    pub(super) fn stage(&mut self, staging: &Staging) -> Result<Event, Halt> {
        if let Some(failure) = self.unopened.take() {
            return Ok(Event::Failed(failure));
        }
        let steps: Vec<_> = staging.steps.iter().zip(&staging.contents).collect();
        let gear = Gear::of(&mut self.gear, &self.settings, &self.root, &self.state, &self.post)?;
        let artifacts = Store::of(&self.settings, &self.stop);
        let sources = Sources { repository: &gear.repository, artifacts: &artifacts };
        let staged = or_tell!(stage::stage(&self.root, &staging.deployment, &steps, &sources));
        if let Some(failure) = self.validate(staging, &staged)? {
            return Ok(Event::Failed(failure));
        }
        let generation = &staging.generation;
        or_tell!(settle::stage_generation(&self.state, generation, &staging.deployment));
        self.staged = Some(Arc::new((**generation).clone()));
        Ok(Event::Staged { stages: staged.stages, of_step: staged.of_step })
    }

    /// Lets programs judge staged files.
    fn validate(&self, staging: &Staging, staged: &Staged) -> Result<Option<Failure>, Halt> {
        for Validation { step, resource, argv } in &staging.validations {
            let at = *step as usize;
            let stage = staged.of_step.get(at).and_then(|it| staged.stages.get(usize::from(*it)));
            let Some(stage) = stage else { continue };
            let slot = format!("{stage}/{}/{step}", staging.deployment);
            let slot = self.root.outside(&slot).display().to_string();
            let argv: Vec<String> = argv.iter().map(|word| word.replace("%s", &slot)).collect();
            let ran = Commands::of(&self.root).run_well(resource, &argv, CHECK_TIMEOUT, None);
            if let Err(error) = ran {
                let failure = failure(&error)?;
                return Ok(Some(Failure { code: "validation-failed".to_owned(), ..failure }));
            }
        }
        Ok(None)
    }

    pub(super) fn apply(
        &mut self,
        deployment: &str,
        stages: &[String],
        steps: &[Step],
    ) -> Result<Event, Halt> {
        if let [Step { deed: Deed::Run(run), resource, .. }] = steps {
            return told(Commands::of(&self.root).step(resource, run).map(|_| Event::Applied));
        }
        if let [Step { deed: Deed::Unit(telling), .. }] = steps {
            let done = or_tell!(self.services.carry_out(&self.root, telling));
            if let Told::Skipped(why) = done {
                tracing::info!(why, "unit not told");
            }
            return Ok(Event::Applied);
        }
        let stages = match self.stages(deployment, stages) {
            Ok(stages) => stages,
            Err(failure) => return Ok(Event::Failed(failure)),
        };
        told(apply::apply(&self.root, &stages, steps).map(|()| Event::Applied))
    }

    pub(super) fn check(&mut self, checks: &[Check]) -> Result<Event, Halt> {
        match Commands::of(&self.root).check(checks) {
            Ok(()) => Ok(Event::Checked),
            Err(error) => {
                let failure = failure(&error)?;
                let code = "validation-failed".to_owned();
                Ok(Event::Failed(Failure { weight: Weight::Guilty, code, ..failure }))
            }
        }
    }

    /// Tells units; gives what went wrong.
    pub(super) fn notify(&self, handlers: &[Handler]) -> Vec<String> {
        let mut failures = Vec::new();
        for handler in handlers {
            match self.services.notify(&self.root, handler) {
                Ok(Told::Done) => {}
                Ok(Told::Skipped(why)) => tracing::info!(unit = handler.unit, why, "unit not told"),
                Err(error) => failures.push(chain(&error)),
            }
        }
        failures
    }

    pub(super) fn probe(&mut self, not_before: Duration, calls: &[Call]) -> Result<Event, Halt> {
        let wait = not_before.saturating_sub(clock::since_boot());
        if self.board.linger(wait, self.allowed) {
            return Err(Halt::Stop);
        }
        let calls: Vec<_> =
            calls.iter().map(|it| (it.name.as_str(), &it.means, it.timeout)).collect();
        let answers = self.prober.probe_all(&self.root, &self.services, &calls);
        Ok(Event::Probed { answers, now: clock::since_boot() })
    }

    pub(super) fn undo(
        &mut self,
        deployment: &str,
        stages: &[String],
        steps: &[Step],
        wait: Duration,
    ) -> Result<Event, Halt> {
        if self.board.linger(wait, self.allowed) {
            return Err(Halt::Stop);
        }
        if let [Step { deed: Deed::Run(run), resource, .. }] = steps {
            let done = Commands::of(&self.root).undo(resource, run);
            return told(done.map(|_| Event::Undone(Vec::new())));
        }
        if steps.iter().all(|it| matches!(it.deed, Deed::Unit(_))) {
            return self.take_units_back(steps);
        }
        let stages_open = match self.stages(deployment, stages) {
            Ok(stages) => stages,
            Err(failure) => return Ok(Event::Failed(failure)),
        };
        let mut conflicts = or_tell!(undo::undo(&self.root, &stages_open, steps));
        // What an earlier, cut short try kept was never reported.
        for stage in stages {
            for kept in or_tell!(undo::kept(&self.root, stage, deployment)) {
                conflicts.extend(unreported(&kept, deployment, steps, &conflicts));
            }
        }
        Ok(Event::Undone(conflicts))
    }

    /// Takes back what units were told, the last first.
    fn take_units_back(&self, steps: &[Step]) -> Result<Event, Halt> {
        for step in steps.iter().rev() {
            let Deed::Unit(telling) = &step.deed else { continue };
            or_tell!(self.services.take_back(&self.root, telling));
        }
        Ok(Event::Undone(Vec::new()))
    }

    /// Keeps how far was verified, and tells the witness.
    pub(super) fn mark(&mut self, marks: HighWater, counted: Vec<Counted>) -> Result<Event, Halt> {
        // First: once the marks are kept, what counted is not counted again.
        if let Err(error) = self.state.keep_counted(counted, clock::wall()) {
            // It is for auditors; that it is lost must not keep the marks from rising.
            tracing::warn!(error = %chain(&error), "what counted is not kept");
        }
        or_tell!(self.state.keep_high_water(&marks));
        let generation = or_tell!(self.state.generation_number());
        told(
            self.witness
                .tell(&Said { generation, high_water: Some(marks) })
                .map(|()| Event::Marked),
        )
    }

    pub(super) fn settle(&mut self, settlement: Settlement) -> Result<Event, Halt> {
        if let Some(damage) = self.damage.take() {
            // The host is as it was decided; what the agent keeps is for a person to look at.
            return Err(damage.into());
        }
        let ledger = match &settlement {
            Settlement::Commit { ledger, .. }
            | Settlement::Adopt { ledger, .. }
            | Settlement::Revert { ledger, .. } => ledger,
        };
        or_tell!(self.state.keep_ledger(ledger));
        let standing = match settlement {
            Settlement::Commit { deployment, .. } => {
                let staged = self.staged.take().filter(|it| it.deployment == deployment);
                Some(match staged {
                    Some(staged) => {
                        or_tell!(settle::commit_staged(&self.state, &staged));
                        staged
                    }
                    // Staged by a process that ended since.
                    None => Arc::new(or_tell!(settle::commit_generation(&self.state, &deployment))),
                })
            }
            Settlement::Adopt { generation, .. } => {
                or_tell!(self.state.keep_generation(&generation));
                Some(Arc::new(*generation))
            }
            Settlement::Revert { .. } => {
                or_tell!(settle::discard_generations(&self.state));
                None
            }
        };
        if let Some(generation) = &standing {
            self.standing = Some(Arc::clone(generation));
            let high_water = or_tell!(self.state.high_water());
            or_tell!(self.witness.tell(&Said { generation: generation.number, high_water }));
        }
        Ok(Event::Settled(standing))
    }

    /// Adds what counted for the record's commit, maybe in a process before this one.
    fn add_what_counted(&self, record: &mut Record) {
        let commit = record.commit.as_ref().and_then(|it| it.id.parse().ok());
        let counted = match commit.map(|it| self.state.counted(&it)).transpose() {
            Ok(counted) => counted.flatten(),
            Err(error) => {
                // What ends is recorded all the same.
                tracing::warn!(error = %chain(&error), "what counted for a commit cannot be read");
                None
            }
        };
        let Some(counted) = counted else { return };
        let known = std::mem::take(&mut record.evidence);
        let evidence = counted.evidence().into_iter().map(str::to_owned);
        let evidence: BTreeSet<_> = evidence.chain(known).collect();
        record.evidence = evidence.into_iter().collect();
        record.approvals = counted.approvals;
        if record.gates.is_empty() {
            record.gates = counted.gates;
        }
    }

    /// Keeps a record; the journal of a recorded transaction is no longer needed.
    pub(super) fn keep_record(&mut self, mut record: Record) -> Result<Event, Halt> {
        record.durations = self.durations.so_far(clock::since_boot());
        // A receipt goes to other hosts: what it rests on here is in its deployment's record.
        if record.kind != Kind::Healthy {
            self.add_what_counted(&mut record);
        }
        // A state that is told of is not the end of its deployment, unless it proves that; a receipt comes after it.
        let is_told = matches!(record.kind, Kind::State | Kind::Healthy);
        let is_end = !is_told || record.proof.is_some();
        let is_deployment = !record.deployment.is_empty() && is_end;
        let stranded = record.outcome == bowline_api::outcome::Outcome::Stranded;
        let kept = or_tell!(self.gear()?.records.append(record));
        self.post.add(kept.seq);
        tracing::info!(seq = kept.seq, outcome = %kept.outcome, reason = kept.reason, "recorded");
        self.board.events().publish(event::RECORD, &kept);
        if is_deployment
            && !stranded
            && let Some(journal) = self.journal.take()
        {
            journal.remove().map_err(|error| fatal(&error))?;
        }
        Ok(Event::Recorded)
    }
}

/// The conflict of a kept thing, unless it is among those already told.
fn unreported(kept: &str, deployment: &str, steps: &[Step], told: &[Conflict]) -> Option<Conflict> {
    let index: u32 =
        kept.rsplit('/').next()?.strip_prefix(deployment)?.strip_prefix('-')?.parse().ok()?;
    let target = steps.iter().find(|step| step.index == index)?.target()?;
    let known = told.iter().any(|it| it.kept.as_deref() == Some(kept));
    (!known).then(|| Conflict {
        path: target.to_string(),
        kept: Some(kept.to_owned()),
        detail: "kept by an earlier try of the same revert".to_owned(),
    })
}
