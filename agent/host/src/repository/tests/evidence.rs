//! What is gathered besides a history: notes among junk, what changed, whose commits were merged.
//!
//! **Invariant:** beside everything that is left out stands what is found.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bowline_model::bundle::{Bundle, RawManifests};
use bowline_model::digest::Sha256;
use bowline_model::envelope::{Envelope, EnvelopeSignature};
use bowline_model::object_id::ObjectId;
use bowline_model::trust_root::Limits;
use bowline_trust::{attested, dsse};
use git2::Oid;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::{MAIN, World};
use crate::repository::evidence::Gathering;
use crate::repository::{difference, object_id, side};

const HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

/// A policy with one robot and a gate; nobody signed it, which is not asked here.
fn policy(more: &str) -> String {
    let der = [HEAD.as_slice(), pair().public_key().as_ref()].concat();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\\n{}\\n-----END PUBLIC KEY-----\\n",
        STANDARD.encode(der)
    );
    format!(
        "version: 1\nexpires: 2027-02-01T00:00:00Z\nrepoUri: git+https://git.example/fleet\n\
         ref: refs/heads/main\nprincipals:\n  ci: {{kind: robot, keys: [{{type: spki, key: \"{pem}\"}}]}}\n\
         merge: {{mergers: [ci]{more}}}\nrevoked: {{keys: [], commits: [], trees: []}}\n\
         gates: [{{id: tests, predicate: \"https://in-toto.io/attestation/test-result/v0.1\", signers: [ci]}}]\n"
    )
}

/// A line that CI signed about a commit.
fn line(about: &ObjectId, more: &str) -> String {
    let statement = format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"digest":{{"gitCommit":"{about}"}}}}],"predicateType":"t","predicate":"{more}"}}"#
    );
    let unsigned = attested::unsigned(statement.as_bytes());
    let sig = pair().sign(&unsigned.pae()).as_ref().to_vec();
    let signatures = vec![EnvelopeSignature { key_id: None, sig }];
    String::from_utf8(dsse::write(&Envelope { signatures, ..unsigned })).unwrap()
}

/// A root and a child with the policy; gives both.
fn two(world: &World) -> [Oid; 2] {
    let root = world.commit(world.policy_tree(&policy(""), "{}", "1"), &[], "root");
    let child = world.commit(world.policy_tree(&policy(""), "{}", "2"), &[root], "child");
    [root, child]
}

fn gathered(world: &World, [root, child]: [Oid; 2], notes: Oid, limits: &Limits) -> Bundle {
    world.point(MAIN, child);
    let tip = world.fetch().unwrap();
    world.share(world);
    let mut bundle = world.own.history(&tip, &object_id(root), 10).unwrap();
    let notes = object_id(notes);
    let gathering = Gathering {
        notes: Some(&notes),
        waiting: &[],
        fresh: None,
        root: None,
        folder: "",
        limits,
    };
    world.own.gather(&mut bundle, &gathering).unwrap();
    bundle
}

/// Lines that were kept for the only commit above the root.
fn kept(world: &World, commits: [Oid; 2], tree: Oid, limits: &Limits) -> Vec<String> {
    let notes = world.commit(tree, &[], "notes");
    let bundle = gathered(world, commits, notes, limits);
    let text = |it: &std::sync::Arc<[u8]>| String::from_utf8(it.to_vec()).unwrap();
    bundle.commits[0].beside.attestations.iter().map(text).collect()
}

/// A tree of notes, each under the folders that its name has.
fn notes_tree(world: &World, path: &str, text: &str) -> Oid {
    match path.split_once('/') {
        None => world.files(&[(path, text)]),
        Some((folder, rest)) => {
            let inner = notes_tree(world, rest, text);
            world.tree(&[("40000", folder.as_bytes(), inner)])
        }
    }
}

#[test]
fn a_note_is_found_however_git_files_it() {
    let world = World::new();
    let commits = two(&world);
    let name = commits[1].to_string();
    let good = line(&object_id(commits[1]), "");
    for path in [
        name.clone(),
        format!("{}/{}", &name[..2], &name[2..]),
        format!("{}/{}/{}", &name[..2], &name[2..4], &name[4..]),
    ] {
        let tree = notes_tree(&world, &path, &format!("\n{good}\n"));
        assert_eq!(kept(&world, commits, tree, &Limits::default()), [good.trim_end()], "{path}");
    }
    let elsewhere = notes_tree(&world, &commits[0].to_string(), &good);
    assert!(kept(&world, commits, elsewhere, &Limits::default()).is_empty());
}

#[test]
fn attack_25_the_good_envelope_among_junk_is_found() {
    let world = World::new();
    let commits = two(&world);
    let name = commits[1].to_string();
    let good = line(&object_id(commits[1]), "");
    let mut junk = String::new();
    for number in 0..5_000 {
        let payload = STANDARD.encode(format!("junk {number}"));
        writeln!(
            junk,
            r#"{{"payloadType":"application/vnd.in-toto+json","payload":"{payload}","signatures":[{{"sig":"AAAA"}}]}}"#
        )
        .unwrap();
    }
    let others = line(&object_id(commits[0]), "about another commit");
    let tree = world.files(&[(&name, &format!("{junk}{others}{good}{good}{junk}"))]);
    let few = Limits { envelopes: 1, ..Limits::default() };
    assert_eq!(kept(&world, commits, tree, &few), [good.trim_end()], "junk uses up no limit");
    let many: String =
        (0..20).map(|number| line(&object_id(commits[1]), &number.to_string())).collect();
    let tree = world.files(&[(&name, &many)]);
    let some = Limits { envelopes: 5, ..Limits::default() };
    assert_eq!(kept(&world, commits, tree, &some).len(), 5, "what known keys signed does");
}

#[test]
fn attack_25_huge_notes_are_as_good_as_none_and_cost_nothing() {
    let world = World::new();
    let commits = two(&world);
    let good = line(&object_id(commits[1]), "");
    let huge = format!("{}{good}", "x\n".repeat(9 << 20));
    let tree = world.files(&[(&commits[1].to_string(), &huge)]);
    assert!(kept(&world, commits, tree, &Limits::default()).is_empty());
    // A folder in a circle cannot be made; one that is not there ends the search.
    let gone = world.tree(&[("40000", &commits[1].to_string().as_bytes()[..2], commits[0])]);
    assert!(kept(&world, commits, gone, &Limits::default()).is_empty());
    assert!(kept(&world, commits, world.files(&[]), &Limits::default()).is_empty());
}

#[test]
fn nothing_is_looked_for_that_no_policy_asks_for() {
    let world = World::new();
    let plain = policy("").replace("kind: robot", "kind: human");
    let plain = plain.lines().filter(|it| !it.starts_with("gates")).collect::<Vec<_>>().join("\n");
    let root = world.commit(world.policy_tree(&plain, "{}", "1"), &[], "root");
    let child = world.commit(world.policy_tree(&plain, "{}", "2"), &[root], "child");
    let good = line(&object_id(child), "");
    let notes = world.commit(world.files(&[(&child.to_string(), &good)]), &[], "notes");
    let bundle = gathered(&world, [root, child], notes, &Limits::default());
    let beside = &bundle.commits[0].beside;
    assert!(beside.attestations.is_empty() && beside.change.is_none());
}

#[test]
fn what_changed_is_listed_and_what_is_doubtful_is_not() {
    let world = World::new();
    let [one, two] = ["1", "2"].map(|it| world.blob(it.as_bytes()));
    let deep = |id: Oid| {
        let inner = world.tree(&[("100644", b"x", id), ("100644", b"y", one)]);
        world.tree(&[("100755", b"run", one), ("40000", b"sub", inner), ("100644", b"to", one)])
    };
    let (before, after) = (deep(one), deep(two));
    let listed = |before: Option<Oid>, after: Oid| {
        let change = difference::between(&world.git.odb().unwrap(), before, after)?;
        let lines: Vec<_> = change
            .differing()
            .map(|(path, [before, after])| {
                let mode = |it: &Option<_>| {
                    it.as_ref().map_or(0, |it: &bowline_model::change_set::Standing| it.mode)
                };
                let path = String::from_utf8_lossy(path);
                format!("{:o} {:o} {path}", mode(before), mode(after))
            })
            .collect();
        Some(lines.join(", "))
    };
    assert_eq!(listed(Some(before), after).as_deref(), Some("100644 100644 sub/x"));
    assert_eq!(listed(Some(before), before).as_deref(), Some(""));
    let file =
        world.tree(&[("100644", b"run", one), ("100644", b"sub", one), ("120000", b"to", one)]);
    assert_eq!(
        listed(Some(before), file).as_deref(),
        Some("100755 100644 run, 0 100644 sub, 100644 0 sub/x, 100644 0 sub/y, 100644 120000 to")
    );
    assert_eq!(listed(None, file).as_deref(), Some("0 100644 run, 0 100644 sub, 0 120000 to"));
    for doubtful in [
        world.tree(&[("100644", b"a", one), ("100644", b"a", two)]),
        world.tree(&[("100600", b"a", one)]),
        world.tree(&[("40000", b"gone", one)]),
    ] {
        assert_eq!(listed(Some(before), doubtful), None);
    }
}

/// A commit of a time.
fn dated(world: &World, time: i64, parents: &[Oid]) -> Oid {
    let tree = world.files(&[("a", &time.to_string())]);
    let parents: Vec<_> = parents.iter().map(|it| format!("parent {it}\n")).collect();
    let parents = parents.concat();
    let who = format!("A <a@example.org> {time} +0000");
    let raw = format!("tree {tree}\n{parents}author {who}\ncommitter {who}\n\nx\n");
    world.object(git2::ObjectType::Commit, raw.as_bytes())
}

#[test]
fn only_what_the_first_parent_lacks_was_brought_in_whatever_dates_say() {
    for times in [[1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1], [3, 9, 1, 9, 1, 5]] {
        let world = World::new();
        let [t0, t1, t2, t3, t4, t5] = times.map(|it| 1_790_000_000 + it);
        let root = dated(&world, t0, &[]);
        let main = dated(&world, t1, &[root]);
        let side_one = dated(&world, t2, &[root]);
        // The branch was brought up to date with main once.
        let updated = dated(&world, t3, &[side_one, main]);
        let newer = dated(&world, t4, &[main]);
        let merge = dated(&world, t5, &[newer, updated]);
        let odb = world.git.odb().unwrap();
        let raw = odb.read(merge).unwrap().data().to_vec();
        let parsed = bowline_trust::commit::Commit::parse(&raw, object_id(merge).format()).unwrap();
        let found = side::commits(&odb, &parsed, 1 << 20);
        assert!(!found.cut_short);
        let mut ids: Vec<_> = (found.raw.iter())
            .map(|it| Oid::hash_object(git2::ObjectType::Commit, it).unwrap())
            .collect();
        ids.sort();
        let mut expected = vec![side_one, updated];
        expected.sort();
        assert_eq!(ids, expected, "{times:?}");
    }
}

#[test]
fn a_commit_that_is_not_here_cuts_the_side_short() {
    let world = World::new();
    let root = dated(&world, 1_790_000_000, &[]);
    let gone = Oid::from_str(&"1".repeat(40)).unwrap();
    let merge = dated(&world, 1_790_000_001, &[root, gone]);
    let odb = world.git.odb().unwrap();
    let raw = odb.read(merge).unwrap().data().to_vec();
    let parsed = bowline_trust::commit::Commit::parse(&raw, object_id(merge).format()).unwrap();
    assert!(side::commits(&odb, &parsed, 1 << 20).cut_short);
}

#[test]
fn commits_that_are_a_bomb_are_given_up_in_time() {
    let world = World::new();
    let root = dated(&world, 1_790_000_000, &[]);
    let tree = world.files(&[("a", "1")]);
    let mut tip = root;
    for number in 1..=50 {
        let who = format!("A <a@example.org> {} +0000", 1_790_000_000 + number);
        let text = "x".repeat(1_000_000);
        let raw = format!("tree {tree}\nparent {tip}\nauthor {who}\ncommitter {who}\n\n{text}\n");
        tip = world.object(git2::ObjectType::Commit, raw.as_bytes());
    }
    let merge = dated(&world, 1_790_001_000, &[root, tip]);
    let odb = world.git.odb().unwrap();
    let raw = odb.read(merge).unwrap().data().to_vec();
    let parsed = bowline_trust::commit::Commit::parse(&raw, object_id(merge).format()).unwrap();
    let found = side::commits(&odb, &parsed, 4 << 20);
    let held: usize = found.raw.iter().map(|it| it.len()).sum();
    assert!(found.cut_short && held < 6 << 20, "{held} bytes");
    // From the other side they are what the branch has already.
    let merge = dated(&world, 1_790_001_000, &[tip, root]);
    let raw = odb.read(merge).unwrap().data().to_vec();
    let parsed = bowline_trust::commit::Commit::parse(&raw, object_id(merge).format()).unwrap();
    let found = side::commits(&odb, &parsed, 4 << 20);
    assert_eq!((found.raw.len(), found.cut_short), (0, false));
}

/// A robot's line of a kind about contents.
fn about(kind: &str, digests: &[Sha256]) -> String {
    let each: Vec<_> =
        digests.iter().map(|it| format!(r#"{{"digest":{{"sha256":"{it}"}}}}"#)).collect();
    let statement = format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{}],"predicateType":"{kind}","predicate":{{}}}}"#,
        each.join(",")
    );
    let unsigned = attested::unsigned(statement.as_bytes());
    let sig = pair().sign(&unsigned.pae()).as_ref().to_vec();
    let signatures = vec![EnvelopeSignature { key_id: None, sig }];
    String::from_utf8(dsse::write(&Envelope { signatures, ..unsigned })).unwrap()
}

#[test]
fn attack_25_provenance_of_what_no_manifest_names_uses_up_no_limit() {
    let world = World::new();
    let [mine, other] = [b"mine", b"else"].map(|it| Sha256::of(it));
    let manifest = format!("sha256: {mine}\n");
    let built = "https://slsa.dev/provenance/v1";
    let gate = format!("[{{id: built, predicate: \"{built}\", signers: [ci], builders: [b]}}]");
    let asking = policy("");
    let asking = asking.lines().map(|it| match it.strip_prefix("gates: ") {
        Some(_) => format!("gates: {gate}\n"),
        None => format!("{it}\n"),
    });
    let asking: String = asking.collect();
    let tree = |law: &str, manifest: &str| {
        let folder = world.files(&[("policy.dsse.json", "{}"), ("policy.yaml", law)]);
        let apps = world.files(&[("a.yaml", manifest)]);
        world.tree(&[("40000", b".bowline", folder), ("40000", b"apps", apps)])
    };
    let some = Limits { envelopes: 2, ..Limits::default() };
    let kept_by = |law: &str| {
        let root = world.commit(tree(law, "none"), &[], "root");
        let child = world.commit(tree(law, &manifest), &[root], "child");
        let good = about(built, &[other, mine]);
        // Genuine words of the robot on releases of other times, and another kind of word on this one.
        let junk: String = (0..20_u8).map(|it| about(built, &[Sha256::of(&[it])])).collect();
        let kind = about("https://in-toto.io/attestation/test-result/v0.1", &[mine]);
        let notes = format!("{junk}{kind}{good}");
        let notes = world.files(&[(&child.to_string(), &notes)]);
        let found = kept(&world, [root, child], notes, &some);
        (found, good)
    };
    let (found, good) = kept_by(&asking);
    assert_eq!(found, [good.trim_end()]);
    assert!(kept_by(&policy("")).0.is_empty(), "no gate asks for it");
}

#[test]
fn manifests_are_brought_where_a_gate_asks_for_them_and_only_there() {
    let world = World::new();
    let limited =
        policy("").replace("signers: [ci]}", "signers: [ci], environments: [production]}");
    let receipts = "{id: staging, hosts: {environment: staging, healthy: \"60%\", for: 1h}}";
    let receipts = policy("").replace("gates: [", &format!("gates: [{receipts}, "));
    for (law, is_asked) in [(policy(""), false), (limited, true), (receipts, true)] {
        let root = world.commit(world.policy_tree(&law, "{}", "1"), &[], "root");
        let child = world.commit(world.policy_tree(&law, "{}", "2"), &[root], "child");
        let notes = world.commit(world.files(&[("x", "x")]), &[], "notes");
        let bundle = gathered(&world, [root, child], notes, &Limits::default());
        match &bundle.commits[0].beside.manifests {
            RawManifests::Files(files) => {
                let paths: Vec<_> = files.keys().map(String::as_str).collect();
                assert_eq!((is_asked, &paths[..]), (true, &[".bowline/policy.yaml"][..]));
            }
            RawManifests::Unasked => assert!(!is_asked, "{law}"),
            RawManifests::Unreadable { why } => panic!("{why}"),
        }
        let start = &bundle.start.unwrap().beside.manifests;
        assert!(matches!(start, RawManifests::Unasked), "nobody judges it");
    }
}
