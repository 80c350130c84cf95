//! The attacks of the design, by number, each through the public entry; those on
//! gates through the one that the walk uses.
//!
//! **Invariant:** beside every attack stands the honest case that it imitates, and that one passes.

mod object;
mod chain;
mod keys;
mod openpgp;
mod certificates;
mod law;
mod rotation;
mod upstart;
mod adoption;
mod checkpoint;
mod gates;
mod approvals;
mod waiting;
mod expiry;
mod freshness;
mod emergency;
mod back;
mod environments;
mod receipts;
mod state;
mod testing;
