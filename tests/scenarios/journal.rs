//! The journal is torn, flipped, duplicated or lost between two starts.
//!
//! **Invariant:** a torn tail is dropped; with any other damage nothing is changed and no slot of a
//! stage is deleted.

use std::fs;
use std::ops::Range;
use std::path::PathBuf;

use bowline_api::outcome::Outcome;
use tests::picture::Picture;
use tests::strace::{self, Strike};
use tests::workshop::Workshop;

use crate::aftermath::{Hidden, goes_on, is_settled, recover_alone};
use crate::killed::points;
use crate::story::Story;

/// Bytes of the file's header, of a frame's head and of its digest, as the journal writes them.
const HEADER: usize = 16;
const HEAD: usize = 12;
const DIGEST: usize = 32;

/// A journal's two files.
struct Files {
    journal: PathBuf,
    tail: PathBuf,
}

fn files(shop: &Workshop) -> Files {
    let folder = shop.state().join("journal");
    let with = |ending: &str| {
        let mut paths = fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path());
        paths.find(|it| it.extension().is_some_and(|it| it == ending)).unwrap()
    };
    Files { journal: with("wal"), tail: with("tail") }
}

/// The frames of a journal.
fn frames(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = HEADER;
    loop {
        let length = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        if length == 0 {
            return found;
        }
        let end = at + HEAD + length + DIGEST;
        found.push(at..end);
        at = end;
    }
}

type Damage = Box<dyn Fn(&Files, &mut Vec<u8>)>;

/// Every way in which a journal of so many frames is spoiled.
fn damages(frames: &[Range<usize>]) -> Vec<(String, Damage)> {
    let mut all: Vec<(String, Damage)> = Vec::new();
    let mut add = |name: String, damage: Damage| all.push((name, damage));
    for (number, frame) in frames.iter().cloned().enumerate() {
        let middle = usize::midpoint(frame.start, frame.end);
        for (what, at) in [("head", frame.start), ("text", middle), ("digest", frame.end - 1)] {
            let name = format!("a bit of the {what} of record {number} flipped");
            add(name, Box::new(move |_, bytes| bytes[at] ^= 4));
        }
        let gone = frame.clone();
        let name = format!("record {number} zeroed");
        add(name, Box::new(move |_, bytes| bytes[gone.clone()].fill(0)));
        let again = frame.clone();
        let name = format!("record {number} written twice");
        let twice: Damage = Box::new(move |_, bytes| {
            let copy = bytes[again.clone()].to_vec();
            bytes.splice(again.end..again.end, copy);
        });
        // Behind the last record whatever stands there is a torn tail.
        if number + 1 < frames.len() {
            add(name, twice);
        }
        let name = format!("record {number} and all behind it cut off");
        add(name, Box::new(move |_, bytes| bytes.truncate(frame.start)));
    }
    add("the header flipped".to_owned(), Box::new(|_, bytes| bytes[3] ^= 4));
    add("nothing in it".to_owned(), Box::new(|_, bytes| bytes.clear()));
    add("only zeros in it".to_owned(), Box::new(|_, bytes| bytes.fill(0)));
    add("the journal lost".to_owned(), Box::new(|it, _| fs::remove_file(&it.journal).unwrap()));
    add("the tail mark lost".to_owned(), Box::new(|it, _| fs::remove_file(&it.tail).unwrap()));
    add(
        "the tail mark spoiled".to_owned(),
        Box::new(|it, _| {
            let spoiled: Vec<u8> =
                fs::read(&it.tail).unwrap().iter().map(|byte| byte ^ 0x55).collect();
            fs::write(&it.tail, spoiled).unwrap();
        }),
    );
    add(
        "both lost".to_owned(),
        Box::new(|it, _| {
            fs::remove_file(&it.journal).unwrap();
            fs::remove_file(&it.tail).unwrap();
        }),
    );
    add(
        "a second journal beside it".to_owned(),
        Box::new(|it, bytes| {
            fs::write(it.journal.with_file_name("d000009-feedfeedfeed.wal"), &bytes[..]).unwrap();
        }),
    );
    all
}

#[test]
fn fault_05_a_damaged_journal_strands_the_host_and_nothing_is_touched() {
    if !strace::is_here() {
        return;
    }
    let story = Story::kept();
    let killed = story.shop.copy();
    // Some exchanges are done, some are not.
    assert!(strace::strike(&killed, "renameat2", 4, Strike::Kill).hit);
    let frames = frames(&fs::read(files(&killed).journal).unwrap());
    assert!(frames.len() >= 4, "{} records", frames.len());
    let damages = damages(&frames);
    for (label, damage) in damages {
        let shop = killed.copy();
        let files = files(&shop);
        let mut bytes = fs::read(&files.journal).unwrap();
        damage(&files, &mut bytes);
        if files.journal.exists() {
            fs::write(&files.journal, bytes).unwrap();
        }
        let before = Picture::whole(&shop.root());
        for turn in ["first", "second"] {
            let told = shop.once();
            assert_eq!(told.outcome(), Some(Outcome::Stranded), "{label}, {turn} start: {told:#?}");
            assert_eq!(told.exit, Some(3), "{label}, {turn} start");
            assert_eq!(Picture::whole(&shop.root()), before, "{label}, {turn} start");
        }
    }
}

#[test]
fn fault_05_a_torn_tail_is_dropped() {
    if !strace::is_here() {
        return;
    }
    let story = Story::kept();
    // Between a record and its tail mark: nobody relies on that record yet.
    let marks = points(&story).into_iter().filter(|it| {
        it.name == "pwrite64"
            && (it.arguments.contains(", 48, 0)") || it.arguments.contains(", 48, 512)"))
    });
    let mut torn = 0;
    for call in marks {
        for keep in [0, 7, 60] {
            let label = format!("killed before tail mark {} and torn to {keep} bytes", call.nth);
            let shop = story.shop.copy();
            assert!(strace::strike(&shop, &call.name, call.nth, Strike::Kill).hit, "{label}");
            let path = files(&shop).journal;
            let mut bytes = fs::read(&path).unwrap();
            let last = frames(&bytes).pop().unwrap();
            bytes[last.start + keep..].fill(0);
            fs::write(&path, bytes).unwrap();
            recover_alone(&shop);
            // A tail that holds more records than one loses them all, which is the same.
            is_settled(&story, &shop, &label);
            goes_on(&story, &shop, &shop.once(), &label);
            torn += 1;
        }
    }
    assert!(torn > 20, "only {torn} tails were torn");
}

#[test]
fn fault_05_recovery_does_not_begin_anew_while_a_damaged_journal_lies_there() {
    if !strace::is_here() {
        return;
    }
    let story = Story::kept();
    let shop = story.shop.copy();
    assert!(strace::strike(&shop, "renameat2", 4, Strike::Kill).hit);
    let good = fs::read(files(&shop).journal).unwrap();
    let mut bad = good.clone();
    bad[HEADER + HEAD + 5] ^= 1;
    fs::write(files(&shop).journal, bad).unwrap();
    let hidden = Hidden::hide(&shop);
    shop.once().ended(Outcome::Stranded);
    drop(hidden);
    // A person brings the journal back: nothing was lost meanwhile.
    fs::write(files(&shop).journal, good).unwrap();
    drop(fs::remove_file(files(&shop).journal.with_extension("damaged")));
    recover_alone(&shop);
    is_settled(&story, &shop, "repaired");
    goes_on(&story, &shop, &shop.once(), "repaired");
}
