//! A service manager made of memory: it knows units by the files that it read last.
//!
//! **Invariant:** a unit runs the text that was read when it was started, not the one that stands there.

use std::collections::{BTreeMap, BTreeSet};

use bowline_model::digest::Sha256;
use bowline_model::form::Form;
use bowline_model::step::Telling;
use bowline_model::unit::{Enablement, UnitState, Verb};

use crate::disk::{Disk, Thing};

/// Where units' files stand here.
const FOLDER: &str = "/etc/systemd/system/";

/// What a service manager knows. What is enabled is on the disk; the rest goes with the power.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SimUnits {
    /// Units that are started at boot.
    pub enabled: BTreeSet<String>,
    /// Units that nobody may start.
    pub masked: BTreeSet<String>,
    /// Texts of units' files as they were last read.
    pub loaded: BTreeMap<String, Sha256>,
    /// Units that run, each with the text that it was started with.
    pub running: BTreeMap<String, Sha256>,
    /// Texts with which a unit does not start.
    pub bad: BTreeSet<Sha256>,
}

/// Units' files as they stand, with their drop-ins.
fn texts(live: &BTreeMap<String, Thing>) -> BTreeMap<String, Sha256> {
    let mut texts: BTreeMap<String, Vec<Sha256>> = BTreeMap::new();
    for (path, thing) in live {
        let (Some(below), Form::File { sha256, .. }) = (path.strip_prefix(FOLDER), &thing.form)
        else {
            continue;
        };
        let unit = below.split('/').next().unwrap_or_default();
        let unit = unit.strip_suffix(".d").unwrap_or(unit);
        texts.entry(unit.to_owned()).or_default().push(*sha256);
    }
    let whole = |parts: Vec<Sha256>| match parts.as_slice() {
        [one] => *one,
        several => Sha256::of_value(&several).unwrap(),
    };
    texts.into_iter().map(|(unit, parts)| (unit, whole(parts))).collect()
}

impl SimUnits {
    /// How a unit stands.
    pub fn state(&self, live: &BTreeMap<String, Thing>, unit: &str) -> UnitState {
        let enabled = match () {
            () if self.masked.contains(unit) => Enablement::Masked,
            () if !texts(live).contains_key(unit) => Enablement::Missing,
            () if self.enabled.contains(unit) => Enablement::Enabled,
            () => Enablement::Disabled,
        };
        UnitState { enabled: Some(enabled), up: Some(self.running.contains_key(unit)) }
    }

    /// What people see: which units are enabled, and what each runs.
    pub fn picture(&self) -> (BTreeSet<String>, BTreeMap<String, Sha256>) {
        (self.enabled.clone(), self.running.clone())
    }
}

impl Disk {
    /// The power comes back: files are read, and what is enabled is started.
    pub fn boot(&mut self) {
        self.boots += 1;
        self.units.loaded = texts(&self.live);
        self.units.running.clear();
        for unit in self.units.enabled.clone() {
            // One that does not start at boot is nobody's failure here.
            drop(self.tell(Verb::Start, &unit));
        }
    }

    /// Tells a unit something; why it did not come off, if it did not.
    pub fn tell(&mut self, verb: Verb, unit: &str) -> Result<(), String> {
        let texts = texts(&self.live);
        let units = &mut self.units;
        let missing = || Err(format!("{} {unit}: no such unit", verb.word()));
        let loaded = units.loaded.get(unit).copied();
        match verb {
            Verb::DaemonReload => units.loaded = texts,
            Verb::Start if units.running.contains_key(unit) => {}
            Verb::Reload if !units.running.contains_key(unit) => {
                return Err(format!("reload {unit}: it does not run"));
            }
            Verb::Start | Verb::Restart | Verb::Reload | Verb::ReloadOrRestart => {
                units.running.remove(unit);
                let Some(text) = loaded else { return missing() };
                if units.masked.contains(unit) || units.bad.contains(&text) {
                    return Err(format!("{} {unit}: its job failed", verb.word()));
                }
                units.running.insert(unit.to_owned(), text);
            }
            Verb::Stop if loaded.is_none() && !units.running.contains_key(unit) => {
                return missing();
            }
            Verb::Stop => drop(units.running.remove(unit)),
            Verb::Enable | Verb::Disable if !texts.contains_key(unit) => return missing(),
            Verb::Enable => drop(units.enabled.insert(unit.to_owned())),
            Verb::Disable => drop(units.enabled.remove(unit)),
            Verb::Mask => drop(units.masked.insert(unit.to_owned())),
            Verb::Unmask => drop(units.masked.remove(unit)),
        }
        Ok(())
    }

    /// Takes a step back as the real hands do: what is already back is not told again.
    pub(crate) fn tell_back(&mut self, telling: &Telling) -> Result<(), String> {
        let unit = telling.unit.as_deref().unwrap_or_default();
        for verb in &telling.back {
            if !verb.is_met(self.units.state(&self.live, unit)) {
                self.tell(*verb, unit)?;
            }
        }
        Ok(())
    }
}
