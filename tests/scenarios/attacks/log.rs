//! The host's own log of what it did: edited, rewound, forked, with a gap, with what somebody invented.
//!
//! **Invariant:** what is not as it was written is left as it is, nothing is changed, and a person is asked for.

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bowline_api::outcome::Outcome;
use tests::picture::Picture;
use tests::workshop::Workshop;

use super::{good, host};

fn log(shop: &Workshop) -> PathBuf {
    shop.state().join("records/00000001.ndjson")
}

/// The last line with something else in its payload; its signature stays.
fn edited(text: &str) -> String {
    let (before, last) = text.trim_end().rsplit_once('\n').unwrap();
    let mut envelope: serde_json::Value = serde_json::from_str(last).unwrap();
    let payload = STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap();
    let payload = String::from_utf8(payload).unwrap();
    let other = payload.replacen("committed", "reverted", 1);
    assert_ne!(payload, other);
    envelope["payload"] = STANDARD.encode(other).into();
    format!("{before}\n{envelope}\n")
}

#[test]
fn attack_34_a_log_that_is_not_as_it_was_written_stops_the_host() {
    let shop = host();
    good(&shop);
    shop.commit("two");
    shop.once().ended(Outcome::Committed);
    let text = fs::read_to_string(log(&shop)).unwrap();
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    assert!(lines.len() >= 2, "{text}");
    let (first, last) = (lines[0], lines[lines.len() - 1]);
    for (what, changed) in [
        ("edited", edited(&text)),
        ("rewound", first.to_owned()),
        ("emptied", String::new()),
        ("a record twice", format!("{text}{last}")),
        ("another order", lines.iter().rev().copied().collect()),
        ("a gap, and a last line that nobody signed", format!("{first}{}", edited(&text))),
    ] {
        let shop = shop.copy();
        shop.write("apps/app.yaml", crate::story::file("app", "/etc/app.conf", "app three\n"));
        shop.commit("three");
        fs::write(log(&shop), &changed).unwrap();
        let before = Picture::whole(&shop.root());
        for _ in 0..2 {
            let told = shop.once();
            assert_eq!(told.exit, Some(3), "{what}: {told:#?}");
            assert!(told.said.contains("the record log"), "{what}: {told:#?}");
            assert_eq!(Picture::whole(&shop.root()), before, "{what}");
            assert_eq!(fs::read_to_string(log(&shop)).unwrap(), changed, "{what}");
        }
        fs::write(log(&shop), &text).unwrap();
        shop.once().ended(Outcome::Committed);
    }
}

#[test]
fn attack_34_a_log_that_went_on_elsewhere_is_not_this_hosts() {
    let shop = host();
    let twin = shop.copy();
    good(&shop);
    shop.commit("two");
    shop.once().ended(Outcome::Committed);
    twin.write("apps/app.yaml", crate::story::file("app", "/etc/app.conf", "another two\n"));
    twin.commit("another");
    twin.once().ended(Outcome::Committed);
    fs::copy(log(&twin), log(&shop)).unwrap();
    let told = shop.once();
    assert_eq!(told.exit, Some(3), "{told:#?}");
    assert!(told.said.contains("another stands in its place"), "{told:#?}");
}

#[test]
fn a_person_who_moves_log_and_note_aside_lets_the_host_begin_a_new_chain() {
    let shop = host();
    fs::write(log(&shop), "").unwrap();
    assert_eq!(shop.once().exit, Some(3));
    fs::rename(shop.state().join("records"), shop.folder().join("records.away")).unwrap();
    assert_eq!(shop.once().exit, Some(3), "the note beside the key still says what was there");
    let note = shop.folder().join("host.key.records");
    fs::rename(&note, shop.folder().join("note.away")).unwrap();
    good(&shop);
    shop.commit("two");
    shop.once().ended(Outcome::Committed);
    assert_eq!(fs::read_to_string(log(&shop)).unwrap().lines().count(), 1);
    assert!(note.exists());
}

#[test]
fn a_host_whose_whole_state_is_lost_begins_its_log_anew() {
    let shop = host();
    fs::remove_dir_all(shop.state()).unwrap();
    good(&shop);
    shop.commit("two");
    let told = shop.once();
    assert!(told.outcome().is_some(), "{told:#?}");
    assert_ne!(told.exit, Some(3), "{told:#?}");
    assert_eq!(fs::read_to_string(log(&shop)).unwrap().lines().count(), 1);
    assert_ne!(shop.once().exit, Some(3));
}
