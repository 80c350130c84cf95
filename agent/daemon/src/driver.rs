//! The one loop: mark, perform, advance.
//!
//! **Invariant:** a turn's marks are durable before its effect is performed.
//! **Invariant:** one effect at a time.

use bowline_engine::advance::{OutOfTurn, advance};
use bowline_engine::phase::{Effect, Event, Turn};
use bowline_model::mark::Mark;
use thiserror::Error;

use crate::cannot_start::CannotStart;

/// Everything the engine can ask of the world. The real host and the simulated one fit here.
pub trait Hands {
    /// Makes marks durable.
    fn record(&mut self, marks: &[Mark]) -> Result<(), Halt>;
    /// Performs one effect and tells what came of it.
    fn perform(&mut self, effect: Effect) -> Result<Event, Halt>;
    /// Hears of each turn before it is taken: for status.
    fn watch(&mut self, turn: &Turn);
}

/// Why the loop ends.
#[derive(Debug, Error)]
pub enum Halt {
    /// It was asked to, between two effects.
    #[error("stopped on request")]
    Stop,
    /// Nothing may be written after this.
    #[error("{0}; nothing more is written by this process")]
    Fatal(String),
    /// A cycle cannot begin.
    #[error(transparent)]
    Start(#[from] CannotStart),
    /// A bug.
    #[error(transparent)]
    Bug(#[from] OutOfTurn),
}

/// Takes one turn.
pub fn take(turn: Turn, hands: &mut impl Hands) -> Result<Turn, Halt> {
    hands.watch(&turn);
    if !turn.marks.is_empty() {
        hands.record(&turn.marks)?;
    }
    let event = hands.perform(turn.effect)?;
    Ok(advance(turn.state, event)?)
}

/// Takes turns until the loop is halted.
pub fn run(mut turn: Turn, hands: &mut impl Hands) -> Halt {
    // Ends by a halt: every rest asks whether to go on.
    loop {
        turn = match take(turn, hands) {
            Ok(next) => next,
            Err(halt) => return halt,
        };
    }
}
