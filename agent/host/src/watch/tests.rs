//! What is heard of real changes.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::scratch::Scratch;

fn following(paths: &[&str], most: usize) -> (Scratch, Root, Watch, usize) {
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
    assert_eq!(left, 0);
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
        assert_eq!(watch.take(), (Heard::Chaff, true), "before: {what}");
        change();
        assert_eq!(watch.take(), (Heard::Hint, true), "{what}");
    }
    for line in 0..1000 {
        fs::write(at("log"), format!("{line}\n")).unwrap();
    }
    assert_eq!(watch.take(), (Heard::Chaff, true));
}

#[test]
fn a_folder_that_is_new_in_its_place_is_watched_again() {
    let (scratch, root, watch, _) = following(&["/etc/app/one"], 8);
    let etc = scratch.path().join("etc");
    fs::rename(etc.join("app"), scratch.path().join("app")).unwrap();
    assert_eq!(watch.take().0, Heard::Hint);
    fs::create_dir(etc.join("app")).unwrap();
    assert_eq!(watch.take().0, Heard::Hint);
    watch.renew(&root);
    fs::write(etc.join("app/one"), "one").unwrap();
    assert_eq!(watch.take().0, Heard::Hint);
    fs::remove_dir_all(&etc).unwrap();
    assert_eq!(watch.take().0, Heard::Hint);
    watch.renew(&root);
    fs::create_dir_all(etc.join("app")).unwrap();
    assert_eq!(watch.take().0, Heard::Hint, "the root folder is watched for it");
}

#[test]
fn what_the_agent_does_is_not_heard_and_what_is_no_longer_managed_neither() {
    let (scratch, root, watch, _) = following(&["/etc/app/one"], 8);
    let one = scratch.path().join("etc/app/one");
    watch.close_ears();
    fs::write(&one, "two").unwrap();
    assert_eq!(watch.take(), (Heard::Chaff, true));
    fs::write(&one, "three").unwrap();
    watch.open_ears();
    assert_eq!(watch.take(), (Heard::Chaff, true));
    fs::write(&one, "four").unwrap();
    assert_eq!(watch.take().0, Heard::Hint);
    assert_eq!(watch.follow(&root, std::iter::empty(), 8), 0);
    fs::write(&one, "five").unwrap();
    assert_eq!(watch.take(), (Heard::Chaff, true));
}

#[test]
fn a_limit_leaves_paths_out_and_says_how_many() {
    let (scratch, _, watch, left) = following(&["/etc/app/one", "/etc/app/two", "/srv/x"], 1);
    assert_eq!(left, 1, "one folder, and the ways to it are cut");
    fs::write(scratch.path().join("etc/app/one"), "two").unwrap();
    assert_eq!(watch.take().0, Heard::Hint);
    let (.., left) = following(&["/etc/app/one"], 0);
    assert_eq!(left, 1);
}
