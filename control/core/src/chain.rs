//! Tells a good link of a host's chain of records from a gap, a fork or a replay.
//!
//! **Invariant:** a record that came before is known again and changes nothing; one that does not
//! continue the chain is never taken.
//! **Invariant:** a chain goes on over a gap with the one sequence that a person named, once.

use bowline_api::record::Record;
use bowline_model::digest::Sha256;

/// Where a chain ends. A chain that has not begun ends at 0, with a digest of zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tip {
    /// The sequence of the newest record.
    pub seq: u64,
    /// The SHA-256 of its envelope.
    pub digest: Sha256,
    /// With which sequence a person lets the chain go on, over records that its host lost.
    pub resume: Option<u64>,
}

/// What a record is to the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// The next one; where the chain ends with it.
    Next(Tip),
    /// One that was taken before.
    Known,
    /// It names its host's moment before, but records between are missing.
    Gap,
    /// The host told two stories of one moment.
    Fork,
}

impl Tip {
    /// The sequence that comes next.
    pub fn expected(&self) -> u64 {
        self.seq.saturating_add(1)
    }

    /// Judges a record whose envelope has this digest. `kept` gives the digest of an envelope that was
    /// taken, by its sequence; it is asked for sequences up to the tip's only.
    pub fn judge<E>(
        &self,
        record: &Record,
        envelope: Sha256,
        kept: impl FnOnce(u64) -> Result<Option<Sha256>, E>,
    ) -> Result<Link, E> {
        let next = Self { seq: record.seq, digest: envelope, resume: None };
        if record.seq > self.expected() {
            // Nobody has what its `prev` names any more.
            return Ok(if self.resume == Some(record.seq) { Link::Next(next) } else { Link::Gap });
        }
        if record.seq < self.expected() {
            let known = record.seq > 0 && kept(record.seq)? == Some(envelope);
            return Ok(if known { Link::Known } else { Link::Fork });
        }
        if record.prev != self.digest.to_string() {
            return Ok(Link::Fork);
        }
        // The records came after all: what a person allowed may still be needed further on.
        Ok(Link::Next(Self { resume: self.resume, ..next }))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use serde_json::json;

    fn record(seq: u64, prev: Sha256) -> Record {
        serde_json::from_value(json!({
            "v": 1, "host": "a", "seq": seq, "prev": prev, "at": "2026-11-01T00:00:00Z",
            "kind": "deployment", "deployment": "d", "revision": null, "base": null,
            "outcome": "committed", "reason": "r", "trustSha256": "00", "policy": null,
            "steps": {"changed": 0, "byKind": {}}
        }))
        .unwrap()
    }

    #[test]
    fn links_gaps_forks_and_replays_are_told_apart() {
        let zeros = Sha256::default();
        let [one, two, other] = [b"1", b"2", b"3"].map(|it| Sha256::of(it));
        let begun = Tip { seq: 1, digest: one, resume: None };
        let resumed = Tip { resume: Some(4), ..begun };
        let cases = [
            ("the first", Tip::default(), record(1, zeros), one, Link::Next(begun)),
            ("a late first", Tip::default(), record(2, one), two, Link::Gap),
            ("a first that names another", Tip::default(), record(1, other), one, Link::Fork),
            ("nought", Tip::default(), record(0, zeros), one, Link::Fork),
            (
                "the next",
                begun,
                record(2, one),
                two,
                Link::Next(Tip { seq: 2, digest: two, resume: None }),
            ),
            ("a replay", begun, record(1, zeros), one, Link::Known),
            ("another first", begun, record(1, zeros), other, Link::Fork),
            ("a next after another", begun, record(2, other), two, Link::Fork),
            ("one left out", begun, record(3, two), other, Link::Gap),
            (
                "over a gap that a person allowed",
                resumed,
                record(4, other),
                two,
                Link::Next(Tip { seq: 4, digest: two, resume: None }),
            ),
            ("before where a person allowed it", resumed, record(3, two), other, Link::Gap),
            ("behind where a person allowed it", resumed, record(5, two), other, Link::Gap),
            ("far ahead", begun, record(u64::MAX, two), other, Link::Gap),
            ("before all", begun, record(0, zeros), zeros, Link::Fork),
        ];
        for (what, tip, record, digest, expected) in cases {
            let kept = |seq| Ok::<_, Infallible>((seq == 1).then_some(one));
            assert_eq!(tip.judge(&record, digest, kept), Ok(expected), "{what}");
        }
    }

    #[test]
    fn what_cannot_be_looked_up_is_no_fork() {
        let begun = Tip { seq: 1, digest: Sha256::of(b"1"), resume: None };
        let found = begun.judge(&record(1, Sha256::default()), begun.digest, |_| Err("locked"));
        assert_eq!(found, Err("locked"));
    }
}
