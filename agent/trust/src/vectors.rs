//! Signatures that nobody here made: OpenSSH's own, and commits from public repositories.
//!
//! **Invariant:** where the folder is named, a missing file fails; where it is not, the test says so.

use std::path::PathBuf;

use bowline_model::byte_size::ByteSize;
use bowline_model::envelope::EnvelopeSignature;
use bowline_model::object_id::ObjectFormat;
use bowline_model::policy::Policy;
use jiff::Timestamp;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::Value;

use crate::armor;
use crate::attested::{self, Bench};
use crate::commit::{Commit, object_id};
use crate::dsse;
use crate::gates::{self, Case};
use crate::inspect::{Worth, inspect};
use crate::key_file::{self, ListedKey, Role};
use crate::keys::Keys;
use crate::openpgp::Certificate;
use crate::roll::Roll;
use crate::sample::{BEGINNING, Law};
use crate::signature::BadSignature;
use crate::ssh_certificate::SshCertificate;
use crate::ssh_key::SshKey;
use crate::sshsig::verify_armored;
use crate::verdict::Code;
use crate::wire::Reader;

/// The folder of vectors, if one is named.
#[allow(clippy::disallowed_methods, reason = "a test finds its vectors by the environment")]
fn folder() -> Option<PathBuf> {
    let named = std::env::var("BOWLINE_VECTORS").ok();
    if named.is_none() {
        println!("left out: BOWLINE_VECTORS is not set");
    }
    named.map(PathBuf::from)
}

#[allow(clippy::disallowed_methods, reason = "a test reads its vectors")]
fn read(folder: &std::path::Path, name: &str) -> Vec<u8> {
    let path = folder.join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read_text(folder: &std::path::Path, name: &str) -> String {
    String::from_utf8(read(folder, name)).unwrap()
}

/// What the manifest demands of a line.
fn demanded(file: &str, says: &str) -> Worth {
    match file {
        // Not verified here: they must say so, and never "unsigned".
        "ssh-ecdsa521.commit" | "x509-gitsign.commit" => Worth::Unsupported,
        "unsigned.commit" | "crafted-msg_first.commit" => Worth::Unsigned,
        "crafted-both.commit" => Worth::Valid,
        _ if says.starts_with("accept") || says.starts_with("crypto-valid") => Worth::Valid,
        _ if says.starts_with("git: Good") => Worth::Valid,
        _ if says.starts_with("reject: signature does not verify") => Worth::Invalid,
        _ => Worth::Malformed,
    }
}

/// The key that a commit's signature claims, as a list to judge by.
fn claimed_key(raw: &[u8]) -> Vec<ListedKey> {
    let claim = || {
        let signature = Commit::parse(raw, ObjectFormat::Sha1).ok()?.signature?;
        let blob = armor::undo(&signature).ok()?;
        let mut reader = Reader::new(&blob);
        reader.literal(b"SSHSIG")?;
        reader.u32()?;
        let wire = reader.string()?;
        if SshCertificate::is_one(wire) {
            return Some((
                SshCertificate::from_wire(wire).unwrap().authority,
                "*",
                Role::Authority,
            ));
        }
        Some((SshKey::from_wire(wire).ok()?, "claimed", Role::Signer))
    };
    let listed = |(key, name, role): (_, &str, _)| {
        let name = name.to_owned();
        ListedKey { key, name, role, valid_after: None, valid_before: None }
    };
    claim().map(listed).into_iter().collect()
}

#[test]
fn commits_from_public_repositories_are_judged_as_their_manifest_says() {
    let Some(folder) = folder() else { return };
    let manifest = read_text(&folder, "commits/MANIFEST.tsv");
    let [crafted, mut claimed] = [
        ["keys/crafted-atk.pub", "keys/crafted-atk2.pub"],
        ["keys/webflow-new.asc", "keys/webflow-old.asc"],
    ]
    .map(|names| Keys::read(&names.map(|it| read(&folder, it)).concat()).unwrap());
    let mut seen = 0;
    for line in manifest.lines() {
        let [file, repository, id, says] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let raw = read(&folder, &format!("commits/{file}"));
        let is_crafted = repository == "crafted";
        if !is_crafted {
            assert_eq!(object_id(ObjectFormat::Sha1, "commit", &raw).to_string(), id, "{file}");
        }
        claimed.ssh = claimed_key(&raw);
        let keys = if is_crafted { &crafted } else { &claimed };
        let found = inspect(&raw, keys);
        assert_eq!(found.result, demanded(file, says), "{file}: {found:?}");
        if found.result == Worth::Valid {
            assert_no_byte_can_change(file, &raw, keys);
            assert_eq!(
                inspect(&raw, &Keys::default()).result,
                Worth::Invalid,
                "{file} without keys"
            );
        }
        seen += 1;
    }
    assert_eq!(seen, 24, "the manifest has grown or shrunk");
}

fn assert_no_byte_can_change(file: &str, raw: &[u8], keys: &Keys) {
    // The other object format's signature is not covered, by design.
    let places = if file == "crafted-both.commit" { 0..100 } else { 0..raw.len() };
    for place in places {
        let mut changed = raw.to_vec();
        changed[place] ^= 1;
        let found = inspect(&changed, keys).result;
        assert_ne!(found, Worth::Valid, "{file}, byte {place}");
    }
}

#[test]
fn the_signatures_of_openssh_itself_verify() {
    let Some(folder) = folder() else { return };
    let name = |file: &str| format!("openssh-sshsig-testdata/{file}");
    let signed = read(&folder, &name("signed-data"));
    let namespace = read_text(&folder, &name("namespace"));
    for (kind, is_supported) in [
        ("ed25519", true),
        ("ecdsa", true),
        ("rsa", true),
        ("ed25519_sk", true),
        ("ecdsa_sk", true),
        ("ecdsa_sk_webauthn", false),
        ("dsa", false),
    ] {
        let text = read(&folder, &name(&format!("{kind}.sig")));
        let found = verify_armored(&text, &namespace, &signed);
        let key = SshKey::from_line(&read_text(&folder, &name(&format!("{kind}.pub"))));
        if !is_supported {
            assert!(matches!(found, Err(BadSignature::Unsupported(_))), "{kind}: {found:?}");
            continue;
        }
        assert_eq!(found, Ok(key.unwrap()), "{kind}");
        for (namespace, signed) in [("git", &signed[..]), (&namespace, &signed[1..])] {
            let found = verify_armored(&text, namespace, signed);
            assert!(matches!(found, Err(BadSignature::Invalid(_))), "{kind}: {found:?}");
        }
        assert_no_bit_of_a_signature_can_change(kind, &text, &namespace, &signed);
    }
}

fn assert_no_bit_of_a_signature_can_change(
    kind: &str,
    text: &[u8],
    namespace: &str,
    signed: &[u8],
) {
    let blob = armor::undo(text).unwrap();
    for place in 0..blob.len() {
        let mut changed = blob.clone();
        changed[place] ^= 1;
        let changed = armor::put_on(&changed);
        let found = verify_armored(changed.as_bytes(), namespace, signed);
        assert!(found.is_err(), "{kind}, byte {place}");
    }
}

#[test]
fn the_list_of_a_forges_key_is_read() {
    let Some(folder) = folder() else { return };
    let keys = key_file::read(&read(&folder, "keys/gitlab.com.allowed_signers")).unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].name, "noreply@gitlab.com");
    for (name, fingerprint) in [
        ("keys/webflow-new.asc", "968479A1AFF927E37D1A566BB5690EEEBB952194"),
        ("keys/webflow-old.asc", "5DE3E0509C47EA3CF04A42D34AEE18F83AFDEB23"),
    ] {
        let keys = Keys::read(&read(&folder, name)).unwrap();
        assert_eq!(keys.ssh, [], "{name}");
        let found: Vec<_> = keys.openpgp.iter().map(Certificate::fingerprint_text).collect();
        assert_eq!(found, [fingerprint]);
    }
}

#[test]
fn the_envelopes_of_the_dsse_project_are_judged_as_it_says() {
    let Some(folder) = folder() else { return };
    let vectors: Value = serde_json::from_slice(&read(&folder, "dsse/vectors.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for vector in vectors["vectors"].as_array().unwrap() {
        let id = &vector["id"];
        let bytes = vector["envelope"].to_string().into_bytes();
        let envelope = dsse::read(&bytes, ByteSize::from_mib(1)).unwrap();
        assert_eq!(bowline_model::digest::hex(&envelope.pae()), text(&vector["pae"]), "{id}");
        let names = vector["trustedKeys"].as_array().unwrap();
        let keys: Vec<_> =
            names.iter().map(|name| text(&vectors["keys"][text(name)]["public"])).collect();
        let who = |it: &EnvelopeSignature, pae: &[u8]| signer(&keys, it, pae);
        let signers = dsse::signers(&envelope, &keys, who).len() as u64;
        let types = vector["supportedPayloadTypes"].as_array().unwrap();
        let is_known = types.iter().any(|it| text(it) == envelope.payload_type);
        let is_good = is_known && signers >= vector["threshold"].as_u64().unwrap();
        assert_eq!(if is_good { "accept" } else { "reject" }, text(&vector["expect"]), "{id}");
    }
}

fn signer(keys: &[String], signature: &EnvelopeSignature, pae: &[u8]) -> Option<String> {
    let verifies = |key: &&String| {
        let bytes = bowline_model::digest::unhex::<32>(key).unwrap();
        UnparsedPublicKey::new(&ED25519, bytes).verify(pae, &signature.sig).is_ok()
    };
    keys.iter().find(verifies).cloned()
}

#[test]
fn envelopes_made_by_other_tools_are_read() {
    let Some(folder) = folder() else { return };
    for name in ["cosign2.5-dsse.json", "witness-0.11-ed25519.json"] {
        let bytes = read(&folder, &format!("attestations/{name}"));
        let envelope = dsse::read(&bytes, ByteSize::from_mib(1)).unwrap();
        assert_eq!(envelope.signatures.len(), 1, "{name}");
        assert_eq!(dsse::read(&dsse::write(&envelope), ByteSize::from_mib(1)).unwrap(), envelope);
    }
}

/// A policy that knows the keys of cosign and witness, and has a gate for tests that cosign attests.
fn policy_with_tools(folder: &std::path::Path) -> Policy {
    let pem = |name: &str| read_text(folder, &format!("attestations/{name}")).replace('\n', "\\n");
    let [cosign, witness] = [pem("cosign.pub"), pem("witness.pub")];
    let gates = "gates: [{id: tests, predicate: \"https://in-toto.io/attestation/test-result/v0.1\", \
                 signers: [cosign]}]\n";
    let yaml = Law { more: gates, ..Law::default() }.yaml().replace(
        "principals:\n",
        &format!(
            "principals:\n  cosign: {{kind: robot, keys: [{{type: spki, key: \"{cosign}\"}}]}}\n  \
             witness: {{kind: robot, keys: [{{type: spki, key: \"{witness}\"}}]}}\n"
        ),
    );
    Policy::parse("policy.yaml", yaml.as_bytes()).unwrap()
}

#[test]
fn what_cosign_attests_opens_a_gate_for_its_own_revision_alone() {
    let Some(folder) = folder() else { return };
    let policy = policy_with_tools(&folder);
    let (roll, now) = (Roll::of(&policy).unwrap(), Timestamp::from_second(BEGINNING).unwrap());
    let bench =
        Bench { policy: &policy, roll: &roll, at: Some(now), largest: ByteSize::from_mib(1) };
    let (tree, commit) =
        ("4b825dc642cb6eb9a060e54bf8d69288fbee4904", "9a04d1ee393b5be2773b1ce204f61fe0fd02366a");
    let said = |name: &str, commit: &str, tree: &str| {
        let found = attested::read(&read(&folder, &format!("attestations/{name}")), &bench);
        let case = Case {
            commit: Some(commit.parse().unwrap()),
            tree: tree.parse().unwrap(),
            repo_uri: &policy.repo_uri,
            ref_name: &policy.ref_name,
            now,
            manifested: &Err(String::new()),
            scope: &crate::here::Scope::All,
            receipts: &[],
        };
        gates::judge_all(&policy, &case, &[found.unwrap()]).remove(0).code
    };
    let other = "0123456789abcdef0123456789abcdef01234567";
    assert_eq!(said("cosign3-statement-bundle.json", commit, other), None);
    assert_eq!(said("cosign3-statement-bundle.json", other, tree), None);
    let missing = Some(Code::EvidenceMissing);
    assert_eq!(said("cosign3-statement-bundle.json", tree, commit), missing);
    // cosign 2 files any digest under "sha256", which is no tree and no commit.
    assert_eq!(said("cosign2.5-dsse.json", other, other), missing);
    assert_eq!(said("witness-0.11-ed25519.json", other, other), missing);
}

#[test]
fn attestations_made_by_other_tools_are_known_by_their_bare_keys() {
    let Some(folder) = folder() else { return };
    let attestation = |name: &str| read(&folder, &format!("attestations/{name}"));
    let policy = policy_with_tools(&folder);
    let (roll, at) = (Roll::of(&policy).unwrap(), Timestamp::from_second(BEGINNING).unwrap());
    let bench =
        Bench { policy: &policy, roll: &roll, at: Some(at), largest: ByteSize::from_mib(1) };
    for (name, expected) in [
        ("cosign2.5-dsse.json", "cosign"),
        ("cosign2.5-bundle.json", "cosign"),
        ("cosign3-statement-bundle.json", "cosign"),
        ("witness-0.11-ed25519.json", "witness"),
    ] {
        let found = attested::read(&attestation(name), &bench).expect(name);
        assert_eq!(found.signers.keys().collect::<Vec<_>>(), [expected], "{name}");
    }
    let by_certificate = attestation("slsa-source-tool-note-cfe06d63.jsonl");
    for line in by_certificate.split(|it| *it == b'\n') {
        assert!(attested::read(line, &bench).is_none());
    }
}
