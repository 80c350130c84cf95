//! Which receipts are worth carrying to the judgement: of hosts that the revision's manifests name, a few of each.
//!
//! **Invariant:** nothing is granted here; what is let through is judged again in full.
//! **Invariant:** a key that no manifest names costs no signature check, however many lines it signs.
//! **Invariant:** what names one host's key uses up that host's share of checks, and nobody else's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bowline_model::byte_size::ByteSize;
use bowline_model::policy::{Policy, Rule};
use bowline_model::tree::Contents;

use crate::receipt::{Claim, Revision, is_record};

/// Signatures that are checked for one revision: a second of one processor.
pub const CHECKED_MAX: usize = 16_384;

/// Words of one host on one revision: as many times as it vouches for, and one against it.
const WORDS_MAX: usize = 17;

/// How a fingerprint begins, and how long it is, as manifests and OpenSSH write it.
const FINGERPRINT: (&[u8], usize) = (b"SHA256:", 50);

/// Lets receipts through.
#[derive(Debug)]
pub struct ReceiptSieve<'a> {
    revision: Revision,
    repo: (&'a str, &'a str),
    largest: ByteSize,
    /// By the fingerprint of its key.
    hosts: BTreeMap<&'a str, Host>,
    /// Checks for each host.
    share: usize,
}

/// What is known of one host.
#[derive(Debug, Default)]
struct Host {
    checked: usize,
    /// The newest line for each time that it vouches for, and the newest against the revision; with their places in its log.
    words: BTreeMap<Option<u64>, (u64, Arc<[u8]>)>,
}

/// Every fingerprint of a key that is written in files. Those of enrolled hosts are among them; the rest is of keys that
/// somebody merged as well.
pub fn fingerprints_in(files: &Contents) -> BTreeSet<String> {
    let (head, length) = FINGERPRINT;
    let mut found = BTreeSet::new();
    for bytes in files.values() {
        let places = bytes.windows(head.len()).enumerate().filter(|(_, it)| *it == head);
        for (at, _) in places {
            let text = bytes.get(at..at + length).and_then(|it| str::from_utf8(it).ok());
            found.extend(text.map(str::to_owned));
        }
    }
    found
}

/// Whether some gate of a policy asks hosts for receipts.
pub fn asks_for_receipts(policy: &Policy) -> bool {
    policy.gates.iter().any(|it| matches!(it.rule, Rule::Hosts { .. }))
}

impl<'a> ReceiptSieve<'a> {
    /// For a revision of the repository of this policy, and the keys that its manifests name.
    pub fn of(
        policy: &'a Policy,
        revision: Revision,
        keys: &'a BTreeSet<String>,
        largest: ByteSize,
    ) -> Self {
        let hosts = keys.iter().map(|it| (it.as_str(), Host::default())).collect();
        let share = (CHECKED_MAX / keys.len().max(1)).max(1);
        let repo = (policy.repo_uri.as_str(), policy.ref_name.as_str());
        Self { revision, repo, largest, hosts, share }
    }

    /// Takes a line of a note, if a named host signed it about the revision. Says how many signatures were checked.
    pub fn take(&mut self, line: &[u8]) -> usize {
        let Some(claim) = is_record(line).then(|| Claim::read(line, self.largest)).flatten() else {
            return 0;
        };
        let Some(host) = self.hosts.get_mut(claim.fingerprint()) else { return 0 };
        let record = claim.record();
        let time = record.healthy.as_ref().map(|it| it.lasting_ms);
        let is_known = host.words.get(&time).is_some_and(|(seq, _)| *seq >= record.seq);
        let is_full = host.words.len() >= WORDS_MAX && !host.words.contains_key(&time);
        let is_about = claim.is_about(&self.revision, self.repo).is_some();
        if is_known || is_full || !is_about || host.checked >= self.share {
            return 0;
        }
        host.checked += 1;
        if claim.is_proved() {
            host.words.insert(time, (record.seq, Arc::from(line)));
        }
        1
    }

    /// What was let through.
    pub fn kept(self) -> impl Iterator<Item = Arc<[u8]>> {
        let words = self.hosts.into_values().flat_map(|it| it.words.into_values());
        words.map(|(_, line)| line)
    }
}
