//! What happens when another changes the same things meanwhile.
//!
//! **Invariant:** nothing of another's is lost: it stands, or it is kept under the name that is told.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::symlink as link;

use bowline_model::form::Form;
use bowline_model::tree::Content;

use super::{Site, directory};
use crate::apply::ApplyFailure;
use crate::clean::Ended;
use crate::undo::kept;

/// What another does to `/etc/x`, which holds "old" before.
type Meddle = fn(&Site);

#[test]
fn a_target_that_another_changed_is_left_alone() {
    let cases: [(&str, Meddle); 6] = [
        ("other content", |site| site.write("/etc/x", "theirs")),
        ("its like", |site| {
            site.write("/etc/y", "old");
            std::fs::rename(site.outside("/etc/y"), site.outside("/etc/x")).unwrap();
        }),
        ("gone", |site| {
            std::fs::remove_file(site.outside("/etc/x")).unwrap();
        }),
        ("a link", |site| {
            std::fs::remove_file(site.outside("/etc/x")).unwrap();
            link("y", site.outside("/etc/x")).unwrap();
        }),
        ("a folder", |site| {
            std::fs::remove_file(site.outside("/etc/x")).unwrap();
            std::fs::create_dir(site.outside("/etc/x")).unwrap();
        }),
        ("a second name", |site| {
            std::fs::hard_link(site.outside("/etc/x"), site.outside("/etc/z")).unwrap();
        }),
    ];
    for (what, meddle) in cases {
        let mut site = Site::new();
        site.write("/etc/x", "old");
        site.plan_file("/etc/x", "new");
        site.stage().unwrap();
        meddle(&site);
        let theirs = site.look("/etc/x");
        let failure = site.apply().unwrap_err();
        assert!(matches!(failure, ApplyFailure::Conflict { .. }), "{what}: {failure}");
        assert_eq!(site.look("/etc/x"), theirs, "{what}");
        site.undo();
        assert_eq!(site.look("/etc/x"), theirs, "{what}");
        assert_eq!(site.clean(Ended::Reverted), [], "{what}");
        site.assert_clean(what);
    }
}

#[test]
fn something_that_appeared_where_nothing_stood_is_left_alone() {
    let mut site = Site::new();
    std::fs::create_dir(site.outside("/etc")).unwrap();
    site.plan_file("/etc/x", "new");
    site.stage().unwrap();
    site.write("/etc/x", "theirs");
    assert!(matches!(site.apply(), Err(ApplyFailure::Conflict { .. })));
    site.undo();
    assert_eq!(site.read("/etc/x"), "theirs");
}

#[test]
fn an_edit_after_the_exchange_is_kept_under_a_name() {
    for (what, old) in [("replaced", Some("old")), ("created", None)] {
        let mut site = Site::new();
        std::fs::create_dir(site.outside("/etc")).unwrap();
        if let Some(text) = old {
            site.write("/etc/x", text);
        }
        site.plan_file("/etc/x", "new");
        let before = site.look("/etc/x");
        site.stage().unwrap();
        site.apply().unwrap();
        site.write("/etc/x", "theirs");
        let conflicts = site.undo();
        assert_eq!(site.look("/etc/x"), before, "{what}");
        let [conflict] = conflicts.as_slice() else { panic!("{what}: {conflicts:?}") };
        assert_eq!(conflict.path, "/etc/x");
        let name = conflict.kept.clone().unwrap();
        assert_eq!(site.read(&name), "theirs", "{what}");
        assert_eq!(site.undo(), [], "{what}: a second time");
        assert_eq!(site.clean(Ended::Reverted), [], "{what}");
        site.assert_clean(what);
        assert_eq!(site.read(&name), "theirs", "{what}: after cleaning");
        assert_eq!(kept(&site.root, "/.bowline-stage", "7").unwrap(), [name]);
    }
}

#[test]
fn something_in_a_new_folder_is_kept_with_it() {
    let mut site = Site::new();
    site.plan("/srv", directory(0o755), Content::Nothing);
    site.stage().unwrap();
    site.apply().unwrap();
    site.write("/srv/theirs", "1");
    let conflicts = site.undo();
    assert!(!site.outside("/srv").exists());
    let name = conflicts[0].kept.clone().unwrap();
    assert_eq!(site.read(&format!("{name}/theirs")), "1");
    assert_eq!(site.clean(Ended::Reverted), []);
    assert_eq!(site.read(&format!("{name}/theirs")), "1");
}

#[test]
fn a_removed_target_is_brought_back() {
    let mut site = Site::new();
    site.write("/etc/x", "old");
    site.plan_file("/etc/x", "new");
    let before = site.look("/etc/x");
    site.stage().unwrap();
    site.apply().unwrap();
    std::fs::remove_file(site.outside("/etc/x")).unwrap();
    site.undo();
    assert_eq!(site.look("/etc/x"), before);
    assert_eq!(site.clean(Ended::Reverted), []);
    site.assert_clean("removed");
}

#[test]
fn a_file_put_where_one_was_removed_is_kept() {
    let mut site = Site::new();
    site.write("/etc/x", "old");
    site.plan("/etc/x", Form::Absent, Content::Nothing);
    let before = site.look("/etc/x");
    site.stage().unwrap();
    site.apply().unwrap();
    site.write("/etc/x", "theirs");
    let conflicts = site.undo();
    assert_eq!(site.look("/etc/x"), before);
    let name = conflicts[0].kept.clone().unwrap();
    assert_eq!(site.read(&name), "theirs");
}

#[test]
fn a_displaced_file_that_is_still_written_to_is_kept() {
    let mut site = Site::new();
    site.write("/etc/x", "old");
    let mut writer = OpenOptions::new().append(true).open(site.outside("/etc/x")).unwrap();
    site.plan_file("/etc/x", "new");
    site.stage().unwrap();
    site.apply().unwrap();
    writer.write_all(b" and more").unwrap();
    let conflicts = site.clean(Ended::Committed);
    assert_eq!(site.read("/etc/x"), "new");
    let name = conflicts[0].kept.clone().unwrap();
    assert_eq!(site.read(&name), "old and more");
    site.assert_clean("written to");
}

#[test]
fn a_plan_for_a_file_with_two_names_is_refused() {
    let mut site = Site::new();
    site.write("/etc/x", "old");
    std::fs::hard_link(site.outside("/etc/x"), site.outside("/etc/z")).unwrap();
    assert!(site.look("/etc/x").obstacle.is_some());
    site.plan_file("/etc/x", "new");
    site.stage().unwrap();
    assert!(matches!(site.apply(), Err(ApplyFailure::Conflict { .. })));
    assert_eq!((site.read("/etc/x"), site.read("/etc/z")), ("old".into(), "old".into()));
}

#[test]
fn a_folder_swapped_for_a_link_does_not_lead_elsewhere() {
    let mut site = Site::new();
    site.write("/etc/x", "old");
    site.write("/elsewhere/x", "old");
    site.plan_file("/etc/x", "new");
    site.stage().unwrap();
    std::fs::rename(site.outside("/etc"), site.outside("/etc2")).unwrap();
    link("elsewhere", site.outside("/etc")).unwrap();
    assert!(site.apply().is_err());
    assert_eq!(site.read("/elsewhere/x"), "old");
    assert_eq!(site.read("/etc2/x"), "old");
}

#[test]
fn a_file_too_large_to_be_read_comes_back_and_a_write_to_it_is_seen() {
    let mut site = Site::new();
    site.write("/etc/x", "old");
    let large = OpenOptions::new().append(true).open(site.outside("/etc/x")).unwrap();
    // No block of it is on the disk, and reading it would take hours.
    large.set_len(1 << 42).unwrap();
    let before = site.look("/etc/x");
    site.plan_file("/etc/x", "new");
    site.stage().unwrap();
    site.apply().unwrap();
    assert!(site.undo().is_empty());
    assert_eq!(site.look("/etc/x"), before);
    large.set_len((1 << 42) - 1).unwrap();
    large.set_len(1 << 42).unwrap();
    assert_ne!(site.look("/etc/x"), before);
}
