//! What the hosts' records add up to. Pure: time and stored state come in as arguments.
//!
//! **Invariant:** no I/O, no clock; a record counts only as the next link of its host's own chain.

pub mod claim;
pub mod chain;
pub mod landing;
