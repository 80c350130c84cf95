//! The laps: every contender in turn, phase by phase, as often as asked.
//!
//! **Invariant:** a lap runs each contender once before any runs again, so that what disturbs the
//! machine disturbs them alike.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::arguments::Arguments;
use crate::bowline::Bowline;
use crate::cfengine::{self, Cfengine};
use crate::contender::Contender;
use crate::desired::{Desired, check_empty};
use crate::figures::Figures;
use crate::repository::{self, Form, manifest};
use crate::weigh::{Weight, weigh};
use crate::{ahead, daemon, limits};

/// Times of files must be older than this before their metadata is believed.
const SETTLED: Duration = Duration::from_secs(4);

/// A probe that never passes and is given up soon.
const FAILING: &str = "exec: {argv: [/bin/false]}, interval: 100ms, timeout: 1s, \
                       successThreshold: 1, failureThreshold: 1, deadline: 1s, soak: 0s";

/// What is measured for one number of files.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    /// The agent's program.
    pub(crate) agent: &'a Path,
    /// Where everything lies.
    pub(crate) place: &'a Path,
    /// How many files.
    pub(crate) files: usize,
    /// What was asked for.
    pub(crate) arguments: &'a Arguments,
}

impl Bench<'_> {
    /// Measures everything.
    pub(crate) fn run(&self, figures: &mut Figures) -> Result<()> {
        let place = self.place.join(self.files.to_string());
        fs::create_dir_all(&place)?;
        let desired = Desired { files: self.files };
        let tree = repository::write(&place.join("tree"), desired, Form::Tree, "")?;
        let each = repository::write(&place.join("each"), desired, Form::Each, "")?;
        let probe = manifest("Probe", "never", FAILING);
        let doomed = repository::write(&place.join("doomed"), desired, Form::Tree, &probe)?;

        let bowline = Bowline::new("bowline tree", self.agent, &place.join("bowline-tree"), &tree)?;
        let doomed =
            Bowline::new("bowline doomed", self.agent, &place.join("doomed-home"), &doomed)?;
        let mut contenders: Vec<Box<dyn Contender>> = vec![Box::new(Bowline::new(
            "bowline each",
            self.agent,
            &place.join("bowline-each"),
            &each,
        )?)];
        if let Some(program) = cfengine::find() {
            let new = |name, form| {
                Cfengine::new(name, &program, &place.join(name), desired, form).map(Box::new)
            };
            contenders.push(new("cfengine tree", Form::Tree)?);
            contenders.push(new("cfengine each", Form::Each)?);
        }
        for _ in 0..self.arguments.runs {
            lap(&bowline, desired, figures)?;
            self.limits(&bowline, desired, figures)?;
            revert(&bowline, &doomed, figures)?;
            fetched(&bowline, desired, figures)?;
            for contender in &contenders {
                lap(contender.as_ref(), desired, figures)?;
            }
        }
        // What was written a moment ago is not believed by its metadata yet.
        thread::sleep(SETTLED);
        ahead::measure(&bowline, self.arguments.runs, figures)?;
        daemon::measure(&bowline, self.arguments, figures)?;
        desired.check(bowline.root())?;
        fs::remove_dir_all(&place).context("remove what was measured")
    }

    fn limits(&self, bowline: &Bowline, desired: Desired, figures: &mut Figures) -> Result<()> {
        let own = std::env::current_exe().context("find this program")?;
        let list = self.place.join("paths");
        fs::write(&list, desired.list(bowline.root()))?;
        for limit in [limits::LSTAT, limits::SHA] {
            let weight = weigh(&own, &[limit.as_ref(), list.as_ref()], &[0])?;
            figures.add(limit.trim_start_matches('-'), "no-op", &weight);
        }
        Ok(())
    }
}

/// First apply, no-op, drift; the tree is compared after each.
fn lap(contender: &dyn Contender, desired: Desired, figures: &mut Figures) -> Result<()> {
    contender.reset()?;
    let mut phase = |phase: &'static str| -> Result<()> {
        let weight = contender.run()?;
        let what =
            || format!("{} after {phase}: {}{}", contender.name(), weight.stdout, weight.stderr);
        desired.check(contender.root()).with_context(what)?;
        figures.add(contender.name(), phase, &weight);
        Ok(())
    };
    phase("first")?;
    phase("no-op")?;
    desired.disturb(contender.root())?;
    phase("drift")
}

/// A first apply whose objects are here already: what peers do whose source lies beside them.
fn fetched(bowline: &Bowline, desired: Desired, figures: &mut Figures) -> Result<()> {
    bowline.reset_but_objects()?;
    let weight = bowline.run_to("committed", 0)?;
    desired.check(bowline.root())?;
    figures.add(bowline.name(), "first, fetched before", &weight);
    Ok(())
}

/// Apply alone and apply with revert, in turn: what the second takes more is the revert, with its
/// probe and its proof.
fn revert(plain: &Bowline, doomed: &Bowline, figures: &mut Figures) -> Result<()> {
    doomed.reset()?;
    let both = doomed.run_to("reverted", 1)?;
    check_empty(doomed.root()).context("after the revert")?;
    figures.add(plain.name(), "first + revert", &both);
    let first = figures.newest(plain.name(), "first").context("nothing was applied before")?;
    let weight = Weight { cpu_us: both.cpu_us - first, ..both };
    figures.add(plain.name(), "revert", &weight);
    Ok(())
}
