//! Who may lean on whom: the table of ARCHITECTURE.md.
//!
//! **Invariant:** an arrow that is not in the table does not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Each crate and the crates of the house that it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("bowline-api", &[]),
    ("bowline-model", &["bowline-api"]),
    ("bowline-trust", &["bowline-model", "bowline-api"]),
    ("bowline-engine", &["bowline-model", "bowline-trust", "bowline-api"]),
    ("bowline-host", &["bowline-model", "bowline-trust", "bowline-api"]),
    ("bowline-fleet", &["bowline-model", "bowline-trust", "bowline-api"]),
    (
        "bowline-agent",
        &["bowline-model", "bowline-trust", "bowline-api", "bowline-engine", "bowline-host"],
    ),
    (
        "bowline-cli",
        &["bowline-model", "bowline-trust", "bowline-api", "bowline-engine", "bowline-host"],
    ),
    ("bowline-control", &["bowline-model", "bowline-trust", "bowline-api", "bowline-fleet"]),
];

/// Crates that may do none of I/O, async and logging, and what would let them.
const PURE: &[&str] =
    &["bowline-api", "bowline-model", "bowline-trust", "bowline-engine", "bowline-fleet"];

/// Third-party crates that do I/O, are async, log or draw random numbers.
const IMPURE: &[&str] =
    &["tokio", "hyper", "git2", "nix", "rustix", "tracing", "sysinfo", "rand", "notify"];

/// Every crate of the workspace with what it depends on, without development dependencies.
fn crates() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |it: &serde_json::Value| it["name"].as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| {
            let uses = package["dependencies"].as_array().unwrap();
            let uses = uses.iter().filter(|it| it["kind"] != "dev").map(name).collect();
            (name(package), uses)
        })
        .collect()
}

#[test]
fn crates_lean_only_on_those_the_table_allows() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        MAY_USE.iter().map(|(from, to)| (*from, to.iter().copied().collect())).collect();
    let crates = crates();
    for (name, uses) in &crates {
        if name == "tests" {
            continue;
        }
        let may = allowed.get(name.as_str()).unwrap_or_else(|| {
            panic!("{name} is not in the table: add it here and to ARCHITECTURE.md, or remove it")
        });
        for used in uses.iter().filter(|it| crates.contains_key(*it)) {
            assert!(
                may.contains(used.as_str()),
                "{name} must not use {used}: move what it needs to a floor below both"
            );
        }
    }
    assert_eq!(crates.len(), MAY_USE.len() + 1, "the table names a crate that is gone");
}

#[test]
fn crates_that_decide_touch_nothing() {
    let crates = crates();
    for name in PURE {
        for used in &crates[*name] {
            assert!(
                !IMPURE.contains(&used.as_str()),
                "{name} must stay pure and uses {used}: what needs the world belongs to bowline-host"
            );
        }
    }
}
