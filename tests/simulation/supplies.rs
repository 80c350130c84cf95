//! Archives of releases that stand: when they are looked for, when a server is asked, and who waits.
//!
//! **Invariant:** what is here is used at once; no server is asked for a hint, or more often than its waits allow.

use std::time::Duration;

use bowline_api::outcome::Outcome;
use bowline_engine::wish::Wish;
use tests::history::live;
use tests::sim_host::{Fault, Moment, SimHost};

use crate::artifacts::{folder, merged, release, settled, told};
use crate::orders::revert;
use crate::world::{QUICK, file, files, probe};

fn poll(seconds: u64, touched: &[&str]) -> Moment {
    let touched = touched.iter().map(|it| (*it).to_owned()).collect();
    Moment { nap: Duration::from_secs(seconds), wish: Wish::default(), touched }
}

fn hint(seconds: u64, touched: &[&str]) -> Moment {
    Moment { wish: Wish { hint: true, ..Wish::default() }, ..poll(seconds, touched) }
}

fn sync(seconds: u64, touched: &[&str]) -> Moment {
    Moment { wish: Wish { thorough: true, ..Wish::default() }, ..poll(seconds, touched) }
}

#[test]
fn a_member_that_drifted_is_repaired_from_what_was_fetched_and_left_alone_without() {
    for (has_archive, has_depot) in [(true, false), (false, true), (false, false)] {
        let mut host = settled();
        let path = format!("{}/bin/shop", folder(2));
        let before = host.forms();
        host.put_file(&path, "by hand");
        host.put_file("/opt/a", "by hand");
        host.has_depot = has_depot;
        if !has_archive {
            host.disk.archives.clear();
        }
        live(&mut host, 1);
        assert_eq!(host.forms()["/opt/a"], before["/opt/a"], "the rest waits\n{}", told(&host));
        assert!(host.asked.is_empty(), "what can be repaired comes first\n{}", told(&host));
        let is_repaired = |host: &SimHost| host.forms()[&path] == before[&path];
        assert_eq!(is_repaired(&host), has_archive, "{}", told(&host));
        live(&mut host, 1);
        assert_eq!(is_repaired(&host), has_archive || has_depot, "{}", told(&host));
        assert_eq!(host.asked.len(), usize::from(!has_archive), "{}", told(&host));
        host.has_depot = true;
        live(&mut host, 1);
        assert_eq!(host.forms(), before, "{}", told(&host));
    }
}

#[test]
fn a_member_that_drifted_is_repaired_for_a_hint_where_its_archive_is_here() {
    let mut host = merged();
    let (path, before) = (format!("{}/readme", folder(3)), host.forms());
    host.asked.clear();
    // The first cycle of a process knows what stands without its archive.
    host.moments = [poll(60, &[]), hint(1, &[&path])].into();
    live(&mut host, 2);
    assert_eq!(host.forms(), before, "{}", told(&host));
    assert!(host.asked.is_empty(), "{}", told(&host));
}

#[test]
fn something_else_that_always_drifts_puts_an_archive_off_once() {
    let mut host = merged();
    let (path, before) = (format!("{}/readme", folder(3)), host.forms());
    host.disk.archives.clear();
    host.asked.clear();
    host.endings.clear();
    let drifted = [path.as_str(), "/opt/a"];
    host.moments = [sync(60, &drifted), sync(5, &["/opt/a"])].into();
    live(&mut host, 2);
    assert_eq!(host.asked, [1], "{}", told(&host));
    assert_eq!(host.forms(), before, "{}", told(&host));
}

#[test]
fn a_merge_that_waits_for_an_archive_is_planned_as_soon_as_that_may_be_asked_for() {
    let mut host = settled();
    host.put_file(&format!("{}/readme", folder(2)), "by hand");
    host.disk.archives.clear();
    host.has_depot = false;
    host.village.merge(&files(&[file("a", "/opt/a", "a4"), release(2), probe(QUICK)]), 1);
    host.moments = [poll(60, &[]), poll(60, &[]), poll(60, &[])].into();
    let wait: fn(&mut SimHost) = |_| {};
    host.meanwhile.extend([wait, wait, |host| host.has_depot = true]);
    live(&mut host, 3);
    let said: Vec<_> = host.endings.iter().map(|it| it.cycle.outcome).collect();
    assert_eq!(said, [Outcome::Held, Outcome::Held, Outcome::Committed], "{}", told(&host));
    assert_eq!(host.asked, [0, 2], "{}", told(&host));
}

#[test]
fn a_hint_parks_no_merge_for_want_of_an_archive() {
    let mut host = settled();
    let path = format!("{}/readme", folder(2));
    // A merge that could not be staged, beside a member that drifts and whose archive is gone.
    host.village.merge(&files(&[file("a", "/opt/a", "a4"), release(2), probe(QUICK)]), 1);
    let mut ahead = host.clone();
    live(&mut ahead, 1);
    let stage = ahead.log.iter().position(|it| it.ends_with(" Stage")).unwrap() + 1;
    host.faults = vec![(stage, Fault::Fails)];
    host.disk.archives.clear();
    host.asked.clear();
    host.moments = [poll(60, &[]), hint(1, &[&path]), poll(60, &[])].into();
    live(&mut host, 3);
    let said: Vec<_> = host.endings.iter().map(|it| it.cycle.outcome).collect();
    assert_eq!(said, [Outcome::Failed, Outcome::Unchanged, Outcome::Committed], "{}", told(&host));
    assert_eq!(host.asked, [2], "{}", told(&host));
}

#[test]
fn a_release_that_stands_needs_no_archive_for_drift_a_merge_or_the_way_back() {
    let mut host = merged();
    host.disk.archives.clear();
    host.has_depot = false;
    host.log.clear();
    host.put_file("/opt/a", "by hand");
    live(&mut host, 1);
    host.village.merge(&files(&[file("a", "/opt/a", "a4"), release(3), probe(QUICK)]), 1);
    live(&mut host, 1);
    assert_eq!(host.endings.last().unwrap().cycle.outcome, Outcome::Committed, "{}", told(&host));
    host.wish = Some(revert(&host));
    live(&mut host, 1);
    assert_eq!(host.endings.last().unwrap().cycle.outcome, Outcome::Committed, "{}", told(&host));
    assert!(!host.log.iter().any(|it| it.ends_with(" Obtain")), "{}", told(&host));
}

#[test]
fn an_archive_that_cannot_be_had_is_not_asked_for_at_each_poll_nor_for_a_hint() {
    let mut host = merged();
    host.disk.archives.clear();
    host.has_depot = false;
    host.endings.clear();
    host.asked.clear();
    let path = format!("{}/readme", folder(3));
    // Hints between the polls, as of somebody who works on the host, neither ask nor put anything off.
    host.moments = [poll(60, &[]), hint(1, &[&path])].into();
    for _ in 0..22 {
        host.moments.extend([poll(30, &[]), hint(30, &["/opt/a"])]);
    }
    host.moments.push_back(sync(1, &[]));
    let cycles = host.moments.len();
    live(&mut host, u32::try_from(cycles).unwrap());
    let minutes: Vec<_> = host.asked.iter().map(|it| (it - 2) / 2).collect();
    assert_eq!(
        minutes,
        [0, 2, 5, 10, 19, 22],
        "who asks for everything gets a try\n{}",
        told(&host)
    );
}

#[test]
fn a_merge_that_waits_for_an_archive_is_not_looked_at_at_every_poll_of_a_pause() {
    let mut host = settled();
    host.put_file(&format!("{}/readme", folder(2)), "by hand");
    host.disk.archives.clear();
    host.village.merge(&files(&[file("a", "/opt/a", "a4"), release(2), probe(QUICK)]), 1);
    let paused = || {
        let wish = Wish { paused: Some("uid 0: upgrade".to_owned()), ..Wish::default() };
        Moment { wish, ..poll(60, &[]) }
    };
    host.moments = (0..5).map(|_| paused()).collect();
    let begun = host.log.len();
    live(&mut host, 5);
    let looks = host.log[begun..].iter().filter(|it| it.ends_with("Observe")).count();
    assert!(looks <= 2, "{looks} looks: {}", host.log[begun..].join("\n"));
    assert!(host.asked.is_empty(), "{}", told(&host));
}
