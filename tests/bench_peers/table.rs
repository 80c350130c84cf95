//! Prints what was measured, beside the targets of the design.
//!
//! **Invariant:** a target stands beside its figure with `ok` or `missed`, whichever it is.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::arguments::Arguments;
use crate::cfengine;
use crate::figures::Figures;

/// The agent is not larger, in MB.
const AGENT_MB_MAX: f64 = 10.0;

/// The contender that targets speak of.
const TREE: &str = "bowline tree";

/// The limits.
const SHA: &str = "lim-sha";
const LSTAT: &str = "lim-lstat";

/// The figures for one number of files.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    /// How many files.
    pub(crate) files: usize,
    /// What was measured.
    pub(crate) figures: &'a Figures,
}

/// A figure and what it should be at most.
struct Target {
    what: String,
    found: Option<f64>,
    most: Option<f64>,
}

/// Says what is measured, and how.
pub(crate) fn preamble(arguments: &Arguments, agent: &Path) -> Result<()> {
    let bytes = fs::metadata(agent).context("look at the agent")?.len();
    println!("CPU s: user + system of the whole process tree; medians of {} laps.", arguments.runs);
    println!("lim-lstat, lim-sha: this benchmark's own programs (Rust, bare system calls).");
    match cfengine::find() {
        Some(program) => {
            println!("{}: -K, compare => \"digest\".", cfengine::version(&program));
        }
        None => println!("CFEngine: no cf-agent on PATH; left out."),
    }
    println!("Idle window: {} s.", arguments.idle.as_secs());
    let megabytes = f64::from(u32::try_from(bytes)?) / 1e6;
    judge(&Target {
        what: "bowline-agent, stripped release build, MB".to_owned(),
        found: Some(megabytes),
        most: Some(AGENT_MB_MAX),
    });
    println!();
    Ok(())
}

impl Table<'_> {
    /// Prints figures, then targets.
    pub(crate) fn print(&self) {
        println!("## {} files\n", self.files);
        println!("| contender | phase | CPU s median | least | x lim-sha | peak MiB |");
        println!("|---|---|---:|---:|---:|---:|");
        let sha = self.figures.cpu(SHA, "no-op").unwrap_or(f64::NAN);
        for (name, phase) in self.figures.rows() {
            let cpu = self.figures.cpu(name, phase).unwrap_or(f64::NAN);
            let least = self.figures.least(name, phase).unwrap_or(f64::NAN);
            let peak = self.figures.peak_mib(name).map_or(String::new(), |it| format!("{it:.1}"));
            println!("| {name} | {phase} | {cpu:.4} | {least:.4} | {:.2} | {peak} |", cpu / sha);
        }
        println!(
            "\n(`revert` is `first + revert` less `first` of the same lap; peaks are over all phases.)\n"
        );
        for (what, value) in self.figures.notes() {
            println!("{what}: {value:.2}");
        }
        println!();
        for target in self.targets() {
            judge(&target);
        }
        println!();
    }

    fn targets(&self) -> Vec<Target> {
        let cpu = |name, phase| self.figures.cpu(name, phase);
        let times = |factor: f64, of: Option<f64>| of.map(|it| it * factor);
        let target = |what: &str, found, most| Target { what: what.to_owned(), found, most };
        let noop = cpu(TREE, "no-op");
        let rival = |phase, factor| times(factor, cpu("cfengine tree", phase));
        let mut all = vec![
            target(
                "no-op by full hash, at most 2.5 x lim-sha",
                noop,
                times(2.5, cpu(SHA, "no-op")),
            ),
            target("no-op, at most a tenth of CFEngine's tree", noop, rival("no-op", 0.1)),
            target(
                "daemon's cycle by metadata, at most 2 x lim-lstat",
                cpu(TREE, "daemon by metadata"),
                times(2.0, cpu(LSTAT, "no-op")),
            ),
            target(
                "drift of one file, at most a no-op and a tenth",
                cpu(TREE, "drift"),
                times(1.1, noop),
            ),
            target(
                "first apply, at most half of CFEngine's tree",
                cpu(TREE, "first"),
                rival("first", 0.5),
            ),
            target("revert, at most the apply", cpu(TREE, "revert"), cpu(TREE, "first")),
            target("peak memory, MiB", self.figures.peak_mib(TREE), Some(20.0)),
            target(
                "idle PSS of the daemon, MiB",
                self.figures.noted("idle PSS after all cycles, MiB"),
                Some(6.0),
            ),
        ];
        match self.files {
            0..=10 => all.push(target("no-op of 10 files, CPU s", noop, Some(0.03))),
            10_000 => {
                all.push(target("no-op of 10,000 files, CPU s", noop, Some(0.2)));
                all.push(target(
                    "first apply of 10,000 files, CPU s",
                    cpu(TREE, "first"),
                    Some(2.0),
                ));
            }
            _ => {}
        }
        all
    }
}

fn judge(target: &Target) {
    match (target.found, target.most) {
        (Some(found), Some(most)) => {
            let word = if found <= most { "ok" } else { "MISSED" };
            println!("{word:6} {}: {found:.4} (at most {most:.4})", target.what);
        }
        _ => println!("-      {}: not measured", target.what),
    }
}

/// Prints what verification took.
pub(crate) fn history(commits: u16, sample: u16, [verify, walk, still, git]: [f64; 4]) {
    println!("## {commits} signed commits\n");
    println!("bowline verify, whole process: {verify:.3} CPU s");
    println!("bowline-agent --once that fetches and verifies them: {walk:.3} CPU s");
    println!("bowline-agent --once when nothing is new: {still:.3} CPU s");
    println!("git verify-commit for each, extrapolated from {sample}: {git:.1} CPU s");
    judge(&Target {
        what: format!("verification of {commits} signed commits, CPU s"),
        found: Some(verify),
        most: Some(0.5),
    });
}
