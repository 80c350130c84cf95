//! Every code that a person may see has a hint.
//!
//! **Invariant:** a code is written where it is given out, and its hint in `control/api/src/hint.rs`.

use std::collections::BTreeSet;

use bowline_api::hint;

use crate::files::{root, sources};

/// Crates whose codes reach people beside those of bowline-trust, which lists its own.
const FOLDERS: [&str; 3] = ["agent/engine/src", "agent/host/src", "agent/daemon/src"];

/// What is in quotes on a line.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('"').skip(1).step_by(2)
}

/// Codes in a source: in the arms of each `fn code`, and wherever a field `code` is set.
fn codes_of(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut in_arms = false;
    for line in text.lines() {
        in_arms = (in_arms || line.contains("fn code(&self)")) && line != "    }";
        let is_set = ["code: \"", "let code = \"", "refuse(self.manifest(), \"", "transient(\""];
        if in_arms || is_set.iter().any(|it| line.contains(it)) {
            let plain = |it: &&str| it.bytes().all(|it| it.is_ascii_lowercase() || it == b'-');
            found.extend(quoted(line).filter(|it| !it.is_empty()).filter(plain).map(str::to_owned));
        }
    }
    found
}

#[test]
fn every_code_has_a_hint() {
    let mut codes = BTreeSet::new();
    for (path, text) in sources() {
        let inner = path.strip_prefix(root()).unwrap().display().to_string();
        if FOLDERS.iter().any(|it| inner.starts_with(it)) && !inner.contains("tests") {
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            codes.extend(codes_of(text));
        }
    }
    for known in
        ["probe-failed", "prune-brake", "unsupported-remote", "journal-damaged", "not-ours"]
    {
        assert!(codes.contains(known), "{known} is not found any more: {codes:?}");
    }
    let without: Vec<_> = codes.iter().filter(|it| hint::of(it).is_none()).collect();
    assert!(without.is_empty(), "add a line to control/api/src/hint.rs for {without:?}");
}
