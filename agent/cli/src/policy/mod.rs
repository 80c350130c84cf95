//! `bowline policy`: the life of a policy, from its first line to the rotation of its keys.
//!
//! **Invariant:** only files that were named, and the envelope beside a policy, are written; nothing is committed.

pub mod arguments;
mod source;
mod effect;
mod change;
mod duty;
mod key_state;
mod check;
mod edit;
mod new;
mod rotate;
mod show;
mod sign;

pub use sign::sign;

use self::arguments::Policy;
use crate::failure::Failure;
use crate::screen::Screen;

/// Does what is asked of a policy.
pub fn policy(verb: &Policy, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    match verb {
        Policy::New(given) => new::new(given, screen),
        Policy::Check(given) => check::check(given, screen),
        Policy::Sign(given) => sign(given, screen),
        Policy::Rotate(given) => rotate::rotate(given, screen),
        Policy::Show(given) => show::show(given, screen),
    }
}
