//! What was measured, by contender and phase.
//!
//! **Invariant:** figures of one contender and phase are kept in the order in which they were made.

use std::collections::BTreeMap;

use crate::weigh::{Weight, seconds};

/// What was measured for one number of files.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    cpu_us: BTreeMap<(String, &'static str), Vec<i64>>,
    peak_kib: BTreeMap<(String, &'static str), i64>,
    notes: Vec<(&'static str, f64)>,
}

impl Figures {
    /// Adds one run.
    pub(crate) fn add(&mut self, name: &str, phase: &'static str, weight: &Weight) {
        self.add_us(name, phase, weight.cpu_us);
        let peak = self.peak_kib.entry((name.to_owned(), phase)).or_default();
        *peak = weight.peak_kib.max(*peak);
    }

    /// Adds a figure that is CPU time alone.
    pub(crate) fn add_us(&mut self, name: &str, phase: &'static str, cpu_us: i64) {
        self.cpu_us.entry((name.to_owned(), phase)).or_default().push(cpu_us);
    }

    /// Adds a figure that is no CPU time of a run.
    pub(crate) fn note(&mut self, what: &'static str, value: f64) {
        self.notes.push((what, value));
    }

    /// The newest CPU time, in microseconds.
    pub(crate) fn newest(&self, name: &str, phase: &'static str) -> Option<i64> {
        self.cpu_us.get(&(name.to_owned(), phase))?.last().copied()
    }

    /// The median CPU time, in seconds.
    pub(crate) fn cpu(&self, name: &str, phase: &'static str) -> Option<f64> {
        let all = self.cpu_us.get(&(name.to_owned(), phase))?;
        Some(median(&all.iter().map(|it| seconds(*it)).collect::<Vec<_>>()))
    }

    /// The smallest CPU time, in seconds.
    pub(crate) fn least(&self, name: &str, phase: &'static str) -> Option<f64> {
        let all = self.cpu_us.get(&(name.to_owned(), phase))?;
        all.iter().min().map(|it| seconds(*it))
    }

    /// The largest peak memory of a phase, in MiB.
    pub(crate) fn peak_mib(&self, name: &str, phase: &'static str) -> Option<f64> {
        let peak = self.peak_kib.get(&(name.to_owned(), phase))?;
        // KiB over 1024, as microseconds over a million: both are small counts.
        Some(seconds(*peak) * 1e6 / 1024.0)
    }

    /// Contenders and phases, sorted.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.cpu_us.keys().map(|(name, phase)| (name.as_str(), *phase))
    }

    /// A noted figure.
    pub(crate) fn noted(&self, what: &str) -> Option<f64> {
        self.notes.iter().find(|(it, _)| *it == what).map(|(_, value)| *value)
    }

    /// Everything that was noted.
    pub(crate) fn notes(&self) -> &[(&'static str, f64)] {
        &self.notes
    }
}

/// The middle of some figures; of an even number, the lower middle.
pub(crate) fn median(all: &[f64]) -> f64 {
    let mut sorted = all.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}
