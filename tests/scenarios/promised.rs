//! Killed at a sync: the next process finds what was written, and cannot know whether it is durable.
//!
//! **Invariant:** recovery makes durable what it relies on, before it does anything else.

use std::fs;

use tests::strace::{self, CHANGING, Call, Strike};
use tests::workshop::Workshop;

use crate::aftermath::{Hidden, is_settled};
use crate::story::Story;

/// The changing calls of a recovery, in their order, each descriptor with its path.
fn recorded(shop: &Workshop) -> Vec<Call> {
    let file = shop.folder().join("recovery.log");
    let calls = format!("trace={}", CHANGING.map(|name| format!("?{name}")).join(","));
    let file = file.to_str().unwrap();
    let hidden = Hidden::hide(shop);
    shop.once_under(&["strace", "-qqq", "-y", "-e", "signal=none", "-o", file, "-e", &calls]);
    drop(hidden);
    let log = fs::read_to_string(file).unwrap();
    let split = log.lines().filter_map(|line| line.split_once('('));
    let call = |(name, rest): (&str, &str)| Call {
        name: name.to_owned(),
        nth: 0,
        arguments: rest.to_owned(),
    };
    let to_people = |it: &Call| it.name == "write" && it.arguments.starts_with("2<");
    split.map(call).filter(|it| it.changes() && !to_people(it)).collect()
}

/// Kills at the first sync behind the first call that this holds for.
fn killed_at_sync_after(story: &Story, holds: impl Fn(&Call) -> bool) -> Workshop {
    let (_, calls) = strace::record(&story.shop.copy());
    let after = calls.iter().position(holds).unwrap_or_else(|| panic!("no such call: {calls:#?}"));
    let is_sync = |it: &&Call| ["fdatasync", "fsync"].contains(&it.name.as_str());
    let sync = calls[after..].iter().find(is_sync).unwrap();
    let shop = story.shop.copy();
    assert!(strace::strike(&shop, &sync.name, sync.nth, Strike::Kill).hit, "{sync:?}");
    shop
}

#[test]
fn fault_02_a_decision_that_was_written_and_not_synced_is_synced_before_it_is_acted_on() {
    if !strace::is_here() {
        return;
    }
    for story in [Story::kept(), Story::taken_back()] {
        let decides = |it: &Call| it.name == "pwrite64" && it.arguments.contains("decide");
        let shop = killed_at_sync_after(&story, decides);
        let calls = recorded(&shop);
        let mut names = calls.iter().skip_while(|it| it.arguments.contains("lock"));
        let first = names.next().unwrap();
        assert_eq!(first.name, "fdatasync", "{calls:#?}");
        assert!(first.arguments.contains(".wal>"), "{calls:#?}");
        let then: Vec<&str> = names.take(2).map(|it| it.name.as_str()).collect();
        assert_eq!(then, ["pwrite64", "fdatasync"], "the tail mark: {calls:#?}");
        is_settled(&story, &shop, "recovered");
    }
}

#[test]
fn fault_02_a_generation_that_was_renamed_and_not_synced_is_synced_before_it_is_told() {
    if !strace::is_here() {
        return;
    }
    let story = Story::kept();
    let renames = |it: &Call| {
        let of_candidate = it.arguments.contains("candidate-") && !it.arguments.contains(".new");
        it.name.starts_with("rename") && of_candidate
    };
    let shop = killed_at_sync_after(&story, renames);
    let calls = recorded(&shop);
    let synced =
        calls.iter().position(|it| it.name == "fsync" && it.arguments.contains("/generations>"));
    let told = calls.iter().position(|it| {
        it.name.starts_with("rename") && it.arguments.contains("witness")
            || it.name == "pwrite64" && it.arguments.contains(".wal>")
    });
    assert!(synced.is_some() && synced < told, "{synced:?}, {told:?}: {calls:#?}");
    is_settled(&story, &shop, "recovered");
}
