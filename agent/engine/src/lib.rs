//! The agent's decisions, as a state machine without I/O.
//!
//! ```text
//! fetch ─► verify ─► gate ─► plan ─► stage ─► apply ─► probe ─┬► commit ─┐
//!   ▲                                                         └► revert ─┤
//!   └──── rest ◄───────────────────────── report ◄──────────────────────┘
//! ```
//!
//! [`advance()`](advance::advance) takes the [`State`](phase::State) we are in and the
//! [`Event`](phase::Event) that came, and gives the next state, the records to make durable, and the
//! one [`Effect`](phase::Effect) to perform after that. Whoever performs effects lives elsewhere.
//!
//! **Invariant:** no I/O, no clock, no randomness, no `async`, no logging. Equal input, equal output.
//! **Invariant:** [`Verified`](verify::Verified), [`Cleared`](gate::Cleared) and
//! [`Plan`](plan::Plan) are made in one place each, in that order; none can be read from disk.

pub mod settings;
pub mod wish;
pub mod verify;
pub mod compile;
pub mod render;
pub mod gate;
pub mod plan;
pub mod transaction;
pub mod trial;
pub mod backoff;
mod shortage;
pub mod quarantine;
pub mod ending;
pub mod memory;
pub mod settlement;
pub mod testing;
pub mod event;
pub mod phase;
pub mod advance;
pub mod recover;
pub mod report;
