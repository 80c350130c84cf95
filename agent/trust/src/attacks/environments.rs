//! Gates of single environments: who has to meet them, and that no commit takes a host out of them.
//!
//! **Invariant:** each host is told apart by its key, in the manifests of the revision that is judged.
//! **Invariant:** what is not known, or cannot be read, meets every gate.

use std::sync::Arc;

use bowline_model::bundle::{Beside, Bundle, CommitEvidence, RawManifests};
use bowline_model::object_id::{ObjectFormat, ObjectId};
use bowline_model::tree::Contents;
use jiff::Timestamp;
use serde_json::json;

use crate::commit::Commit;
use crate::gates::bench::TESTS;
use crate::here::{Here, Who};
use crate::purpose::Purpose;
use crate::sample::{BEGINNING, Draft, HOUR, Law, Robot, World, said};
use crate::verdict::{Verdict, Walked};
use crate::verify::verify_for;

/// Production asks for tests, staging for its own, everybody for nothing.
const GATES: &str = "gates:\n  - {id: tests, predicate: \"https://in-toto.io/attestation/test-result/v0.1\", \
    signers: [ci], environments: [production, canary]}\n  - {id: smoke, predicate: \
    \"https://in-toto.io/attestation/test-result/v0.1\", signers: [smoke], environments: [staging]}\n";

const REPOSITORY: &str =
    "apiVersion: bowline/v1\nkind: Repository\nmetadata: {name: fleet}\nspec: {folders: [hosts]}\n";

/// What a host's key is called by.
fn fingerprint(of: char) -> String {
    format!("SHA256:{}", of.to_string().repeat(43))
}

fn world() -> World {
    let law = Law { more: GATES, robots: vec![("ci", 7), ("smoke", 8)], ..Law::default() };
    World::under(ObjectFormat::Sha1, law.signed())
}

/// Files in which hosts have environments, by the letter of their key.
fn files(hosts: &[(char, &str)]) -> Contents {
    let each = hosts.iter().map(|(key, environment)| {
        let text = format!(
            "apiVersion: bowline/v1\nkind: Host\nmetadata: {{name: web-{}}}\n\
             spec: {{keyFingerprint: \"{}\", environment: {environment}}}\n",
            key.to_lowercase(),
            fingerprint(*key)
        );
        (format!("hosts/{key}.yaml"), Arc::from(text.as_bytes()))
    });
    let first = ("bowline.yaml".to_owned(), Arc::from(REPOSITORY.as_bytes()));
    each.chain([first]).collect()
}

fn hosts(hosts: &[(char, &str)]) -> RawManifests {
    RawManifests::Files(Arc::new(files(hosts)))
}

/// A commit with these manifests, tested by these robots.
fn commit(
    on: &CommitEvidence,
    (name, hour): (&str, i64),
    manifests: &RawManifests,
    tested: &[u8],
) -> CommitEvidence {
    let bare = Draft { message: name.to_owned(), ..Draft::on(on, BEGINNING + hour * HOUR) };
    let tree = Commit::parse(bare.raw().as_bytes(), ObjectFormat::Sha1).unwrap().tree;
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1", "predicateType": TESTS,
        "subject": [{"digest": {"gitTree": tree.to_string()}}],
        "predicate": {"result": "PASSED", "configuration": []},
    });
    let lines = tested.iter().map(|it| Arc::from(Robot::new(*it).attest(&statement.to_string())));
    let attestations = lines.collect();
    bare.beside(Beside { attestations, manifests: manifests.clone(), ..Beside::default() }).commit()
}

fn judge(world: &World, who: Who<'_>, bundle: &Bundle) -> Verdict {
    let root = (&world.root, world.root_sha256);
    let now = Timestamp::from_second(world.now).unwrap();
    let here = Here { who, folder: "" };
    verify_for((Purpose::Everybody, here), root, world.marks.as_ref(), bundle, now)
}

/// The verdict over one commit above the anchor, and the gates that were asked for.
fn asked(world: &World, who: Who<'_>, commit: &CommitEvidence) -> String {
    let verdict = judge(world, who, &world.bundle(&[commit]));
    let walked = walked(&verdict);
    let gates: Vec<_> = walked.gates.iter().map(|it| it.id.as_str()).collect();
    format!("{}: {}", said(&verdict), gates.join(" "))
}

fn walked(verdict: &Verdict) -> &Walked {
    match verdict {
        Verdict::Accepted { walked, .. } | Verdict::Pending { walked, .. } => walked,
        other => panic!("{other:?}"),
    }
}

/// Goes on with these commits as the host with a key, and tells what may be deployed then.
fn goes_on(
    world: &mut World,
    start: &CommitEvidence,
    (waiting, commits): (&[&CommitEvidence], &[&CommitEvidence]),
) -> (String, Option<ObjectId>) {
    let waiting = waiting.iter().map(|it| (*it).clone()).collect();
    let bundle = Bundle { waiting, ..world.bundle_from(start, commits) };
    let verdict = judge(world, Who::Host(&fingerprint('A')), &bundle);
    world.marks = Some(walked(&verdict).high_water.clone());
    (said(&verdict), world.marks.as_ref().and_then(|it| it.cleared))
}

#[test]
fn a_gate_of_another_environment_holds_nobody_up() {
    let world = world();
    let both = hosts(&[('A', "production"), ('B', "staging"), ('C', "lab")]);
    let (a, b, c) = (fingerprint('A'), fingerprint('B'), fingerprint('C'));
    let bare = commit(&world.anchor, ("bare", 1), &both, &[]);
    assert_eq!(asked(&world, Who::Host(&a), &bare), "pending evidence-missing: tests");
    assert_eq!(asked(&world, Who::Host(&b), &bare), "pending evidence-missing: smoke");
    assert_eq!(asked(&world, Who::Host(&c), &bare), "accepted: ");
    let tested = commit(&world.anchor, ("tested", 1), &both, &[7]);
    assert_eq!(asked(&world, Who::Host(&a), &tested), "accepted: tests");
    assert_eq!(asked(&world, Who::Host(&b), &tested), "pending evidence-missing: smoke");
    for (name, said) in [
        ("production", "accepted: tests"),
        ("canary", "accepted: tests"),
        ("staging", "pending evidence-missing: smoke"),
        ("lab", "accepted: "),
    ] {
        assert_eq!(asked(&world, Who::Environment(name), &tested), said, "{name}");
    }
}

#[test]
fn a_host_that_nothing_names_and_a_caller_without_one_meet_every_gate() {
    let world = world();
    let manifests = hosts(&[('B', "staging")]);
    let stranger = fingerprint('A');
    for who in [Who::Anybody, Who::Host(&stranger), Who::Host("")] {
        let smoked = commit(&world.anchor, ("smoked", 1), &manifests, &[8]);
        assert_eq!(asked(&world, who, &smoked), "pending evidence-missing: tests smoke", "{who:?}");
        let all = commit(&world.anchor, ("all", 1), &manifests, &[7, 8]);
        assert_eq!(asked(&world, who, &all), "accepted: tests smoke", "{who:?}");
    }
}

#[test]
fn manifests_that_are_wrong_or_not_whole_close_every_gate() {
    let world = world();
    let mut broken = files(&[('A', "lab")]);
    broken.insert("hosts/x.yaml".to_owned(), Arc::from(b"kind: [".as_slice()));
    let mut twice = files(&[('A', "lab")]);
    let again = files(&[('A', "production")])["hosts/A.yaml"].clone();
    let again = String::from_utf8(again.to_vec()).unwrap().replace("web-a", "web-z");
    twice.insert("hosts/z.yaml".to_owned(), Arc::from(again.as_bytes()));
    let mut unlisted = files(&[('A', "lab")]);
    let text = unlisted.remove("hosts/A.yaml").unwrap();
    unlisted.insert("other/A.yaml".to_owned(), text);
    let mut headless = files(&[('A', "lab")]);
    headless.remove("bowline.yaml");
    let a = fingerprint('A');
    let good = commit(&world.anchor, ("good", 1), &hosts(&[('A', "lab")]), &[]);
    assert_eq!(asked(&world, Who::Host(&a), &good), "accepted: ");
    let of = |files: Contents| RawManifests::Files(Arc::new(files));
    for (name, manifests) in [
        ("broken", of(broken)),
        ("twice", of(twice)),
        ("unlisted", of(unlisted)),
        ("headless", of(headless)),
        ("too much", RawManifests::Unreadable { why: "too much".to_owned() }),
        ("unasked", RawManifests::Unasked),
    ] {
        let smoked = commit(&world.anchor, ("smoked", 1), &manifests, &[8]);
        let found = asked(&world, Who::Host(&a), &smoked);
        assert_eq!(found, "pending evidence-missing: tests smoke", "{name}");
    }
}

#[test]
fn the_candidates_own_manifests_decide_and_not_the_newest_ones() {
    let mut world = world();
    let (lab, production) = (hosts(&[('A', "lab")]), hosts(&[('A', "production")]));
    // The newest commit moves the host into production and waits; the one below is the lab's still.
    let one = commit(&world.anchor, ("one", 1), &lab, &[]);
    let two = commit(&one, ("two", 2), &production, &[]);
    let anchor = world.anchor.clone();
    let (said, cleared) = goes_on(&mut world, &anchor, (&[], &[&one, &two]));
    assert_eq!((said.as_str(), cleared), ("pending evidence-missing", Some(one.id)));
    let tested = commit(&one, ("two", 2), &production, &[7]);
    assert_eq!(tested.id, two.id);
    let (said, cleared) = goes_on(&mut world, &two, (&[&tested], &[]));
    assert_eq!((said.as_str(), cleared), ("accepted", Some(two.id)), "late evidence lets it in");
}

#[test]
fn no_commit_takes_a_host_out_of_its_environment_without_meeting_the_gates_of_it() {
    let mut world = world();
    let (lab, production) = (hosts(&[('A', "lab")]), hosts(&[('A', "production")]));
    let one = commit(&world.anchor, ("one", 1), &production, &[7]);
    let anchor = world.anchor.clone();
    assert_eq!(goes_on(&mut world, &anchor, (&[], &[&one])).1, Some(one.id));
    assert_eq!(world.marks.as_ref().unwrap().environments, ["production"]);
    // It moves the host, and the next does what the move was for.
    let two = commit(&one, ("two", 2), &lab, &[]);
    let three = commit(&two, ("three", 3), &lab, &[]);
    let (said, cleared) = goes_on(&mut world, &one, (&[], &[&two]));
    assert_eq!((said.as_str(), cleared), ("pending evidence-missing", Some(one.id)));
    let (said, cleared) = goes_on(&mut world, &two, (&[&two], &[&three]));
    assert_eq!((said.as_str(), cleared), ("pending evidence-missing", Some(one.id)));
    // Once the move itself meets production's gates, the host is the lab's.
    let tested = commit(&one, ("two", 2), &lab, &[7]);
    let (said, cleared) = goes_on(&mut world, &three, (&[&tested, &three], &[]));
    assert_eq!((said.as_str(), cleared), ("pending evidence-missing", Some(two.id)));
    assert_eq!(world.marks.as_ref().unwrap().environments, ["lab"]);
    let (said, cleared) = goes_on(&mut world, &three, (&[&three], &[]));
    assert_eq!((said.as_str(), cleared), ("accepted", Some(three.id)));
}

#[test]
fn a_tree_of_former_times_brings_no_former_environment_back() {
    let mut world = world();
    let (lab, production) = (hosts(&[('A', "lab")]), hosts(&[('A', "production")]));
    let one = commit(&world.anchor, ("former", 1), &lab, &[]);
    let two = commit(&one, ("two", 2), &production, &[7]);
    let anchor = world.anchor.clone();
    assert_eq!(goes_on(&mut world, &anchor, (&[], &[&one, &two])).1, Some(two.id));
    let tree = |it: &CommitEvidence| Commit::parse(&it.raw, ObjectFormat::Sha1).unwrap().tree;
    world.marks.as_mut().unwrap().healthy = vec![tree(&one)];
    let back = commit(&two, ("former", 3), &lab, &[]);
    assert_eq!(tree(&back), tree(&one));
    let (said, cleared) = goes_on(&mut world, &two, (&[], &[&back]));
    assert_eq!((said.as_str(), cleared), ("accepted", Some(back.id)), "what was healthy is let in");
    let next = commit(&back, ("next", 4), &lab, &[]);
    let (said, cleared) = goes_on(&mut world, &back, (&[], &[&next]));
    assert_eq!((said.as_str(), cleared), ("pending evidence-missing", Some(back.id)));
    assert_eq!(world.marks.as_ref().unwrap().environments, ["production", "lab"]);
}
