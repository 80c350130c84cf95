//! The real programs, real Git, real signatures: killed, starved, raced and lied to.
//!
//! **Invariant:** a test here knows the agent by its command line, its files and its local API.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests open their own files and programs, and may panic"
)]

mod story;
mod aftermath;
mod killed;
mod killed_again;
mod bereft;
mod journal;
mod syncs;
mod no_room;
mod foreign;
mod links;
mod rivals;
mod unwell;
mod large;
mod bad_input;
mod attacks;
mod full_disk;
mod clocks;
mod promoted;
mod environments;
mod expiring;
mod reset;
mod taken_back;
mod durations;
mod testing;
mod tried;
mod orphans;
mod health;
mod losses;
mod pushes;
mod kinds;
mod units;
mod units_killed;
mod asked;
mod power_cuts;
mod promised;
mod strangers;
mod own_files;
mod notified;
mod reloaded;
mod hinted;
mod resting;
mod remotes;
mod ordered;
mod spoken;
mod measured;
mod artifacts;
