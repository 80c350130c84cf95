//! The words agent, command line and control speak with each other.
//!
//! **Invariant:** plain data: no clock, no socket, no decision. A field is added, never re-used.

pub mod outcome;
pub mod record;
pub mod enrolment;
pub mod intake;
pub mod fleet;
pub mod page;
pub mod status;
pub mod ask;
pub mod cause;
pub mod cycle;
pub mod problem;
pub mod hint;
pub mod route;
