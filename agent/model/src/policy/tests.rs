//! Policies that are read, and the slips that are not.
//!
//! **Invariant:** every slip is one change to a policy that is read.

use super::*;

/// The design's own example, with all its principals.
const FULL: &str = r#"
version: 8
expires: 2027-02-01T00:00:00Z
repoUri: git+https://git.example/ops/fleet
ref: refs/heads/main
labels: local
principals:
  alice: {kind: human, keys: [{type: ssh, key: "ssh-ed25519 AAAA", notAfter: 2027-01-01T00:00:00Z}]}
  bob: {kind: human, keys: [{type: openssh-line, key: "ssh-ed25519 AAAB", notBefore: 2026-01-01T00:00:00Z}]}
  carol: {kind: human, keys: [{type: ssh, key: "ssh-ed25519 AAAC"}]}
  ci: {kind: robot, keys: [{type: spki, key: "-----BEGIN PUBLIC KEY-----"}]}
  dan: {kind: human, keys: [{type: ssh-ca, key: "ssh-ed25519 AAAD", principals: [dan@ops]}]}
  github: {kind: forge, keys: [{type: openpgp, fingerprint: 968479A1AFF927E37D1A566BB5690EEEBB952194, key: "-----BEGIN"}]}
merge: {mergers: [alice, bob, github], approvals: {principals: 2, from: [alice, bob], on: tree, excludeAuthors: true}}
gates:
  - {id: tests, predicate: "https://in-toto.io/attestation/test-result/v0.1", signers: [ci], result: [PASSED], minPassed: 100, maxAge: 72h}
  - {id: coverage, predicate: "https://in-toto.io/attestation/scai/v0.3", signers: [ci], attribute: LINE_COVERAGE, field: percent, min: 80}
  - {id: lint, predicate: "https://in-toto.io/attestation/scai/v0.3", signers: [ci], attribute: LINT_FINDINGS, field: count, max: 12}
  - {id: vulns, predicate: "https://in-toto.io/attestation/vulns/v0.2", signers: [ci], maxScore: 6.9, allow: [CVE-2026-1, {id: CVE-2026-2, until: 2027-01-01}], maxAge: 24h, maxDbAge: 48h}
  - {id: built, predicate: "https://slsa.dev/provenance/v1", signers: [ci], builders: ["https://ci.example/builder"]}
  - {id: source, predicate: "https://slsa.dev/verification_summary/v1", signers: [ci], verifiers: ["https://ci.example/verifier"], levels: [SLSA_SOURCE_LEVEL_3], maxAge: 24h}
  - {id: change, predicate: bowline change-approval/v1, signers: [alice, bob], threshold: 2, ticketRequired: true}
  - {id: staging, environments: [production], hosts: {environment: staging, healthy: "60%", for: 1h}}
freshness: {signer: ci, maxAge: 6h}
emergency: {oncall: [alice, bob, carol], threshold: 2, skips: [staging, change, windows]}
revoked: {keys: ["SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"], commits: [], trees: []}
"#;

fn parse(text: &str) -> Result<Policy, Faults> {
    Policy::parse("policy.yaml", text.as_bytes())
}

#[test]
fn the_whole_form_is_read() {
    let policy = parse(FULL).unwrap();
    assert_eq!((policy.version, policy.labels), (8, LabelSource::Local));
    assert_eq!(policy.merge.approvals.on, ApprovalBinding::Tree);
    assert_eq!(policy.principals["github"].kind, Kind::Forge);
}

fn rule(id: &str) -> Rule {
    let gates = parse(FULL).unwrap().gates;
    gates.into_iter().find(|gate| gate.id == id).unwrap().rule
}

#[test]
fn each_gate_has_the_fields_of_its_predicate() {
    assert!(matches!(rule("tests"), Rule::TestResult { min_passed: 100, .. }));
    assert!(matches!(rule("coverage"), Rule::Attribute { min: Some(_), max: None, .. }));
    assert!(matches!(rule("lint"), Rule::Attribute { min: None, max: Some(_), .. }));
    assert!(matches!(rule("built"), Rule::Provenance { builders, .. } if builders.len() == 1));
    assert!(matches!(rule("source"), Rule::Summary { levels, .. } if levels.len() == 1));
    assert!(matches!(rule("change"), Rule::ChangeApproval { ticket_required: true, .. }));
    let Rule::Vulnerabilities { allow, .. } = rule("vulns") else {
        panic!("a scan");
    };
    assert_eq!(allow.iter().map(|it| it.until.is_some()).collect::<Vec<_>>(), [false, true]);
    let Rule::Hosts { hosts } = rule("staging") else {
        panic!("receipts of hosts");
    };
    assert_eq!((hosts.healthy.as_number(), hosts.lasting.as_secs()), (60, 3600));
    let thresholds: Vec<_> = parse(FULL).unwrap().gates.iter().map(|it| it.threshold).collect();
    assert_eq!(thresholds, [1, 1, 1, 1, 1, 1, 2, 1]);
}

#[test]
fn a_policy_that_is_written_out_is_read_back() {
    let policy = parse(FULL).unwrap();
    let text = serde_json::to_string(&policy).unwrap();
    assert_eq!(parse(&text).unwrap(), policy);
}

#[test]
fn the_gates_that_the_manual_shows_are_read() {
    let manual = include_str!("../../../../packaging/gates.md");
    let lines = manual.lines().filter(|line| line.starts_with("  - {id:"));
    let gates = lines.map(|line| format!("{line}\n")).collect::<Vec<_>>().concat();
    let (before, after) = FULL.split_once("gates:\n").unwrap();
    let (_, after) = after.split_once("freshness:").unwrap();
    let after = after.replace("[staging, change, windows]", "[change, windows]");
    let policy = parse(&format!("{before}gates:\n{gates}freshness:{after}")).unwrap();
    assert_eq!(policy.gates.len(), 9);
    let predicates = policy.gates.iter().filter_map(|gate| gate.rule.predicate());
    for predicate in predicates.chain([predicate::PROVENANCE, predicate::VULNERABILITIES_COSIGN]) {
        assert!(manual.contains(&format!("| `{predicate}`")), "{predicate} is not explained");
    }
}

/// What is written, and what stands there instead.
const SLIPS: &[(&str, &str)] = &[
    ("version: 8", "version: 0"),
    ("version: 8", "version: 8\nsurprise: 1"),
    ("version: 8", ""),
    ("2027-02-01T00:00:00Z", "soon"),
    ("refs/heads/main", "main"),
    ("refs/heads/main", "refs/tags/main"),
    ("refs/heads/main", "refs/heads/a..b"),
    ("git+https://git.example/ops/fleet", "fleet"),
    ("labels: local", "labels: everywhere"),
    ("kind: robot", "kind: cyborg"),
    ("type: spki", "type: pgp"),
    ("type: ssh-ca", "type: ssh"),
    (", principals: [dan@ops]", ""),
    ("[dan@ops]", "[]"),
    ("[dan@ops]", "[\"*@ops\"]"),
    ("[dan@ops]", "[\"\"]"),
    ("{type: ssh-ca, ", "{type: ssh-ca, fingerprint: 968479A1AFF927E37D1A566BB5690EEEBB952194, "),
    ("fingerprint: 968479A1AFF927E37D1A566BB5690EEEBB952194, ", ""),
    ("968479A1AFF927E37D1A566BB5690EEEBB952194", "B5690EEEBB952194"),
    ("{type: spki, ", "{type: spki, fingerprint: 968479A1AFF927E37D1A566BB5690EEEBB952194, "),
    (r#"keys: [{type: ssh, key: "ssh-ed25519 AAAC"}]"#, "keys: []"),
    (r#"key: "ssh-ed25519 AAAC""#, r#"key: """#),
    (
        ", notAfter: 2027-01-01T00:00:00Z",
        ", notBefore: 2027-01-01T00:00:00Z, notAfter: 2027-01-01T00:00:00Z",
    ),
    ("mergers: [alice, bob, github]", "mergers: []"),
    ("mergers: [alice, bob, github]", "mergers: [alice, bobb]"),
    ("principals: 2, from: [alice, bob]", "principals: 3, from: [alice, bob]"),
    ("principals: 2, from: [alice, bob]", "principals: 2, from: [alice, alice]"),
    ("principals: 2, from: [alice, bob]", "principals: 2, from: [alice, dave]"),
    ("id: coverage", "id: tests"),
    ("scai/v0.3", "scai/v9"),
    ("min: 80", "min: .nan"),
    (", min: 80", ""),
    ("min: 80", "min: 80, max: 79"),
    ("max: 12", "max: .inf"),
    ("result: [PASSED]", "result: [passed]"),
    ("result: [PASSED]", "result: [PASSED, FAILED]"),
    ("result: [PASSED]", "result: []"),
    ("maxScore: 6.9", "maxScore: -1"),
    ("maxScore: 6.9", "maxScore: 10"),
    ("maxScore: 6.9", "maxScore: .nan"),
    ("until: 2027-01-01}", "until: later}"),
    ("vulns/v0.2", "vulns/v0.3"),
    (", builders: [\"https://ci.example/builder\"]", ""),
    ("builders: [\"https://ci.example/builder\"]", "builders: []"),
    ("verifiers: [\"https://ci.example/verifier\"], ", ""),
    ("levels: [SLSA_SOURCE_LEVEL_3]", "builders: [x]"),
    ("healthy: \"60%\", for: 1h}", "healthy: \"60%\", for: 1h}, maxAge: 1h"),
    ("healthy: \"60%\", for: 1h}", "healthy: \"60%\", for: 1h}, threshold: 2"),
    ("minPassed: 100", "min: 100"),
    ("signers: [ci], attribute", "signers: [], attribute"),
    ("signers: [ci], attribute", "signers: [cy], attribute"),
    ("threshold: 2, ticketRequired", "threshold: 3, ticketRequired"),
    ("threshold: 2, ticketRequired", "threshold: 0, ticketRequired"),
    ("healthy: \"60%\"", "healthy: \"0%\""),
    ("healthy: \"60%\"", "healthy: \"101%\""),
    ("healthy: \"60%\"", "healthy: \"+6%\""),
    ("maxAge: 6h", "maxAge: 6"),
    ("signer: ci", "signer: clock"),
    ("threshold: 2, skips", "threshold: 4, skips"),
    ("skips: [staging,", "skips: [stage,"),
    ("SHA256:47DEQ", "SHA256:"),
    (", trees: []", ""),
    ("revoked:", "revokedd:"),
];

#[test]
fn every_slip_is_a_fault() {
    for (from, to) in SLIPS {
        let changed = FULL.replacen(*from, to, 1);
        assert_ne!(changed, FULL, "{from}");
        assert!(parse(&changed).is_err(), "{from} → {to}");
    }
}

#[test]
fn a_name_that_nobody_bears_is_told_at_its_own_place() {
    for (from, to, field, line) in [
        ("mergers: [alice, bob, github]", "mergers: [alice, bobb]", "merge.mergers[1]", 14),
        ("from: [alice, bob]", "from: [dave, bob]", "merge.approvals.from[0]", 14),
        ("signers: [ci], attribute", "signers: [cy], attribute", "gates[1].signers[0]", 17),
        ("signer: ci", "signer: clock", "freshness.signer", 24),
        ("skips: [staging,", "skips: [stage,", "emergency.skips[0]", 25),
    ] {
        let faults = parse(&FULL.replacen(from, to, 1)).unwrap_err();
        let found: Vec<_> = faults.iter().map(|it| (it.field.as_str(), it.line)).collect();
        assert_eq!(found, [(field, line)], "{faults}");
    }
    let two = FULL.replacen("mergers: [alice, bob", "mergers: [alice, bobb, zoe", 1);
    assert_eq!(parse(&two).unwrap_err().len(), 2);
}

#[test]
fn a_key_counts_from_its_first_instant_up_to_its_last() {
    let policy = parse(FULL).unwrap();
    let at = |text: &str| text.parse().unwrap();
    let alice = &policy.principals["alice"].keys[0];
    assert!(alice.counts_at(at("2026-12-31T23:59:59Z")));
    assert!(!alice.counts_at(at("2027-01-01T00:00:00Z")));
    let bob = &policy.principals["bob"].keys[0];
    assert!(bob.counts_at(at("2026-01-01T00:00:00Z")));
    assert!(!bob.counts_at(at("2025-12-31T23:59:59Z")));
}

#[test]
fn whoever_could_merge_nothing_is_named() {
    // Each of the two would have to approve what they merge themselves; the forge would not.
    assert_eq!(parse(FULL).unwrap().stuck_mergers(), ["alice", "bob"]);
    for (from, to) in [
        ("principals: 2", "principals: 1"),
        ("from: [alice, bob]", "from: [alice, bob, carol]"),
        (", excludeAuthors: true", ""),
    ] {
        let changed = FULL.replacen(from, to, 1);
        assert_ne!(changed, FULL, "{from}");
        assert!(parse(&changed).unwrap().stuck_mergers().is_empty(), "{to}");
    }
}
