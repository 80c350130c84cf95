//! There and back again, undisturbed.
//!
//! **Invariant:** "as before" means the same object, not its like.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink as link};

use bowline_model::digest::Sha256;
use bowline_model::form::Form;
use bowline_model::object_id::ObjectId;
use bowline_model::step::Deed;
use bowline_model::tree::Content;
use rustix::fs::{XattrFlags, getxattr, setxattr};

use super::{Site, bytes, directory, file, symlink};
use crate::apply::apply;
use crate::clean::Ended;
use crate::stage::StageFailure;

type Prepare = fn(&Site);

/// What it is called, what stands before, what is put there, and its content.
fn cases() -> Vec<(&'static str, Prepare, Form, Content)> {
    let nothing: Prepare = |_| {};
    let text: Prepare = |site| site.write("/etc/x", "old");
    let folder: Prepare = |site| std::fs::create_dir_all(site.outside("/etc/x")).unwrap();
    let leads: Prepare = |site| link("nowhere", site.outside("/etc/x")).unwrap();
    let id = ObjectId::Sha1([7; 20]);
    vec![
        ("create a file", nothing, file("new"), bytes("new")),
        ("create a file from a blob", nothing, file(&id.to_string()), Content::Blob(id)),
        ("replace a file", text, file("new"), bytes("new")),
        ("remove a file", text, Form::Absent, Content::Nothing),
        ("create a directory", nothing, directory(0o750), Content::Nothing),
        ("remove a directory", folder, Form::Absent, Content::Nothing),
        ("create a link", nothing, symlink("y"), Content::Nothing),
        ("replace a link", leads, symlink("y"), Content::Nothing),
        ("a link becomes a file", leads, file("new"), bytes("new")),
        ("a file becomes a link", text, symlink("y"), Content::Nothing),
        ("a directory becomes a file", folder, file("new"), bytes("new")),
    ]
}

fn planned((_, prepare, post, content): (&str, Prepare, Form, Content)) -> Site {
    let mut site = Site::new();
    std::fs::create_dir(site.outside("/etc")).unwrap();
    prepare(&site);
    site.plan("/etc/x", post, content);
    site
}

#[test]
fn what_was_applied_and_taken_back_stands_as_before() {
    for case in cases() {
        let (what, post) = (case.0, case.2.clone());
        let mut site = planned(case);
        let before = site.look("/etc/x");
        site.stage().unwrap();
        assert_eq!(site.look("/etc/x"), before, "{what}: staging touched it");
        site.apply().unwrap();
        assert!(site.look("/etc/x").form.is_like(&post), "{what}");
        for turn in ["once", "twice"] {
            assert_eq!(site.undo(), [], "{what} {turn}");
            assert_eq!(site.look("/etc/x"), before, "{what} {turn}");
        }
        assert_eq!(site.clean(Ended::Reverted), [], "{what}");
        site.assert_clean(what);
        assert!(!site.outside("/.bowline-stage").exists(), "{what}");
    }
}

#[test]
fn what_was_committed_leaves_nothing_behind() {
    for case in cases() {
        let (what, post) = (case.0, case.2.clone());
        let mut site = planned(case);
        site.stage().unwrap();
        site.apply().unwrap();
        assert_eq!(site.clean(Ended::Committed), [], "{what}");
        site.assert_clean(what);
        assert!(site.look("/etc/x").form.is_like(&post), "{what}");
        assert!(!site.outside("/.bowline-stage").exists(), "{what}");
    }
}

#[test]
fn what_was_only_staged_leaves_nothing_behind() {
    for case in cases() {
        let what = case.0;
        let mut site = planned(case);
        let before = site.look("/etc/x");
        site.stage().unwrap();
        assert_eq!(site.undo(), [], "{what}: an undo of nothing");
        assert_eq!(site.clean(Ended::Abandoned), [], "{what}");
        site.assert_clean(what);
        assert_eq!(site.look("/etc/x"), before, "{what}");
    }
}

#[test]
fn a_new_folder_and_what_lies_in_it_go_together() {
    let mut site = Site::new();
    site.plan("/srv", directory(0o755), Content::Nothing);
    site.plan("/srv/shop", directory(0o700), Content::Nothing);
    site.plan_file("/srv/shop/a", "1");
    site.plan("/srv/shop/l", symlink("a"), Content::Nothing);
    site.stage().unwrap();
    site.apply().unwrap();
    assert_eq!(site.read("/srv/shop/l"), "1");
    assert_eq!(site.undo(), []);
    assert!(!site.outside("/srv").exists());
    assert_eq!(site.undo(), []);
    assert_eq!(site.clean(Ended::Reverted), []);
    site.assert_clean("folders");
}

#[test]
fn half_a_plan_is_taken_back() {
    let mut site = Site::new();
    site.write("/etc/a", "old");
    site.write("/etc/b", "old");
    site.plan_file("/etc/a", "new");
    site.plan_file("/etc/b", "new");
    site.stage().unwrap();
    apply(&site.root, &site.stages(), &site.steps[..1]).unwrap();
    assert_eq!((site.read("/etc/a"), site.read("/etc/b")), ("new".into(), "old".into()));
    assert_eq!(site.undo(), []);
    assert_eq!((site.read("/etc/a"), site.read("/etc/b")), ("old".into(), "old".into()));
    assert_eq!(site.clean(Ended::Reverted), []);
    site.assert_clean("half a plan");
}

#[test]
fn a_directory_is_altered_in_place() {
    let mut site = Site::new();
    site.write("/d/a", "1");
    std::fs::set_permissions(site.outside("/d"), Permissions::from_mode(0o755)).unwrap();
    let before = site.look("/d");
    let target = "/d".parse().unwrap();
    let deed = Deed::Alter { target, pre: before.form.clone(), post: directory(0o711) };
    site.add(deed, Content::Nothing);
    site.stage().unwrap();
    for _ in 0..2 {
        site.apply().unwrap();
        assert_eq!(site.look("/d").form, directory(0o711));
    }
    assert_eq!(site.undo(), []);
    assert_eq!(site.look("/d"), before);
    assert_eq!(site.read("/d/a"), "1");
}

#[test]
fn extended_attributes_are_kept() {
    let mut site = Site::new();
    site.write("/etc/x", "old");
    let path = site.outside("/etc/x");
    setxattr(&path, "user.note", b"mine", XattrFlags::empty()).unwrap();
    site.plan_file("/etc/x", "new");
    let before = site.look("/etc/x");
    site.stage().unwrap();
    site.apply().unwrap();
    assert_eq!(site.read("/etc/x"), "new");
    let mut value = [0; 16];
    let length = getxattr(&path, "user.note", &mut value).unwrap();
    assert_eq!(&value[..length], b"mine");
    assert_eq!(site.undo(), []);
    assert_eq!(site.look("/etc/x"), before);
}

#[test]
fn unsafe_places_are_refused_before_anything_is_staged() {
    let open: Prepare = |site| {
        std::fs::create_dir_all(site.outside("/d/e")).unwrap();
        std::fs::set_permissions(site.outside("/d"), Permissions::from_mode(0o777)).unwrap();
    };
    let linked: Prepare = |site| {
        std::fs::create_dir_all(site.outside("/real/e")).unwrap();
        link("real", site.outside("/d")).unwrap();
    };
    for (what, prepare) in [("writable by others", open), ("a link on the way", linked)] {
        for path in ["/d/x", "/d/e/x"] {
            let mut site = Site::new();
            prepare(&site);
            site.plan_from(path, Form::Absent, None, file("new"), bytes("new"));
            let failure = site.stage().unwrap_err();
            assert!(matches!(failure, StageFailure::Unsafe { .. }), "{what} {path}: {failure}");
            assert_eq!(failure.code(), "unsafe-path");
            site.assert_clean(what);
        }
    }
}

#[test]
fn a_disk_that_is_too_small_is_told() {
    let mut site = Site::new();
    let (uid, gid, sha256) = (0, 0, Sha256::of(b""));
    let huge = Form::File { sha256, size: 1 << 60, mode: 0o644, uid, gid, xattrs: None };
    site.plan("/x", huge, bytes(""));
    let failure = site.stage().unwrap_err();
    assert!(matches!(failure, StageFailure::NoRoom { .. }), "{failure}");
    assert!(failure.to_string().contains("bytes free"), "{failure}");
}

#[test]
fn what_reads_back_otherwise_is_told() {
    let mut site = Site::new();
    site.plan("/x", file("one"), bytes("two"));
    let failure = site.stage().unwrap_err();
    assert!(matches!(failure, StageFailure::Mismatch { .. }), "{failure}");
    assert_eq!(site.clean(Ended::Abandoned), []);
    site.assert_clean("after a failed stage");
}
