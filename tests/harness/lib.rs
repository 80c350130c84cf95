//! What the tests share: keys and signatures, a repository and a host made of memory, and the
//! invariants that hold for every host.
//!
//! **Invariant:** nothing here is used by the product.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::exit,
    reason = "test code may panic, print and open its own files"
)]

pub mod signer;
pub mod village;
pub mod disk;
pub mod sim_units;
pub mod sim_host;
pub mod sim_depot;
pub mod sim_steps;
pub mod sim_hands;
pub mod history;
pub mod invariants;
pub mod binaries;
pub mod workshop;
pub mod unit_manager;
pub mod agent;
pub mod served;
pub mod sshd;
pub mod authority;
pub mod nginx;
pub mod villain;
pub mod bomb;
pub mod picture;
pub mod strace;
pub mod wall_clock;
pub mod crash;
pub mod patience;
pub mod programs;
pub mod http;
pub mod fleet;
