//! A repository behind a real `sshd`.
//!
//! **Invariant:** whether the server passes the protocol's version on or not, the host ends the same.

use std::fs;

use bowline_api::outcome::Outcome;
use tests::sshd::{Sshd, Version};
use tests::workshop::Workshop;

use super::{app, named, prepared, publish};
use crate::story::settled;

/// Where the workshop's repository is on the server.
fn path(shop: &Workshop) -> String {
    shop.repo().display().to_string()
}

#[test]
fn a_repository_behind_ssh_is_deployed_from_in_either_version_of_the_protocol() {
    for version in [Version::Passed, Version::Dropped] {
        let shop = prepared();
        let Some(sshd) = Sshd::start(&shop, version) else { return };
        sshd.become_source(&shop, &path(&shop));
        shop.once().ended(Outcome::Committed);
        assert_eq!(app(&shop), "app one\n");
        shop.once().ended(Outcome::Unchanged);
        publish(&shop, "app two\n");
        shop.git(&["notes", "--ref=attestations", "add", "-m", "{}", "HEAD"]);
        shop.once().ended(Outcome::Committed);
        assert_eq!(app(&shop), "app two\n");
        let notes = shop.git(&["rev-parse", "refs/notes/attestations"]);
        assert_eq!(named(&shop, "refs/notes/attestations"), notes, "{version:?}");
        assert_eq!(named(&shop, "refs/bowline/candidate"), shop.tip(), "{version:?}");
        // Only what was new came: the first commits' objects are in the first pack alone.
        let packs = fs::read_dir(shop.state().join("objects.git/objects/pack")).unwrap();
        let packs = packs
            .filter(|it| it.as_ref().unwrap().path().extension().is_some_and(|it| it == "pack"));
        assert_eq!(packs.count(), 3, "{version:?}");
    }
}

#[test]
fn what_ssh_complains_about_is_told_and_the_host_stays_as_it_was() {
    let shop = settled("");
    let Some(sshd) = Sshd::start(&shop, Version::Dropped) else { return };
    let told = |code: &str, words: &str| {
        let told = shop.once();
        let cycle = told.ended_for(Outcome::Failed, code);
        assert!(cycle.detail.contains(words), "{}", cycle.detail);
        assert_eq!(app(&shop), "app one\n");
    };
    sshd.become_source(&shop, "/nowhere/at/all");
    told("remote-refused", "/nowhere/at/all");
    sshd.become_source(&shop, &path(&shop));
    sshd.know(&shop, &shop.public("mallory"));
    told("remote-ssh", "Host key verification failed");
    fs::write(shop.folder().join("known_hosts"), "").unwrap();
    told("remote-ssh", "Host key verification failed");
    sshd.know(&shop, &shop.public("sshd-host"));
    fs::write(shop.folder().join("authorized"), shop.public("mallory")).unwrap();
    told("remote-ssh", "Permission denied");
    drop(sshd);
    told("remote-ssh", "Connection refused");
}
