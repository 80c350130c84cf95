//! The list of what the agent seldom runs names what there is.
//!
//! **Invariant:** a module that is renamed takes its line in `agent/daemon/seldom.ld` with it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::files::root;

/// The names in a pattern such as `*14bowline_engine7advance*`, as the compiler writes them: a length before each.
fn names(pattern: &str) -> Option<Vec<&str>> {
    let digits = |it: &str| it.len() - it.trim_start_matches(|it: char| it.is_ascii_digit()).len();
    let mut rest = pattern.trim_start_matches(".text.*").strip_suffix('*')?;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_at(digits(rest));
        let (name, more) = after.split_at_checked(length.parse().ok()?)?;
        found.push(name);
        rest = more;
    }
    Some(found)
}

/// Where a module of a crate is written.
fn source(folder: &Path, name: &str) -> Option<PathBuf> {
    let files = [folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")];
    files.into_iter().find(|it| it.is_file())
}

/// What a pattern names that is not there, if anything.
fn missing(pattern: &str) -> Option<String> {
    let Some(names) = names(pattern) else { return Some("a length that fits".to_owned()) };
    let [krate, modules @ ..] = &names[..] else { return Some("a crate".to_owned()) };
    let crates = [("bowline_agent", "daemon"), ("bowline_engine", "engine")];
    let crates = crates.into_iter().chain([("bowline_host", "host"), ("bowline_model", "model")]);
    let Some((_, folder)) = crates.into_iter().find(|(it, _)| it == krate) else {
        return Some(format!("the crate {krate}"));
    };
    let mut folder = root().join("agent").join(folder).join("src");
    let mut file = None;
    for name in modules {
        if let Some(found) = source(&folder, name) {
            folder.push(name);
            file = Some(found);
            continue;
        }
        // What no file is named after stands in the last one that was; `_` is what a derive writes.
        let text = file.as_ref().map(|it| fs::read_to_string(it).unwrap()).unwrap_or_default();
        let words = |it: char| !it.is_alphanumeric() && it != '_';
        if *name != "_" && !text.split(words).any(|it| it == *name) {
            return Some((*name).to_owned());
        }
    }
    None
}

#[test]
fn what_seldom_runs_is_named_as_it_is_called() {
    let text = fs::read_to_string(root().join("agent/daemon/seldom.ld")).unwrap();
    let words = text.split([' ', '(', ')', '\n']);
    let ours: Vec<_> = words
        .filter(|it| it.starts_with(".text.*") && it.contains("bowline_") && !it.contains(".."))
        .collect();
    assert!(ours.len() > 20, "{ours:?}");
    let wrong: Vec<_> = ours.iter().filter_map(|it| Some((it, missing(it)?))).collect();
    assert!(wrong.is_empty(), "agent/daemon/seldom.ld names what is not there: {wrong:?}");
}
