//! The control service, as the agent asks it: here is my key, here are my records.
//!
//! **Invariant:** what it answers is believed of what it keeps, and of nothing else: it decides nothing here.

mod acked;
mod link;

pub use acked::{Acked, AckedFile};
pub use link::{Claimed, ControlFailure, Link, Taken};
