//! Receipts that no host of the asked environment signed about this revision, or that it took back.
//!
//! **Invariant:** each stands beside the honest receipts of two hosts of three, of which it takes one's place.

use std::collections::BTreeSet;
use std::slice;
use std::sync::Arc;

use bowline_api::record::PAYLOAD_TYPE;
use bowline_model::bundle::{Beside, CommitEvidence, RawManifests};
use bowline_model::digest::Sha256;
use bowline_model::envelope::{EnvelopeSignature, pae};
use bowline_model::object_id::ObjectFormat;
use bowline_model::policy::Policy;
use bowline_model::tree::Contents;
use serde_json::Value;

use crate::commit::Commit;
use crate::receipt::Revision;
use crate::receipt_sieve::{CHECKED_MAX, ReceiptSieve, fingerprints_in};
use crate::sample::{BEGINNING, Draft, HOUR, Host, Law, Robot, Signer, World, record_line};
use crate::verdict::Verdict;

const GATE: &str =
    "gates: [{id: staging, hosts: {environment: staging, healthy: \"60%\", for: 1h}}]\n";

const REPOSITORY: &str =
    "apiVersion: bowline/v1\nkind: Repository\nmetadata: {name: fleet}\nspec: {folders: [hosts]}\n";

/// Three hosts of staging, and one of production; another key is nobody's.
const STAGING: [Host; 3] = [Host(21), Host(22), Host(23)];
const PRODUCTION: Host = Host(31);
const NOBODY: Host = Host(41);

fn law() -> Law {
    Law { more: GATE, robots: vec![("control", 7)], ..Law::default() }
}

fn manifests() -> Arc<Contents> {
    let hosts = STAGING.map(|it| (it, "staging")).into_iter().chain([(PRODUCTION, "production")]);
    let file = |(host, environment): (Host, &str)| {
        let text = format!(
            "apiVersion: bowline/v1\nkind: Host\nmetadata: {{name: host-{}}}\n\
             spec: {{keyFingerprint: \"{}\", environment: {environment}}}\n",
            host.0,
            host.fingerprint()
        );
        (format!("hosts/{}.yaml", host.0), Arc::from(text.as_bytes()))
    };
    let first = ("bowline.yaml".to_owned(), Arc::from(REPOSITORY.as_bytes()));
    Arc::new(hosts.map(file).chain([first]).collect())
}

fn draft(world: &World) -> Draft {
    Draft::on(&world.anchor, BEGINNING + HOUR)
}

fn revision(world: &World) -> Revision {
    let commit = draft(world).commit();
    let tree = Commit::parse(&commit.raw, ObjectFormat::Sha1).unwrap().tree;
    Revision { commit: Some(commit.id), commit_sha256: Sha256::of(&commit.raw), tree }
}

fn commit(world: &World, lines: &[Arc<[u8]>]) -> CommitEvidence {
    let manifests = RawManifests::Files(manifests());
    let beside = Beside { attestations: lines.to_vec(), manifests, ..Beside::default() };
    draft(world).beside(beside).commit()
}

/// The verdict where one host of staging vouches, and this line comes with it.
fn with(world: &World, line: Arc<[u8]>) -> String {
    let honest = STAGING[0].vouches(&revision(world));
    world.says(&[&commit(world, &[honest, line])])
}

/// The same, with what the second host says when this is changed.
fn changed(world: &World, change: impl FnOnce(&mut Value)) -> String {
    with(world, STAGING[1].says(&revision(world), change))
}

fn world() -> World {
    World::under(ObjectFormat::Sha1, law().signed())
}

const MISSING: &str = "pending evidence-missing";

#[test]
fn two_of_three_hosts_open_it_and_are_told() {
    let world = world();
    let both = [0, 1].map(|it| STAGING[it].vouches(&revision(&world)));
    let verdict = world.judge(&world.bundle(&[&commit(&world, &both)]));
    let Verdict::Accepted { walked, .. } = verdict else { panic!("{verdict:?}") };
    assert_eq!(walked.opened[0].signers, ["host-21", "host-22"]);
    assert_eq!(walked.opened[0].measured.as_deref(), Some("2 of 3 hosts"));
    let kept: BTreeSet<_> = walked.counted.iter().flat_map(|it| &it.envelopes).cloned().collect();
    let lines = both.map(|it| String::from_utf8(it.to_vec()).unwrap());
    assert_eq!(kept, BTreeSet::from(lines), "what counted is kept with its envelopes");
}

#[test]
fn a_receipt_of_another_repository_branch_commit_or_tree_counts_for_nothing() {
    let world = world();
    assert_eq!(changed(&world, |_| ()), "accepted");
    let uri = |it: &mut Value| it["repo"]["uri"] = "git+https://git.example/ops/other".into();
    assert_eq!(changed(&world, uri), MISSING);
    let branch = |it: &mut Value| it["repo"]["ref"] = "refs/heads/staging".into();
    assert_eq!(changed(&world, branch), MISSING);
    assert_eq!(changed(&world, |it| drop(it.as_object_mut().unwrap().remove("repo"))), MISSING);
    let commit = |it: &mut Value| {
        it["commit"]["id"] = "11".repeat(20).into();
        it["commit"]["tree"] = "22".repeat(20).into();
    };
    assert_eq!(changed(&world, commit), MISSING);
    assert_eq!(changed(&world, |it| drop(it.as_object_mut().unwrap().remove("commit"))), MISSING);
    // An id that names two objects names neither.
    let twin = |it: &mut Value| it["commit"]["sha256"] = "33".repeat(32).into();
    assert_eq!(changed(&world, twin), MISSING);
}

#[test]
fn a_receipt_by_whoever_is_no_host_of_that_environment_counts_for_nothing() {
    let world = world();
    let revision = revision(&world);
    assert_eq!(with(&world, PRODUCTION.vouches(&revision)), MISSING);
    assert_eq!(with(&world, NOBODY.vouches(&revision)), MISSING);
    // By the key of control, whatever it says of itself.
    let payload = STAGING[1].record(&revision).to_string();
    let sig = Robot::new(7).sign(&pae(PAYLOAD_TYPE, payload.as_bytes()));
    let signature = EnvelopeSignature { key_id: Some(STAGING[1].fingerprint()), sig };
    assert_eq!(with(&world, record_line(PAYLOAD_TYPE, payload.as_bytes(), &[signature])), MISSING);
    // Another's key, and a host's name, environment or key in what it says.
    for change in [
        |it: &mut Value| it["hostKey"] = Signer::new(22).line().into(),
        |it: &mut Value| it["host"] = "host-22".into(),
        |it: &mut Value| it["environment"] = "staging".into(),
        |it: &mut Value| drop(it.as_object_mut().unwrap().remove("hostKey")),
    ] {
        assert_eq!(with(&world, NOBODY.says(&revision, change)), MISSING);
        assert_eq!(with(&world, PRODUCTION.says(&revision, change)), MISSING);
    }
}

#[test]
fn one_host_counts_once() {
    let world = world();
    let again = STAGING[0].says(&revision(&world), |it| it["seq"] = 8.into());
    assert_eq!(with(&world, again), MISSING);
    let renamed = STAGING[0].says(&revision(&world), |it| it["host"] = "host-22".into());
    assert_eq!(with(&world, renamed), MISSING);
}

#[test]
fn a_revoked_host_key_counts_for_nothing() {
    let vouch = |world: &World| changed(world, |_| ());
    for (seed, expected) in [(23, "accepted"), (22, MISSING)] {
        let revoked = format!("[\"{}\"]", Host(seed).fingerprint());
        let law = Law { revoked, ..law() };
        let world = World::under(ObjectFormat::Sha1, law.signed());
        assert_eq!(vouch(&world), expected, "{seed}");
    }
}

#[test]
fn a_shorter_time_or_one_that_is_yet_to_come_is_not_enough() {
    let world = world();
    let short = |it: &mut Value| it["healthy"]["lastingMs"] = 3_599_999.into();
    assert_eq!(changed(&world, short), "pending evidence-below");
    let ahead = |it: &mut Value| it["at"] = "2026-11-11T00:11:00Z".into();
    assert_eq!(changed(&world, ahead), "pending evidence-stale");
    assert_eq!(changed(&world, |it| it["at"] = "2026-11-11T00:09:00Z".into()), "accepted");
    assert_eq!(changed(&world, |it| it["at"] = "yesterday".into()), "pending evidence-stale");
    let committed = |it: &mut Value| {
        it["kind"] = "deployment".into();
        it["outcome"] = "committed".into();
    };
    assert_eq!(changed(&world, committed), MISSING, "a deployment is no receipt");
    assert_eq!(changed(&world, |it| it["outcome"] = "held".into()), MISSING);
    assert_eq!(changed(&world, |it| it["v"] = 2.into()), MISSING);
    assert_eq!(changed(&world, |it| drop(it.as_object_mut().unwrap().remove("healthy"))), MISSING);
}

#[test]
fn what_a_host_took_back_later_is_taken_back() {
    let world = world();
    let bad = STAGING[1].says(&revision(&world), |it| {
        it["kind"] = "deployment".into();
        it["outcome"] = "reverted".into();
        it["seq"] = 9.into();
    });
    let both = [0, 1].map(|it| STAGING[it].vouches(&revision(&world)));
    assert_eq!(world.says(&[&commit(&world, &both)]), "accepted");
    let three = [both[0].clone(), both[1].clone(), bad];
    assert_eq!(world.says(&[&commit(&world, &three)]), "pending evidence-failed");
}

#[test]
fn another_form_of_envelope_is_no_receipt() {
    let world = world();
    let payload = STAGING[1].record(&revision(&world)).to_string();
    let bytes = payload.as_bytes();
    let signed = |kind: &str, bytes: &[u8]| EnvelopeSignature {
        key_id: None,
        sig: Signer::new(22).bare(&pae(kind, bytes)),
    };
    let good = signed(PAYLOAD_TYPE, bytes);
    assert_eq!(with(&world, record_line(PAYLOAD_TYPE, bytes, slice::from_ref(&good))), "accepted");
    let other = signed(PAYLOAD_TYPE, b"{}");
    for signatures in
        [&[][..], &[good.clone(), good.clone()], &[good.clone(), other.clone()], &[other]]
    {
        assert_eq!(with(&world, record_line(PAYLOAD_TYPE, bytes, signatures)), MISSING);
    }
    let statement = "application/vnd.in-toto+json";
    let by_type = record_line(statement, bytes, &[signed(statement, bytes)]);
    assert_eq!(with(&world, by_type), MISSING);
    let almost = format!("{PAYLOAD_TYPE};v=2");
    let by_type = record_line(&almost, bytes, &[signed(&almost, bytes)]);
    assert_eq!(with(&world, by_type), MISSING);
    let sshsig = Signer::new(22).sign("bowline-approval", &pae(PAYLOAD_TYPE, bytes)).into_bytes();
    let armoured = EnvelopeSignature { key_id: None, sig: sshsig };
    assert_eq!(with(&world, record_line(PAYLOAD_TYPE, bytes, &[armoured])), MISSING);
    for doubtful in [
        payload.replacen('{', "{\"hostKey\":\"ssh-ed25519 AAAA\",", 1),
        format!("{payload}{{}}"),
        payload.replace("\"seq\":7", "\"seq\":1099511627776"),
    ] {
        assert_ne!(doubtful, payload);
        assert_eq!(with(&world, STAGING[1].signs(doubtful.as_bytes())), MISSING, "{doubtful}");
    }
}

#[test]
fn a_flood_of_receipts_by_other_keys_costs_nothing_and_hides_nothing() {
    let world = world();
    let revision = revision(&world);
    let policy = Policy::parse("policy.yaml", law().yaml().as_bytes()).unwrap();
    let keys = fingerprints_in(&manifests());
    assert_eq!(keys.len(), 4);
    let mut sieve = ReceiptSieve::of(&policy, revision, &keys, "1MiB".parse().unwrap());
    let mut checked = 0;
    for seed in 50..=250 {
        checked += sieve.take(&Host(seed).vouches(&revision));
    }
    assert_eq!(checked, 0, "nobody merged these keys");
    // What names a host's key, with signatures that are not that key's, uses up the share of that host alone.
    let share = CHECKED_MAX / keys.len();
    let payload = |seq: usize| {
        let mut record = STAGING[0].record(&revision);
        record["seq"] = (seq + 100).into();
        record.to_string()
    };
    let lie = EnvelopeSignature { key_id: None, sig: vec![7; 64] };
    for seq in 0..share + 10 {
        checked +=
            sieve.take(&record_line(PAYLOAD_TYPE, payload(seq).as_bytes(), slice::from_ref(&lie)));
    }
    assert_eq!(checked, share);
    let honest = [1, 2].map(|it| STAGING[it].vouches(&revision));
    for line in &honest {
        assert_eq!(sieve.take(line), 1);
        assert_eq!(sieve.take(line), 0, "the same once more");
    }
    let kept: Vec<_> = sieve.kept().collect();
    assert_eq!(kept.iter().collect::<BTreeSet<_>>(), honest.iter().collect());
    assert_eq!(world.says(&[&commit(&world, &kept)]), "accepted");
}

#[test]
fn of_one_host_a_few_lines_are_kept_and_its_newest_among_them() {
    let world = world();
    let revision = revision(&world);
    let policy = Policy::parse("policy.yaml", law().yaml().as_bytes()).unwrap();
    let keys = fingerprints_in(&manifests());
    let mut sieve = ReceiptSieve::of(&policy, revision, &keys, "1MiB".parse().unwrap());
    let says = |seq: u64, time: u64| {
        STAGING[0].says(&revision, |it| {
            it["seq"] = seq.into();
            it["healthy"]["lastingMs"] = time.into();
        })
    };
    for seq in [3, 9, 5] {
        sieve.take(&says(seq, 3_600_000));
    }
    let bad = STAGING[0].says(&revision, |it| {
        it["outcome"] = "reverted".into();
        it["kind"] = "deployment".into();
        it.as_object_mut().unwrap().remove("healthy");
    });
    sieve.take(&bad);
    for time in 0..100 {
        sieve.take(&says(1, time));
    }
    let elsewhere = |it: &mut Value| it["repo"]["uri"] = "git+https://git.example/x".into();
    assert_eq!(sieve.take(&STAGING[1].says(&revision, elsewhere)), 0);
    let kept: Vec<_> = sieve.kept().collect();
    assert_eq!(kept.len(), 17);
    assert!(kept.contains(&says(9, 3_600_000)) && kept.contains(&bad));
}
