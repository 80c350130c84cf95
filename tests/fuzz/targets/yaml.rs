//! Policies, trust files and manifests.
//!
//! **Invariant:** what is taken, another YAML reader takes too; written as JSON it means the same again.

use bowline_model::byte_size::ByteSize;
use bowline_model::desired::Desired;
use bowline_model::policy::Policy;
use bowline_model::read;
use bowline_model::trust_root::TrustRoot;
use bowline_trust::check_keys;
use bowline_trust::sieve::Sieve;
use serde::Deserialize as _;
use serde_yaml::{Deserializer, Value};

/// A policy.
pub(super) fn policy(bytes: &[u8]) -> bool {
    let Ok(policy) = Policy::parse("policy.yaml", bytes) else { return false };
    let other: Value = serde_yaml::from_slice(bytes).expect("another reader takes it");
    assert_eq!(other["version"].as_u64(), Some(policy.version));
    assert_eq!(other["repoUri"].as_str(), Some(policy.repo_uri.as_str()));
    assert_eq!(other["ref"].as_str(), Some(policy.ref_name.as_str()));
    for name in &policy.merge.mergers {
        assert!(policy.principals.contains_key(name), "a merger whom nobody knows");
    }
    let json = serde_json::to_vec(&policy).expect("a policy has a JSON form");
    let again = Policy::parse("policy.json", &json);
    assert!(again.as_ref().is_ok_and(|it| *it == policy), "{again:?}");
    let sieve = Sieve::of(&policy, ByteSize::from_mib(1));
    assert_eq!(check_keys(&policy).is_ok(), sieve.is_some(), "keys that are good and bad");
    true
}

/// A trust file.
pub(super) fn trust_file(bytes: &[u8]) -> bool {
    let Ok(root) = TrustRoot::parse("trust.yaml", bytes) else { return false };
    let other: Value = serde_yaml::from_slice(bytes).expect("another reader takes it");
    assert_eq!(other["repo"]["uri"].as_str(), Some(root.repo.uri.as_str()));
    assert_eq!(other["root"]["threshold"].as_u64(), u64::try_from(root.root.threshold).ok());
    assert!((1..=root.root.keys.len()).contains(&root.root.threshold));
    let json = serde_json::to_vec(&root).expect("a trust file has a JSON form");
    let again = TrustRoot::parse("trust.json", &json);
    assert!(again.as_ref().is_ok_and(|it| *it == root), "{again:?}");
    true
}

/// A file of manifests.
pub(super) fn manifests(bytes: &[u8]) -> bool {
    let (found, faults) = read::manifests("all.yaml", bytes);
    for manifest in &found {
        assert_eq!(manifest.digest().expect("a digest"), manifest.digest().expect("a digest"));
        let _claims = manifest.claims();
    }
    let lines = u32::try_from(bytes.split(|it| *it == b'\n').count()).unwrap();
    for fault in faults.iter() {
        assert!(fault.line <= lines + 1, "{fault:?} in {lines} lines");
    }
    if !faults.is_empty() || found.is_empty() {
        return false;
    }
    let documents =
        Deserializer::from_slice(bytes).map(|it| Value::deserialize(it).expect("another reader"));
    let named =
        documents.filter(|it| !it.is_null()).map(|it| it["kind"].as_str().unwrap_or("").to_owned());
    let kinds: Vec<String> = found.iter().map(|it| it.id().kind.name().to_owned()).collect();
    assert_eq!(named.collect::<Vec<_>>(), kinds);
    let mut turned = found.clone();
    turned.reverse();
    match (Desired::assemble(found), Desired::assemble(turned)) {
        (Ok(one), Ok(other)) => {
            let ids = |it: &Desired| it.resources().iter().map(|it| it.id()).collect::<Vec<_>>();
            let (mut one, mut other) = (ids(&one), ids(&other));
            one.sort();
            other.sort();
            assert_eq!(one, other);
        }
        (one, other) => assert_eq!(one.is_ok(), other.is_ok(), "the order of files decides"),
    }
    true
}
