//! Killed, and then the trust file, the host's key, its records and everything fetched are out of reach.
//!
//! **Invariant:** going back needs the journal and the stages, and nothing else.

use std::fs;
use std::path::PathBuf;

use tests::picture::Picture;
use tests::strace::{self, Strike};
use tests::workshop::Workshop;

use crate::aftermath::{goes_on, is_settled, journals, nothing_is_lost};
use crate::killed::points;
use crate::story::Story;

/// What a host may lose between two starts, as places beside and inside the state folder.
fn belongings(shop: &Workshop) -> [PathBuf; 5] {
    let (folder, state) = (shop.folder(), shop.state());
    [
        folder.join("trust.yaml"),
        folder.join("host.key"),
        shop.repo(),
        state.join("objects.git"),
        state.join("records"),
    ]
}

fn aside(path: &std::path::Path) -> PathBuf {
    path.with_extension("aside")
}

fn rob_everywhere(story: &Story) {
    let mut recovered = 0;
    for call in points(story) {
        let label = format!("killed at {} {} ({})", call.name, call.nth, call.arguments);
        let shop = story.shop.copy();
        assert!(strace::strike(&shop, &call.name, call.nth, Strike::Kill).hit, "{label}");
        let before = Picture::of(&shop.root());
        let was_open = Picture::whole(&shop.root()).has_stage();
        let gone: Vec<PathBuf> = belongings(&shop).into_iter().filter(|it| it.exists()).collect();
        for path in &gone {
            fs::rename(path, aside(path)).unwrap();
        }
        let told = shop.once();
        assert_eq!(told.exit, Some(2), "{label}: {told:?}");
        assert!(told.said.contains("there is no trust file"), "{label}: {told:?}");
        let here = Picture::of(&shop.root());
        assert!(here == story.old || here == story.new, "{label}: neither: {here:#?}");
        assert!(!Picture::whole(&shop.root()).has_stage(), "{label}: a stage is left");
        nothing_is_lost(story, &shop, &label);
        if was_open {
            recovered += 1;
            // What happened is still owed to the records.
            assert!(
                !journals(&shop).is_empty(),
                "{label}: the journal is gone, and no record is made"
            );
        } else {
            assert_eq!(here, before, "{label}: nothing was open");
        }
        for path in &gone {
            drop(fs::remove_dir_all(path));
            fs::rename(aside(path), path).unwrap();
        }
        let told = shop.once();
        is_settled(story, &shop, &label);
        goes_on(story, &shop, &told, &label);
    }
    assert!(recovered > 20, "only {recovered} were open");
}

#[test]
fn fault_02_killed_and_then_bereft_of_all_that_recovery_must_not_need() {
    if strace::is_here() {
        rob_everywhere(&Story::kept());
        rob_everywhere(&Story::taken_back());
    }
}
