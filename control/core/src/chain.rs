//! Tells a good link of a host's chain of records from a gap, a fork or a replay.
//!
//! **Invariant:** a record that came before is known again and changes nothing; one that does not
//! continue the chain is never taken.
//! **Invariant:** a chain goes on over a gap with the one sequence that a person named, once.
//! **Invariant:** a place of the chain is filled once; what comes late fits the places beside it.

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
    /// One of those over which the chain went on, and that came after all. The chain ends where it did.
    Late,
    /// One that was taken before.
    Known,
    /// It names its host's moment before, but records between are missing.
    Gap,
    /// The host told two stories of one moment.
    Fork,
}

/// Records of the chain that were taken; asked for sequences up to the tip's only.
pub trait Taken {
    /// Why one cannot be looked up.
    type Failure;

    /// The digest of an envelope, by its sequence.
    fn digest(&self, seq: u64) -> Result<Option<Sha256>, Self::Failure>;

    /// The digest that it names as that of the envelope before it.
    fn prev(&self, seq: u64) -> Result<Option<String>, Self::Failure>;
}

impl Tip {
    /// The sequence that comes next.
    pub fn expected(&self) -> u64 {
        self.seq.saturating_add(1)
    }

    /// Judges a record whose envelope has this digest.
    pub fn judge<T: Taken>(
        &self,
        record: &Record,
        envelope: Sha256,
        taken: &T,
    ) -> Result<Link, T::Failure> {
        let next = Self { seq: record.seq, digest: envelope, resume: None };
        if record.seq > self.expected() {
            // Nobody has what its `prev` names any more.
            return Ok(if self.resume == Some(record.seq) { Link::Next(next) } else { Link::Gap });
        }
        if record.seq < self.expected() {
            return behind(record, envelope, taken);
        }
        if record.prev != self.digest.to_string() {
            return Ok(Link::Fork);
        }
        // The records came after all: what a person allowed may still be needed further on.
        Ok(Link::Next(Self { resume: self.resume, ..next }))
    }
}

/// Judges a record behind the chain's end: a place there is empty only where a person let the chain go on over it.
/// Whoever comes late has to fit those beside it, as far as they are there.
fn behind<T: Taken>(record: &Record, envelope: Sha256, taken: &T) -> Result<Link, T::Failure> {
    let Some(before) = record.seq.checked_sub(1) else {
        return Ok(Link::Fork);
    };
    if let Some(found) = taken.digest(record.seq)? {
        return Ok(if found == envelope { Link::Known } else { Link::Fork });
    }
    let before = if before == 0 { Some(Sha256::default()) } else { taken.digest(before)? };
    let follows = before.is_none_or(|it| it.to_string() == record.prev);
    let after = taken.prev(record.seq.saturating_add(1))?;
    let leads = after.is_none_or(|it| it == envelope.to_string());
    Ok(if follows && leads { Link::Late } else { Link::Fork })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

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

    /// Envelopes by their sequence, each with what it names before it.
    struct Shelf(BTreeMap<u64, (Sha256, String)>);

    impl Taken for Shelf {
        type Failure = &'static str;

        fn digest(&self, seq: u64) -> Result<Option<Sha256>, &'static str> {
            Ok(self.0.get(&seq).map(|it| it.0))
        }

        fn prev(&self, seq: u64) -> Result<Option<String>, &'static str> {
            Ok(self.0.get(&seq).map(|it| it.1.clone()))
        }
    }

    struct Locked;

    impl Taken for Locked {
        type Failure = &'static str;

        fn digest(&self, _: u64) -> Result<Option<Sha256>, &'static str> {
            Err("locked")
        }

        fn prev(&self, _: u64) -> Result<Option<String>, &'static str> {
            Err("locked")
        }
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
            let shelf = Shelf(BTreeMap::from([(1, (one, zeros.to_string()))]));
            assert_eq!(tip.judge(&record, digest, &shelf), Ok(expected), "{what}");
        }
    }

    #[test]
    fn what_comes_late_fits_those_beside_it_or_is_another_story() {
        let zeros = Sha256::default();
        let of = |seq: u8| Sha256::of(&[seq]);
        let kept = |seq: u8| (u64::from(seq), (of(seq), of(seq - 1).to_string()));
        // 2 to 6 were lost, and 4 came after all.
        let begun = Shelf(BTreeMap::from([(1, (of(1), zeros.to_string())), kept(4), kept(7)]));
        // All before 3 were lost.
        let unbegun = Shelf(BTreeMap::from([kept(3)]));
        let tip = Tip { seq: 7, digest: of(7), resume: None };
        let cases = [
            ("behind the first", &begun, record(2, of(1)), of(2), Link::Late),
            ("behind another first", &begun, record(2, of(9)), of(2), Link::Fork),
            ("between two", &begun, record(3, of(2)), of(3), Link::Late),
            (
                "before another than the one that is there",
                &begun,
                record(3, of(2)),
                of(9),
                Link::Fork,
            ),
            (
                "behind another than the one that is there",
                &begun,
                record(5, of(9)),
                of(5),
                Link::Fork,
            ),
            ("before the one with which it went on", &begun, record(6, of(5)), of(6), Link::Late),
            ("another before that one", &begun, record(6, of(5)), of(9), Link::Fork),
            ("in a place that is filled", &begun, record(4, of(3)), of(9), Link::Fork),
            ("again in a place that is filled", &begun, record(4, of(3)), of(4), Link::Known),
            ("the first of all", &unbegun, record(1, zeros), of(1), Link::Late),
            ("a first that names another", &unbegun, record(1, of(9)), of(1), Link::Fork),
            ("nought", &unbegun, record(0, zeros), of(0), Link::Fork),
        ];
        for (what, shelf, record, digest, expected) in cases {
            assert_eq!(tip.judge(&record, digest, shelf), Ok(expected), "{what}");
        }
    }

    #[test]
    fn what_cannot_be_looked_up_is_no_fork() {
        let begun = Tip { seq: 1, digest: Sha256::of(b"1"), resume: None };
        let found = begun.judge(&record(1, Sha256::default()), begun.digest, &Locked);
        assert_eq!(found, Err("locked"));
    }
}
