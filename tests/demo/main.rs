//! `cargo demo`: changes to throw-away hosts, good and bad, told as a story; no root, network or systemd.
//!
//! **Invariant:** exit code 0 only if each change ended as it must.
//! **Invariant:** whatever is started here is ended here, and the folder it lay in is removed.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the demo stands outside the product: it plays the operator, the host and the clock"
)]

mod arguments;
mod needs;
mod app;
mod units;
mod place;
mod process;
mod agent;
mod board;
mod host_state;
mod story;
mod course;
mod world;
mod chapters;

use std::process::ExitCode;

use clap::Parser as _;
use tests::patience;

use arguments::{Arguments, Part};
use story::Story;

/// What a shell says of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.part {
        Some(Part::App { config, listen }) => app::run(config, *listen),
        Some(Part::Service { socket, action, unit }) => units::ask(socket, action, unit),
        None => tell(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if patience::is_interrupted() => {
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

fn tell(arguments: &Arguments) -> anyhow::Result<()> {
    patience::listen()?;
    needs::find()?;
    let story = Story::begin();
    let mut world = world::World::make(&story, arguments.place_afterwards())?;
    let told = chapters::tell_all(&mut world, &story);
    if told.is_err() && !patience::is_interrupted() {
        story.complain(&world.agent.last_words());
    }
    told?;
    if arguments.exit {
        return Ok(());
    }
    chapters::stay(&mut world, &story)
}
