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

/// The peer that targets speak of.
const RIVAL: &str = "cfengine tree";

/// Peak memory of the agent at 10,000 files, in MiB.
const PEAK_MIB_MAX: f64 = 20.0;

/// CPU time of the resting agent beside its polls, in milliseconds a minute.
const IDLE_MS_MAX: f64 = 2.0;

/// Memory of the resting agent, in MiB.
const IDLE_MIB_MAX: f64 = 6.0;

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
#[derive(Clone)]
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
            let peak =
                self.figures.peak_mib(name, phase).map_or(String::new(), |it| format!("{it:.1}"));
            println!("| {name} | {phase} | {cpu:.4} | {least:.4} | {:.2} | {peak} |", cpu / sha);
        }
        println!(
            "\n(`revert` is `first + revert` less `first` of the same lap; peaks are each phase's.)\n"
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
        match self.files {
            0..=10 => self.small(),
            10_000 => [self.repeated(), self.first()].concat(),
            _ => Vec::new(),
        }
    }

    fn cpu(&self, phase: &'static str) -> Option<f64> {
        self.figures.cpu(TREE, phase)
    }

    fn idle(&self) -> Target {
        let found = self.figures.noted("idle PSS after all cycles, MiB");
        target("idle PSS of the daemon, MiB", found, Some(IDLE_MIB_MAX))
    }

    fn small(&self) -> Vec<Target> {
        vec![target("no-op of 10 files, CPU s", self.cpu("no-op"), Some(0.03)), self.idle()]
    }

    /// What is done again and again.
    fn repeated(&self) -> Vec<Target> {
        let noop = self.cpu("no-op");
        let limit = |name, factor| times(factor, self.figures.cpu(name, "no-op"));
        vec![
            target("no-op of 10,000 files, CPU s", noop, Some(0.2)),
            target("no-op by full hash, at most 2.5 x lim-sha", noop, limit(SHA, 2.5)),
            target("no-op, at most a tenth of CFEngine's tree", noop, limit(RIVAL, 0.1)),
            target(
                "daemon's cycle by metadata, at most 2 x lim-lstat",
                self.cpu("daemon by metadata"),
                limit(LSTAT, 2.0),
            ),
            target("drift of one file, at most 1.1 x a no-op", self.cpu("drift"), times(1.1, noop)),
            target(
                "peak memory of a no-op, MiB",
                self.figures.peak_mib(TREE, "no-op"),
                Some(PEAK_MIB_MAX),
            ),
            self.idle(),
        ]
    }

    /// What is done when something is new.
    fn first(&self) -> Vec<Target> {
        let first = self.cpu("first");
        let rival = times(0.5, self.figures.cpu(RIVAL, "first"));
        vec![
            target("first apply of 10,000 files, CPU s", first, Some(2.0)),
            target("first apply, at most half of CFEngine's tree", first, rival),
            target(
                "the same without its fetch, for CFEngine fetches nothing",
                self.cpu("first, fetched before"),
                rival,
            ),
            target("revert, at most the apply", self.cpu("revert"), first),
            target(
                "peak memory of a first apply, MiB",
                self.figures.peak_mib(TREE, "first"),
                Some(PEAK_MIB_MAX),
            ),
        ]
    }
}

fn target(what: &str, found: Option<f64>, most: Option<f64>) -> Target {
    Target { what: what.to_owned(), found, most }
}

fn times(factor: f64, of: Option<f64>) -> Option<f64> {
    of.map(|it| it * factor)
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

/// Prints what a poll of an unchanged remote took: for each number of branches the agent's and Git's.
pub(crate) fn polls(rows: &[(usize, [Poll; 2])]) {
    println!("\n## Poll of an unchanged remote behind nginx, over http\n");
    println!("| branches | contender | CPU ms | requests | bytes both ways |");
    println!("|---:|---|---:|---:|---:|");
    for (branches, polls) in rows {
        for (name, poll) in ["bowline-agent, whole cycle", "git ls-remote"].iter().zip(polls) {
            let Poll { cpu_ms, requests, bytes } = poll;
            println!("| {branches} | {name} | {cpu_ms:.2} | {requests} | {bytes} |");
        }
    }
    println!();
    for (branches, [poll, _]) in rows {
        let what = |what: &str| format!("poll with {branches} branches, {what}");
        judge(&target(&what("requests"), Some(poll.requests), Some(1.0)));
        judge(&target(&what("KiB both ways"), Some(poll.bytes / 1024.0), Some(0.7)));
        judge(&target(&what("CPU ms"), Some(poll.cpu_ms), Some(5.0)));
    }
}

/// What one poll took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Poll {
    /// CPU time of all its processes.
    pub(crate) cpu_ms: f64,
    /// Requests over HTTP.
    pub(crate) requests: f64,
    /// Their bytes, heads included.
    pub(crate) bytes: f64,
}

/// What a daemon took at rest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rest {
    /// Which, and what it waits for.
    pub(crate) name: &'static str,
    /// CPU time in a minute.
    pub(crate) cpu_ms: f64,
    /// Memory at the end.
    pub(crate) pss_mib: f64,
}

/// Prints what daemons took at rest.
pub(crate) fn rests(seconds: u64, rests: &[Rest]) {
    println!("\n## Daemons at rest, {seconds} s side by side, 10 files\n");
    println!("| daemon | CPU ms/min | PSS MiB |");
    println!("|---|---:|---:|");
    for Rest { name, cpu_ms, pss_mib } in rests {
        println!("| {name} | {cpu_ms:.2} | {pss_mib:.2} |");
    }
    println!();
    if let Some(still) = rests.first() {
        judge(&target("idle CPU beside polling, ms/min", Some(still.cpu_ms), Some(IDLE_MS_MAX)));
        judge(&target("idle PSS, MiB", Some(still.pss_mib), Some(IDLE_MIB_MAX)));
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

/// Prints what verification takes where there is much of something.
pub(crate) fn proofs(found: &Proofs) {
    println!("\n## Much to verify\n");
    println!("git verify-commit for each OpenPGP signature, extrapolated: {:.1} CPU s", found.git);
    println!("tip with its own note only: {:.3} CPU s", found.alone);
    println!(
        "verify of all {} commits, where the trust file allows it: {:.1} MiB",
        found.history, found.whole_mib
    );
    let row = |what: String, found: f64, most: f64| {
        judge(&Target { what, found: Some(found), most: Some(most) });
    };
    let commits = found.commits;
    row(
        format!("verification of {commits} commits by OpenPGP, RSA-4096, CPU s"),
        found.openpgp,
        1.0,
    );
    let notes = found.notes;
    // Beside what the kernel counts in hundredths of a second.
    row(
        format!("the same tip beside {notes} notes on others, CPU s"),
        found.beside,
        found.alone + 0.01,
    );
    let history = found.history;
    row(format!("verify in a repository of {history} commits, peak MiB"), found.peak_mib, 64.0);
    let most = found.usual;
    row(format!("verify of {most} commits, a walk's usual limit, peak MiB"), found.usual_mib, 64.0);
}

/// What verification took where there is much of something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Proofs {
    /// Commits that were signed with RSA.
    pub(crate) commits: u16,
    /// CPU seconds for them, and Git's.
    pub(crate) openpgp: f64,
    pub(crate) git: f64,
    /// Notes on other commits.
    pub(crate) notes: usize,
    /// CPU seconds without and with them.
    pub(crate) alone: f64,
    pub(crate) beside: f64,
    /// Commits of a long history.
    pub(crate) history: usize,
    /// As many as a walk may have by default, or all there are.
    pub(crate) usual: usize,
    /// Peak memory where few of them are new, where as many as is usual are, and where all are.
    pub(crate) peak_mib: f64,
    pub(crate) usual_mib: f64,
    pub(crate) whole_mib: f64,
}
