//! The programs as people start them: arguments in, words and an exit code out.
//!
//! **Invariant:** each test has a sealed environment: no variables, a home and a folder of its own.
//! **Invariant:** what is printed is compared whole; what differs from run to run is named, not skipped.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "test code may panic and open its own files"
)]

mod sealed;
mod usage;
mod manuals;
mod validate;
mod init;
mod verify;
mod walkthrough;
mod gate;
mod certificates;
mod fudged;
mod sshsig;
mod merging_keys;
mod inspect;
mod openpgp;
mod sign;
mod rotate;
mod root_word;
mod approve;
mod head;
mod emergency;
mod environments;
mod evidence;
mod evidence_roots;
mod attest;
mod attest_notes;
mod attest_scan;
mod attest_receipts;
mod attest_origin;
mod attest_judged;
mod cosign;
mod witness;
mod bundle;
mod plan;
mod policy;
mod policy_edits;
mod local;
mod agent;
mod examples;
