//! The hearing of one gate: whose word counts, which word of each, and what follows from all of them.
//!
//! **Invariant:** principals are counted, never keys or signatures.
//! **Invariant:** a gate that stays closed is explained by the statement that came nearest to opening it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use bowline_model::digest::Sha256;
use bowline_model::policy::{Gate, Kind, Rule};

use super::reading::{Reading, Standing};
use super::verdict::GateVerdict;
use crate::attested::{Attested, Signer};
use crate::verdict::Code;

/// One statement, and those of its signers whose word counts at this gate.
#[derive(Debug)]
struct Word<'e> {
    signers: Vec<(&'e str, &'e Signer)>,
    sha256: Sha256,
    reading: Reading,
}

impl Word<'_> {
    fn standing(&self) -> Standing {
        self.reading.standing
    }
}

/// All statements that were heard.
#[derive(Debug)]
pub(super) struct Hearing<'e> {
    gate: &'e Gate,
    words: Vec<Word<'e>>,
}

impl<'e> Hearing<'e> {
    pub(super) fn of(gate: &'e Gate) -> Self {
        Self { gate, words: Vec::new() }
    }

    pub(super) fn add(&mut self, attested: &'e Attested, reading: Reading) {
        let signers = attested.signers.iter().map(|(name, it)| (name.as_str(), it));
        let counts = |(name, _): &(&str, _)| self.gate.signers.iter().any(|it| it == name);
        let signers: Vec<_> = signers.filter(counts).collect();
        // Who else may have signed it decides nothing, so neither does what they say.
        let reading = if signers.is_empty() && reading.standing != Standing::AnotherSubject {
            Reading::silent(Standing::AnotherSigner, self.nobody_listed(attested))
        } else {
            reading
        };
        self.words.push(Word { signers, sha256: attested.sha256, reading });
    }

    fn nobody_listed(&self, attested: &Attested) -> String {
        let names: Vec<_> = attested.signers.keys().map(String::as_str).collect();
        let listed = self.gate.signers.join(", ");
        if names.is_empty() {
            format!("nobody whom the policy knows signed it; {listed} may")
        } else {
            format!("signed by {}, and only {listed} may", names.join(", "))
        }
    }

    /// The newest word of each signer. Where times are equal or missing, the worse word is taken to be
    /// the newer one.
    fn newest(&self) -> BTreeMap<&'e str, &Word<'e>> {
        let mut newest: BTreeMap<&str, &Word<'_>> = BTreeMap::new();
        for word in self.words.iter().filter(|it| it.standing().speaks()) {
            for (name, _) in &word.signers {
                let rank = |it: &Word<'_>| (it.reading.at, Reverse(it.standing()));
                let entry = newest.entry(name).or_insert(word);
                if rank(word) > rank(entry) {
                    *entry = word;
                }
            }
        }
        newest
    }

    pub(super) fn conclude(&self) -> GateVerdict {
        let newest = self.newest();
        let (good, bad): (Vec<_>, Vec<_>) =
            newest.values().copied().partition(|it| it.standing() == Standing::Met);
        let names = newest.iter().filter(|(_, it)| it.standing() == Standing::Met);
        let names: BTreeSet<&str> = names.map(|(name, _)| *name).collect();
        let enough = names.len() >= usize::try_from(self.gate.threshold).unwrap_or(usize::MAX);
        let shortage = if enough { self.nobody_human(&good, &names) } else { None };
        if enough && shortage.is_none() {
            return self.opened(&good, &names);
        }
        let silent = self.words.iter().filter(|it| !it.standing().speaks());
        let nearest = bad.into_iter().chain(silent).max_by_key(|it| it.standing());
        self.closed(nearest, &good, &names, shortage)
    }

    /// Robots sign what they are told to: without a person it is no approval.
    fn nobody_human(&self, good: &[&Word<'_>], names: &BTreeSet<&str>) -> Option<String> {
        let is_approval = matches!(self.gate.rule, Rule::ChangeApproval { .. });
        let mut signers = good.iter().flat_map(|it| &it.signers);
        let is_human = signers.any(|(name, it)| names.contains(name) && it.kind == Kind::Human);
        (is_approval && !is_human).then(|| {
            let names: Vec<_> = names.iter().copied().collect();
            format!("no person approved, only {}", names.join(", "))
        })
    }

    fn opened(&self, good: &[&Word<'_>], names: &BTreeSet<&str>) -> GateVerdict {
        let mut verdict = GateVerdict::closed(self.gate, Code::EvidenceMissing, String::new());
        (verdict.met, verdict.code) = (true, None);
        Self::rest_on(&mut verdict, good);
        verdict.signers = names.iter().map(|it| (*it).to_owned()).collect();
        verdict
    }

    fn closed(
        &self,
        nearest: Option<&Word<'_>>,
        good: &[&Word<'_>],
        names: &BTreeSet<&str>,
        shortage: Option<String>,
    ) -> GateVerdict {
        let missing = || "no statement of this kind came with it".to_owned();
        let code = nearest.and_then(|it| it.standing().code()).unwrap_or(Code::EvidenceMissing);
        let why = nearest.map_or_else(missing, |it| it.reading.detail.clone());
        let mut verdict = match shortage {
            Some(shortage) => GateVerdict::closed(self.gate, Code::EvidenceMissing, shortage),
            None if self.gate.threshold > 1 => {
                let so_far = format!("{} of {} signers", names.len(), self.gate.threshold);
                GateVerdict::closed(self.gate, code, format!("{so_far}; {why}"))
            }
            None => GateVerdict::closed(self.gate, code, why),
        };
        let decided: Vec<_> = nearest.into_iter().filter(|it| it.standing().speaks()).collect();
        let decided = if decided.is_empty() { good } else { &decided };
        Self::rest_on(&mut verdict, decided);
        let signers = decided.iter().flat_map(|it| &it.signers);
        let signers: BTreeSet<_> = signers.map(|(name, _)| (*name).to_owned()).collect();
        verdict.signers = signers.into_iter().collect();
        verdict
    }

    /// Says what was measured in these statements, and when.
    fn rest_on(verdict: &mut GateVerdict, words: &[&Word<'_>]) {
        let measured: BTreeSet<_> =
            words.iter().filter_map(|it| it.reading.measured.as_deref()).collect();
        let measured: Vec<_> = measured.into_iter().collect();
        verdict.measured = (!measured.is_empty()).then(|| measured.join("; "));
        verdict.at = words.iter().filter_map(|it| it.reading.at).min();
        let evidence: BTreeSet<_> = words.iter().map(|it| it.sha256).collect();
        verdict.evidence = evidence.into_iter().collect();
    }
}
