//! How many hosts it takes, and which of their words counts.

use std::slice;
use std::sync::Arc;

use bowline_model::digest::Sha256;
use serde_json::{Value, json};

use crate::gates::bench::{BRANCH, Bench, COMMIT, REPO, TREE};
use crate::manifested::{Enrolled, Manifested};
use crate::receipt::{Revision, read_all};
use crate::sample::Host;

const GATE: &str = "hosts: {environment: staging, healthy: \"60%\", for: 1h}";

fn revision() -> Revision {
    Revision {
        commit: COMMIT.parse().ok(),
        commit_sha256: Sha256::of(b"raw"),
        tree: TREE.parse().unwrap(),
    }
}

/// Hosts with these keys in staging, and one in production.
fn bench(gate: &str, staging: &[u8]) -> Bench {
    let host = |(seed, environment): (u8, &str)| Enrolled {
        name: format!("stage-{seed}"),
        fingerprint: Host(seed).fingerprint(),
        environment: environment.to_owned(),
    };
    let hosts = staging.iter().map(|it| (*it, "staging")).chain([(99, "production")]);
    let hosts = hosts.map(host).collect();
    Bench { manifested: Ok(Manifested { hosts, artifacts: Vec::new() }), ..Bench::new(gate) }
}

/// `met`, or the code, by these lines.
fn said(bench: &mut Bench, lines: &[Arc<[u8]>]) -> String {
    bench.receipts = read_all(lines, &revision(), ((REPO, BRANCH), "1MiB".parse().unwrap()));
    bench.said(&[])
}

#[test]
fn a_share_of_hosts_is_never_rounded_down() {
    for (share, hosts, needed) in [
        (60, 1, 1),
        (60, 2, 2),
        (60, 3, 2),
        (60, 5, 3),
        (1, 3, 1),
        (100, 4, 4),
        (34, 3, 2),
        (33, 3, 1),
    ] {
        let gate = GATE.replace("60%", &format!("{share}%"));
        let seeds: Vec<u8> = (1..=hosts).collect();
        let mut bench = bench(&gate, &seeds);
        let lines: Vec<_> = seeds.iter().map(|it| Host(*it).vouches(&revision())).collect();
        assert_eq!(said(&mut bench, &lines[..needed]), "met", "{share}% of {hosts}");
        let verdict = said(&mut bench, &lines[..needed - 1]);
        assert_eq!(verdict, "evidence-missing", "{share}% of {hosts}");
    }
}

#[test]
fn a_verdict_says_who_vouches_and_who_is_missing() {
    let mut bench = bench(GATE, &[1, 2, 3]);
    let later = |it: &mut Value| it["at"] = "2026-11-10T12:00:00Z".into();
    let lines = [Host(1).says(&revision(), later), Host(3).vouches(&revision())];
    assert_eq!(said(&mut bench, &lines), "met");
    let verdict = serde_json::to_value(bench.judge(&[])).unwrap();
    let mut evidence = bench.receipts.iter().map(|it| it.sha256.to_string()).collect::<Vec<_>>();
    evidence.sort();
    let expected = json!({
        "id": "it", "predicate": "hosts", "met": true, "code": null, "measured": "2 of 3 hosts",
        "limit": "60% of staging healthy for 1h", "signers": ["stage-1", "stage-3"],
        "at": "2026-11-10T00:00:00Z", "detail": "", "evidence": evidence,
    });
    assert_eq!(verdict, expected);
    let lines = [Host(1).vouches(&revision()), Host(2).says(&revision(), reverted)];
    assert_eq!(said(&mut bench, &lines), "evidence-failed");
    let verdict = bench.judge(&[]);
    assert_eq!(verdict.measured.as_deref(), Some("1 of 3 hosts"));
    assert_eq!(
        verdict.detail,
        "it takes 2 hosts of staging: stage-2 ended reverted, stage-3 has not vouched"
    );
    let mut empty = super::tests::bench(GATE, &[]);
    assert_eq!(said(&mut empty, &[Host(99).vouches(&revision())]), "evidence-missing");
    assert_eq!(empty.judge(&[]).detail, "its manifests enrol no host of staging");
}

#[test]
fn manifests_that_nobody_read_leave_it_closed() {
    let mut bench = Bench::new(GATE);
    assert_eq!(said(&mut bench, &[Host(1).vouches(&revision())]), "manifests-unreadable");
}

/// Makes a record one of a deployment that was taken back.
fn reverted(record: &mut Value) {
    record["kind"] = "deployment".into();
    record["outcome"] = "reverted".into();
    record["seq"] = 8.into();
    record.as_object_mut().unwrap().remove("healthy");
}

#[test]
fn a_later_word_against_it_closes_and_a_still_later_one_for_it_opens() {
    let mut bench = bench(GATE, &[1]);
    let host = Host(1);
    let good = host.vouches(&revision());
    let again = host.says(&revision(), |it| it["seq"] = 9.into());
    let bad = host.says(&revision(), reverted);
    assert_eq!(said(&mut bench, slice::from_ref(&good)), "met");
    assert_eq!(said(&mut bench, &[good.clone(), bad.clone()]), "evidence-failed");
    assert_eq!(said(&mut bench, &[again.clone(), bad.clone(), good.clone()]), "met");
    let before = host.says(&revision(), |it| {
        reverted(it);
        it["seq"] = 6.into();
    });
    assert_eq!(said(&mut bench, &[good.clone(), before]), "met");
    let same = host.says(&revision(), |it| {
        reverted(it);
        it["seq"] = 7.into();
    });
    assert_eq!(said(&mut bench, &[good.clone(), same]), "evidence-failed", "two logs of one key");
    for (outcome, expected) in [
        ("committed", "met"),
        ("unchanged", "met"),
        ("pending", "met"),
        ("failed", "evidence-failed"),
        ("refused", "evidence-failed"),
        ("held", "evidence-failed"),
        ("stranded", "evidence-failed"),
    ] {
        let after = host.says(&revision(), |it| {
            reverted(it);
            it["outcome"] = outcome.into();
        });
        assert_eq!(said(&mut bench, &[good.clone(), after]), expected, "{outcome}");
    }
    let ordered = |base: &str| {
        host.says(&revision(), |it| {
            reverted(it);
            it["outcome"] = "committed".into();
            it["reason"] = "RevertRequested".into();
            it["base"] = format!("main@sha1:{base}").into();
            it["commit"]["id"] = "11".repeat(20).into();
            it["commit"]["tree"] = "22".repeat(20).into();
        })
    };
    assert_eq!(said(&mut bench, &[good.clone(), ordered(COMMIT)]), "evidence-failed");
    assert_eq!(said(&mut bench, &[good, ordered(&"33".repeat(20))]), "met");
}

#[test]
fn a_time_is_long_enough_or_not_and_the_longest_counts() {
    let mut bench = bench(GATE, &[1]);
    let lasting = |millis: u64, seq: u64| {
        Host(1).says(&revision(), |it| {
            it["healthy"]["lastingMs"] = millis.into();
            it["seq"] = seq.into();
        })
    };
    assert_eq!(said(&mut bench, &[lasting(3_600_000, 1)]), "met");
    assert_eq!(said(&mut bench, &[lasting(3_599_999, 1)]), "evidence-below");
    assert_eq!(said(&mut bench, &[lasting(3_600_000, 1), lasting(60_000, 2)]), "met");
    assert!(bench.judge(&[]).detail.is_empty());
    said(&mut bench, &[lasting(60_000, 1)]);
    assert!(bench.judge(&[]).detail.ends_with("stage-1 vouches for 1m"), "{:?}", bench.judge(&[]));
}

#[test]
fn the_same_tree_in_another_commit_counts_and_is_said() {
    let mut bench = bench(GATE, &[1]);
    let elsewhere = |tree: &str| {
        Host(1).says(&revision(), |it| {
            it["commit"]["id"] = "11".repeat(20).into();
            it["commit"]["tree"] = tree.into();
        })
    };
    assert_eq!(said(&mut bench, &[elsewhere(TREE)]), "met");
    let measured = bench.judge(&[]).measured;
    assert_eq!(measured.as_deref(), Some("1 of 1 hosts, 1 by its tree"));
    assert_eq!(said(&mut bench, &[elsewhere(&"22".repeat(20))]), "evidence-missing");
}
