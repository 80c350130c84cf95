//! What a fetch brings, what it costs, and how it fails.
//!
//! **Invariant:** each failure is known by its code.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use git2::ObjectType;

use super::{LIMITS, MAIN, World};
use crate::repository::fetch::{Branches, FetchFailure, FetchLimits, Remotes};
use crate::repository::watch::Watch;
use crate::repository::{Repository, object_id, oid};
use crate::settings::Access;

fn only(url: &str) -> Remotes {
    all(&[url])
}

fn all(urls: &[&str]) -> Remotes {
    Remotes::by(urls.iter().map(|it| (*it).to_owned()).collect(), Access::default())
}

#[test]
fn exactly_the_reference_is_brought() {
    let world = World::new();
    let tree = world.files(&[("a", "1")]);
    let (main, side) = (world.commit(tree, &[], "main"), world.commit(tree, &[], "side"));
    world.point(MAIN, main);
    world.point("refs/heads/side", side);
    world.point("refs/tags/v1", side);
    assert_eq!(world.own.local_tip().unwrap(), None);
    assert_eq!(world.fetch().unwrap(), object_id(main));
    assert_eq!(world.own.local_tip().unwrap(), Some(object_id(main)));
    assert!(world.own.odb.exists(tree));
    assert!(!world.own.odb.exists(side));
}

#[test]
fn an_unchanged_reference_costs_no_object() {
    let world = World::new();
    world.publish(world.files(&[("a", "1")]));
    let tip = world.fetch().unwrap();
    std::fs::rename(world.folder().join("objects"), world.folder().join("gone")).unwrap();
    std::fs::create_dir(world.folder().join("objects")).unwrap();
    assert_eq!(world.fetch().unwrap(), tip);
}

#[test]
fn only_what_is_new_is_brought() {
    let world = World::new();
    // Random enough not to be packed into a few bytes.
    let large: Vec<u8> =
        (0..200_000_u32).flat_map(|it| it.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let blob = world.blob(&large);
    let first = world.commit(world.tree(&[("100644", b"a", blob)]), &[], "one");
    world.point(MAIN, first);
    world.fetch().unwrap();
    let more = world.blob(b"more");
    let second = world.tree(&[("100644", b"a", blob), ("100644", b"b", more)]);
    let second = world.commit(second, &[first], "two");
    world.point(MAIN, second);
    let limits = FetchLimits { bytes: 4_096, ..LIMITS };
    let tip = world
        .own
        .fetch(&only(&world.url()), Branches::only(MAIN), &limits, &Arc::default())
        .unwrap();
    assert_eq!(tip.branch, object_id(second));
}

#[test]
fn sources_are_tried_in_their_order() {
    let world = World::new();
    let tip = world.publish(world.files(&[("a", "1")]));
    let sources = all(&["/nowhere/at/all", &format!("file://{}", world.url())]);
    let stop = Arc::default();
    assert_eq!(
        world.own.fetch(&sources, Branches::only(MAIN), &LIMITS, &stop).unwrap().branch,
        tip
    );
    let sources = all(&["/nowhere/at/all", "git://git.example/a"]);
    let failure = world.own.fetch(&sources, Branches::only(MAIN), &LIMITS, &stop).unwrap_err();
    assert!(matches!(&failure, FetchFailure::NoneAnswered { failures } if failures.len() == 2));
    assert_eq!(failure.code(), "not-a-repository");
}

/// Fetches with these limits, told to stop or not, and gives the failure.
fn failure(
    world: &World,
    url: &str,
    reference: &str,
    limits: FetchLimits,
    stop: bool,
) -> FetchFailure {
    let (sources, stop) = (only(url), Arc::new(AtomicBool::new(stop)));
    let failure = world.own.fetch(&sources, Branches::only(reference), &limits, &stop).unwrap_err();
    assert!(!failure.hint().is_empty(), "{failure}");
    assert_eq!(world.own.local_tip().unwrap(), None, "{failure}");
    failure
}

#[test]
fn each_failure_to_find_a_commit_has_its_code() {
    let world = World::new();
    let url = world.url();
    let empty = failure(&world, &url, MAIN, LIMITS, false);
    assert_eq!(empty.code(), "empty-repository");
    let tree = world.files(&[("a", "1")]);
    let commit = world.commit(tree, &[], "one");
    let tag = format!("object {commit}\ntype commit\ntag v\ntagger A <a@b> 1 +0000\n\nv\n");
    world.point("refs/tags/v", world.object(ObjectType::Tag, tag.as_bytes()));
    world.point("refs/odd/tree", tree);
    let heads = world.folder().join("refs/heads");
    for (name, text) in [
        ("long", "a".repeat(64)),
        ("odd", "odd".to_owned()),
        ("loop", "ref: refs/heads/loop".to_owned()),
        ("lost", "1".repeat(40)),
    ] {
        std::fs::write(heads.join(name), text).unwrap();
    }
    for (url, reference, code) in [
        ("/nowhere/at/all", MAIN, "not-a-repository"),
        ("git://git.example/a", MAIN, "unsupported-remote"),
        ("ssh://-oProxyCommand=evil/a", MAIN, "remote-address"),
        (&url, MAIN, "missing-ref"),
        (&url, "refs/heads/loop", "missing-ref"),
        (&url, "refs/tags/v", "not-a-commit"),
        (&url, "refs/odd/tree", "not-a-commit"),
        (&url, "refs/heads/long", "object-format"),
        (&url, "refs/heads/odd", "remote-damaged"),
        (&url, "refs/heads/lost", "remote-damaged"),
    ] {
        let failure = failure(&world, url, reference, LIMITS, false);
        assert_eq!(failure.code(), code, "{url} {reference}: {failure}");
    }
    let none = world.own.fetch(&all(&[]), Branches::only(MAIN), &LIMITS, &Arc::default());
    assert_eq!(none.unwrap_err().code(), "no-source");
}

#[test]
fn a_fetch_ends_at_its_limits() {
    let world = World::new();
    world.point(MAIN, world.commit(world.files(&[("a", "1")]), &[], "one"));
    let small = FetchLimits { bytes: 10, ..LIMITS };
    let hurried = FetchLimits { timeout: Duration::ZERO, ..LIMITS };
    for (limits, stop, code) in
        [(small, false, "too-large"), (hurried, false, "fetch-timeout"), (LIMITS, true, "stopped")]
    {
        assert_eq!(failure(&world, &world.url(), MAIN, limits, stop).code(), code);
    }
    world.fetch().unwrap();
}

#[test]
fn references_are_found_wherever_git_keeps_them() {
    let world = World::new();
    let commit = world.commit(world.files(&[("a", "1")]), &[], "one");
    let packed = format!("# pack-refs with: peeled\n{commit} refs/heads/packed\n");
    std::fs::write(world.folder().join("packed-refs"), packed).unwrap();
    std::fs::write(world.folder().join("HEAD"), "ref: refs/heads/packed\n").unwrap();
    for reference in ["refs/heads/packed", "HEAD"] {
        let tip = world.own.fetch(
            &only(&world.url()),
            Branches::only(reference),
            &LIMITS,
            &Arc::default(),
        );
        assert_eq!(tip.unwrap().branch, object_id(commit), "{reference}");
    }
}

#[test]
fn a_work_tree_is_fetched_from_as_well_as_a_bare_repository() {
    let world = World::new();
    let folder = world.scratch.path().join("work");
    let work = git2::Repository::init(&folder).unwrap();
    let tree = work.odb().unwrap().write(ObjectType::Tree, b"").unwrap();
    let raw = format!("tree {tree}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n");
    let commit = work.odb().unwrap().write(ObjectType::Commit, raw.as_bytes()).unwrap();
    work.reference(MAIN, commit, true, "test").unwrap();
    let url = folder.display().to_string();
    let tip = world.own.fetch(&only(&url), Branches::only(MAIN), &LIMITS, &Arc::default()).unwrap();
    assert_eq!(tip.branch, object_id(commit));
}

#[test]
fn neither_the_owner_nor_the_configuration_of_the_source_counts() {
    let world = World::new();
    world.point(MAIN, world.commit(world.files(&[("a", "1")]), &[], "one"));
    std::fs::write(world.folder().join("config"), "[this is no configuration").unwrap();
    if nix::unistd::geteuid().is_root() {
        chown(world.folder(), Some(12_345), Some(12_345)).unwrap();
    }
    world.fetch().unwrap();
}

#[test]
fn what_a_killed_process_left_is_not_in_the_way() {
    let mut world = World::new();
    let first = world.commit(world.files(&[("a", "1")]), &[], "one");
    world.point(MAIN, first);
    world.fetch().unwrap();
    let own = world.own.folder().to_owned();
    let remains = own.join("objects/pack/pack_git2_a1b2c3");
    std::fs::write(&remains, "half").unwrap();
    std::fs::write(own.join("refs/bowline/candidate.new"), "half").unwrap();
    world.own = Repository::open(&own).unwrap();
    world.point(MAIN, world.commit(world.files(&[("a", "2")]), &[first], "two"));
    world.fetch().unwrap();
    assert!(!remains.exists());
}

#[test]
fn a_forgotten_or_renewed_repository_is_filled_again() {
    let mut world = World::new();
    let tip = world.publish(world.files(&[("a", "1")]));
    world.own.forget_tip().unwrap();
    world.own.forget_tip().unwrap();
    assert_eq!(world.own.local_tip().unwrap(), None);
    assert_eq!(world.fetch().unwrap(), tip);
    world.own.renew(&[], LIMITS.timeout, &Arc::default()).unwrap();
    assert_eq!(world.own.local_tip().unwrap(), None);
    assert_eq!(world.fetch().unwrap(), tip);
    let again = Repository::open(world.own.folder()).unwrap();
    assert_eq!(again.local_tip().unwrap(), Some(tip));
}

#[test]
fn a_renewed_repository_holds_what_is_needed_and_nothing_else() {
    let mut world = World::new();
    let older = world.commit(world.files(&[("a", "0")]), &[], "older");
    let good = world.commit(world.files(&[("a", "1")]), &[older], "good");
    world.point(MAIN, good);
    world.fetch().unwrap();
    let blob = world.blob(&vec![7; 10_000]);
    let junk = world.commit(world.tree(&[("100644", b"a", blob)]), &[good], "junk");
    world.point(MAIN, junk);
    world.fetch().unwrap();
    assert!(world.own.odb.exists(blob));
    let keep = [good, older].map(object_id);
    world.own.renew(&keep, LIMITS.timeout, &Arc::default()).unwrap();
    assert!(world.own.odb.exists(good) && world.own.odb.exists(older));
    assert!(!world.own.odb.exists(blob) && !world.own.odb.exists(junk));
    assert_eq!(world.own.local_tip().unwrap(), Some(object_id(good)));
    let again = Repository::open(world.own.folder()).unwrap();
    assert!(again.history(&object_id(good), &object_id(older), 9).unwrap().start.is_some());
    // Told to stop, it stays as it is.
    world.fetch().unwrap();
    let stopped = world.own.renew(&keep, LIMITS.timeout, &Arc::new(AtomicBool::new(true)));
    assert_eq!(stopped.unwrap_err().code(), "stopped");
    assert!(world.own.odb.exists(junk));
}

#[test]
fn what_is_damaged_is_left_out_of_a_renewed_repository() {
    let mut world = World::new();
    let tip = world.publish(world.files(&[("a", "1")]));
    for pack in std::fs::read_dir(world.own.packs()).unwrap() {
        let pack = pack.unwrap().path();
        std::fs::set_permissions(&pack, Permissions::from_mode(0o600)).unwrap();
        std::fs::OpenOptions::new().write(true).open(&pack).unwrap().set_len(90).unwrap();
    }
    world.own = Repository::open(world.own.folder()).unwrap();
    world.own.renew(&[tip], LIMITS.timeout, &Arc::default()).unwrap();
    assert_eq!(world.own.local_tip().unwrap(), None);
    assert_eq!(world.fetch().unwrap(), tip);
}

#[test]
fn a_damaged_name_of_the_tip_is_an_error_until_the_next_fetch() {
    let world = World::new();
    let tip = world.publish(world.files(&[("a", "1")]));
    std::fs::write(world.own.folder().join("refs/bowline/candidate"), "odd").unwrap();
    assert_eq!(world.own.local_tip().unwrap_err().code(), "repository");
    assert_eq!(world.fetch().unwrap(), tip);
    assert_eq!(world.own.local_tip().unwrap(), Some(tip));
}

#[test]
fn gits_own_programs_can_look_at_the_repository() {
    let world = World::new();
    let tip = world.publish(world.files(&[("a", "1")]));
    let git = git2::Repository::open_bare(world.own.folder()).unwrap();
    let head = git.head().unwrap().target().unwrap();
    assert_eq!(object_id(head), tip);
}

#[test]
fn looking_for_the_same_objects_again_and_again_ends_in_time() {
    let world = World::new();
    let blob = world.blob(b"same");
    let names: Vec<String> = (0..5_000).map(|it| format!("f{it:05}")).collect();
    let same: Vec<_> = names.iter().map(|it| ("100644", it.as_bytes(), blob)).collect();
    let tip = world.publish(world.tree(&same));
    let (stop, limits) = (Arc::default(), LIMITS);
    let watch = Watch::over(world.url(), &limits, Duration::ZERO, &stop);
    let late = world.own.missing_below(oid(&tip).unwrap(), None, &watch);
    assert_eq!(late.unwrap_err().code(), "fetch-timeout");
}
