//! No space, no quota, no descriptors, no memory, a disk that became read-only: at every call.
//!
//! **Invariant:** the host ends all old or all new, says why, and the next cycle goes on by itself.

use bowline_api::outcome::Outcome;
use tests::picture::Picture;
use tests::strace::{self, Call, Strike};

use crate::aftermath::{goes_on, is_settled, journals, nothing_is_lost, recover_alone};
use crate::killed::points;
use crate::story::Story;

/// Calls of these names from the transaction's first on, words to people left out.
fn within(story: &Story, names: &[&str]) -> Vec<Call> {
    let mut points = points(story);
    let begins = points.iter().position(|it| it.arguments.contains(".wal")).unwrap();
    points.drain(..begins);
    let to_people = |it: &Call| {
        it.name == "write" && ["1,", "2,"].iter().any(|fd| it.arguments.starts_with(fd))
    };
    points.retain(|it| names.contains(&it.name.as_str()) && !to_people(it));
    points
}

/// Fails each of these calls in a run of its own.
fn fail_each(story: &Story, calls: &[Call], strike: Strike, words: &str) {
    for call in calls {
        let label = format!("{strike:?} at {} {} ({})", call.name, call.nth, call.arguments);
        let shop = story.shop.copy();
        let struck = strace::strike(&shop, &call.name, call.nth, strike);
        assert!(struck.hit, "{label}: not reached: {:?}", struck.told);
        let told = &struck.told;
        nothing_is_lost(story, &shop, &label);
        match &told.cycle {
            // What may be lost was lost.
            Some(cycle) if cycle.outcome == story.ends => {}
            Some(cycle) => {
                assert_eq!(cycle.outcome, Outcome::Failed, "{label}: {told:#?}");
                let said = format!("{} {}", cycle.detail, cycle.warnings.join(" "));
                assert!(said.contains(words), "{label}: {told:#?}");
            }
            None => assert!(told.said.contains(words), "{label}: {told:#?}"),
        }
        recover_alone(&shop);
        is_settled(story, &shop, &label);
        goes_on(story, &shop, &shop.once(), &label);
    }
}

const NO_SPACE: &str = "No space left on device";

/// Calls that take room.
const TAKING: &[&str] = &[
    "write",
    "pwrite64",
    "fallocate",
    "mkdir",
    "mkdirat",
    "openat",
    "symlinkat",
    "rename",
    "renameat2",
];

#[test]
fn fault_07_no_space_once_at_every_call_of_a_deployment_that_is_kept() {
    if strace::is_here() {
        let story = Story::kept();
        let calls = within(&story, TAKING);
        assert!(calls.len() > 30, "only {} calls", calls.len());
        fail_each(&story, &calls, Strike::Fail("ENOSPC"), NO_SPACE);
    }
}

#[test]
fn fault_07_no_space_once_at_every_call_of_a_deployment_that_is_taken_back() {
    if strace::is_here() {
        let story = Story::taken_back();
        let calls = within(&story, TAKING);
        assert!(calls.len() > 30, "only {} calls", calls.len());
        fail_each(&story, &calls, Strike::Fail("ENOSPC"), NO_SPACE);
    }
}

#[test]
fn fault_07_no_space_from_one_write_of_the_journal_on() {
    if strace::is_here() {
        for story in [Story::kept(), Story::taken_back()] {
            let calls = within(&story, &["pwrite64", "fallocate"]);
            fail_each(&story, &calls, Strike::FailOnwards("ENOSPC"), NO_SPACE);
        }
    }
}

#[test]
fn fault_25_an_exchange_that_fails_for_good_strands_the_host_and_keeps_everything() {
    if !strace::is_here() {
        return;
    }
    let story = Story::taken_back();
    let exchanges = within(&story, &["renameat2"]);
    // The first half of them applies, the other takes back.
    let undo = &exchanges[exchanges.len() / 2];
    let shop = story.shop.copy();
    let struck = strace::strike(&shop, &undo.name, undo.nth, Strike::FailOnwards("EPERM"));
    struck.told.ended_for(Outcome::Stranded, "stranded");
    nothing_is_lost(&story, &shop, "stranded");
    let stranded = Picture::whole(&shop.root());
    assert!(stranded.has_stage() && journals(&shop).len() >= 2, "{stranded:#?}");
    // It stays so, although an exchange would come off now: a person decides.
    shop.once().ended_for(Outcome::Stranded, "stranded");
    assert_eq!(Picture::whole(&shop.root()), stranded);
}

#[test]
fn fault_08_a_disk_that_is_read_only_at_some_call() {
    if strace::is_here() {
        let story = Story::kept();
        let names = &[
            "openat",
            "mkdir",
            "mkdirat",
            "renameat2",
            "rename",
            "unlink",
            "unlinkat",
            "symlinkat",
            "fchmod",
        ];
        fail_each(&story, &within(&story, names), Strike::Fail("EROFS"), "Read-only file system");
    }
}

#[test]
fn fault_08_no_descriptor_or_memory_or_quota_is_left() {
    if strace::is_here() {
        let story = Story::kept();
        let opening = within(&story, &["openat"]);
        fail_each(&story, &opening, Strike::Fail("EMFILE"), "Too many open files");
        let making =
            within(&story, &["openat", "mkdirat", "renameat2", "rename", "fallocate", "unlinkat"]);
        fail_each(&story, &making, Strike::Fail("ENOMEM"), "Cannot allocate memory");
        let writing = within(&story, &["write", "pwrite64", "fallocate", "mkdirat", "symlinkat"]);
        fail_each(&story, &writing, Strike::Fail("EDQUOT"), "quota exceeded");
    }
}
