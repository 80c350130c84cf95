//! One deployment, recorded once, and tried against every state that a power cut may leave of it.
//!
//! **Invariant:** the number of states is bounded; what is left out is left out by a fixed seed.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use bowline_api::cycle::Cycle;
use bowline_api::outcome::Outcome;

use super::derive::{State, draw, states};
use super::judge::{Goal, Sides, host_looks, judge};
use super::op::Op;
use super::recording::Recording;
use super::tree::Tree;
use super::yard::{Remote, Yard};

/// States of the protocol as it is: a few minutes on two cores.
const STATES_MAX: usize = 1_500;

/// States for each barrier that is taken out: those that it alone protects come first.
const STATES_WITHOUT_MAX: usize = 250;

/// Agents at a time; those that wait for a probe need no core.
const THREADS: usize = 6;

/// For the states that are left out.
const SEED: u64 = 0x5e1e_c7ed;

const OLD: &str = include_str!("old.yaml");
const NEW: &str = include_str!("new.yaml");
const FAILING_PROBE: &str = include_str!("failing_probe.yaml");

/// One recorded deployment.
#[derive(Debug)]
pub struct Trial {
    yard: Yard,
    recording: Recording,
    sides: Sides,
    /// From this operation on the world may know how it ended.
    announced: usize,
}

/// What came of trying.
#[derive(Debug, Default)]
pub struct Findings {
    /// States tried.
    pub tried: usize,
    /// States that were derived.
    pub derived: usize,
    /// What was wrong, the earliest first; empty is green.
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

impl Trial {
    /// Records the deployment that leads there.
    pub fn record(goal: Goal) -> Self {
        let yard = Yard::new(OLD);
        let plot = yard.plot("recorded");
        for name in ["root", "key"] {
            fs::create_dir(plot.folder.join(name)).unwrap();
        }
        let first = yard.cycle(&plot, Remote::There);
        assert!(first.status.success(), "{first:?}");
        let old = host_looks(&plot);
        let new = match goal {
            Goal::New => NEW.to_owned(),
            Goal::Old => format!("{NEW}---\n{FAILING_PROBE}"),
        };
        yard.commit(&new);
        let folders = plot.folders();
        let before = Tree::read(&folders.each_ref().map(|(name, path)| (*name, path.as_path())));
        let (output, calls) = yard.record(&plot, Remote::There);
        let cycle: Cycle = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("the recorded deployment fell: {output:?}"));
        let expected = match goal {
            Goal::New => Outcome::Committed,
            Goal::Old => Outcome::Reverted,
        };
        assert_eq!(cycle.outcome, expected, "{cycle:?}");
        let recording = Recording::read(before, &folders, &calls);
        let new = recording.new_looks();
        let announced = recording.announced();
        plot.clear();
        Self { yard, recording, sides: Sides { old, new, goal }, announced }
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

    /// Takes each of these barriers out, one at a time, and tries what that adds.
    pub fn explore_without(&self, wanted: impl Fn(&str) -> bool) -> Vec<(String, Findings)> {
        let known = states(&self.recording, None, &BTreeSet::new());
        let known = known.into_iter().map(|it| it.digest).collect();
        let chosen = self.recording.barriers().into_iter().filter(|(_, name)| wanted(name));
        let one = |(at, name): (usize, &str)| {
            let states = states(&self.recording, Some(at), &known);
            (name.to_owned(), self.try_all(states, STATES_WITHOUT_MAX, Until::Wrong))
        };
        chosen.map(one).collect()
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
                        let promised = state.after > self.announced;
                        let judged = judge(&self.yard, &self.sides, state, promised);
                        tried.fetch_add(1, Ordering::Relaxed);
                        if let Err(why) = judged {
                            wrong.lock().unwrap().push((state.after, why));
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
        let wrong = wrong.into_iter().map(|(_, why)| why).collect();
        Findings { tried: tried.into_inner(), derived, wrong }
    }
}

/// All regular states and as many drawn ones as fit; of too many regular ones a seeded choice.
fn choose(states: Vec<State>, most: usize) -> Vec<State> {
    let (mut drawn, mut chosen): (Vec<_>, Vec<_>) = states.into_iter().partition(|it| it.is_drawn);
    let mut lot = SEED;
    while chosen.len() > most {
        let at = draw(&mut lot, chosen.len());
        chosen.swap_remove(at);
    }
    while chosen.len() < most && !drawn.is_empty() {
        let at = draw(&mut lot, drawn.len());
        chosen.push(drawn.swap_remove(at));
    }
    chosen
}

impl Recording {
    /// The host when everything was in place: before the first thing was taken back or cleaned up.
    fn new_looks(&self) -> super::tree::Looks {
        let in_place = |name: &str| name.starts_with("journal") && name.contains("stepDone");
        let barriers = self.barriers();
        let (at, _) = barriers.iter().find(|(_, name)| in_place(name)).unwrap();
        let mut looks = self.tree(self.ops[..*at].iter().map(|(op, _)| op.clone())).looks("root");
        looks.retain(|path, _| !path.starts_with("/.bowline-stage"));
        looks
    }

    /// The operation that makes the record of the end durable.
    fn announced(&self) -> usize {
        let barriers = self.barriers();
        let ended = barriers.iter().position(|(_, name)| name.starts_with("journal end")).unwrap();
        let is_record = |(_, name): &&(usize, &str)| name.contains("state/records/");
        let (at, _) = barriers[ended..].iter().find(is_record).unwrap();
        debug_assert!(matches!(self.ops[*at].0, Op::Barrier(..)), "a barrier announces");
        *at
    }
}
