//! The remotes of the settings, in the order in which they are tried, and by what means.
//!
//! **Invariant:** nothing is asked of a remote before it is fetched from.

use std::cell::Cell;
use std::time::Duration;

use git2::Oid;

use super::address::Address;
use super::fetch_failure::FetchFailure;
use crate::door::clock;
use crate::settings::{Access, Settings};

/// Notes that could not be brought are tried again after this: each try may cost a whole pack.
const NOTES_AGAIN: Duration = Duration::from_mins(10);

/// The remotes.
#[derive(Debug)]
pub struct Remotes {
    urls: Vec<String>,
    access: Access,
    /// Notes that could not be brought, and when.
    left: Cell<Option<(Oid, Duration)>>,
}

impl Remotes {
    /// The remotes of some settings.
    pub fn of(settings: &Settings) -> Self {
        Self::by(settings.remotes.clone(), settings.access.clone())
    }

    /// Remotes that are reached by some means.
    pub fn by(urls: Vec<String>, access: Access) -> Self {
        Self { urls, access, left: Cell::new(None) }
    }

    /// Whether they can be fetched from, whatever is there now. Gives the first that cannot.
    pub fn check(&self) -> Result<(), FetchFailure> {
        self.urls.iter().try_for_each(|url| Address::of(url).map(drop))
    }

    /// As they were named, in their order.
    pub(super) fn urls(&self) -> &[String] {
        &self.urls
    }

    /// By what means they are reached.
    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// Whether it is worth while to bring these notes.
    pub(super) fn wants_notes(&self, tip: Oid) -> bool {
        self.left.get().is_none_or(|(left, at)| {
            left != tip || clock::since_boot() >= at.saturating_add(NOTES_AGAIN)
        })
    }

    /// Remembers notes that could not be brought.
    pub(super) fn leave_notes(&self, tip: Oid) {
        self.left.set(Some((tip, clock::since_boot())));
    }
}
