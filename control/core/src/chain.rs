//! Follows one host's chain of records and tells a good link from a gap, a fork or a replay.
//!
//! **Invariant:** a record that came before is known again and changes nothing; one that does not
//! continue the chain is never taken.

use bowline_api::record::Record;

/// Where a host's chain ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    host: String,
    links: Vec<String>,
    first: u64,
}

/// What a record is to the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// The next one; it was taken.
    Taken,
    /// One that was taken before.
    Known,
    /// Records between are missing.
    Gap {
        /// The sequence that should come next.
        expected: u64,
    },
    /// The host told two stories of one moment.
    Fork {
        /// The sequence that was told twice.
        seq: u64,
    },
    /// Another host's record.
    Foreign,
}

impl Chain {
    /// A chain that begins with a host's first record.
    pub fn of(host: &str) -> Self {
        Self { host: host.to_owned(), links: Vec::new(), first: 1 }
    }

    /// Takes a record whose envelope has this SHA-256 (hex), if it is the next link.
    pub fn take(&mut self, record: &Record, envelope_sha256: &str) -> Link {
        if record.host != self.host {
            return Link::Foreign;
        }
        let expected = self.first + self.links.len() as u64;
        if record.seq > expected {
            return Link::Gap { expected };
        }
        if record.seq < expected {
            let at = usize::try_from(record.seq.saturating_sub(self.first)).unwrap_or(usize::MAX);
            let known = self.links.get(at).is_some_and(|it| it == envelope_sha256);
            return if known { Link::Known } else { Link::Fork { seq: record.seq } };
        }
        let zeros = "0".repeat(64);
        let before = self.links.last().unwrap_or(&zeros);
        if record.prev != *before {
            return Link::Fork { seq: record.seq };
        }
        self.links.push(envelope_sha256.to_owned());
        Link::Taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(host: &str, seq: u64, prev: &str) -> Record {
        serde_json::from_value(json!({
            "v": 1, "host": host, "seq": seq, "prev": prev, "at": "2026-11-01T00:00:00Z",
            "kind": "deployment", "deployment": "d", "revision": null, "base": null,
            "outcome": "committed", "reason": "r", "trustSha256": "00", "policy": null,
            "steps": {"changed": 0, "byKind": {}}
        }))
        .unwrap()
    }

    #[test]
    fn links_gaps_forks_and_replays_are_told_apart() {
        let zeros = "0".repeat(64);
        let mut chain = Chain::of("a");
        let cases = [
            (record("b", 1, &zeros), "x", Link::Foreign),
            (record("a", 2, "one"), "two", Link::Gap { expected: 1 }),
            (record("a", 1, "other"), "one", Link::Fork { seq: 1 }),
            (record("a", 1, &zeros), "one", Link::Taken),
            (record("a", 1, &zeros), "one", Link::Known),
            (record("a", 1, &zeros), "uno", Link::Fork { seq: 1 }),
            (record("a", 2, "one"), "two", Link::Taken),
            (record("a", 0, "one"), "nil", Link::Fork { seq: 0 }),
        ];
        for (at, (record, digest, expected)) in cases.into_iter().enumerate() {
            assert_eq!(chain.take(&record, digest), expected, "case {at}");
        }
    }
}
