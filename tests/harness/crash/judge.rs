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
    /// What the deployment's record tells.
    pub told: Side,
    /// Where the next cycle leads, whatever happened.
    pub next: Side,
}

/// Makes a state real, recovers without the remote, then with it. `Err` says what is wrong.
pub fn judge(yard: &Yard, sides: &Sides, state: &State) -> Result<(), String> {
    let plot = yard.plot(&format!("state-{:016x}", state.digest));
    make_real(&plot, &state.tree);
    let recovered =
        recover(yard, &plot, sides, state.told).map_err(|why| format!("recovery: {why}"));
    let judged = recovered.and_then(|()| {
        go_on(yard, &plot, sides).map_err(|why| format!("the cycle after it: {why}"))
    });
    plot.clear();
    judged.map_err(|why| format!("{why}\n  {}", state.story))
}

/// Puts a tree on a real disk as a host.
pub fn make_real(plot: &Plot, tree: &Tree) {
    let moved = tree.write(&plot.folder);
    ink::translate(&plot.folder.join("state/journal"), &moved);
}

/// Recovery alone: no remote answers, and what was fetched is out of reach. Otherwise the same run
/// would go on to deploy what it knows, and hide what recovery left.
fn recover(yard: &Yard, plot: &Plot, sides: &Sides, told: bool) -> Result<(), String> {
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
    if told && side != sides.told {
        return Err(format!("{:?} was announced, and the host is {side:?}", sides.told));
    }
    if sides.told == Side::Old && side == Side::New {
        return Err("a change that was to be taken back was kept".to_owned());
    }
    nothing_left(plot)
}

/// The next cycle, with the remote: where the deployment leads anyway.
fn go_on(yard: &Yard, plot: &Plot, sides: &Sides) -> Result<(), String> {
    let mut cycle = cycle(yard, plot, Remote::There)?;
    if BROKEN_COPY.contains(&cycle.code.as_str()) {
        cycle = self::cycle(yard, plot, Remote::There)?;
    }
    let expected = match sides.next {
        Side::New => [Outcome::Committed, Outcome::Unchanged],
        Side::Old => [Outcome::Reverted, Outcome::Held],
    };
    if !expected.contains(&cycle.outcome) {
        return Err(format!("the next cycle ended {}: {}", cycle.outcome, cycle.detail));
    }
    let side = side(plot, sides)?;
    if side != sides.next {
        return Err(format!("after the next cycle the host is {side:?}"));
    }
    agrees(plot, side)?;
    nothing_left(plot)?;
    // One that was never used waits for the next settlement.
    if names_in(&plot.folder.join("state/generations")).iter().any(|it| it.starts_with("candidate"))
    {
        return Err("a staged generation is left behind".to_owned());
    }
    let wanted = match sides.next {
        Side::New => Outcome::Committed,
        Side::Old => Outcome::Reverted,
    };
    let count = deployments(plot)?.iter().filter(|it| it.seq > 1 && it.outcome == wanted).count();
    // Twice: a finished deployment was done again. Never: its record was lost.
    if count == 1 { Ok(()) } else { Err(format!("{count} records say {wanted}")) }
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
    let told = deployments(plot)?;
    let kept = told.iter().any(|it| it.seq > 1 && it.outcome == Outcome::Committed);
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

fn deployments(plot: &Plot) -> Result<Vec<Record>, String> {
    let told = record::newest(&plot.folder.join("state/records"), RECORDS_MAX);
    let mut told = told.map_err(|error| error.to_string())?;
    told.retain(|it| it.kind == Kind::Deployment);
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
