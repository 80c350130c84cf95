//! The journal against what disks and power cuts do to files.
//!
//! **Invariant:** only a tail that was never promised may be dropped.

use std::path::PathBuf;

use bowline_model::mark::Mark;

use super::{Found, HEADER, Journal, find};
use crate::scratch::Scratch;

/// Room for every test's records.
const CAPACITY: u64 = 64 << 10;

struct World {
    scratch: Scratch,
}

impl World {
    /// A journal to which these were appended, one after another, by a process that then ended.
    fn with(marks: &[Mark]) -> Self {
        let world = Self { scratch: Scratch::new() };
        let mut journal = Journal::create(world.scratch.path(), "d1", CAPACITY).unwrap();
        for mark in marks {
            journal.append(std::slice::from_ref(mark)).unwrap();
        }
        world
    }

    fn wal(&self) -> PathBuf {
        self.scratch.path().join("d1.wal")
    }

    fn tail(&self) -> PathBuf {
        self.scratch.path().join("d1.tail")
    }

    fn find(&self) -> Found {
        find(self.scratch.path()).unwrap()
    }

    fn marks(&self) -> Vec<Mark> {
        match self.find() {
            Found::Whole { marks, .. } => marks,
            other => panic!("{other:?}"),
        }
    }

    /// Changes the journal's bytes; the length of what was written is told.
    fn change(&self, change: impl FnOnce(&mut Vec<u8>, usize)) {
        let mut bytes = std::fs::read(self.wal()).unwrap();
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        change(&mut bytes, end);
        std::fs::write(self.wal(), bytes).unwrap();
    }

    fn is_damaged(&self) -> bool {
        let before = std::fs::read(self.wal()).ok();
        let damaged = matches!(self.find(), Found::Damaged { .. });
        assert_eq!(std::fs::read(self.wal()).ok(), before, "damage is never repaired");
        damaged
    }
}

fn staged(stage: &str) -> Mark {
    Mark::Staged { stages: vec![stage.to_owned()] }
}

fn three() -> [Mark; 3] {
    [staged("/a"), Mark::Applied, Mark::StepDone { from: 0, to: 7 }]
}

#[test]
fn what_was_appended_is_found_and_continued() {
    let world = World::with(&three());
    let Found::Whole { mut journal, marks } = world.find() else { panic!("not whole") };
    assert_eq!(marks, three());
    journal.append(&[staged("/b"), Mark::Applied]).unwrap();
    drop(journal);
    assert_eq!(world.marks(), [&three()[..], &[staged("/b"), Mark::Applied]].concat());
    let Found::Whole { journal, .. } = world.find() else { panic!("not whole") };
    journal.remove().unwrap();
    assert!(matches!(world.find(), Found::Nothing));
}

#[test]
fn a_journal_without_records_is_whole_and_empty() {
    assert_eq!(World::with(&[]).marks(), []);
}

/// What happens to a journal's bytes, whose records end there.
type Tear = fn(&mut Vec<u8>, usize);

#[test]
fn a_torn_tail_is_dropped_and_written_over() {
    let cases: [(&str, Tear); 3] = [
        ("garbage behind the end", |bytes, end| {
            bytes[end..end + 200].fill(0xa5);
        }),
        ("the begin of a record", |bytes, end| {
            bytes[end..end + 4].copy_from_slice(&[40, 0, 0, 0]);
        }),
        ("the file is cut behind the end", |bytes, end| {
            bytes.truncate(end);
        }),
    ];
    for (what, tear) in cases {
        let world = World::with(&three());
        world.change(tear);
        let Found::Whole { mut journal, marks } = world.find() else { panic!("{what}") };
        assert_eq!(marks, three(), "{what}");
        journal.append(&[staged("/b")]).unwrap();
        drop(journal);
        assert_eq!(world.marks().len(), 4, "{what}");
    }
}

#[test]
fn a_record_that_was_written_but_not_promised_counts() {
    let whole = World::with(&three());
    let before = std::fs::read(World::with(&three()[..2]).tail()).unwrap();
    std::fs::write(whole.tail(), before).unwrap();
    assert_eq!(whole.marks(), three());
}

#[test]
fn a_record_that_counts_is_promised_before_anything_relies_on_it() {
    for promised in 0..3 {
        let world = World::with(&three());
        let before = std::fs::read(World::with(&three()[..promised]).tail()).unwrap();
        std::fs::write(world.tail(), before).unwrap();
        if promised == 0 {
            // The first mark is durable before a second record is written.
            world.change(|bytes, end| {
                let mut first = 0;
                World::with(&three()[..1]).change(|_, at| first = at);
                bytes[first..end].fill(0);
            });
        }
        let count = if promised == 0 { 1 } else { 3 };
        assert_eq!(world.marks(), three()[..count]);
        world.change(|bytes, end| bytes[end - 1] ^= 1);
        assert!(world.is_damaged(), "the last record is not promised after {promised}");
    }
}

#[test]
fn a_duplicated_record_is_no_record() {
    let world = World::with(&three());
    let first = World::with(&three()[..2]);
    let mut length = 0;
    first.change(|_, end| length = end);
    world.change(|bytes, end| bytes.copy_within(length..end, end));
    assert_eq!(world.marks(), three());
}

#[test]
fn every_flipped_bit_is_seen() {
    let world = World::with(&three());
    let (mut whole, mut end) = (Vec::new(), 0);
    world.change(|bytes, at| (whole, end) = (bytes.clone(), at));
    for at in 0..end {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        std::fs::write(world.wal(), bytes).unwrap();
        assert!(world.is_damaged(), "byte {at} of {end}");
    }
}

#[test]
fn a_journal_that_is_too_short_is_damaged() {
    let world = World::with(&three());
    let (mut whole, mut end) = (Vec::new(), 0);
    world.change(|bytes, at| (whole, end) = (bytes.clone(), at));
    for length in [0, 5, HEADER.len(), HEADER.len() + 20, end - 1] {
        std::fs::write(world.wal(), &whole[..length]).unwrap();
        assert!(world.is_damaged(), "{length} of {end} bytes");
    }
}

#[test]
fn half_of_it_without_the_other_is_damaged() {
    let world = World::with(&three());
    std::fs::remove_file(world.wal()).unwrap();
    assert!(world.is_damaged(), "the journal is lost");
    let world = World::with(&three());
    std::fs::remove_file(world.tail()).unwrap();
    assert!(world.is_damaged(), "the tail mark is lost");
    let world = World::with(&three());
    std::fs::copy(world.wal(), world.scratch.path().join("d2.wal")).unwrap();
    assert!(world.is_damaged(), "there are two");
}

#[test]
fn another_journals_records_do_not_fit() {
    let world = World::with(&[staged("/a"), Mark::Applied]);
    let other = World::with(&[staged("/b"), Mark::Applied]);
    std::fs::copy(other.wal(), world.wal()).unwrap();
    assert!(world.is_damaged());
}

#[test]
fn a_torn_tail_mark_leaves_the_one_before() {
    for place in [0, 512] {
        let world = World::with(&three());
        let mut bytes = std::fs::read(world.tail()).unwrap();
        bytes[place + 10] ^= 1;
        std::fs::write(world.tail(), bytes).unwrap();
        assert_eq!(world.marks(), three(), "the mark at {place}");
    }
}

#[test]
fn a_journal_that_was_never_begun_is_nothing() {
    let torn = [&HEADER[..8], &[0; 4_096]].concat();
    for bytes in [&[][..], &[0; 4_096], &HEADER[..8], &torn] {
        let world = World::with(&[]);
        std::fs::write(world.wal(), bytes).unwrap();
        assert!(matches!(world.find(), Found::Nothing));
        assert!(!world.wal().exists() && !world.tail().exists());
    }
}

#[test]
fn a_removal_that_was_interrupted_is_finished() {
    let end = Mark::End { outcome: bowline_api::outcome::Outcome::Committed, proof: None };
    let world = World::with(&[staged("/a"), end]);
    std::fs::remove_file(world.tail()).unwrap();
    assert!(matches!(world.find(), Found::Nothing));
    assert!(!world.wal().exists());
}
