//! The control service: the real program over real HTTP, with records that a real host key signed; and
//! what every store must do.
//!
//! **Invariant:** a test here knows the service by its command line, its paths and its exit code.
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

mod http;
mod host;
mod service;
mod enrolling;
mod desk;
mod intake;
mod forgery;
mod reading;
mod pages;
mod browser;
mod events;
mod limits;
mod strangers;
mod crowded;
mod damaged;
mod doors;
mod shown;
mod restarts;
mod restored;
mod full_disk;
mod going_back;
mod described;
mod asked;
mod chain;
mod conformance;
mod decisions;
mod site;
mod reporting;
mod many_faults;
mod outages;
mod spool;
mod replay;
mod sealed;
mod tls;
mod renewal;
mod certified;
