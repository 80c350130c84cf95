//! One deployment, recorded once, and tried against every state that a power cut may leave of it.
//!
//! **Invariant:** the number of states is bounded; what is left out is left out by a fixed seed.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;

use bowline_api::cycle::Cycle;
use bowline_api::outcome::Outcome;

use super::derive::{State, draw, states};
use super::judge::{Side, Sides, host_looks, judge, make_real, managed};
use super::reader;
use super::recording::Recording;
use super::release;
use super::tree::Tree;
use super::yard::{Plot, Remote, Yard};

/// States of the protocol as it is: more than any journey has, and half a minute on two cores.
const STATES_MAX: usize = 2_500;

/// States for each barrier that is taken out: those that it alone protects come first.
const STATES_WITHOUT_MAX: usize = 400;

/// Agents at a time; those that wait for a probe need no core.
const THREADS: usize = 12;

/// For the states that are left out.
const SEED: u64 = 0x5e1e_c7ed;

const OLD: &str = include_str!("old.yaml");
const NEW: &str = include_str!("new.yaml");
const FAILING_PROBE: &str = include_str!("failing_probe.yaml");

/// What the agent does while it is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journey {
    /// It deploys a change and keeps it.
    Commit,
    /// It deploys a change and takes it back, because a probe fails.
    Revert,
    /// It takes back what an agent before it had applied and not decided, and deploys it again.
    Recovery,
    /// It fetches a release, deploys it and keeps it.
    Release,
}

/// One recorded journey.
#[derive(Debug)]
pub struct Trial {
    yard: Yard,
    recording: Recording,
    sides: Sides,
    /// The states of the protocol as it is.
    known: OnceLock<BTreeSet<u64>>,
}

/// What came of trying.
#[derive(Debug, Default)]
pub struct Findings {
    /// States tried.
    pub tried: usize,
    /// States that were derived.
    pub derived: usize,
    /// What was wrong; empty is green.
    pub wrong: Vec<String>,
}

/// When to stop trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// After all of them.
    All,
    /// At the first that is wrong.
    Wrong,
}

/// Runs one cycle and reads what it did.
fn record(yard: &Yard, plot: &Plot, remote: Remote) -> Recording {
    let folders = plot.folders();
    let before = Tree::read(&folders.each_ref().map(|(name, path)| (*name, path.as_path())));
    let (output, calls) = yard.record(plot, remote);
    let told: Option<Cycle> = serde_json::from_slice(&output.stdout).ok();
    assert!(told.is_some_and(|it| it.outcome != Outcome::Stranded), "{output:?}");
    reader::read(before, &folders, &calls)
}

impl Journey {
    /// Those whose barriers are taken out one at a time. A release adds none to them.
    pub const ALL: [Self; 3] = [Self::Commit, Self::Revert, Self::Recovery];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Revert => "revert",
            Self::Recovery => "recovery",
            Self::Release => "release",
        }
    }

    /// The one that is called so.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

impl Trial {
    /// Records a journey.
    pub fn record(journey: Journey) -> Self {
        let yard = Yard::new(OLD);
        let plot = yard.plot("recorded");
        for name in ["root", "key"] {
            fs::create_dir(plot.folder.join(name)).unwrap();
        }
        let releases = (journey == Journey::Release)
            .then(|| [1, 2].map(|number| release::bring(&yard, &plot, number)));
        releases.iter().for_each(|[first, _]| yard.commit(first));
        let first = yard.cycle(&plot, Remote::There);
        assert!(first.status.success(), "{first:?}");
        let old = host_looks(&plot);
        let new = match journey {
            Journey::Release => releases.map(|[_, second]| second).unwrap_or_default(),
            Journey::Commit | Journey::Recovery => NEW.to_owned(),
            Journey::Revert => format!("{NEW}---\n{FAILING_PROBE}"),
        };
        yard.commit(&new);
        let recording = record(&yard, &plot, Remote::There);
        plot.clear();
        let applied = recording.applied();
        let new = managed(&applied);
        let (told, next): (&[_], _) = match journey {
            Journey::Commit | Journey::Release => (&[Outcome::Committed], Side::New),
            Journey::Revert => (&[Outcome::Reverted], Side::Old),
            Journey::Recovery => (&[Outcome::Failed, Outcome::Committed], Side::New),
        };
        let sides = Sides { old, new, told, next };
        if journey != Journey::Recovery {
            return Self::of(yard, recording, sides);
        }
        let plot = yard.plot("recovered");
        make_real(&plot, &applied);
        let recording = record(&yard, &plot, Remote::There);
        plot.clear();
        Self::of(yard, recording, sides)
    }

    fn of(yard: Yard, recording: Recording, sides: Sides) -> Self {
        Self { yard, recording, sides, known: OnceLock::new() }
    }

    /// Tries what a power cut may leave of the deployment as it is.
    pub fn explore(&self) -> Findings {
        let states = states(&self.recording, None, &BTreeSet::new());
        self.try_all(states, STATES_MAX, Until::All)
    }

    /// The barriers, by name, in order.
    pub fn barriers(&self) -> Vec<&str> {
        self.recording.barriers().into_iter().map(|(_, name)| name).collect()
    }

    /// Takes one barrier out, and tries what that adds until something is wrong.
    pub fn explore_without(&self, barrier: &str) -> Findings {
        let known = self.known.get_or_init(|| {
            let states = states(&self.recording, None, &BTreeSet::new());
            states.into_iter().map(|it| it.digest).collect()
        });
        let barriers = self.recording.barriers();
        let found = barriers.into_iter().find(|(_, name)| *name == barrier);
        let (at, _) = found.unwrap_or_else(|| panic!("there is no barrier {barrier:?}"));
        let states = states(&self.recording, Some(at), known);
        self.try_all(states, STATES_WITHOUT_MAX, Until::Wrong)
    }

    fn try_all(&self, states: Vec<State>, most: usize, until: Until) -> Findings {
        let derived = states.len();
        let chosen = choose(states, most);
        let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let tried = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    while let Some(state) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let judged = judge(&self.yard, &self.sides, state);
                        tried.fetch_add(1, Ordering::Relaxed);
                        if let Err(why) = judged {
                            wrong.lock().unwrap().push(why);
                            if until == Until::Wrong {
                                next.store(chosen.len(), Ordering::Relaxed);
                            }
                        }
                    }
                });
            }
        });
        let mut wrong = wrong.into_inner().unwrap();
        wrong.sort();
        Findings { tried: tried.into_inner(), derived, wrong }
    }
}

/// The states that say most; of those that say as much a seeded choice.
fn choose(mut states: Vec<State>, most: usize) -> Vec<State> {
    let mut lot = SEED;
    let mut keys: Vec<usize> = states.iter().map(|_| draw(&mut lot, usize::MAX)).collect();
    states.sort_by_cached_key(|it| (it.rank, keys.pop()));
    states.truncate(most);
    states
}
