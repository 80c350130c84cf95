//! Runs real recovery on one state, then the next cycle, and holds the host against the invariants of the design.
//!
//! **Invariant:** a host is judged by what is on its disk and in its records, not by what it prints.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bowline_api::cycle::Cycle;
use bowline_api::outcome::Outcome;
use bowline_api::record::{Kind, Record};
use bowline_host::record;
use bowline_host::state::State as AgentState;

use super::derive::State;
use super::ink;
use super::tree::{Look, Looks, Tree};
use super::yard::{Plot, Remote, Yard};

/// More records than any history of the tests has.
const RECORDS_MAX: usize = 20;

/// Codes of a cycle that found its copy of the repository broken, and made it anew for the next.
const BROKEN_COPY: [&str; 2] = ["missing-object", "repository"];

/// One of the two states in which a host may be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// As before the deployment.
    Old,
    /// As after it.
    New,
}

/// What may be found.
#[derive(Debug)]
pub struct Sides {
    /// The host before the deployment.
    pub old: Looks,
    /// The host after it.
    pub new: Looks,
    /// What the records tell, in their order, when no power cut comes.
    pub told: &'static [Outcome],
    /// Where that leads, and the next cycle, whatever happened.
    pub next: Side,
}

/// Makes a state real, recovers without the remote, then with it. `Err` says what is wrong.
pub fn judge(yard: &Yard, sides: &Sides, state: &State) -> Result<(), String> {
    let plot = yard.plot(&format!("state-{:016x}", state.digest));
    make_real(&plot, &state.tree);
    let recovered = recover(yard, &plot, sides, state).map_err(|why| format!("recovery: {why}"));
    let judged = recovered.and_then(|()| {
        go_on(yard, &plot, sides, state).map_err(|why| format!("the cycle after it: {why}"))
    });
    let here = plot.folder.display().to_string();
    plot.clear();
    judged.map_err(|why| format!("{}\n  {}", why.replace(&here, ""), state.story))
}

/// Puts a tree on a real disk as a host.
pub fn make_real(plot: &Plot, tree: &Tree) {
    let moved = tree.write(&plot.folder);
    ink::translate(&plot.folder.join("state/journal"), &moved);
}

/// Recovery alone: no remote answers, and what was fetched is out of reach. Otherwise the same run
/// would go on to deploy what it knows, and hide what recovery left.
fn recover(yard: &Yard, plot: &Plot, sides: &Sides, state: &State) -> Result<(), String> {
    let (objects, aside) = (plot.folder.join("state/objects.git"), plot.folder.join("objects.git"));
    fs::rename(&objects, &aside).unwrap();
    let cycle = cycle(yard, plot, Remote::Away)?;
    fs::remove_dir_all(&objects).unwrap();
    fs::rename(&aside, &objects).unwrap();
    if cycle.outcome != Outcome::Failed {
        return Err(format!("recovery without a remote ended {}: {}", cycle.outcome, cycle.detail));
    }
    let side = side(plot, sides)?;
    agrees(plot, side)?;
    let outcomes: Vec<_> = changes(plot)?.iter().map(|it| it.outcome).collect();
    if !outcomes.starts_with(&sides.told[..state.told]) {
        return Err(format!("{:?} was announced, and is forgotten: {outcomes:?}", sides.told));
    }
    if side != sides.next && (state.told == sides.told.len() || sides.next == Side::Old) {
        return Err(format!("{:?} was decided, and the host is {side:?}", sides.next));
    }
    nothing_left(plot)
}

/// The next cycle, with the remote: where the deployment leads anyway.
fn go_on(yard: &Yard, plot: &Plot, sides: &Sides, state: &State) -> Result<(), String> {
    let mut cycle = cycle(yard, plot, Remote::There)?;
    // A copy that was cut short is noticed and made anew; one that was called durable is whole.
    if BROKEN_COPY.contains(&cycle.code.as_str()) && !state.fetched {
        cycle = self::cycle(yard, plot, Remote::There)?;
    }
    // What was fetched of a release may be torn: that is noticed when it is used, and it is fetched again.
    if cycle.code == "artifact-away" {
        cycle = self::cycle(yard, plot, Remote::There)?;
    }
    let told = changes(plot)?;
    let goal = goal(sides.next, &told)?;
    if !goal.cycle.contains(&cycle.outcome) {
        return Err(format!("it ended {}: {}", cycle.outcome, cycle.detail));
    }
    let side = side(plot, sides)?;
    if side != goal.side {
        return Err(format!("after it the host is {side:?}"));
    }
    agrees(plot, side)?;
    nothing_left(plot)?;
    let generations = names_in(&plot.folder.join("state/generations"));
    if generations.iter().any(|it| it.starts_with("candidate")) {
        return Err("a staged generation is left behind".to_owned());
    }
    // More than one: a finished deployment was done again. None: its record was lost.
    let is_end = |it: &&Record| matches!(it.outcome, Outcome::Committed | Outcome::Reverted);
    let ends: Vec<_> = told.iter().filter(is_end).map(|it| it.outcome).collect();
    if ends.as_slice() == goal.end.as_slice() {
        return Ok(());
    }
    Err(format!("its records tell of {ends:?}"))
}

/// Where the next cycle must have led.
struct Goal {
    side: Side,
    /// How the cycle may end.
    cycle: [Outcome; 2],
    /// The one end that the change has in the records, if it has any.
    end: Option<Outcome>,
}

/// A change that was cut short twice after its begin, which only a proof tells, is not tried again.
fn goal(next: Side, told: &[Record]) -> Result<Goal, String> {
    let cut_short = |it: &&Record| it.outcome == Outcome::Failed && it.proof.is_some();
    let side = match told.iter().filter(cut_short).count() {
        0 | 1 => next,
        2 => Side::Old,
        more => return Err(format!("it was cut short {more} times, and tried again")),
    };
    let (cycle, end) = match (side, next) {
        (Side::New, _) => ([Outcome::Committed, Outcome::Unchanged], Some(Outcome::Committed)),
        (Side::Old, Side::Old) => ([Outcome::Reverted, Outcome::Held], Some(Outcome::Reverted)),
        (Side::Old, Side::New) => ([Outcome::Held; 2], None),
    };
    Ok(Goal { side, cycle, end })
}

fn cycle(yard: &Yard, plot: &Plot, remote: Remote) -> Result<Cycle, String> {
    let output = yard.cycle(plot, remote);
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or_default();
    let cycle: Cycle = serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("the agent fell with {}: {last}", output.status))?;
    match cycle.outcome {
        Outcome::Stranded => Err(format!("stranded: {}", cycle.detail)),
        _ => Ok(cycle),
    }
}

/// All old or all new, to the byte; anything else is mixed.
fn side(plot: &Plot, sides: &Sides) -> Result<Side, String> {
    let found = host_looks(plot);
    match () {
        () if found == sides.old => Ok(Side::Old),
        () if found == sides.new => Ok(Side::New),
        () => Err(format!("the host is neither old nor new: {}", difference(&found, &sides.old))),
    }
}

/// What stands on the host, the agent's stages left out.
pub fn host_looks(plot: &Plot) -> Looks {
    managed(&Tree::read(&[("root", &plot.folder.join("root"))]))
}

/// What a tree shows of the host, the agent's stages left out.
pub fn managed(tree: &Tree) -> Looks {
    let mut looks = tree.looks("root");
    looks.retain(|path, _| !path.starts_with("/.bowline-stage"));
    looks
}

fn difference(found: &Looks, old: &Looks) -> String {
    let brief = |look: Option<&Look>| match look {
        None => "nothing".to_owned(),
        Some(Look::File(mode, bytes)) => {
            format!("file {mode:o} {:?}", String::from_utf8_lossy(bytes))
        }
        Some(Look::Folder(mode)) => format!("folder {mode:o}"),
        Some(Look::Link(to)) => format!("link to {to}"),
    };
    let paths: BTreeMap<_, _> = found.iter().chain(old).collect();
    let differ = paths.keys().filter(|path| found.get(**path) != old.get(**path));
    let told = differ.map(|path| format!("{path} is {}", brief(found.get(*path))));
    told.collect::<Vec<_>>().join(", ")
}

/// Generation and records say what the host is.
fn agrees(plot: &Plot, side: Side) -> Result<(), String> {
    let state = AgentState::open(&plot.folder.join("state")).map_err(|it| it.to_string())?;
    let standing = state.generation().map_err(|it| it.to_string())?.map_or(0, |it| it.number);
    let expected = if side == Side::New { 2 } else { 1 };
    if standing != expected {
        return Err(format!("the host is {side:?} and generation {standing} stands"));
    }
    let told = changes(plot)?;
    let kept = told.iter().any(|it| it.outcome == Outcome::Committed);
    if kept != (side == Side::New) {
        return Err(format!("the host is {side:?}, and a record of its commit: {kept}"));
    }
    match told.iter().flat_map(|it| &it.conflicts).next() {
        Some(conflict) => {
            Err(format!("a conflict with nobody: {} {}", conflict.path, conflict.detail))
        }
        None => Ok(()),
    }
}

/// The deployments that were recorded, but for the one that made the host old; the oldest first.
fn changes(plot: &Plot) -> Result<Vec<Record>, String> {
    let told = record::newest(&plot.folder.join("state/records"), RECORDS_MAX);
    let mut told = told.map_err(|error| error.to_string())?;
    told.retain(|it| it.kind == Kind::Deployment && it.seq > 1);
    told.sort_by_key(|it| it.seq);
    Ok(told)
}

/// No journal, nothing in a stage.
fn nothing_left(plot: &Plot) -> Result<(), String> {
    let names = |path: &str| names_in(&plot.folder.join(path));
    let mut left = names("root/.bowline-stage");
    left.extend(names("state/journal"));
    if left.is_empty() { Ok(()) } else { Err(format!("left behind: {}", left.join(", "))) }
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|it| it.unwrap().file_name().to_string_lossy().into_owned()).collect()
}
