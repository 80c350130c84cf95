//! What is heard of real changes.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::scratch::Scratch;

/// What was heard, all of it.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Chaff,
    Hint,
}

fn take(watch: &Watch) -> Told {
    let heard = watch.take();
    assert!(heard.is_all);
    if heard.names.is_empty() { Told::Chaff } else { Told::Hint }
}

/// Watches that the kernel keeps for a queue.
fn kept(watch: &Watch) -> usize {
    let own = format!("/proc/self/fdinfo/{}", watch.as_raw_fd());
    let text = fs::read_to_string(own).unwrap();
    text.lines().filter(|it| it.starts_with("inotify ")).count()
}

fn following(paths: &[&str], most: usize) -> (Scratch, Root, Watch, Unwatched) {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path().join("etc/app")).unwrap();
    fs::write(scratch.path().join("etc/app/one"), "one").unwrap();
    let root = Root::open(scratch.path()).unwrap();
    let watch = Watch::new().unwrap();
    let paths: Vec<HostPath> = paths.iter().map(|it| it.parse().unwrap()).collect();
    let left = watch.follow(&root, paths.iter(), most);
    (scratch, root, watch, left)
}

#[test]
fn every_way_to_change_a_managed_file_is_heard_and_its_neighbours_are_not() {
    let (scratch, _, watch, left) = following(&["/etc/app/one"], 8);
    assert_eq!(left, Unwatched::default());
    let at = |name: &str| scratch.path().join("etc/app").join(name);
    let changes: [(&str, &dyn Fn()); 7] = [
        ("written", &|| fs::write(at("one"), "two").unwrap()),
        ("replaced", &|| {
            fs::write(at("two"), "two").unwrap();
            fs::rename(at("two"), at("one")).unwrap();
        }),
        ("mode", &|| fs::set_permissions(at("one"), fs::Permissions::from_mode(0o600)).unwrap()),
        ("removed", &|| fs::remove_file(at("one")).unwrap()),
        ("a link", &|| symlink("x", at("one")).unwrap()),
        ("moved away", &|| fs::rename(at("one"), at("away")).unwrap()),
        ("the folder's mode", &|| {
            let mode = fs::Permissions::from_mode(0o700);
            fs::set_permissions(scratch.path().join("etc/app"), mode).unwrap();
        }),
    ];
    for (what, change) in changes {
        assert_eq!(take(&watch), Told::Chaff, "before: {what}");
        change();
        assert_eq!(take(&watch), Told::Hint, "{what}");
    }
    for line in 0..1000 {
        fs::write(at("log"), format!("{line}\n")).unwrap();
    }
    assert_eq!(take(&watch), Told::Chaff);
}

#[test]
fn a_folder_that_is_new_in_its_place_is_watched_again() {
    let (scratch, root, watch, _) = following(&["/etc/app/one"], 8);
    let etc = scratch.path().join("etc");
    fs::rename(etc.join("app"), scratch.path().join("app")).unwrap();
    assert_eq!(take(&watch), Told::Hint);
    fs::create_dir(etc.join("app")).unwrap();
    assert_eq!(take(&watch), Told::Hint);
    watch.renew(&root);
    fs::write(etc.join("app/one"), "one").unwrap();
    assert_eq!(take(&watch), Told::Hint);
    fs::remove_dir_all(&etc).unwrap();
    assert_eq!(take(&watch), Told::Hint);
    watch.renew(&root);
    fs::create_dir_all(etc.join("app")).unwrap();
    assert_eq!(take(&watch), Told::Hint, "the root folder is watched for it");
}

#[test]
fn a_folder_that_was_moved_away_is_not_watched_any_more() {
    let (scratch, root, watch, _) = following(&["/etc/app/one"], 8);
    let app = scratch.path().join("etc/app");
    assert_eq!(kept(&watch), 3, "the folder, the one above, and the root");
    for number in 0..4 {
        fs::rename(&app, scratch.path().join(format!("old-{number}"))).unwrap();
        fs::create_dir(&app).unwrap();
        watch.renew(&root);
        assert_eq!(kept(&watch), 3, "{number}");
    }
}

#[test]
fn what_the_agent_does_is_not_heard_and_what_is_no_longer_managed_neither() {
    let (scratch, root, watch, _) = following(&["/etc/app/one"], 8);
    let one = scratch.path().join("etc/app/one");
    watch.close_ears();
    fs::write(&one, "two").unwrap();
    assert_eq!(take(&watch), Told::Chaff);
    fs::write(&one, "three").unwrap();
    watch.open_ears();
    assert_eq!(take(&watch), Told::Chaff);
    fs::write(&one, "four").unwrap();
    assert_eq!(take(&watch), Told::Hint);
    assert_eq!(watch.follow(&root, std::iter::empty(), 8), Unwatched::default());
    fs::write(&one, "five").unwrap();
    assert_eq!(take(&watch), Told::Chaff);
}

#[test]
fn a_limit_leaves_paths_out_and_says_how_many() {
    let (scratch, _, watch, left) = following(&["/etc/app/one", "/etc/app/two", "/srv/x"], 1);
    assert_eq!(left.paths, 1, "one folder, and the ways to it are cut");
    fs::write(scratch.path().join("etc/app/one"), "two").unwrap();
    assert_eq!(take(&watch), Told::Hint);
    let (.., left) = following(&["/etc/app/one"], 0);
    assert_eq!((left.paths, left.folders), (1, 0));
}
