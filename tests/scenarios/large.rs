//! A plan of ten thousand files, killed early, in the middle and late.
//!
//! **Invariant:** recovery takes less than half a minute, and leaves all old or all new.

use std::fs;
use std::time::{Duration, Instant};

use bowline_api::outcome::Outcome;
use tests::agent::until;

use crate::story::settled;

const FILES: usize = 10_000;

#[test]
fn fault_27_a_plan_of_ten_thousand_files_killed_at_one_fifty_and_ninety_nine_per_cent() {
    let shop = settled("");
    for number in 0..FILES {
        shop.write(
            &format!("apps/files/tree/{:02}/{number:05}", number % 10),
            format!("{number}\n"),
        );
    }
    shop.write(
        "apps/tree.yaml",
        "apiVersion: bowline/v1\nkind: Directory\nmetadata: {name: tree}\nspec: {path: /tree, source: files/tree}\n",
    );
    shop.commit("ten thousand files");
    let placed = |shop: &tests::workshop::Workshop| -> usize {
        let count = |folder: usize| {
            fs::read_dir(shop.on_host(&format!("/tree/{folder:02}"))).map_or(0, Iterator::count)
        };
        (0..10).map(count).sum()
    };
    for share in [1, 50, 99] {
        let host = shop.copy();
        let agent = host.begin();
        until("enough files stand", || placed(&host) * 100 >= FILES * share);
        agent.kill();
        let stood = placed(&host);
        assert!(stood > 0, "nothing stood at {share} %");
        // The remote is away, so that recovery is all that happens.
        fs::rename(host.repo(), host.folder().join("away")).unwrap();
        let began = Instant::now();
        host.once().ended(Outcome::Failed);
        let took = began.elapsed();
        assert!(took < Duration::from_secs(30), "{share} %: {took:?}");
        let stands = placed(&host);
        assert!(stands == 0 || stands == FILES, "{share} %: {stands} of {stood} stand");
        fs::rename(host.folder().join("away"), host.repo()).unwrap();
        let end = host.once().outcome();
        assert!(matches!(end, Some(Outcome::Committed | Outcome::Unchanged)), "{share} %: {end:?}");
        assert_eq!(placed(&host), FILES);
    }
}
