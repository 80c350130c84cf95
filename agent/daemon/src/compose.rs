//! The composition root: opens everything the loop needs, in the order in which it can fail.
//!
//! **Invariant:** nothing is written outside the state folder before the lock is held.
//! **Invariant:** what an earlier process left is read before anything new is begun.
//! **Invariant:** an open transaction is ended before root of trust, key, records or repository are
//! asked for: nothing of that is needed to go back.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bowline_engine::memory::{Durable, Memory};
use bowline_engine::phase::{Quest, Turn};
use bowline_engine::recover::{Left, recover};
use bowline_host::clean;
use bowline_host::door::root::Root;
use bowline_host::door::{clock, files};
use bowline_host::failure::chain;
use bowline_host::journal::{self, Found, Journal};
use bowline_host::lock::{self, Lock};
use bowline_host::probe::Prober;
use bowline_host::service::ServiceManager;
use bowline_host::settings::Settings;
use bowline_host::settle;
use bowline_host::stat_cache::StatCache;
use bowline_host::state::State;
use bowline_host::witness::{self, Said, Standing, Witness};
use bowline_model::facts::Facts;
use bowline_model::mark::Mark;

use crate::board::Board;
use crate::cannot_start::{CannotStart, damaged, opening};
use crate::durations::Durations;
use crate::gear::{self, Gear};
use crate::hands::{Agenda, Host, Run};
use crate::lookout::Lookout;
use crate::reload::Loaded;
use crate::report::Post;

/// Everything the loop needs.
#[derive(Debug)]
pub struct Agent {
    /// The hands.
    pub host: Host,
    /// The first turn.
    pub first: Turn,
    /// Held as long as the agent lives.
    pub lock: Lock,
}

/// Puts the agent together.
pub fn compose(
    Loaded { settings, watched }: Loaded,
    board: Arc<Board>,
    post: Arc<Post>,
    stop: Arc<AtomicBool>,
    once: bool,
) -> Result<Agent, CannotStart> {
    // Reading what is there may take its time; a start that hangs is still ended.
    board.herald().beat(Duration::ZERO);
    if !settings.state.exists() {
        // Nothing is made on a host for settings that cannot be used.
        gear::check(&settings)?;
    }
    let state = State::open(&settings.state).map_err(opening("open the state folder"))?;
    let lock = lock::take(state.folder()).map_err(opening("take the state folder's lock"))?;
    let root = open_root(&settings)?;
    let (left, journal) = left_behind(&state, &root)?;
    let witness = Witness::beside(&settings.key);
    let (durable, left, damage) = match kept(&state, &witness) {
        Ok((durable, said)) => (durable, said.unwrap_or(left), None),
        // None of it is needed to end what is open; it is told before anything is kept over it.
        Err(damage) if matches!(left, Left::Marks(_)) => (Durable::default(), left, Some(damage)),
        Err(damage) => return Err(damage),
    };
    let recovering = matches!(left, Left::Marks(_));
    let gear = match left {
        Left::Nothing => Some(Gear::open(&settings, &root, &state, &post)?),
        Left::Marks(_) | Left::Damage { .. } => None,
    };
    let facts = facts_of(&root, recovering)?;
    let name = name_of(&settings, facts.as_ref());
    let known = facts.clone().unwrap_or_default();
    let memory = Memory::at_start(name.clone(), settings.interval, durable, known);
    let quest = Quest { now: clock::since_boot(), wall: clock::wall(), ..Quest::default() };
    board.remember(state.pause().map_err(damaged("read the pause"))?);
    introduce(&board, name.clone());
    let host = Host {
        name,
        blobs: state.folder().join("cache/blobs"),
        stat_cache: if once { StatCache::of_nothing() } else { StatCache::default() },
        services: ServiceManager::named(&settings.service_manager),
        prober: Prober::default(),
        watched,
        settings,
        root,
        state,
        gear,
        journal,
        unopened: None,
        witness,
        facts,
        damage,
        staged: None,
        standing: memory.generation.clone(),
        board,
        post,
        stop,
        allowed: Duration::ZERO,
        durations: Durations::default(),
        run: if once { Run::Once { recovering } } else { Run::Always },
        is_testing: false,
        untried: None,
        ending: None,
        shown: None,
        rehearsal: None,
        lookout: if once { Lookout::default() } else { Lookout::open() },
        agenda: Agenda::default(),
    };
    Ok(Agent { first: recover(memory, left, quest), host, lock })
}

/// What the host tells of itself; to end what is open none of it is needed.
fn facts_of(root: &Root, recovering: bool) -> Result<Option<Facts>, CannotStart> {
    match bowline_host::facts::read(root) {
        Ok(facts) => Ok(Some(facts)),
        Err(_) if recovering => Ok(None),
        Err(error) => Err(opening("read the host's facts")(error)),
    }
}

fn open_root(settings: &Settings) -> Result<Root, CannotStart> {
    Root::open(&settings.root).map_err(|error| {
        let why = chain(&error);
        CannotStart::Settings(format!("the root folder cannot be used: {why}; make it first"))
    })
}

/// How the host is called: as its settings say, else as the system does.
fn name_of(settings: &Settings, facts: Option<&Facts>) -> String {
    match settings.host.as_str() {
        "" => facts.and_then(|it| it.values.get("hostname").cloned()).unwrap_or_default(),
        name => name.to_owned(),
    }
}

fn introduce(board: &Board, name: String) {
    board.tell(|status| {
        status.name = name;
        env!("CARGO_PKG_VERSION").clone_into(&mut status.version);
        "not known yet".clone_into(&mut status.freshness);
    });
}

fn durable(state: &State) -> Result<Durable, CannotStart> {
    Ok(Durable {
        high_water: state.high_water().map_err(damaged("read how far was verified"))?,
        generation: state.generation().map_err(damaged("read the committed generation"))?,
        ledger: state.ledger().map_err(damaged("read what failed"))?,
        steady: state.steady(),
    })
}

/// What is kept, and what its witness says of it.
fn kept(state: &State, witness: &Witness) -> Result<(Durable, Option<Left>), CannotStart> {
    let mut durable = durable(state)?;
    let said = heard(state, witness, &mut durable)?;
    Ok((durable, said))
}

/// Holds the state against its witness: a lost state begins where the witness stood, and nothing is
/// changed under one that was rolled back.
fn heard(
    state: &State,
    witness: &Witness,
    durable: &mut Durable,
) -> Result<Option<Left>, CannotStart> {
    let mine = Said {
        generation: durable.generation.as_ref().map_or(0, |it| it.number),
        high_water: durable.high_water.clone(),
    };
    let said = witness.said().map_err(damaged("hear the witness of the state"))?;
    match witness::compare(&mine, said.as_ref()) {
        Standing::Agrees => Ok(None),
        Standing::Lost(marks) => {
            let head = marks.head;
            tracing::warn!(%head, "the state is lost; nothing below this commit is accepted");
            let said = Said { generation: mine.generation, high_water: Some((*marks).clone()) };
            state.keep_high_water(&marks).map_err(opening("keep how far was verified"))?;
            witness.tell(&said).map_err(opening("tell the witness of the state"))?;
            durable.high_water = Some(*marks);
            Ok(None)
        }
        Standing::Older { detail } => {
            let path = witness.path().display();
            let detail = format!("the state is older than the host ({path}): {detail}");
            Ok(Some(Left::Damage { code: "state-older", detail }))
        }
    }
}

/// What an earlier process left: its journal, or stages without one.
fn left_behind(state: &State, root: &Root) -> Result<(Left, Option<Journal>), CannotStart> {
    let found = journal::find(&state.journals()).map_err(opening("read the journal"))?;
    let stages = clean::leftovers(root).map_err(opening("look for stages"))?;
    let (deployment, journal, marks) = match found {
        Found::Damaged { path, detail } => {
            let aside = path.with_extension("damaged");
            let copied = files::copy_aside(&path, &aside);
            let copied =
                copied.map_or(String::new(), |()| format!("; copied to {}", aside.display()));
            let detail = format!("the journal {} is damaged: {detail}{copied}", path.display());
            return Ok((Left::Damage { code: "journal-damaged", detail }, None));
        }
        Found::Nothing => (None, None, Vec::new()),
        Found::Whole { journal, marks } if marks.is_empty() => {
            // Made, and the power went before its first record: nothing relies on it.
            journal.remove().map_err(opening("remove an empty journal"))?;
            (None, None, marks)
        }
        Found::Whole { journal, marks } => (deployment_of(&marks), Some(journal), marks),
    };
    let foreign = |name: &&String| Some(name.as_str()) != deployment.as_deref();
    for (stage, names) in &stages {
        if let Some(name) = names.iter().find(foreign) {
            let detail =
                format!("{stage}/{name} is a stage without its journal; nothing is changed");
            return Ok((Left::Damage { code: "stage-without-journal", detail }, journal));
        }
    }
    if marks.is_empty() {
        // A power cut may bring one back that was thrown away; no journal speaks of it any more.
        settle::discard_generations(state).map_err(opening("remove staged generations"))?;
        return Ok((Left::Nothing, journal));
    }
    Ok((Left::Marks(marks), journal))
}

fn deployment_of(marks: &[Mark]) -> Option<String> {
    match marks.first() {
        Some(Mark::Open(opening)) => Some(opening.deployment.clone()),
        _ => None,
    }
}
