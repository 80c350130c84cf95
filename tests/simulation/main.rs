//! A host of memory loses power, fails and lies at every effect of a deployment and of its recovery.
//!
//! **Invariant:** every history is replayable: its faults are numbers, and it logs its effects.

mod world;
mod faults;
mod quarantine;
mod orders;
mod withdrawn;
mod random;
mod supplies;
mod testing;
mod units;
mod artifacts;
mod rests;
mod vouching;
