//! Every file is a room: it opens with what it is, and is small enough to be seen whole.
//!
//! **Invariant:** the limits here are those of CONTRIBUTING.md.

use std::fs;
use std::path::{Path, PathBuf};

/// A room is about 300 lines; beyond this it is two rooms.
const LINES_MAX: usize = 400;

/// Names that say nothing.
const EMPTY_NAMES: &[&str] =
    &["util", "utils", "common", "helper", "helpers", "misc", "manager", "types"];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn sources() -> Vec<(PathBuf, String)> {
    let mut folders: Vec<PathBuf> =
        ["agent", "control", "tests"].iter().map(|it| root().join(it)).collect();
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(found.len() > 100, "only {} files were found", found.len());
    found
}

#[test]
fn every_file_says_what_it_is_and_what_it_never_does() {
    for (path, text) in sources() {
        let opening: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
        assert!(!opening.is_empty(), "{} does not open with //!", path.display());
        let inner = path.strip_prefix(root()).unwrap();
        let is_binary = path.ends_with("main.rs") || inner.starts_with("tests");
        let promises = opening.iter().any(|line| line.contains("**Invariant:**"));
        let is_test = path.ends_with("tests.rs") || inner.iter().any(|it| it == "tests");
        assert!(
            promises || is_binary || is_test,
            "{} opens without an **Invariant:** line",
            path.display()
        );
    }
}

#[test]
fn no_room_is_a_hall() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines: divide it", path.display());
    }
}

#[test]
fn names_say_something() {
    for (path, _) in sources() {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(!EMPTY_NAMES.contains(&stem.as_str()), "{}: name the thing", path.display());
    }
}

#[test]
fn nothing_is_left_over() {
    // Written in parts, so that this file does not find itself.
    let marks = [
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["#[ig", "nore"].concat(),
        ["should_", "panic"].concat(),
    ];
    for (path, text) in sources() {
        for mark in &marks {
            assert!(!text.contains(mark.as_str()), "{} holds {mark}", path.display());
        }
    }
}
