//! What the benchmark is told.
//!
//! **Invariant:** numbers are within limits: a typing error does not fill a disk.

use std::ffi::OsString;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

/// More files than this is not what the two smallest forms are made for.
const FILES_MAX: usize = 50_000;

/// Beyond this a run takes days.
const RUNS_MAX: usize = 101;

/// Long enough for four polls.
const IDLE: Duration = Duration::from_mins(4);

/// How to use it.
const USAGE: &str = "usage: cargo bench-peers -- [--files 10,1000,10000] [--runs 5] \
     [--idle SECONDS, 0 for none] [--notes 100000] [--history 100000]";

/// Beyond this what is measured is the disk.
const SCALE_MAX: usize = 1_000_000;

/// What is measured, and how often.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// Sizes of the desired state.
    pub(crate) files: Vec<usize>,
    /// Laps; figures are medians over them.
    pub(crate) runs: usize,
    /// How long daemons are watched at rest; zero: not at all.
    pub(crate) idle: Duration,
    /// Notes on other commits than the newest.
    pub(crate) notes: usize,
    /// Commits of a long history.
    pub(crate) history: usize,
}

impl Arguments {
    /// Reads the command line.
    pub(crate) fn parse(words: &[OsString]) -> Result<Self> {
        let mut arguments = Self {
            files: vec![10, 1_000, 10_000],
            runs: 5,
            idle: IDLE,
            notes: 100_000,
            history: 100_000,
        };
        // The alias ends in `--` already, and people write it once more.
        let words = words.strip_prefix(&[OsString::from("--")]).unwrap_or(words);
        for pair in words.chunks(2) {
            let [name, value] = pair else { bail!("{USAGE}") };
            let value = value.to_str().context(USAGE)?;
            match name.to_str() {
                Some("--files") => arguments.files = sizes(value)?,
                Some("--runs") => arguments.runs = value.parse().context(USAGE)?,
                Some("--idle") => {
                    arguments.idle = Duration::from_secs(value.parse().context(USAGE)?);
                }
                Some("--notes") => arguments.notes = value.parse().context(USAGE)?,
                Some("--history") => arguments.history = value.parse().context(USAGE)?,
                _ => bail!("{USAGE}"),
            }
        }
        ensure!(
            arguments.notes.max(arguments.history) <= SCALE_MAX,
            "--notes and --history take numbers up to {SCALE_MAX}"
        );
        ensure!(
            (1..=RUNS_MAX).contains(&arguments.runs),
            "--runs is a number from 1 to {RUNS_MAX}"
        );
        Ok(arguments)
    }
}

fn sizes(text: &str) -> Result<Vec<usize>> {
    let sizes: Vec<usize> =
        text.split(',').map(|it| it.parse().context(USAGE)).collect::<Result<_>>()?;
    let fits = |it: &usize| (1..=FILES_MAX).contains(it);
    ensure!(sizes.iter().all(fits), "--files takes numbers from 1 to {FILES_MAX}");
    Ok(sizes)
}
