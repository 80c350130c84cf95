//! `bowline completions`: what a shell needs to complete this command.
//!
//! **Invariant:** it is made of the arguments themselves, so it knows every verb and option.

use clap::CommandFactory as _;
use clap_complete::generate;

use crate::arguments::{Arguments, Completions};
use crate::failure::Failure;
use crate::screen::Screen;

/// Prints the completions of one shell.
pub fn completions(given: &Completions, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let mut text = Vec::new();
    generate(given.shell, &mut Arguments::command(), "bowline", &mut text);
    screen.text(&text)?;
    Ok(0)
}
