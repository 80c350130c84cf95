//! Somebody swaps a folder for a link while the agent works below it.
//!
//! **Invariant:** nothing outside the root is ever written, whatever the timing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bowline_api::outcome::Outcome;
use tests::picture::Picture;
use tests::workshop::Workshop;

use crate::story::{file, settled};

/// Cycles while the folder is being swapped, from ever later in the cycle on: from its first look to after its end.
const CYCLES: u32 = 60;

const FOLDER: &str =
    "---\napiVersion: bowline/v1\nkind: Directory\nmetadata: {name: app}\nspec: {path: /etc/app}\n";

fn revision(shop: &Workshop, number: u32) {
    let files: String = (0..5)
        .map(|it| file(&format!("f{it}"), &format!("/etc/app/{it}.conf"), &format!("{number}\n")))
        .collect();
    shop.write("apps/app.yaml", format!("{FOLDER}{files}"));
    shop.commit("next");
}

#[test]
fn fault_11_a_folder_that_turns_into_a_link_never_leads_outside() {
    let shop = settled("");
    revision(&shop, 0);
    shop.once().ended(Outcome::Committed);
    let outside = shop.folder().join("outside");
    fs::create_dir(&outside).unwrap();
    for number in 0..5 {
        fs::write(outside.join(format!("{number}.conf")), "not the host's\n").unwrap();
    }
    let before = Picture::whole(&outside);
    revision(&shop, 1);
    let begun = Instant::now();
    shop.copy().once().ended(Outcome::Committed);
    let undisturbed = begun.elapsed();
    let mut outcomes: BTreeMap<String, u32> = BTreeMap::new();
    for number in 0..CYCLES {
        // What one cycle met must not stand in the way of the next.
        let shop = shop.copy();
        let quiet = undisturbed * number * 3 / (CYCLES * 2);
        let told = while_swapping(&shop.on_host("/etc/app"), &outside, quiet, || shop.once());
        assert_eq!(Picture::whole(&outside), before, "in cycle {number}: {told:#?}");
        *outcomes.entry(format!("{:?}", told.outcome())).or_default() += 1;
    }
    println!("{outcomes:?}");
    assert!(outcomes.len() > 1, "no cycle met a swap: {outcomes:?}");
}

/// Swaps a folder for a link and back, again and again after a while, while something is done.
fn while_swapping<T>(
    folder: &Path,
    outside: &Path,
    quiet: Duration,
    what: impl FnOnce() -> T,
) -> T {
    let stop = AtomicBool::new(false);
    let aside = folder.with_extension("aside");
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(quiet);
            while !stop.load(Ordering::Relaxed) {
                // Whatever of it fails because the agent was in the way: the next turn swaps.
                if fs::rename(folder, &aside).is_ok() {
                    drop(symlink(outside, folder));
                    thread::yield_now();
                    drop(fs::remove_file(folder));
                    drop(fs::rename(&aside, folder));
                }
                thread::yield_now();
            }
        });
        let done = what();
        stop.store(true, Ordering::Relaxed);
        done
    })
}

#[test]
fn fault_11_a_link_on_the_way_is_refused() {
    let shop = settled("");
    revision(&shop, 0);
    shop.once().ended(Outcome::Committed);
    let outside = shop.folder().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::rename(shop.on_host("/etc/app"), shop.on_host("/etc/app.aside")).unwrap();
    symlink(&outside, shop.on_host("/etc/app")).unwrap();
    revision(&shop, 1);
    let told = shop.once();
    told.ended_for(Outcome::Refused, "unsafe-path");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn fault_11_a_folder_that_the_same_plan_opens_to_others_is_refused() {
    let folder = "---\napiVersion: bowline/v1\nkind: Directory\nmetadata: {name: up}\nspec: {path: /up, mode: \"MODE\"}\n";
    for mode in ["0777", "1777", "0775"] {
        // A folder that is made, and one that stands and is altered.
        for stands in [false, true] {
            let shop = settled("");
            let open = folder.replace("MODE", mode);
            if stands {
                shop.write("apps/up.yaml", folder.replace("MODE", "0755"));
                shop.commit("closed");
                shop.once().ended(Outcome::Committed);
            }
            shop.write("apps/up.yaml", format!("{open}{}", file("f", "/up/f", "x\n")));
            shop.commit("open");
            let told = shop.once();
            let cycle = told.ended_for(Outcome::Refused, "unsafe-path");
            assert!(cycle.detail.contains("/up"), "{mode}: {cycle:#?}");
            // Alone it may be open.
            shop.write("apps/up.yaml", open);
            shop.commit("alone");
            shop.once().ended(Outcome::Committed);
        }
    }
}

#[test]
fn fault_11_a_folder_that_others_may_write_is_refused() {
    // The last one belongs to somebody else, as far as the tests may give it away.
    for (mode, owner) in [(0o777, 0), (0o1777, 0), (0o775, 0), (0o755, 12_345)] {
        let shop = settled("");
        revision(&shop, 0);
        shop.once().ended(Outcome::Committed);
        let folder = "---\napiVersion: bowline/v1\nkind: File\nmetadata: {name: more}\nspec: {path: /etc/open/more, content: x}\n";
        fs::create_dir(shop.on_host("/etc/open")).unwrap();
        fs::set_permissions(shop.on_host("/etc/open"), fs::Permissions::from_mode(mode)).unwrap();
        if owner != 0 && chown(shop.on_host("/etc/open"), Some(owner), None).is_err() {
            continue;
        }
        shop.write("apps/more.yaml", folder);
        shop.commit("more");
        let told = shop.once();
        let cycle = told.ended_for(Outcome::Refused, "unsafe-path");
        assert!(cycle.detail.contains("/etc/open"), "{cycle:#?}");
        assert_eq!(fs::read_dir(shop.on_host("/etc/open")).unwrap().count(), 0);
    }
}
