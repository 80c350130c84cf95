//! The house rules that no compiler knows.
//!
//! **Invariant:** a rule that matters is a test; each says what to do when it is broken.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "reads the source tree"
)]

mod arrows;
mod files;
mod examples;
mod pipelines;
mod codes;
mod seldom;
