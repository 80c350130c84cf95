//! Receipts of hosts: whether enough hosts of another environment ran the revision in good health for long enough.
//!
//! **Invariant:** whose word counts is said by the manifests of the revision that is judged: hosts that they enrol in
//! the asked environment, by their keys. What a record calls its host or environment decides nothing.
//! **Invariant:** hosts are counted, each once; an environment without hosts is never met.
//! **Invariant:** of what one host said of the revision, a word against it closes what it said before.

use std::collections::BTreeSet;
use std::time::Duration;

use bowline_model::duration::Span;
use bowline_model::policy::{Gate, HostQuorum};
use jiff::Timestamp;

use super::signed_time::is_ahead;
use super::verdict::GateVerdict;
use crate::manifested::Enrolled;
use crate::receipt::{Named, Receipt, Says};
use crate::verdict::Code;

/// Hosts that are named among those that are missing.
const NAMED_MAX: usize = 5;

/// Where one host stands.
enum Standing<'r> {
    /// It vouches.
    Vouches(&'r Receipt),
    /// It does not.
    Not(Code, String),
}

/// Judges a gate that asks hosts of another environment.
pub(super) fn judge(
    gate: &Gate,
    asked: &HostQuorum,
    enrolled: &[Enrolled],
    (receipts, now): (&[Receipt], Timestamp),
) -> GateVerdict {
    let hosts: Vec<_> = enrolled.iter().filter(|it| it.environment == asked.environment).collect();
    if hosts.is_empty() {
        let detail = format!("its manifests enrol no host of {}", asked.environment);
        return GateVerdict::closed(gate, Code::EvidenceMissing, detail);
    }
    let mut vouching = Vec::new();
    let mut missing = Vec::new();
    for host in &hosts {
        let own = receipts.iter().filter(|it| it.fingerprint == host.fingerprint);
        match stand(&own.collect::<Vec<_>>(), asked.lasting, now) {
            Standing::Vouches(receipt) => vouching.push((*host, receipt)),
            Standing::Not(code, why) => missing.push((code, format!("{} {why}", host.name))),
        }
    }
    let needed = quorum(asked, hosts.len());
    let mut verdict = if vouching.len() >= needed {
        let open = GateVerdict::closed(gate, Code::EvidenceMissing, String::new());
        GateVerdict { met: true, code: None, ..open }
    } else {
        GateVerdict::closed(gate, worst(&missing), in_words(needed, asked, &missing))
    };
    let by_tree = vouching.iter().filter(|(_, it)| it.named == Named::Tree).count();
    let of = match by_tree {
        0 => String::new(),
        some => format!(", {some} by its tree"),
    };
    verdict.measured = Some(format!("{} of {} hosts{of}", vouching.len(), hosts.len()));
    verdict.signers = vouching.iter().map(|(host, _)| host.name.clone()).collect();
    verdict.at = vouching.iter().filter_map(|(_, it)| it.at).min();
    let evidence: BTreeSet<_> = vouching.iter().map(|(_, it)| it.sha256).collect();
    verdict.evidence = evidence.into_iter().collect();
    verdict
}

/// How many of so many hosts it takes: the share, never rounded down, and one at least.
fn quorum(asked: &HostQuorum, hosts: usize) -> usize {
    (hosts * usize::from(asked.healthy.as_number())).div_ceil(100).max(1)
}

/// What one host says, all in all.
fn stand<'r>(own: &[&'r Receipt], lasting: Span, now: Timestamp) -> Standing<'r> {
    // Two records of one place are two logs of one key: then the worse word is taken to be the newer one.
    let against = own.iter().filter(|it| matches!(it.says, Says::Bad(_))).max_by_key(|it| it.seq);
    let after = |it: &Receipt| against.is_none_or(|bad| it.seq > bad.seq);
    let healthy = |it: &Receipt| match it.says {
        Says::Healthy(millis) => Some(Duration::from_millis(millis)),
        Says::Bad(_) => None,
    };
    let words: Vec<_> = own.iter().filter(|it| after(it) && healthy(it).is_some()).collect();
    let is_past = |it: &Receipt| it.at.is_some_and(|at| !is_ahead(at, now));
    let is_enough = |it: &Receipt| healthy(it).is_some_and(|time| time >= lasting.as_duration());
    let good = words.iter().filter(|it| is_past(it) && is_enough(it));
    if let Some(newest) = good.max_by_key(|it| it.seq) {
        return Standing::Vouches(newest);
    }
    if let Some(Receipt { says: Says::Bad(why), .. }) = against.filter(|_| words.is_empty()) {
        return Standing::Not(Code::EvidenceFailed, why.clone());
    }
    if words.iter().any(|it| is_enough(it)) {
        return Standing::Not(Code::EvidenceStale, "dates its word ahead".to_owned());
    }
    match words.iter().filter_map(|it| healthy(it)).max() {
        Some(time) => {
            let so_far = Span::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
            Standing::Not(Code::EvidenceBelow, format!("vouches for {so_far}"))
        }
        None => Standing::Not(Code::EvidenceMissing, "has not vouched".to_owned()),
    }
}

/// The code of the host that says the worst.
fn worst(missing: &[(Code, String)]) -> Code {
    let order = [Code::EvidenceFailed, Code::EvidenceBelow, Code::EvidenceStale];
    let is_there = |code: &Code| missing.iter().any(|(it, _)| it == code);
    order.into_iter().find(is_there).unwrap_or(Code::EvidenceMissing)
}

fn in_words(needed: usize, asked: &HostQuorum, missing: &[(Code, String)]) -> String {
    let named: Vec<_> = missing.iter().take(NAMED_MAX).map(|(_, why)| why.as_str()).collect();
    let more = match missing.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("it takes {needed} hosts of {}: {}{more}", asked.environment, named.join(", "))
}

#[cfg(test)]
mod tests;
