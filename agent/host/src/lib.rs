//! The agent's hands: every file, process, socket, clock and repository is touched here.
//!
//! **Invariant:** nothing here decides, retries or judges; it does what it is told and says what it saw.
//! **Invariant:** a failed sync is [`Kind::Fatal`](failure::Kind::Fatal): nothing is written after it.
#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::disallowed_types,
        reason = "a test opens the door for itself"
    )
)]

pub mod failure;
pub mod door;
pub mod settings;
pub mod socket_place;
pub mod own_paths;
pub mod trust_file;
pub mod lock;
pub mod state;
pub mod counted;
pub mod pause;
pub mod token_file;
pub mod witness;
pub mod trust_reset;
pub mod journal;
pub mod facts;
pub mod observe;
pub mod stat_cache;
pub mod watch;
pub mod mounts;
mod xattrs;
pub mod stage;
pub mod exchange;
pub mod apply;
pub mod undo;
pub mod clean;
pub mod settle;
pub mod wire;
pub mod repository;
pub mod evidence_notes;
pub mod artifact;
pub mod command;
pub mod service;
pub mod probe;
pub mod secret_file;
pub mod http;
pub mod key;
mod openssh;
pub mod record;
pub mod control;
#[cfg(test)]
mod scratch;
