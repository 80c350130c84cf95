//! `bowline-agent --once`: how a cycle ended, as people read it.

use std::fs;

use crate::sealed::Sealed;

/// A repository and a root, and one cycle that committed.
fn settled() -> Sealed {
    let sealed = Sealed::found(&["alice"]);
    fs::create_dir(sealed.path("root")).unwrap();
    let said = sealed.once(&[]);
    assert_eq!(said.code, 0, "{said:?}");
    sealed
}

#[test]
fn a_rewind_is_refused_by_the_tip_that_the_remote_offers() {
    let sealed = settled();
    sealed.merge("alice", "one");
    sealed.merge("alice", "two");
    let verified = sealed.git("fleet", &["rev-parse", "HEAD"]);
    assert_eq!(sealed.once(&[]).code, 0);
    sealed.git("fleet", &["reset", "-q", "--hard", "HEAD^"]);
    let offered = sealed.git("fleet", &["rev-parse", "HEAD"]);
    let raw = sealed.once_raw(&["--json"]);
    let cycle: serde_json::Value = serde_json::from_str(&raw).unwrap();
    assert_eq!(cycle["code"], "not-fast-forward", "{raw}");
    assert_eq!(cycle["revision"], format!("main@sha1:{}", offered.trim()));
    assert!(cycle["detail"].as_str().unwrap().contains(&verified[..12]), "{raw}");
}
