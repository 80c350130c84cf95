//! The record log against a real folder: chained, torn, damaged, repeated.
//!
//! **Invariant:** what a test damages is what a disk or an intruder would.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bowline_api::outcome::Outcome;
use bowline_api::record::{HealthMark, Kind, Record, StepCount};
use bowline_model::digest::Sha256;

use super::{Bookmark, Most, Outbox, Parcel, RecordFailure, RecordLog, Spool, verify_chain};
use crate::key::HostKey;
use crate::scratch::Scratch;

struct World {
    scratch: Scratch,
    key: Arc<HostKey>,
}

impl World {
    fn new() -> Self {
        let scratch = Scratch::new();
        let key = Arc::new(HostKey::open(&scratch.path().join("host.key")).unwrap());
        Self { scratch, key }
    }

    fn folder(&self) -> PathBuf {
        self.scratch.path().join("records")
    }

    fn segment(&self) -> PathBuf {
        self.folder().join("00000001.ndjson")
    }

    fn open(&self) -> Result<RecordLog, RecordFailure> {
        RecordLog::open(&self.folder(), Arc::clone(&self.key))
    }

    fn verify(&self) -> Result<u64, RecordFailure> {
        verify_chain(&self.folder(), self.key.public())
    }

    fn with(deployments: &[&str]) -> Self {
        let world = Self::new();
        let mut log = world.open().unwrap();
        for deployment in deployments {
            log.append(record(deployment)).unwrap();
        }
        world
    }
}

fn record(deployment: &str) -> Record {
    Record {
        v: 0,
        host: "h".to_owned(),
        seq: 0,
        prev: String::new(),
        at: String::new(),
        kind: Kind::Deployment,
        deployment: deployment.to_owned(),
        revision: None,
        commit: None,
        repo: None,
        host_key: None,
        subject: None,
        environment: None,
        base: None,
        outcome: Outcome::Committed,
        reason: String::new(),
        detail: String::new(),
        trust_sha256: String::new(),
        policy: None,
        evidence: Vec::new(),
        approvals: Vec::new(),
        gates: Vec::new(),
        adopted: Vec::new(),
        steps: StepCount::default(),
        irreversible: Vec::new(),
        probes: Vec::new(),
        snapshots: Vec::new(),
        conflicts: Vec::new(),
        after_revert: Vec::new(),
        standing_probes: None,
        proof: None,
        healthy: None,
        durations: BTreeMap::new(),
    }
}

fn deployments(records: &[Record]) -> Vec<&str> {
    records.iter().map(|it| it.deployment.as_str()).collect()
}

#[test]
fn records_are_chained_over_restarts() {
    let world = World::with(&["d1", "d2"]);
    let mut log = world.open().unwrap();
    assert_eq!(log.next_seq(), 3);
    let third = log.append(record("d3")).unwrap();
    assert_eq!((third.v, third.seq, third.prev.len()), (1, 3, 64));
    assert!(third.at.ends_with('Z') && third.at.len() == 20, "{}", third.at);
    assert_eq!(world.verify().unwrap(), 3);
    assert_eq!(deployments(&log.newest(2).unwrap()), ["d3", "d2"]);
    assert_eq!(log.find("d2").unwrap().len(), 1);
    assert_eq!(log.after(1, 10).unwrap().len(), 2);
    assert_eq!(log.after(0, 1).unwrap().len(), 1);
    let another = HostKey::open(&world.scratch.path().join("another.key")).unwrap();
    assert!(verify_chain(&world.folder(), another.public()).is_err());
}

#[test]
fn the_same_end_is_recorded_once() {
    let world = World::with(&["d1"]);
    let mut log = world.open().unwrap();
    assert_eq!(log.append(record("d1")).unwrap().seq, 1);
    let other = Record { outcome: Outcome::Reverted, ..record("d1") };
    assert_eq!(log.append(other).unwrap().seq, 2);
    let drift = Record { kind: Kind::Drift, ..record("d1") };
    assert_eq!(log.append(drift).unwrap().seq, 3);
    for seq in [4, 5] {
        assert_eq!(log.append(record("")).unwrap().seq, seq, "without a deployment each counts");
    }
    assert_eq!(world.verify().unwrap(), 5);
}

#[test]
fn a_time_in_good_health_is_recorded_once_for_each_revision_and_length() {
    let world = World::new();
    let mut log = world.open().unwrap();
    let receipt = |revision: &str, lasting_ms| Record {
        kind: Kind::Healthy,
        revision: Some(revision.to_owned()),
        healthy: Some(HealthMark { since: "2026-01-01T00:00:00Z".to_owned(), lasting_ms }),
        ..record("")
    };
    for (revision, lasting_ms, seq) in [("r1", 5, 1), ("r1", 5, 1), ("r1", 6, 2), ("r2", 6, 3)] {
        assert_eq!(log.append(receipt(revision, lasting_ms)).unwrap().seq, seq);
    }
}

#[test]
fn a_torn_last_line_is_dropped() {
    let late = [&[0; 300], b"\"}]}\n".as_slice()].concat();
    for torn in [b"{".as_slice(), b"{\"payload\":\"abc", &[0; 300], &late] {
        let world = World::with(&["d1", "d2"]);
        let mut bytes = std::fs::read(world.segment()).unwrap();
        let whole = bytes.clone();
        bytes.extend_from_slice(torn);
        std::fs::write(world.segment(), &bytes).unwrap();
        let mut log = world.open().unwrap();
        assert_eq!(std::fs::read(world.segment()).unwrap(), whole);
        assert_eq!(log.append(record("d3")).unwrap().seq, 3);
        assert_eq!(world.verify().unwrap(), 3);
    }
    let world = World::with(&["d1"]);
    let bytes = std::fs::read(world.segment()).unwrap();
    std::fs::write(world.segment(), &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(world.open().unwrap().next_seq(), 1, "without its end a line was never given out");
}

/// What becomes of a segment's lines.
type Damage = fn(&[Vec<u8>]) -> Vec<u8>;

#[test]
fn a_damaged_log_is_an_error_and_stays_as_it_is() {
    let line_of = |bytes: &[u8], at: usize| -> Vec<u8> {
        bytes.split_inclusive(|byte| *byte == b'\n').nth(at).unwrap().to_vec()
    };
    let cases: [(&str, Damage); 4] = [
        ("a flipped bit", |lines| {
            let mut bytes = lines.concat();
            bytes[20] ^= 1;
            bytes
        }),
        ("a line is gone", |lines| [&*lines[0], &*lines[2]].concat()),
        ("a line twice", |lines| [&*lines[0], &*lines[1], &*lines[1], &*lines[2]].concat()),
        ("two lines swapped", |lines| [&*lines[1], &*lines[0], &*lines[2]].concat()),
    ];
    for (what, damage) in cases {
        let world = World::with(&["d1", "d2", "d3"]);
        let bytes = std::fs::read(world.segment()).unwrap();
        let lines: Vec<_> = (0..3).map(|at| line_of(&bytes, at)).collect();
        let damaged = damage(&lines);
        std::fs::write(world.segment(), &damaged).unwrap();
        let failure = world.open().unwrap_err();
        assert_eq!(failure.code(), "records-damaged", "{what}: {failure}");
        assert_eq!(std::fs::read(world.segment()).unwrap(), damaged, "{what}");
        assert!(world.verify().is_err(), "{what}");
    }
}

#[test]
fn full_segments_are_followed_by_others() {
    let world = World::new();
    let mut log = world.open().unwrap();
    for at in 0..7 {
        let detail = "x".repeat(600 << 10);
        log.append(Record { detail, ..record(&format!("d{at}")) }).unwrap();
    }
    assert!(world.folder().join("00000002.ndjson").exists());
    drop(log);
    let mut log = world.open().unwrap();
    assert_eq!(log.append(record("d7")).unwrap().seq, 8);
    assert_eq!(world.verify().unwrap(), 8);
    assert_eq!(deployments(&log.newest(3).unwrap()), ["d7", "d6", "d5"]);
    assert_eq!(log.append(record("d0")).unwrap().seq, 1, "it is still known");
    std::fs::write(world.folder().join("00000004.ndjson"), "").unwrap();
    assert_eq!(world.open().unwrap_err().code(), "records-damaged");
}

#[test]
fn a_new_segment_that_was_never_written_continues_the_chain() {
    let world = World::with(&["d1"]);
    std::fs::write(world.folder().join("00000002.ndjson"), "").unwrap();
    let mut log = world.open().unwrap();
    assert_eq!(log.append(record("d2")).unwrap().seq, 2);
    assert_eq!(world.verify().unwrap(), 2);
}

fn sequences(parcel: &Parcel) -> Vec<u64> {
    let lines = parcel.body.split(|it| *it == b'\n').filter(|it| !it.is_empty());
    lines.map(|it| super::line::read(it).unwrap().record.seq).collect()
}

#[test]
fn the_outbox_gives_each_durable_record_once_and_in_order_over_segments() {
    let world = World::new();
    let mut log = world.open().unwrap();
    for at in 0..40 {
        let detail = "x".repeat(if at % 7 == 0 { 600 << 10 } else { 10 });
        log.append(Record { detail, ..record(&format!("d{at}")) }).unwrap();
    }
    assert!(world.folder().join("00000002.ndjson").exists());
    for most in [
        Most { lines: 4096, bytes: 1 << 20 },
        Most { lines: 1, bytes: 1 },
        Most { lines: 3, bytes: 2_000 },
    ] {
        let mut outbox = Outbox::of(&world.folder());
        outbox.settle().unwrap();
        let (mut acked, mut seen) = (0, Vec::new());
        // The newest two are not said to be durable yet.
        while let Some(parcel) = outbox.after(acked, 38, most).unwrap() {
            let found = sequences(&parcel);
            assert_eq!((found[0], found.len() as u64), (parcel.first, parcel.count), "{most:?}");
            assert!(
                parcel.count <= most.lines
                    && (parcel.count == 1 || parcel.body.len() <= most.bytes)
            );
            acked += parcel.count;
            seen.extend(found);
        }
        assert_eq!(seen, (1..=38).collect::<Vec<_>>(), "{most:?}");
        assert_eq!(outbox.after(38, 40, most).unwrap().unwrap().first, 39, "what came later");
        assert_eq!(outbox.after(4, 40, most).unwrap().unwrap().first, 5, "what is wanted again");
    }
    let outbox = Outbox::of(&world.folder());
    let lines = log.after(0, 40).unwrap();
    for (seq, line) in (1..).zip(&lines) {
        assert_eq!(outbox.digest(seq).unwrap(), Some(Sha256::of(line.as_bytes())));
    }
    assert_eq!(outbox.digest(41).unwrap(), None);
}

#[test]
fn a_line_that_is_being_written_is_not_given_out() {
    let world = World::with(&["d1"]);
    let mut bytes = std::fs::read(world.segment()).unwrap();
    bytes.extend_from_slice(b"{\"payload\":");
    std::fs::write(world.segment(), bytes).unwrap();
    let most = Most { lines: 10, bytes: 1 << 20 };
    let mut outbox = Outbox::of(&world.folder());
    assert_eq!(outbox.after(0, 9, most).unwrap().unwrap().count, 1);
    assert_eq!(outbox.after(1, 9, most).unwrap(), None);
    assert_eq!(Outbox::of(&world.scratch.path().join("none")).after(0, 9, most).unwrap(), None);
}

#[test]
fn the_spool_keeps_what_it_says_and_drops_the_oldest_first() {
    let world = World::new();
    let large = |at: u64| Record { detail: "x".repeat(700 << 10), ..record(&format!("d{at}")) };
    let spool = Arc::new(Spool::acknowledged(8 << 20, 0));
    let mut log =
        RecordLog::open_within(&world.folder(), Arc::clone(&world.key), Arc::clone(&spool))
            .unwrap();
    let bytes = || -> u64 {
        let files = std::fs::read_dir(world.folder()).unwrap();
        files.map(|it| it.unwrap().metadata().unwrap().len()).sum()
    };
    let most = Most { lines: 1, bytes: 1 };
    for at in 0..30 {
        log.append(large(at)).unwrap();
        assert!(bytes() <= 8 << 20, "{at}");
        let oldest = Outbox::of(&world.folder()).after(0, at + 1, most).unwrap().unwrap().first;
        // Each is nearly a mebibyte once it is in its envelope: four fit a segment, and two are kept.
        assert!(at + 1 - oldest < 8 && (at < 4 || at + 1 - oldest >= 4), "{at}: from {oldest}");
    }
    assert_eq!(
        world.verify().unwrap(),
        log.next_seq() - Outbox::of(&world.folder()).after(0, 30, most).unwrap().unwrap().first
    );
}

#[test]
fn a_record_without_bounds_is_refused() {
    let world = World::new();
    let mut log = world.open().unwrap();
    let detail = "x".repeat(1 << 20);
    assert_eq!(log.append(Record { detail, ..record("d1") }).unwrap_err().code(), "io");
    assert_eq!(log.append(record("d2")).unwrap().seq, 1);
}

#[test]
fn attack_34_an_edited_or_invented_record_is_seen_when_the_log_is_opened() {
    let world = World::with(&["d1", "d2"]);
    let another = Arc::new(HostKey::open(&world.scratch.path().join("another.key")).unwrap());
    let bytes = std::fs::read(world.segment()).unwrap();
    let lines: Vec<_> = bytes.split_inclusive(|it| *it == b'\n').collect();
    // What somebody says who does not have the key, chained as it should be: in place of the last, and behind it.
    let forge = |seq: u64, prev: &[u8]| {
        let prev = Sha256::of(prev.strip_suffix(b"\n").unwrap()).to_string();
        let record = Record { v: 1, seq, prev, ..record("d2") };
        let line = super::line::write(&record, &another).unwrap();
        [&line[..], b"\n"].concat()
    };
    for (what, forged) in [
        ("edited", [lines[0].to_vec(), forge(2, lines[0])].concat()),
        ("invented", [bytes.clone(), forge(3, lines[1])].concat()),
    ] {
        std::fs::write(world.segment(), forged).unwrap();
        let failure = world.open().unwrap_err();
        assert_eq!(failure.code(), "records-damaged", "{what}");
        assert!(failure.to_string().contains("signature"), "{what}: {failure}");
    }
}

#[test]
fn attack_34_a_rewound_or_forked_log_is_seen_when_it_is_opened() {
    let world = World::with(&["d1", "d2"]);
    let bookmark = || Bookmark::beside(&world.scratch.path().join("host.key"));
    let older = std::fs::read(world.segment()).unwrap();
    let mut log = world.open().unwrap().marked_by(bookmark()).unwrap();
    log.append(record("d3")).unwrap();
    let whole = std::fs::read(world.segment()).unwrap();
    world.open().unwrap().marked_by(bookmark()).unwrap();
    std::fs::write(world.segment(), &older).unwrap();
    let failure = world.open().unwrap().marked_by(bookmark()).unwrap_err();
    assert_eq!(failure.code(), "records-damaged");
    assert!(failure.to_string().contains("record 3 was written"), "{failure}");
    // The same key went on elsewhere, as of a copied machine.
    let mut other = world.open().unwrap();
    other.append(record("other")).unwrap();
    let failure = world.open().unwrap().marked_by(bookmark()).unwrap_err();
    assert!(failure.to_string().contains("another stands in its place"), "{failure}");
    std::fs::remove_file(world.segment()).unwrap();
    assert!(world.open().unwrap().marked_by(bookmark()).is_err(), "all of it is gone");
    std::fs::write(world.segment(), whole).unwrap();
    world.open().unwrap().marked_by(bookmark()).unwrap();
    // What a power cut may leave of the note claims nothing.
    std::fs::write(bookmark().path(), "").unwrap();
    std::fs::write(world.segment(), older).unwrap();
    world.open().unwrap().marked_by(bookmark()).unwrap();
}
