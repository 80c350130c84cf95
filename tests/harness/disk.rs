//! What survives a power cut of a simulated host.
//!
//! **Invariant:** an exchange is one operation: it survives whole or not at all.

use std::collections::{BTreeMap, BTreeSet};

use bowline_api::record::Record;
use bowline_model::form::Form;
use bowline_model::generation::{Generation, Ledger};
use bowline_model::high_water::HighWater;
use bowline_model::mark::Mark;
use bowline_model::release::Archive;
use bowline_model::steady::Steady;

use crate::sim_units::SimUnits;

/// An object at a path or in a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thing {
    /// How it stands.
    pub form: Form,
    /// Which object it is.
    pub number: u64,
}

/// What survives a power cut.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    /// Objects at paths.
    pub live: BTreeMap<String, Thing>,
    /// Objects in slots, by deployment and step.
    pub slots: BTreeMap<(String, u32), Thing>,
    /// Other people's versions that were kept.
    pub kept: Vec<Thing>,
    /// Effects of commands, by program.
    pub ran: BTreeSet<String>,
    /// How often the host was booted.
    pub boots: u32,
    /// The service manager.
    pub units: SimUnits,
    /// The journal.
    pub journal: Vec<Mark>,
    /// A staged generation.
    pub candidate: Option<Generation>,
    /// The committed generation.
    pub generation: Option<Generation>,
    /// The one that an order goes back to.
    pub before: Option<Generation>,
    /// What failed.
    pub ledger: Ledger,
    /// How far was verified.
    pub high_water: Option<HighWater>,
    /// Since when the host is in good health.
    pub steady: Option<Steady>,
    /// What was recorded.
    pub records: Vec<Record>,
    /// Archives that were fetched.
    pub archives: BTreeSet<Archive>,
    next_number: u64,
}

impl Disk {
    pub(crate) fn thing(&mut self, form: Form) -> Thing {
        self.next_number += 1;
        Thing { form, number: self.next_number }
    }

    /// The exchange: whatever is at the path goes to the slot, and the other way round.
    pub(crate) fn swap(&mut self, deployment: &str, index: u32, path: &str) {
        let slot = (deployment.to_owned(), index);
        let (live, staged) = (self.live.remove(path), self.slots.remove(&slot));
        self.live.extend(staged.map(|thing| (path.to_owned(), thing)));
        self.slots.extend(live.map(|thing| (slot, thing)));
    }

    /// A generation stands now; of the others that one is kept which it names.
    pub(crate) fn keep(&mut self, generation: Generation) {
        let others = [self.generation.take(), self.before.take()];
        let named = |it: &Generation| Some(it.number) == generation.before;
        self.before = others.into_iter().flatten().find(named);
        self.generation = Some(generation);
    }

    pub(crate) fn clean(&mut self, deployment: &str) {
        self.slots.retain(|(of, _), _| of != deployment);
    }
}
