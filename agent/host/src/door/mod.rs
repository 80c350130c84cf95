//! The one door to the operating system.
//!
//! **Invariant:** no other room of the agent opens a file by path, starts a program or reads a clock.

pub mod root;
pub mod files;
pub mod barrier;
pub mod clock;
pub mod notify;
pub mod guardian;
pub mod command;
pub mod dialogue;
pub mod confined;
pub mod lent;
mod tool;
pub mod ssh_keygen;
pub mod git;
pub mod merge_tree;
