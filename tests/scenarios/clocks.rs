//! The wall clock is a year off, or jumps a year while a deployment is open.
//!
//! **Invariant:** what was begun ends as with a good clock: decisions use the time since boot.

use bowline_api::outcome::Outcome;
use tests::picture::Picture;
use tests::strace::{self, Strike};
use tests::wall_clock::{build, off_by};

use crate::aftermath::{Hidden, goes_on, is_settled};
use crate::story::{Story, command, file, settled};

const YEAR: i64 = 365 * 24 * 60 * 60;

#[test]
fn fault_15_a_clock_that_is_a_year_off_changes_nothing_about_a_recovery() {
    if !strace::is_here() {
        return;
    }
    for story in [Story::kept(), Story::taken_back()] {
        let Some(clock) = build(story.shop.folder()) else { return };
        for seconds in [YEAR, -YEAR] {
            for call in ["renameat2", "syncfs", "rename"] {
                let label = format!("killed at {call} 4, and recovered {seconds} s off");
                let shop = story.shop.copy();
                assert!(strace::strike(&shop, call, 4, Strike::Kill).hit, "{label}");
                let words = off_by(shop.folder(), &clock, seconds);
                let hidden = Hidden::hide(&shop);
                shop.once_under(&words.each_ref().map(String::as_str));
                drop(hidden);
                is_settled(&story, &shop, &label);
                goes_on(&story, &shop, &shop.once(), &label);
            }
        }
    }
}

#[test]
fn fault_15_a_clock_that_jumps_a_year_in_the_middle_of_a_deployment() {
    for seconds in [YEAR, -YEAR] {
        let shop = settled("");
        let Some(clock) = build(shop.folder()) else { return };
        let jump = format!("echo {seconds} > {}", shop.folder().join("off").display());
        let jumps = command("jump", &jump, "true", "/never")
            .replace("spec:", "dependsOn: [File/app]\nspec:");
        let soaks = "---\napiVersion: bowline/v1\nkind: Probe\nmetadata: {name: p}\nspec: {exec: {argv: [/bin/true]}, \
                     interval: 100ms, successThreshold: 2, deadline: 20s, soak: 500ms}\n";
        shop.write(
            "apps/app.yaml",
            format!("{}{jumps}{soaks}", file("app", "/etc/app.conf", "app two\n")),
        );
        shop.commit("two");
        let words = off_by(shop.folder(), &clock, 0);
        let told = shop.once_under(&words.each_ref().map(String::as_str));
        told.ended(Outcome::Committed);
        assert!(Picture::whole(&shop.root()).at("/etc/app.conf").unwrap().contains("app two"));
    }
}
