//! What hosts and people do to what is kept, and what becomes of it.
//!
//! **Invariant:** who did it and when come in with the deed; the store asks nobody.

use bowline_api::enrolment::KeyState;
use bowline_model::digest::Sha256;

/// A token that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewToken {
    /// SHA-256 of the token; the token itself is never kept.
    pub digest: Sha256,
    /// When it was made.
    pub made: i64,
    /// Until when it counts.
    pub until: i64,
}

/// A key that claims a host's name; that it is held was proved.
#[derive(Debug, Clone)]
pub struct Claimant {
    /// The host.
    pub host: String,
    /// The key.
    pub public: [u8; 32],
    /// Its fingerprint.
    pub fingerprint: String,
    /// What it brings.
    pub warrant: Warrant,
}

/// By what a key claims a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warrant {
    /// SHA-256 of a token.
    Token(Sha256),
    /// Its fingerprint stands in the Host of that name, which was merged.
    Merged,
}

/// A person, by the system's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The account, and its number.
    pub account: String,
    /// When they did it.
    pub at: i64,
}

/// What a person decides about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It takes the place of the host's key, whose records are no longer taken.
    Approve,
    /// It does not.
    Refuse,
}

/// What became of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// Done; the key stands so now.
    Done(KeyState),
    /// The host has no such key.
    NoSuchKey,
    /// Nobody waits for it: the key stands so.
    NotPending(KeyState),
}

/// What a person says about a host.
#[derive(Debug, Clone)]
pub struct Note {
    /// Who.
    pub by: Person,
    /// What they found.
    pub text: String,
}

/// What became of looking after a host's faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// So many rest now, and so many came after what the person saw.
    After {
        /// Those that rest now.
        done: u64,
        /// Those that are open.
        left: u64,
    },
    /// Nothing that is open is covered by what the person saw; so many are open.
    Nothing {
        /// Those that are open.
        open: u64,
    },
    /// There is no such host.
    NoSuchHost,
}

/// What became of a host that is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// Its records are not taken any more.
    Now,
    /// It was retired before.
    Already,
    /// There is no such host.
    NoSuchHost,
}

/// What became of letting a chain go on over a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumed {
    /// The chain goes on with the sequence that was named.
    From,
    /// The gap ends at this sequence, which is another.
    Elsewhere(u64),
    /// No record is missing.
    NoGap,
    /// There is no such host.
    NoSuchHost,
}
