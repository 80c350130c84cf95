//! A manifest asks for a path of the agent's own, by a name that does not look like one.
//!
//! **Invariant:** the agent's own files are no targets, by whatever name.

use std::fs;
use std::os::unix::fs::symlink;

use bowline_api::outcome::Outcome;
use tests::workshop::Workshop;

use crate::story::{file, settled};

/// Offers a file at a path, which must be refused.
#[track_caller]
fn refused(shop: &Workshop, path: &str, code: &str) {
    shop.write("apps/own.yaml", file("own", path, "{}\n"));
    shop.commit("own");
    let told = shop.once();
    let cycle = told.ended_for(Outcome::Refused, code);
    assert!(cycle.detail.contains(path), "{path}: {cycle:#?}");
}

#[test]
fn the_agents_state_is_no_target_behind_a_link() {
    let shop = Workshop::new();
    for folder in ["/var", "/data"] {
        fs::create_dir_all(shop.on_host(folder)).unwrap();
    }
    symlink("../data", shop.on_host("/var/lib")).unwrap();
    let config = shop.folder().join("agent.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("\"state\"", "\"root/var/lib/bowline\"")).unwrap();
    shop.write("apps/app.yaml", file("app", "/etc/app.conf", "app one\n"));
    shop.commit("one");
    shop.once().ended(Outcome::Committed);
    let ledger = shop.on_host("/data/bowline/ledger.json");
    let before = fs::read_to_string(&ledger).ok();
    refused(&shop, "/data/bowline/ledger.json", "invalid-manifest");
    assert_eq!(fs::read_to_string(&ledger).ok(), before);
}

#[test]
fn the_agents_unit_and_what_is_added_to_it_are_no_targets() {
    let shop = settled("");
    for path in [
        "/etc/systemd/system/bowline-agent.service.d/x.conf",
        "/usr/lib/systemd/system/bowline-agent.service",
        "/lib/systemd/system/bowline-agent.service",
        "/run/systemd/system/bowline-agent.service.d/x.conf",
    ] {
        refused(&shop, path, "invalid-manifest");
    }
}

#[test]
fn a_stage_on_any_mount_is_no_target() {
    let shop = settled("");
    fs::create_dir_all(shop.on_host("/etc/data/.bowline-stage")).unwrap();
    refused(&shop, "/etc/data/.bowline-stage/x", "unsafe-path");
    assert!(!shop.on_host("/etc/data/.bowline-stage/x").exists());
}
