//! Envelopes, lines of notes, and statements for gates.
//!
//! **Invariant:** nothing opens a gate that nobody known signed; neither order nor repetition changes a verdict.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bowline_model::bundle::{Beside, CommitEvidence, PathEvidence};
use bowline_model::byte_size::ByteSize;
use bowline_model::digest::Sha256;
use bowline_model::envelope::{Envelope, EnvelopeSignature};
use bowline_model::object_id::{ObjectFormat, ObjectId};
use bowline_model::policy::Policy;
use bowline_trust::attested::unsigned;
use bowline_trust::commit::object_id;
use bowline_trust::preview::{Preview, Stage, preview};
use bowline_trust::sieve::{About, Sieve};
use bowline_trust::statement::Statement;
use bowline_trust::{APPROVAL_NAMESPACE, Here, dsse};
use jiff::Timestamp;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::signer::Signer;
use super::{BEGINNING, DAY, signed_commit, way};

/// As the trust file's default.
const LARGEST: ByteSize = ByteSize::from_mib(1);

/// One gate of each kind.
const GATES: &str = r#"gates:
  - {id: tests, predicate: "https://in-toto.io/attestation/test-result/v0.1", signers: [ci], result: [PASSED], minPassed: 2}
  - {id: coverage, predicate: "https://in-toto.io/attestation/scai/v0.3", signers: [ci], attribute: LINE_COVERAGE, field: percent, min: 80}
  - {id: vulns, predicate: "https://in-toto.io/attestation/vulns/v0.2", signers: [ci], maxScore: 6.9, allow: [], maxAge: 24h, maxDbAge: 48h}
  - {id: cosign, predicate: "https://cosign.sigstore.dev/attestation/vuln/v1", signers: [ci], maxScore: 6.9, allow: []}
  - {id: built, predicate: "https://slsa.dev/provenance/v1", signers: [ci], builders: ["https://ci.example/builder"]}
  - {id: source, predicate: "https://slsa.dev/verification_summary/v1", signers: [ci], verifiers: ["https://ci.example/verifier"], levels: [SLSA_SOURCE_LEVEL_2]}
  - {id: change, predicate: "bowline change-approval/v1", signers: [alice, ci], ticketRequired: true}
"#;

/// A policy with people, a forge, a robot, and these lines at its end.
pub(super) fn policy(mergers: &str, more: &str) -> String {
    let person = |(name, kind, seed): (&str, &str, u8)| {
        let key = Signer::new(seed).line();
        format!("  {name}: {{kind: {kind}, keys: [{{type: ssh, key: \"{key}\"}}]}}\n")
    };
    let people =
        [("alice", "human", 1), ("bob", "human", 2), ("dave", "forge", 4)].map(person).concat();
    format!(
        "version: 1\nexpires: 2027-02-01T00:00:00Z\nrepoUri: git+https://git.example/ops/fleet\n\
         ref: refs/heads/main\nprincipals:\n{people}  ci: {{kind: robot, keys: [{{type: spki, key: \"{}\"}}]}}\n\
         merge: {{mergers: {mergers}}}\nrevoked: {{keys: [], commits: [], trees: []}}\n{more}",
        pem().replace('\n', "\\n")
    )
}

fn robot() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[0xff; 32]).expect("a key")
}

/// The robot's key in a PEM file.
fn pem() -> String {
    const HEAD: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let letters = STANDARD.encode([HEAD, robot().public_key().as_ref()].concat());
    format!("-----BEGIN PUBLIC KEY-----\n{letters}\n-----END PUBLIC KEY-----\n")
}

/// A line with one signature, or with none.
fn line(payload: &[u8], sign: Option<&dyn Fn(&[u8]) -> Vec<u8>>) -> Vec<u8> {
    let envelope = unsigned(payload);
    let pae = envelope.pae();
    let signatures = sign.map(|it| EnvelopeSignature { key_id: None, sig: it(&pae) });
    dsse::write(&Envelope { signatures: signatures.into_iter().collect(), ..envelope })
}

/// A line that the robot signed.
fn by_robot(payload: &[u8]) -> Vec<u8> {
    line(payload, Some(&|pae| robot().sign(pae).as_ref().to_vec()))
}

/// A line that somebody signed.
pub(super) fn by_person(seed: u8, payload: &[u8]) -> Vec<u8> {
    line(payload, Some(&|pae| Signer::new(seed).sign(APPROVAL_NAMESPACE, pae).into_bytes()))
}

/// What is found at a path.
pub(super) fn blob(bytes: &[u8]) -> PathEvidence {
    PathEvidence::Blob { id: object_id(ObjectFormat::Sha1, "blob", bytes), bytes: bytes.into() }
}

/// An envelope.
pub(super) fn envelope(bytes: &[u8]) -> bool {
    let Ok(found) = dsse::read(bytes, LARGEST) else { return false };
    assert!(found.signatures.len() <= 64);
    let held = found.payload.len() + found.signatures.iter().map(|it| it.sig.len()).sum::<usize>();
    assert!(held <= bytes.len(), "more came out than went in");
    let written = dsse::write(&found);
    let again = dsse::read(&written, ByteSize::from_mib(8)).expect("what was written is read");
    assert_eq!(again, found);
    assert_eq!(dsse::write(&again), written);
    let other: serde_json::Value = serde_json::from_slice(bytes).expect("another reader takes it");
    assert_eq!(other["payloadType"], found.payload_type);
    true
}

static SIEVE: LazyLock<Sieve> = LazyLock::new(|| {
    let policy =
        Policy::parse("policy.yaml", policy("[alice]", GATES).as_bytes()).expect("a policy");
    Sieve::of(&policy, LARGEST).expect("its keys")
});

/// A line of a note: as it is, or signed by the robot, or by a person.
pub(super) fn note_line(bytes: &[u8]) -> bool {
    let Some((how, rest)) = way(bytes, 3) else { return false };
    let line = match how {
        0 => rest.to_vec(),
        1 => by_robot(rest),
        _ => by_person(1, rest),
    };
    let id = |letter: &str| letter.repeat(40).parse::<ObjectId>().expect("an id");
    let merged = [id("c")];
    let about = About {
        commit: id("a"),
        tree: id("b"),
        change: Some(Sha256::of(b"change")),
        merged: &merged,
        artifacts: &BTreeSet::new(),
    };
    let cost = SIEVE.cost(&line);
    assert!(cost <= 16, "a line costs {cost}");
    let Some(kept) = SIEVE.keeps(&line, &about) else { return false };
    assert!(cost > 0 && !kept.signers.is_empty());
    if how > 0 {
        assert_eq!(kept.sha256, Sha256::of(rest));
        assert!(Statement::read(rest).is_some());
        assert_eq!(SIEVE.keeps(&self::line(rest, None), &about), None, "nobody signed");
    }
    let text = String::from_utf8_lossy(&line);
    if let Ok(envelope) = dsse::read(text.as_bytes(), LARGEST) {
        assert_eq!(
            SIEVE.keeps(&dsse::write(&envelope), &about),
            Some(kept),
            "written in another way"
        );
        let body = String::from_utf8_lossy(&envelope.payload).replace("\\u", "");
        let names = [id("a"), id("b"), id("c")].map(|it| it.to_string());
        let change = about.change.map(|it| it.to_string());
        let is_about = names.iter().chain(&change).any(|it| body.contains(it.as_str()));
        assert!(is_about || body.len() < envelope.payload.len(), "about something else");
    }
    true
}

/// A statement that the robot signed, held against one gate of each kind.
pub(super) fn statement(bytes: &[u8]) -> bool {
    let judge = |lines: &[&[u8]]| -> Preview {
        let raw = signed_commit(BEGINNING, |it| Signer::new(1).sign("git", it));
        let evidence = CommitEvidence {
            id: object_id(ObjectFormat::Sha1, "commit", &raw),
            raw: raw.into(),
            policy: blob(policy("[alice]", GATES).as_bytes()),
            policy_envelope: PathEvidence::Missing,
            roots: PathEvidence::Missing,
            outside_policy_unchanged: false,
            beside: Beside {
                attestations: lines.iter().map(|it| Arc::from(*it)).collect(),
                ..Beside::default()
            },
        };
        let now = Timestamp::from_second(BEGINNING + DAY / 2).expect("a time");
        preview(&evidence, (Stage::Merged, &Here::default()), (None, LARGEST), now)
            .expect("a commit and its policy")
    };
    let signed = by_robot(bytes);
    let found = judge(&[&signed]);
    let met: Vec<&str> = found.gates.iter().filter(|it| it.met).map(|it| it.id.as_str()).collect();
    for gate in &found.gates {
        assert_eq!(gate.met, gate.code.is_none());
        assert_eq!(gate.met, gate.detail.is_empty());
        assert_eq!(gate.met, met.contains(&gate.id.as_str()));
    }
    assert!(met.len() <= 1, "one statement, {met:?}");
    assert_eq!(judge(&[&signed, &signed]).gates, found.gates, "said twice");
    let word = br#"{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"gitTree":"4b825dc642cb6eb9a060e54bf8d69288fbee4904"}}],"predicateType":"bowline change-approval/v1","predicate":{"repoUri":"git+https://git.example/ops/fleet","targetRef":"refs/heads/main"}}"#;
    let other = by_robot(word);
    assert_eq!(
        judge(&[&signed, &other]).gates,
        judge(&[&other, &signed]).gates,
        "in another order"
    );
    let closed = judge(&[&line(bytes, None)]);
    assert!(closed.gates.iter().all(|it| !it.met), "nobody signed");
    let Some(read) = Statement::read(bytes) else {
        assert!(met.is_empty(), "no statement");
        return false;
    };
    assert!((1..=4_096).contains(&read.subjects.len()));
    let other: serde_json::Value = serde_json::from_slice(bytes).expect("another reader takes it");
    assert_eq!(other["subject"].as_array().map(Vec::len), Some(read.subjects.len()));
    !met.is_empty()
}
