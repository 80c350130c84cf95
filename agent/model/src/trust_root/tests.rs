//! Trust files that are read, and the slips that are not.
//!
//! **Invariant:** every slip is one change to a trust file that is read.

use super::*;

const FULL: &str = r#"
version: 1
repo: {uri: "git+https://git.example/ops/fleet", ref: refs/heads/main}
anchor: {commit: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", commitSha256: "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}
root: {threshold: 2, keys: [{id: alice, key: "ssh-ed25519 AAAA a"}, {id: bob, key: "ssh-ed25519 AAAB b"}]}
floors: {policyVersion: 7, notBefore: 2026-11-01T00:00:00Z}
freshness: {maxAge: 24h, onStale: hold}
limits: {packBytes: 64MiB, commitsPerWalk: 100}
"#;

fn parse(text: &str) -> Result<TrustRoot, Faults> {
    TrustRoot::parse("trust.yaml", text.as_bytes())
}

#[test]
fn the_whole_form_is_read_and_limits_have_defaults() {
    let root = parse(FULL).unwrap();
    assert_eq!(root.repo.ref_name.as_str(), "refs/heads/main");
    assert_eq!((root.root.threshold, root.floors.policy_version), (2, 7));
    assert_eq!(root.limits.pack_bytes.to_string(), "64MiB");
    assert_eq!((root.limits.commits_per_walk, root.limits.envelopes), (100, 512));
}

#[test]
fn only_identity_anchor_and_root_must_be_given() {
    let short = FULL.lines().take(5).collect::<Vec<_>>().join(
        "
",
    );
    let root = parse(&short).unwrap();
    assert_eq!((root.floors, root.freshness), (Floors::default(), None));
    assert_eq!(root.limits, Limits::default());
}

#[test]
fn a_trust_file_that_is_written_out_is_read_back() {
    let root = parse(FULL).unwrap();
    let text = serde_yaml::to_string(&root).unwrap();
    assert_eq!(parse(&text).unwrap(), root);
}

#[test]
fn every_slip_is_a_fault() {
    for (from, to) in [
        ("version: 1", "version: 2"),
        ("version: 1", ""),
        ("version: 1", "version: 1\nsurprise: 1"),
        ("refs/heads/main", "main"),
        ("refs/heads/main", "refs/heads/"),
        ("refs/heads/main", "\"refs/heads/a b\""),
        ("git+https://git.example/ops/fleet", "git+https://git.example/ops fleet"),
        ("aaaaa", "aaaa"),
        ("bbbbb", "bbbb"),
        ("threshold: 2", "threshold: 0"),
        ("threshold: 2", "threshold: 3"),
        ("id: bob", "id: alice"),
        ("AAAB", "AAAA"),
        ("keys: [{", "keyz: [{"),
        ("2026-11-01T00:00:00Z", "2026-11-01"),
        ("maxAge: 24h", "maxAge: 24"),
        ("onStale: hold", "onStale: shrug"),
        ("64MiB", "64MB"),
        ("commitsPerWalk: 100", "commitsPerWalk: 1000001"),
        ("commitsPerWalk: 100", "envelopes: 65537"),
        ("packBytes", "packbytes"),
    ] {
        let changed = FULL.replacen(from, to, 1);
        assert_ne!(changed, FULL, "{from}");
        assert!(parse(&changed).is_err(), "{from} → {to}");
    }
}

#[test]
fn attack_13_a_tag_is_nothing_that_a_host_follows() {
    for name in ["refs/tags/v1", "refs/remotes/origin/main", "HEAD", "refs/heads/../tags/v1"] {
        let text = FULL.replace("refs/heads/main", name);
        assert!(parse(&text).is_err(), "{name}");
    }
}
