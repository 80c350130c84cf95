//! `cargo lab`: hosts with a real systemd on a bridge of their own, as root, in namespaces of this machine.
//!
//! **Invariant:** everything that runs here runs in one process namespace; when that ends, all of it ends.
//! **Invariant:** exit code 0: every check held; 1: one did not; 2: the lab cannot run here.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the lab stands outside the product: it plays the machines, the network and the operator"
)]

mod arguments;
mod needs;
mod image;
mod place;
mod enclosure;
mod relay;
mod bridge;
mod machine;
mod host;
mod hub;
mod manual;
mod agent;
mod desired;
mod report;
mod world;
mod suites;
mod enlist;
mod board;
mod visit;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;
use tests::patience;

use arguments::{Arguments, Part};
use enclosure::Ended;

/// What a shell says of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// The lab cannot run here.
const CANNOT_RUN: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(missing) = needs::missing() {
        eprintln!("error: {missing}");
        return ExitCode::from(CANNOT_RUN);
    }
    match play(&arguments.part) {
        Ok(Ended::Held) => ExitCode::SUCCESS,
        Ok(Ended::Failed) => ExitCode::FAILURE,
        Ok(Ended::Interrupted) => {
            eprintln!("\ninterrupted: everything is ended");
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => {
            eprintln!("\nerror: {error}");
            for cause in error.chain().skip(1) {
                eprintln!("caused by: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}

fn play(part: &Part) -> Result<Ended> {
    match part {
        Part::Inside(ground) => match ground.board {
            Some(address) => board::show(ground, address),
            None => suites::run(ground),
        },
        Part::Fleet(course) => {
            patience::listen()?;
            enclosure::run_suites(course)
        }
        Part::Board(exhibition) => {
            patience::listen()?;
            enclosure::show_board(exhibition)
        }
        Part::On { host, command } => visit::run(host, command),
    }
}
