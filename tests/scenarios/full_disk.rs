//! A filesystem that is really full: a small one in memory, in a mount namespace of its own.
//!
//! **Invariant:** going back needs no room on the full filesystem.

use std::fs;
use std::process::{Child, Command, Stdio};

use bowline_api::outcome::Outcome;
use tests::agent::{Told, until};
use tests::picture::Picture;
use tests::workshop::Workshop;

use crate::story::{command, file, probe, settled};

/// Enough for the agent's head room and little more.
const SIZE: &str = "size=16m";

/// A process that keeps a mount namespace open, in which a folder of the workshop is small.
struct Small {
    keeper: Child,
}

impl Small {
    /// Puts a small filesystem at these folders, with what was in them. `None` without the rights.
    fn at(shop: &Workshop, folders: &[&str]) -> Option<Self> {
        let mount = |folder: &&str| {
            format!(
                "cp -a {folder} {folder}.was; mount -t tmpfs -o {SIZE} small {folder}; cp -a {folder}.was/. {folder}; "
            )
        };
        let script: String = folders.iter().map(mount).collect();
        let script = format!("set -e; {script} touch ready; exec cat");
        let mut unshare = shop.command("unshare");
        unshare.args(["--mount", "--propagation", "private", "/bin/sh", "-c", &script]);
        let keeper = unshare.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut small = Self { keeper };
        let ended = |small: &mut Self| small.keeper.try_wait().unwrap().is_some();
        until("the small filesystem is there", || {
            shop.folder().join("ready").exists() || ended(&mut small)
        });
        if shop.folder().join("ready").exists() {
            return Some(small);
        }
        assert!(std::env::var_os("BOWLINE_CI").is_none(), "mounting is not allowed");
        println!("left out: mounting is not allowed");
        None
    }

    /// Runs one cycle in the namespace.
    fn once(&self, shop: &Workshop) -> Told {
        let id = self.keeper.id().to_string();
        let inside = format!("--wd={}", shop.folder().display());
        shop.once_under(&["nsenter", "--mount", "--target", &id, &inside])
    }

    /// The host's files as they stand in the namespace.
    fn picture(&self, shop: &Workshop) -> Picture {
        let inside = format!("/proc/{}/root{}", self.keeper.id(), shop.root().display());
        Picture::whole(inside.as_ref())
    }

    /// Removes a file in the namespace.
    fn remove(&self, shop: &Workshop, file: &str) {
        let inside = format!("/proc/{}/root{}/{file}", self.keeper.id(), shop.folder().display());
        fs::remove_file(inside).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // With its last process the namespace goes, and its mounts.
        drop(self.keeper.kill());
        drop(self.keeper.wait());
    }
}

/// A deployment that fills a filesystem while it is applied, and is then found unhealthy.
fn filling(fill: &str) -> Workshop {
    let shop = settled(&file("other", "/etc/other.conf", "other one\n"));
    let fill = format!("cat /dev/zero > $BOWLINE_ROOT/../{fill}/fill 2>/dev/null; true");
    let command =
        command("fill", &fill, "true", "/never").replace("spec:", "dependsOn: [File/app]\nspec:");
    let files = format!(
        "{}{}",
        file("app", "/etc/app.conf", "app two\n"),
        file("other", "/etc/other.conf", "other two\n")
    );
    shop.write("apps/app.yaml", format!("{files}{command}{}", probe("[/bin/false]")));
    shop.commit("fills the disk");
    shop
}

#[test]
fn fault_07_a_deployment_is_taken_back_on_a_full_disk() {
    let shop = filling("root");
    let Some(small) = Small::at(&shop, &["root"]) else { return };
    let before = small.picture(&shop);
    let told = small.once(&shop);
    told.ended_for(Outcome::Reverted, "probe-failed");
    small.remove(&shop, "root/fill");
    assert_eq!(small.picture(&shop), before, "{told:#?}");
}

#[test]
fn fault_07_a_full_disk_under_the_state_delays_the_end_and_loses_nothing() {
    let shop = filling("state");
    let Some(small) = Small::at(&shop, &["state"]) else { return };
    let before = small.picture(&shop);
    let told = small.once(&shop);
    // The host is back; what is owed is the memory of it.
    let stands = |picture: &Picture, path: &str| picture.at(path).map(str::to_owned);
    for path in ["/etc/app.conf", "/etc/other.conf"] {
        assert_eq!(stands(&small.picture(&shop), path), stands(&before, path), "{told:#?}");
    }
    assert!(matches!(told.outcome(), Some(Outcome::Failed | Outcome::Reverted)), "{told:#?}");
    small.remove(&shop, "state/fill");
    small.once(&shop).ended_for(Outcome::Held, "quarantined");
    assert_eq!(small.picture(&shop), before);
}

#[test]
fn bad_input_of_a_file_that_does_not_fit_on_the_disk_is_tried_again() {
    let shop = settled("");
    let before = Picture::whole(&shop.root());
    shop.write("apps/files/large", vec![b'x'; 14 << 20]);
    let large = file("large", "/etc/large", "x")
        .replace("content: \"x\"", "contentFrom: {file: files/large}");
    shop.write("apps/large.yaml", large);
    shop.commit("large");
    let Some(small) = Small::at(&shop, &["root"]) else { return };
    let told = small.once(&shop);
    let cycle = told.ended_for(Outcome::Failed, "no-room");
    assert!(cycle.detail.contains("bytes free"), "{cycle:#?}");
    assert_eq!(small.picture(&shop), before);
    drop(small);
    // Where there is room it fits.
    shop.once().ended(Outcome::Committed);
}

#[test]
fn the_namespace_of_a_small_filesystem_ends_with_its_keeper() {
    let shop = settled("");
    let Some(small) = Small::at(&shop, &["root"]) else { return };
    let seen = Command::new("df").arg(shop.root()).output().unwrap();
    assert!(
        !String::from_utf8_lossy(&seen.stdout).contains("small"),
        "mounted outside its namespace"
    );
    drop(small);
}
