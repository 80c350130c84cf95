//! Releases that go: what stands in their way, and how much may go at once.
//!
//! **Invariant:** what could not go is not forgotten, and counts for nothing that is kept.

use bowline_api::outcome::Outcome;
use bowline_api::record::Kind;
use tests::history::live;
use tests::sim_host::SimHost;

use crate::artifacts::{folder, is_whole, release, revision, settled, told};
use crate::world::{file, files};

#[test]
fn what_stands_in_the_way_of_a_release_is_told_and_the_release_goes_once_it_is_gone() {
    let notes = format!("{}/bin/notes", folder(1));
    let mut host = settled();
    host.put_file(&notes, "mine");
    host.village.merge(&revision(3), 1);
    live(&mut host, 1);
    let rests = |host: &SimHost| {
        let releases = &host.disk.generation.as_ref().unwrap().releases;
        releases.iter().filter(|it| it.is_rest).map(|it| it.lines.len()).collect::<Vec<_>>()
    };
    let tells = |host: &SimHost| {
        let warnings = &host.endings.last().unwrap().cycle.warnings;
        warnings.iter().any(|it| it.contains(&folder(1)) && it.contains("not empty"))
    };
    // Its folder and the one in it stay in mind, and count for nothing that is kept.
    assert!(rests(&host) == [2] && tells(&host), "{}", told(&host));
    assert!(is_whole(&host, &folder(2)) && is_whole(&host, &folder(3)), "{}", told(&host));
    live(&mut host, 1);
    assert!(tells(&host) && host.endings.last().unwrap().cycle.outcome == Outcome::Unchanged);
    // A rest is no release that could be gone back to.
    host.village.merge(&revision(1), 1);
    live(&mut host, 1);
    assert!(is_whole(&host, &folder(1)) && rests(&host).is_empty(), "{}", told(&host));
    host.village.merge(&revision(2), 1);
    live(&mut host, 1);
    host.village.merge(&revision(3), 1);
    live(&mut host, 1);
    assert_eq!(rests(&host), [2], "{}", told(&host));
    // The artifact leaves: what is left of it stays in mind as well.
    host.village.merge(&files(&[file("a", "/opt/a", "a3")]), 1);
    live(&mut host, 1);
    assert_eq!(rests(&host).iter().sum::<usize>(), 3, "{}", told(&host));
    host.disk.live.remove(&notes);
    live(&mut host, 1);
    let left: Vec<_> = host.forms().into_keys().collect();
    assert_eq!(left, ["/opt", "/opt/a"], "{}", told(&host));
    assert!(rests(&host).is_empty(), "{}", told(&host));
    assert_eq!(host.disk.records.last().unwrap().kind, Kind::Drift);
}

#[test]
fn a_rest_takes_no_place_of_a_release_where_more_are_kept() {
    let notes = format!("{}/notes", folder(1));
    let mut host = settled();
    host.put_file(&notes, "mine");
    host.village.merge(&revision(3), 1);
    live(&mut host, 1);
    let three = release(3).replace("keep: 2", "keep: 3");
    host.village.merge(&files(&[file("a", "/opt/a", "a3"), three]), 1);
    live(&mut host, 1);
    host.disk.live.remove(&notes);
    live(&mut host, 1);
    assert!(!host.forms().contains_key(&folder(1)), "{}", told(&host));
    assert!(is_whole(&host, &folder(2)) && is_whole(&host, &folder(3)), "{}", told(&host));
}

#[test]
fn members_of_releases_do_not_make_a_large_removal_look_small() {
    let many = |count: usize| {
        let one = |at| file(&format!("f{at}"), &format!("/opt/f{at}"), "x");
        let mut all: Vec<_> = (0..count).map(one).collect();
        all.push(release(2));
        files(&all)
    };
    let mut host = settled();
    host.village.merge(&many(20), 1);
    live(&mut host, 1);
    // Six of twenty files and one artifact; with each member counted it would be less than a fifth.
    host.village.merge(&many(14), 1);
    live(&mut host, 1);
    let ended = host.endings.last().unwrap();
    assert_eq!(ended.cycle.code, "prune-brake", "{}", told(&host));
}
