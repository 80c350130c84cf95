//! Measures Bowline beside two physical limits and its peers: `cargo bench-peers -- --files 10,1000,10000`.
//!
//! **Invariant:** contenders run in turn, and after every run the tree is compared by hash: a figure
//! of a run that did not do the work is never shown.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program of its own: it prints, starts programs and opens its own files"
)]

mod arguments;
mod weigh;
mod limits;
mod desired;
mod repository;
mod contender;
mod bowline;
mod cfengine;
mod laps;
mod daemon;
mod ahead;
mod history;
mod openpgp;
mod proofs;
mod poll;
mod idle;
mod figures;
mod table;

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};

use arguments::Arguments;
use figures::Figures;
use table::Table;

fn main() -> ExitCode {
    let words: Vec<OsString> = env::args_os().skip(1).collect();
    match hidden(&words).unwrap_or_else(|| bench(&words)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Programs of its own that the benchmark starts from the same file.
fn hidden(words: &[OsString]) -> Option<Result<()>> {
    let (name, rest) = words.split_first()?;
    match name.to_str()? {
        weigh::NAME => Some(weigh::supervise(rest)),
        limits::LSTAT => Some(limits::lstat(rest)),
        limits::SHA => Some(limits::sha(rest)),
        ahead::NAME => Some(ahead::cycles(rest)),
        history::VERIFY => Some(history::verify(rest)),
        _ => None,
    }
}

fn bench(words: &[OsString]) -> Result<()> {
    let arguments = Arguments::parse(words)?;
    let agent = build_agent()?;
    let place = env::temp_dir().join(format!("bowline-bench-{}", std::process::id()));
    std::fs::create_dir_all(&place).with_context(|| format!("make {}", place.display()))?;
    let measured = measure(&arguments, &agent, &place);
    std::fs::remove_dir_all(&place).with_context(|| format!("remove {}", place.display()))?;
    measured
}

fn measure(arguments: &Arguments, agent: &std::path::Path, place: &std::path::Path) -> Result<()> {
    table::preamble(arguments, agent)?;
    for files in &arguments.files {
        let mut figures = Figures::default();
        let bench = laps::Bench { agent, place, files: *files, arguments };
        bench.run(&mut figures)?;
        Table { files: *files, figures: &figures }.print();
    }
    history::measure(agent, place, arguments)?;
    proofs::measure(place, arguments)?;
    poll::measure(agent, arguments)?;
    idle::measure(agent, place, arguments)
}

/// Builds what is measured: the agent as it is shipped. Gives where it lies.
fn build_agent() -> Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--package", "bowline-agent"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .context("start cargo")?;
    ensure!(built.success(), "the agent cannot be built");
    let own = env::current_exe().context("find this program")?;
    let agent = own.with_file_name("bowline-agent");
    ensure!(agent.is_file(), "{} was built, and is not there", agent.display());
    Ok(agent)
}
