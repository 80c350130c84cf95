//! A host made of memory, which can fail or lose power at any effect, and in the middle of one.
//!
//! **Invariant:** what is durable survives a power cut; of a batch cut short any subset may survive.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bowline_agent::driver::Halt;
use bowline_api::cycle::PlanView;
use bowline_api::record::{Kind, Record};
use bowline_engine::ending::Ending;
use bowline_engine::phase::{Ear, Effect, Event, Failure, Means, Settlement, Weight};
use bowline_engine::settings::Settings;
use bowline_engine::testing::{Offer, Untried};
use bowline_engine::wish::Wish;
use bowline_model::digest::Sha256;
use bowline_model::facts::Facts;
use bowline_model::form::{Form, Inode};
use bowline_model::generation::Generation;
use bowline_model::object_id::ObjectId;
use bowline_model::probe_call::Answer;
use bowline_model::survey::{Condition, Guard, Seen, Sight, Survey};
use bowline_model::unit::UnitState;

use crate::disk::Disk;
use crate::village::Village;

/// What goes wrong with an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails and is told.
    Fails,
    /// The power goes before it.
    DarkBefore,
    /// The power goes in the middle: of its parts those survive whose bit is set.
    DarkAmid(u32),
    /// The power goes after it, before anyone hears of it.
    DarkAfter,
}

/// The simulated host.
#[derive(Debug, Clone)]
pub struct SimHost {
    /// What survives.
    pub disk: Disk,
    /// The repository.
    pub village: Village,
    /// The fingerprint of the host's key.
    pub fingerprint: String,
    /// Whether the remote answers.
    pub reachable: bool,
    /// Another remote, which is asked when the first does not answer.
    pub mirror: Option<Village>,
    /// Whether archives can be fetched.
    pub has_depot: bool,
    /// In which cycles that server was asked.
    pub asked: Vec<usize>,
    /// What the next cycles of one process begin with, in place of what else they would.
    pub moments: VecDeque<Moment>,
    /// What probes answer, in turn; the last answer stays.
    pub probes: Vec<bool>,
    /// Faults, each at the effect of its number, from 1.
    pub faults: Vec<(usize, Fault)>,
    /// Effects so far.
    pub effects: usize,
    /// Names of effects so far, for a replay.
    pub log: Vec<String>,
    /// Set when the power went.
    pub dark: bool,
    /// Whether the host boots after that; else only the agent was killed.
    pub reboots: bool,
    /// The wall clock.
    pub wall: i64,
    /// The boot clock.
    pub clock: Duration,
    /// How cycles ended.
    pub endings: Vec<Ending>,
    /// Cycles left to run.
    pub cycles: u32,
    /// What people ask of the next cycle.
    pub wish: Option<Wish>,
    /// They ask it when so many cycles ended.
    pub asked_after: usize,
    /// What happens in each rest, in turn.
    pub meanwhile: VecDeque<fn(&mut Self)>,
    /// The last plan that was shown.
    pub shown: Option<PlanView>,
    /// Why the last test that was offered is not tried out.
    pub untried: Option<Untried>,
    /// What no invariant allows, as it was seen.
    pub broken: Vec<String>,
}

/// What a cycle begins with.
#[derive(Debug, Clone, Default)]
pub struct Moment {
    /// How long the agent rested before it.
    pub nap: Duration,
    /// What is asked of it.
    pub wish: Wish,
    /// Files that somebody changed meanwhile.
    pub touched: Vec<String>,
}

impl SimHost {
    /// A host that follows a repository.
    pub fn new(village: Village) -> Self {
        Self {
            disk: Disk::default(),
            village,
            fingerprint: "SHA256:none".to_owned(),
            reachable: true,
            mirror: None,
            has_depot: true,
            asked: Vec::new(),
            moments: VecDeque::new(),
            probes: vec![true],
            faults: Vec::new(),
            effects: 0,
            log: Vec::new(),
            dark: false,
            reboots: true,
            wall: crate::village::BEGINNING + 86_400,
            clock: Duration::from_secs(100),
            endings: Vec::new(),
            cycles: 1,
            wish: None,
            asked_after: 0,
            meanwhile: VecDeque::new(),
            shown: None,
            untried: None,
            broken: Vec::new(),
        }
    }

    /// Somebody else puts a file somewhere.
    pub fn put_file(&mut self, path: &str, text: &str) {
        let form = Form::File {
            sha256: Sha256::of(text.as_bytes()),
            size: text.len() as u64,
            mode: 0o644,
            uid: 0,
            gid: 0,
            xattrs: None,
        };
        let thing = self.disk.thing(form);
        self.disk.live.insert(path.to_owned(), thing);
    }

    /// Somebody else makes a folder.
    pub fn put_folder(&mut self, path: &str) {
        let thing = self.disk.thing(Form::Directory { mode: 0o755, uid: 0, gid: 0 });
        self.disk.live.insert(path.to_owned(), thing);
    }

    /// Paths and how they stand.
    pub fn forms(&self) -> BTreeMap<String, Form> {
        self.disk.live.iter().map(|(path, thing)| (path.clone(), thing.form.clone())).collect()
    }

    pub(crate) fn facts(&self) -> Facts {
        let root = || BTreeMap::from([("root".to_owned(), 0)]);
        let boot = format!("boot {}", self.disk.boots);
        Facts { users: root(), groups: root(), boot, ..Facts::default() }
    }

    pub(crate) fn happen(
        &mut self,
        effect: Effect,
        survives: impl Fn(usize) -> bool,
    ) -> Result<Event, Halt> {
        Ok(match effect {
            Effect::Rest { ending, ear, .. } => return self.rest(ending, ear),
            Effect::Fetch { from, means, .. } => self.fetch(from, means),
            Effect::Mark(marks, _) => {
                self.disk.high_water = Some(*marks);
                Event::Marked
            }
            Effect::Export(commit) => Event::Exported(Box::new(self.village.tree(commit))),
            Effect::Read { commit, paths } => {
                Event::Contents(self.village.contents(commit, &paths))
            }
            Effect::Obtain(wanted, means) => self.obtain(&wanted.archive, means),
            Effect::Observe(survey) => Event::Seen(self.look(&survey)),
            Effect::Stage(staging) => self.stage(&staging, survives),
            Effect::Apply { deployment, steps, .. } => {
                self.check_intents(&steps);
                self.apply(&deployment, &steps, survives)
            }
            Effect::Check(_) => Event::Checked,
            Effect::Notify(_) => Event::Notified(Vec::new()),
            Effect::Probe { not_before, calls } => {
                self.clock = self.clock.max(not_before) + Duration::from_millis(10);
                let passed =
                    if self.probes.len() > 1 { self.probes.remove(0) } else { self.probes[0] };
                let answer = |name| Answer { name, passed, detail: "simulated".to_owned() };
                let answers = calls.into_iter().map(|call| answer(call.name)).collect();
                Event::Probed { answers, now: self.clock }
            }
            Effect::Settle(settlement) => Event::Settled(self.settle(*settlement)),
            Effect::Undo { deployment, steps, .. } => self.undo(&deployment, &steps, survives),
            Effect::Prove { paths, units } => Event::Proved {
                seen: paths.iter().map(|path| self.seen(path.as_str())).collect(),
                units: Some(self.states(&units)),
            },
            Effect::Clean { deployment, .. } => {
                self.disk.clean(&deployment);
                Event::Cleaned(Vec::new())
            }
            Effect::Steady(steady) => {
                self.disk.steady = Some(*steady);
                Event::Marked
            }
            Effect::Show(view) => {
                self.shown = Some(*view);
                Event::Shown
            }
            Effect::Record(record) => {
                let same = |it: &&Record| {
                    (!it.deployment.is_empty() || record.kind == Kind::Healthy)
                        && (&it.deployment, it.outcome, it.proof.is_some(), &it.healthy)
                            == (
                                &record.deployment,
                                record.outcome,
                                record.proof.is_some(),
                                &record.healthy,
                            )
                };
                // A state that is told of is not the end of its deployment, unless it proves that.
                let is_told = matches!(record.kind, Kind::State | Kind::Healthy);
                let is_end = !is_told || record.proof.is_some();
                if self.disk.records.iter().find(same).is_none() {
                    self.disk.records.push(*record);
                }
                if is_end {
                    self.disk.journal.clear();
                    self.disk.candidate = None;
                }
                Event::Recorded
            }
        })
    }

    pub(crate) fn rest(&mut self, ending: Option<Box<Ending>>, ear: Ear) -> Result<Event, Halt> {
        self.endings.extend(ending.map(|it| *it));
        if self.cycles == 0 {
            return Err(Halt::Stop);
        }
        self.cycles -= 1;
        if let Some(happens) = self.meanwhile.pop_front() {
            happens(self);
        }
        let moment = self.moments.pop_front();
        // At first so long that every wait is over.
        self.clock += moment.as_ref().map_or(Duration::from_hours(7), |it| it.nap);
        let wish = match moment {
            Some(Moment { wish, touched, .. }) => {
                touched.iter().for_each(|it| self.put_file(it, "by hand"));
                wish
            }
            None => self.hear(ear),
        };
        let (trust, trust_sha256) = self.village.trust();
        let settings = Settings {
            interval: Duration::from_mins(1),
            fingerprint: self.fingerprint.clone(),
            folder: String::new(),
            local_labels: BTreeMap::new(),
            version: (0, 1, 0),
            trust,
            trust_sha256,
            reserved: Vec::new(),
        };
        Ok(Event::Woke {
            // Read anew each time, as after a signal: only what it says counts.
            settings: Arc::new(settings),
            now: self.clock,
            wall: self.wall,
            facts: self.facts(),
            next_deployment: self.disk.records.len() as u64 + 1,
            wish,
        })
    }

    /// What people ask stays with them while nobody listens.
    fn hear(&mut self, ear: Ear) -> Wish {
        let is_asked = ear == Ear::Open && self.endings.len() >= self.asked_after;
        let wish = if is_asked { self.wish.take() } else { None };
        wish.unwrap_or(Wish { thorough: true, ..Wish::default() })
    }

    /// The first remote answers, else the mirror; who looks only here hears of no test.
    fn fetch(&self, from: ObjectId, means: Means) -> Event {
        let (village, place) = match &self.mirror {
            Some(mirror) if !self.reachable => (mirror, 1),
            _ if self.reachable => (&self.village, 0),
            _ => return failed("the remote does not answer"),
        };
        let offer = match means {
            Means::Remote => {
                Offer { bundle: village.own_bundle().map(Box::new), place: Some(place) }
            }
            Means::Local => Offer::default(),
        };
        Event::Fetched(Box::new(village.bundle(from)), offer)
    }

    pub(crate) fn seen(&self, path: &str) -> Seen {
        match self.disk.live.get(path) {
            None => Seen { form: Form::Absent, inode: None, obstacle: None },
            Some(thing) => {
                let inode = Some(Inode { dev: 1, ino: thing.number, links: 1 });
                Seen { form: thing.form.clone(), inode, obstacle: None }
            }
        }
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let name = |path: &String| Some(path.strip_prefix(folder)?.strip_prefix('/')?.to_owned());
        let names = self.disk.live.keys().filter_map(name);
        names.filter(|it| !it.contains('/')).collect()
    }

    fn states(&self, units: &[String]) -> Vec<UnitState> {
        units.iter().map(|it| self.disk.units.state(&self.disk.live, it)).collect()
    }

    fn look(&self, survey: &Survey) -> Sight {
        let holds = |guard: &Guard| match &guard.condition {
            Condition::Creates(path) => !self.disk.live.contains_key(path.as_str()),
            Condition::Unless(argv) | Condition::OnlyIf(argv) => {
                !self.disk.ran.contains(argv.last().unwrap())
            }
        };
        Sight {
            forms: survey.paths.iter().map(|path| self.seen(path.as_str())).collect(),
            listings: survey.listings.iter().map(|it| self.list(it.as_str())).collect(),
            guards: survey.guards.iter().map(|it| (it.resource.clone(), holds(it))).collect(),
            units: Some(self.states(&survey.units)),
        }
    }

    fn settle(&mut self, settlement: Settlement) -> Option<Arc<Generation>> {
        match settlement {
            Settlement::Commit { ledger, .. } => {
                self.disk.ledger = (*ledger).clone();
                let staged = self.disk.candidate.take();
                if let Some(generation) = staged {
                    self.disk.keep(generation);
                }
            }
            Settlement::Adopt { generation, ledger } => {
                self.disk.ledger = (*ledger).clone();
                self.disk.keep(*generation);
            }
            Settlement::Revert { ledger, .. } => self.disk.ledger = (*ledger).clone(),
        }
        self.disk.generation.clone().map(Arc::new)
    }
}

pub(crate) fn failed(detail: &str) -> Event {
    let (code, detail) = ("simulated".to_owned(), detail.to_owned());
    Event::Failed(Failure { weight: Weight::Transient, code, detail })
}
