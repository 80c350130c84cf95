//! Prints one table: every fault row and attack of the design, its tests, and how they ended.
//!
//! `cargo matrix` runs the simulation, the scenarios, the tests of control, and those beside the code of trust
//! and host, and reads their own lines.
//! `cargo matrix -- FILE` reads the output of an earlier run instead.
//!
//! **Invariant:** a row without a test says so; a test that failed makes the command fail.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command for people")]
#![allow(
    clippy::disallowed_methods,
    reason = "runs the project's own tests and reads their output"
)]

mod rows;

use std::collections::BTreeMap;
use std::process::{Command, ExitCode, Stdio};

use anyhow::Context as _;

use rows::{ATTACKS, FAULTS, Row};

fn main() -> anyhow::Result<ExitCode> {
    let output = match std::env::args().nth(1) {
        Some(file) => std::fs::read_to_string(&file).with_context(|| format!("read {file}"))?,
        None => run_tests()?,
    };
    let results = results(&output);
    println!("| row | what | codes | test | result |\n|---|---|---|---|---|");
    for row in FAULTS {
        print_row("fault", *row, "", &results);
    }
    for (number, what, codes) in ATTACKS {
        print_row("attack", (*number, what), codes, &results);
    }
    // Also those of no row: whoever reads the last line means all.
    let failed = results.values().filter(|it| *it != "ok").count();
    println!("\n{} tests, {failed} failed", results.len());
    Ok(if failed == 0 && !results.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_tests() -> anyhow::Result<String> {
    let suites = ["simulation", "scenarios", "control"];
    let targets = suites.iter().flat_map(|it| ["--test", it]);
    eprintln!("runs the suites {}; this takes some minutes", suites.join(", "));
    let output = Command::new(env!("CARGO"))
        .args([
            "test",
            "--package",
            "tests",
            "--package",
            "bowline-trust",
            "--package",
            "bowline-host",
            "--package",
            "bowline-model",
        ])
        .args(["--no-fail-fast", "--lib"])
        .args(targets)
        .stderr(Stdio::inherit())
        .output()
        .context("run the tests")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Results by test, from the test runner's own lines: `test a::b ... ok`.
fn results(output: &str) -> BTreeMap<String, String> {
    let line = |line: &str| {
        let (name, result) = line.strip_prefix("test ")?.split_once(" ... ")?;
        Some((name.to_owned(), result.trim().to_owned()))
    };
    output.lines().filter_map(line).collect()
}

/// Prints a row's tests.
fn print_row(kind: &str, (number, what): Row, codes: &str, results: &BTreeMap<String, String>) {
    let prefix = format!("{kind}_{number:02}_");
    let is_of = |name: &str| name.rsplit("::").next().is_some_and(|it| it.starts_with(&prefix));
    let mut found = results.iter().filter(|(name, _)| is_of(name)).peekable();
    if found.peek().is_none() {
        println!("| {kind} {number} | {what} | {codes} | – | no test in this version |");
    }
    for (name, result) in found {
        println!("| {kind} {number} | {what} | {codes} | `{name}` | {result} |");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_trust::Code;

    /// Codes that come before the judgement: of fetching, of scanning the tree, and of the host's own log.
    const EARLIER: [&str; 3] = ["remote-damaged", "hostile-tree", "records-damaged"];

    #[test]
    fn every_code_of_the_table_is_one_that_a_host_gives() {
        for (number, what, codes) in ATTACKS {
            for code in codes.split_whitespace() {
                let is_known = Code::ALL.iter().any(|it| it.as_str() == code);
                assert!(is_known || EARLIER.contains(&code), "attack {number}, {what}: {code}");
            }
        }
    }
}
