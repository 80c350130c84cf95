//! `bowline trust reset`: the way out for a host whose memory was tampered with, and the only one.
//!
//! **Invariant:** a host begins anew at its trust file's anchor and under its floors, and its records say why.

use std::fs;
use std::path::{Path, PathBuf};

use bowline_api::outcome::Outcome;
use bowline_api::record::Record;
use bowline_host::record;
use serde_json::Value;
use tests::binaries;
use tests::picture::Picture;
use tests::workshop::Workshop;

use crate::story::{file, settled};

/// Writes something else into the marks, as somebody who means no good would.
fn tamper(shop: &Workshop) {
    rewrite(&shop.state().join("verify.json"), |marks| marks);
}

/// Writes another digest of the head into the marks that a file holds.
fn rewrite(path: &Path, marks: fn(&mut Value) -> &mut Value) {
    let mut held: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let digest = &mut marks(&mut held)["headSha256"];
    assert!(digest.is_string(), "{digest}");
    *digest = "0".repeat(64).into();
    fs::write(path, held.to_string()).unwrap();
}

/// A host that will not go on by itself, and a merge that waits.
fn tampered() -> Workshop {
    let shop = settled("");
    shop.write("apps/app.yaml", file("app", "/etc/app.conf", "app two\n"));
    shop.commit("two");
    tamper(&shop);
    shop.once().ended_for(Outcome::Stranded, "state-mismatch");
    shop
}

/// Runs the reset. Gives its exit code, and what it said to programs and people.
fn reset(shop: &Workshop, more: &[&str]) -> (i32, String, String) {
    let mut command = shop.command(binaries::bowline());
    command.args(["trust", "reset", "--config", "agent.toml", "--root", "root"]);
    let output = command.args(more).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn newest(shop: &Workshop) -> Record {
    record::newest(&shop.state().join("records"), 1).unwrap().remove(0)
}

const DO: [&str; 3] = ["--yes", "--reason", "the disk came from a backup"];

/// The old memories that lie in the state folder.
fn kept(shop: &Workshop) -> Vec<String> {
    let names = fs::read_dir(shop.state()).unwrap();
    let names = names.map(|it| it.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|it| it.starts_with("reset-")).collect();
    names.sort();
    names
}

/// Every file of a folder, without what the agent writes anew at any look.
fn all(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                let bytes = fs::read(&path).unwrap();
                found.push((path, bytes));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_tampered_host_goes_on_once_its_owner_has_reset_it_and_its_records_say_why() {
    let shop = tampered();
    let before = all(&shop.state());
    let standing = Picture::whole(&shop.root());
    let (code, shown, said) = reset(&shop, &[]);
    let head = shop.git(&["rev-parse", "HEAD~1"]);
    assert!(
        shown.contains(&format!("verified to {head}, policy version 1, 0 used approvals")),
        "{shown}"
    );
    assert!(shown.contains(", the anchor of "), "{shown}");
    assert_eq!(
        (code, said.as_str()),
        (1, "nothing is changed; to forget this, add --yes and --reason TEXT\n")
    );
    let (code, shown, _) = reset(&shop, &["--json"]);
    let found: Value = serde_json::from_str(&shown).unwrap();
    let forgets =
        serde_json::json!({"head": head, "policyVersion": 1, "usedApprovals": 0, "generation": 1});
    assert_eq!((code, &found["done"], &found["forgets"]), (1, &false.into(), &forgets), "{shown}");
    assert_eq!(reset(&shop, &["--yes"]).0, 2, "without a reason");
    assert_eq!(reset(&shop, &["--yes", "--reason", " "]).0, 2, "without a word");
    assert_eq!(all(&shop.state()), before);
    let (code, shown, said) = reset(&shop, &DO);
    assert_eq!((code, said.as_str()), (0, ""), "{shown}");
    assert_eq!(Picture::whole(&shop.root()), standing);
    let record = newest(&shop);
    assert_eq!((record.reason.as_str(), record.outcome), ("TrustReset", Outcome::Unchanged));
    assert!(
        record.detail.starts_with("the disk came from a backup (trust reset by uid "),
        "{record:?}"
    );
    assert!(shown.contains(&format!("record {}: ", record.seq)), "{shown}");
    assert_eq!(kept(&shop).len(), 2, "state and witness: {:?}", kept(&shop));
    shop.once().ended(Outcome::Committed);
    assert_eq!(fs::read_to_string(shop.on_host("/etc/app.conf")).unwrap(), "app two\n");
    // Signed and chained like any other: whoever has the host's key can tell.
    let log = fs::read_dir(shop.state().join("records")).unwrap();
    let lines: Vec<_> = log.filter_map(|it| fs::read(it.unwrap().path()).ok()).collect();
    assert!(lines.iter().any(|it| it.windows(13).any(|it| it == b"\"payloadType\"")));
    let records = record::newest(&shop.state().join("records"), 8).unwrap();
    assert!(records.windows(2).all(|it| it[0].seq == it[1].seq + 1), "{records:?}");
}

#[test]
fn nothing_else_leaves_it() {
    let shop = tampered();
    let standing = Picture::whole(&shop.root());
    for what in ["again", "and again"] {
        shop.once().ended_for(Outcome::Stranded, "state-mismatch");
        assert_eq!(Picture::whole(&shop.root()), standing, "{what}");
    }
    let service = shop.serve();
    for order in [
        &["sync", "--wait"][..],
        &["retry", "--wait"],
        &["revert", "--reason", "x", "--wait"],
        &["pause", "--reason", "x"],
        &["resume"],
    ] {
        shop.bowline(order);
        assert_eq!(Picture::whole(&shop.root()), standing, "{order:?}");
    }
    service.signal("HUP");
    // While an agent runs, neither does this.
    let (code, _, said) = reset(&shop, &DO);
    assert!(code == 1 && said.contains("hint: stop the agent first"), "{said}");
    service.stop();
    shop.once().ended_for(Outcome::Stranded, "state-mismatch");
    assert_eq!(Picture::whole(&shop.root()), standing);
    assert_eq!(kept(&shop), [""; 0]);
}

#[test]
fn a_state_that_was_rolled_back_is_reset_as_well_and_so_is_one_that_cannot_be_read() {
    let shop = settled("");
    let copy = shop.copy();
    shop.write("apps/app.yaml", file("app", "/etc/app.conf", "app two\n"));
    shop.commit("two");
    shop.once().ended(Outcome::Committed);
    // The state of an earlier day, under a witness that knows better.
    fs::remove_dir_all(shop.state()).unwrap();
    shop.run(
        "cp",
        &["-a", &copy.state().display().to_string(), &shop.state().display().to_string()],
    );
    shop.once().ended_for(Outcome::Stranded, "state-older");
    assert_eq!(reset(&shop, &DO).0, 0);
    let told = shop.once();
    assert_eq!(told.exit, Some(0), "{told:#?}");
    fs::write(shop.state().join("verify.json"), "{").unwrap();
    assert_eq!(shop.once().exit, Some(3));
    let (code, shown, said) = reset(&shop, &DO);
    assert!(code == 0 && shown.contains("forgets    read the state file"), "{shown}{said}");
    let told = shop.once();
    assert_eq!(told.exit, Some(0), "{told:#?}");
}

#[test]
fn what_the_witness_was_made_to_say_is_forgotten_with_the_state() {
    let shop = tampered();
    rewrite(&shop.folder().join("host.key.witness"), |said| &mut said["highWater"]);
    shop.once().ended_for(Outcome::Stranded, "state-mismatch");
    // Nobody is helped by a state that is lost: it begins where the witness stood.
    let marks = shop.state().join("verify.json");
    let aside = shop.state().join("aside.json");
    fs::rename(&marks, &aside).unwrap();
    shop.once().ended_for(Outcome::Stranded, "state-mismatch");
    assert_eq!(reset(&shop, &DO).0, 0);
    shop.once().ended(Outcome::Committed);
}

#[test]
fn a_reset_host_goes_below_neither_anchor_nor_floors() {
    let shop = settled("");
    let older = shop.tip();
    shop.enact(&shop.law(5), &["alice"]);
    let anchor = shop.commit("policy 5");
    shop.trust(&anchor, "floors: {policyVersion: 5}\n");
    shop.once().ended(Outcome::Committed);
    tamper(&shop);
    shop.once().ended_for(Outcome::Stranded, "state-mismatch");
    assert_eq!(reset(&shop, &DO).0, 0);
    shop.move_branch(&older);
    shop.once().ended_for(Outcome::Refused, "not-fast-forward");
    shop.git(&["reset", "-q", "--hard", &older]);
    let weak = shop.commit("beside the anchor");
    shop.trust(&weak, "floors: {policyVersion: 5}\n");
    shop.once().ended_for(Outcome::Refused, "policy-version");
}

#[test]
fn old_memories_are_kept_and_bounded() {
    let shop = settled("");
    for round in 0..10 {
        assert_eq!(reset(&shop, &DO).0, 0, "{round}");
        shop.once().ended(Outcome::Unchanged);
    }
    let names = kept(&shop);
    let count = |what: &str| names.iter().filter(|it| it.ends_with(what)).count();
    assert_eq!((count("verify.json"), count("witness.json")), (8, 8), "{names:?}");
}
