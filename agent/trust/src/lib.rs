//! Who may say so: signatures and policy. Bytes in, verdict out.
//!
//! **Invariant:** no I/O, no clock, no randomness, no `async`: whoever calls brings bytes and time.
//! **Invariant:** what is not understood is refused; only `Verdict::Accepted` lets anything through.
//!
//! The checks of one judgement stand in the order in which they are made: `start` (the state and the
//! pinned commit), `walk` (the first-parent chain), `authority` (every commit by its parent's policy)
//! with `policy_change`, and `verify`, which draws the conclusion.

mod wire;
pub mod armor;
mod json;
pub mod ssh_key;
mod bad_signature;
pub mod signature;
pub mod ssh_certificate;
pub mod sshsig;
pub mod openpgp;
mod header;
pub mod commit;
mod tag;
mod name_patterns;
pub mod key_file;
pub mod revoked_file;
pub mod keys;
mod signer_key;
pub mod inspect;
pub mod dsse;
pub mod spki;
pub mod statement;
mod roll;
pub mod attested;
pub mod sieve;
pub mod receipt;
pub mod receipt_sieve;
pub mod approval;
mod desk;
mod manifested;
mod here;
mod gates;
pub mod emergency;
pub mod freshness;
mod queue;
mod let_in;
mod counted;
mod conclusion;
pub mod preview;
mod root_keys;
pub mod new_root;
mod roots;
pub mod root_in_force;
pub mod root_statement;
mod rulings;
mod policy_change;
pub mod policy_sign;
mod demands;
mod purpose;
pub mod verdict;
mod start;
mod walk;
mod authority;
mod foundlings;
mod verify;
mod tally;
mod versions;
mod endings;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod wycheproof;

pub use approval::{APPROVAL_TYPE, ApprovalSeen};
pub use attested::{APPROVAL_NAMESPACE, STATEMENT_TYPE};
pub use emergency::EMERGENCY_TYPE;
pub use freshness::HEAD_TYPE;
pub use gates::{GateVerdict, Skipped};
pub use header::MalformedCommit;
pub use here::{Here, Who};
pub use inspect::{Inspection, Worth, inspect};
pub use policy_change::{POLICY_TYPE, signed_policy};
pub use purpose::{Purpose, TRAILER};
pub use roll::check_keys;
pub use root_keys::{POLICY_NAMESPACE, ROOT_NAMESPACE};
pub use start::marks_apply;
pub use verdict::{Code, Deployable, Refusal, Verdict, Walked};
pub use verify::{WARN_BEFORE_EXPIRY, verify, verify_for};
