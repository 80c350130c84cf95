//! A sync fails: what was written may be lost, and a second try would hide it.
//!
//! **Invariant:** after a failed sync no thread writes anything but words to stderr.

use tests::strace::{self, CHANGING, Call};

use crate::aftermath::{goes_on, is_settled, nothing_is_lost, recover_alone};
use crate::killed::points;
use crate::story::Story;

/// Calls behind the failed one that change something and are no words to stderr.
fn writes_after(log: &str) -> Vec<String> {
    let mut lines = log.lines().skip_while(|line| !line.contains("(INJECTED)"));
    lines.next();
    let changes = |line: &&str| {
        let Some((head, arguments)) = line.split_once('(') else { return false };
        let name = head.rsplit(' ').next().unwrap_or_default().to_owned();
        let to_stderr = name == "write" && arguments.starts_with("2,");
        let known = CHANGING.contains(&name.as_str());
        known && !to_stderr && Call { name, nth: 0, arguments: arguments.to_owned() }.changes()
    };
    lines.filter(changes).map(str::to_owned).collect()
}

fn fail_every_sync(story: &Story) {
    let mut syncs = points(story);
    syncs.retain(|it| ["fsync", "fdatasync", "syncfs"].contains(&it.name.as_str()));
    assert!(syncs.len() > 20, "only {} syncs", syncs.len());
    for call in syncs {
        let label = format!("{} {} ({}) failed", call.name, call.nth, call.arguments);
        let shop = story.shop.copy();
        let struck = strace::fail_and_watch(&shop, &call.name, call.nth, "EIO");
        assert!(struck.hit, "{label}: not reached");
        let more = writes_after(&struck.log);
        assert!(more.is_empty(), "{label}: and then: {more:#?}");
        // At its start the agent has not promised anything yet.
        let started = !struck.told.said.contains("error: start the agent")
            && !struck.told.said.contains("error: open");
        assert_eq!(
            struck.told.exit,
            Some(if started { 3 } else { 1 }),
            "{label}: {:?}",
            struck.told
        );
        assert!(struck.told.said.contains("Input/output error"), "{label}: {:?}", struck.told);
        nothing_is_lost(story, &shop, &label);
        recover_alone(&shop);
        is_settled(story, &shop, &label);
        goes_on(story, &shop, &shop.once(), &label);
    }
}

#[test]
fn fault_06_a_failed_sync_ends_a_deployment_that_would_be_kept() {
    if strace::is_here() {
        fail_every_sync(&Story::kept());
    }
}

#[test]
fn fault_06_a_failed_sync_ends_a_deployment_that_is_taken_back() {
    if strace::is_here() {
        fail_every_sync(&Story::taken_back());
    }
}

#[test]
fn fault_06_a_failed_sync_ends_the_very_first_cycle() {
    if strace::is_here() {
        fail_every_sync(&Story::first());
    }
}
