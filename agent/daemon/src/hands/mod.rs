//! Joins the engine's effects to the host's rooms: one match, one line each.
//!
//! **Invariant:** nothing is decided here; a failure is sorted by what it means, and told.
//! **Invariant:** after a failed barrier nothing more is written.

mod failures;
mod source;
mod change;
mod conditions;
mod joined;
mod rest;
mod refresh;
mod tell;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bowline_api::ask::{Rehearsal, event};
use bowline_api::cycle::PlanView;
use bowline_engine::ending::Ending;
use bowline_engine::phase::{Ear, Effect, Event, Failure, Phase, Turn, Weight};
use bowline_engine::testing::Untried;
use bowline_host::clean::{self, Ended};
use bowline_host::door::clock;
use bowline_host::door::root::Root;
use bowline_host::exchange::Stages;
use bowline_host::journal::Journal;
use bowline_host::probe::Prober;
use bowline_host::service::ServiceManager;
use bowline_host::settings::Settings;
use bowline_host::stat_cache::StatCache;
use bowline_host::state::State;
use bowline_host::witness::Witness;
use bowline_model::facts::Facts;
use bowline_model::generation::Generation;
use bowline_model::mark::Mark;

use tokio::sync::oneshot::Sender;

use crate::board::Board;
use crate::cannot_start::CannotStart;
use crate::driver::{Halt, Hands};
use crate::durations::Durations;
use crate::gear::Gear;
use crate::lookout::Lookout;
use crate::patience::allowance;
use crate::reload::Watched;
use crate::report::Post;
use failures::{fatal, told};
pub(crate) use rest::Agenda;
pub(crate) use tell::paused;

/// Phases of a host that is being changed: each is told in the log as it begins.
const CHANGING: [&str; 4] = ["stage", "apply", "commit", "revert"];

/// The real host.
#[derive(Debug)]
pub struct Host {
    pub(crate) name: String,
    pub(crate) settings: Settings,
    pub(crate) watched: Watched,
    pub(crate) root: Root,
    pub(crate) state: State,
    pub(crate) blobs: PathBuf,
    pub(crate) stat_cache: StatCache,
    pub(crate) gear: Option<Gear>,
    pub(crate) services: ServiceManager,
    pub(crate) prober: Prober,
    pub(crate) journal: Option<Journal>,
    pub(crate) unopened: Option<Failure>,
    pub(crate) witness: Witness,
    pub(crate) facts: Option<Facts>,
    pub(crate) damage: Option<CannotStart>,
    pub(crate) staged: Option<Arc<Generation>>,
    pub(crate) standing: Option<Arc<Generation>>,
    pub(crate) board: Arc<Board>,
    pub(crate) post: Arc<Post>,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) run: Run,
    pub(crate) is_testing: bool,
    pub(crate) untried: Option<Untried>,
    pub(crate) allowed: Duration,
    pub(crate) durations: Durations,
    pub(crate) ending: Option<Box<Ending>>,
    pub(crate) shown: Option<PlanView>,
    pub(crate) rehearsal: Option<Sender<Rehearsal>>,
    pub(crate) lookout: Lookout,
    pub(crate) agenda: Agenda,
}

/// How long the loop runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// One whole cycle. `recovering`: an earlier transaction ends first.
    Once {
        /// Whether an earlier transaction ends first.
        recovering: bool,
    },
    /// Until it is stopped.
    Always,
}

impl Host {
    /// How the last cycle ended.
    pub fn ending(&self) -> Option<&Ending> {
        self.ending.as_deref()
    }

    /// What cycles need, opened when it is first asked for.
    fn gear(&mut self) -> Result<&mut Gear, Halt> {
        Ok(Gear::of(&mut self.gear, &self.settings, &self.root, &self.state, &self.post)?)
    }

    fn stages(&self, deployment: &str, stages: &[String]) -> Result<Stages, Failure> {
        Stages::open(&self.root, deployment, stages).map_err(|error| failures::of_os(&error))
    }

    fn clean(&self, deployment: &str, ended: Ended, wait: Duration) -> Result<Event, Halt> {
        if self.board.linger(wait, self.allowed) {
            return Err(Halt::Stop);
        }
        told(clean::clean(&self.root, deployment, ended).map(Event::Cleaned))
    }

    fn change(&mut self, effect: Effect) -> Result<Event, Halt> {
        match effect {
            Effect::Stage(staging) => self.stage(&staging),
            Effect::Apply { deployment, stages, steps } => self.apply(&deployment, &stages, &steps),
            Effect::Check(checks) => self.check(&checks),
            Effect::Notify(handlers) => Ok(Event::Notified(self.notify(&handlers))),
            Effect::Probe { not_before, calls } => self.probe(not_before, &calls),
            Effect::Undo { deployment, stages, steps, wait } => {
                self.undo(&deployment, &stages, &steps, wait)
            }
            Effect::Clean { deployment, slots, wait } => {
                self.clean(&deployment, change::ended(slots), wait)
            }
            other => Ok(unasked(&other)),
        }
    }
}

/// An effect that came to the wrong room is a bug; it is told, and changes nothing.
fn unasked(effect: &Effect) -> Event {
    let detail = format!("nobody performs {effect:?}");
    Event::Failed(Failure { weight: Weight::Transient, code: "bug".to_owned(), detail })
}

impl Hands for Host {
    fn record(&mut self, marks: &[Mark]) -> Result<(), Halt> {
        if let Some(Mark::Open(opening)) = marks.first() {
            let folder = self.state.journals();
            match Journal::create(&folder, &opening.deployment, opening.journal_bytes) {
                Ok(journal) => self.journal = Some(journal),
                Err(error) if error.left_nothing() => {
                    // Nothing is open, so nothing may be staged: the next effect says why.
                    self.unopened = Some(failures::transient("no-room", &error));
                    return Ok(());
                }
                Err(error) => return Err(fatal(&error)),
            }
        }
        match &mut self.journal {
            Some(journal) => journal.append(marks).map_err(|error| fatal(&error)),
            None => Ok(()),
        }
    }

    fn perform(&mut self, effect: Effect) -> Result<Event, Halt> {
        let rests = matches!(effect, Effect::Rest { .. });
        let stops = self.board.is_stopping() && !rests;
        self.allowed = allowance(&effect, &self.settings);
        self.board.herald().beat(self.allowed);
        if matches!(effect, Effect::Rest { ear: Ear::Open, .. }) {
            self.durations.begin();
        }
        let ignoring = self.lookout.ignores(&effect);
        if let Some(watch) = &ignoring {
            watch.close_ears();
        }
        let done = if stops { Err(Halt::Stop) } else { self.carry_out(effect) };
        if let Some(watch) = &ignoring {
            watch.open_ears();
        }
        if rests {
            self.durations.skip(clock::since_boot());
        } else {
            self.durations.spend(clock::since_boot());
        }
        let is_over = rests && !self.is_testing;
        if let (Err(Halt::Stop), false, Some(journal)) = (&done, is_over, &mut self.journal) {
            // So that the next start does not take it for a crash.
            journal.append(&[Mark::Stopped]).map_err(|error| fatal(&error))?;
        }
        done
    }

    fn watch(&mut self, turn: &Turn) {
        let word = turn.state.phase.word();
        self.durations.enter(word, clock::since_boot());
        self.is_testing = matches!(turn.state.phase, Phase::Testing(..));
        if matches!(turn.effect, Effect::Rest { .. }) {
            self.note_untried(turn.state.memory.untried.as_ref());
        }
        let mut is_new = false;
        self.board.tell(|status| {
            is_new = status.phase != word;
            if is_new {
                word.clone_into(&mut status.phase);
            }
        });
        if is_new {
            if CHANGING.contains(&word) {
                tracing::info!(phase = word, "the host is changed");
            }
            self.board.meters().enter(word, clock::since_boot());
            self.board.events().publish(event::PHASE, &serde_json::json!({"phase": word}));
        }
        if !matches!(turn.effect, Effect::Rest { .. }) {
            self.board.herald().status(word);
        }
        tracing::debug!(phase = word, since_boot = ?clock::since_boot(), "turn");
    }
}

impl Host {
    fn carry_out(&mut self, effect: Effect) -> Result<Event, Halt> {
        match effect {
            Effect::Rest { ending, wait, ear } => self.rest(ending, wait, ear),
            Effect::Fetch { .. } | Effect::Export(_) | Effect::Read { .. } => {
                self.read_source(effect)
            }
            Effect::Obtain(wanted, means) => self.obtain(&wanted, means),
            Effect::Mark(marks, counted) => self.mark(*marks, counted),
            Effect::Observe(survey) => self.observe(&survey),
            Effect::Prove { paths, units } => self.prove(&paths, &units),
            Effect::Settle(settlement) => self.settle(*settlement),
            Effect::Show(view) => {
                self.shown = Some(*view);
                Ok(Event::Shown)
            }
            Effect::Steady(steady) => told(self.state.keep_steady(&steady).map(|()| Event::Marked)),
            Effect::Record(record) => self.keep_record(*record),
            other => self.change(other),
        }
    }
}
