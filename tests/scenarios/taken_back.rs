//! What was trusted is taken back: by another trust file, by a policy that revokes a key or what stands.
//!
//! **Invariant:** what is taken back is judged at the next cycle, also where the branch did not move.

use std::fs;

use bowline_api::outcome::Outcome;
use tests::picture::Picture;
use tests::workshop::Workshop;

use crate::story::{file, settled};

fn two(shop: &Workshop, by: &str) -> String {
    shop.write("apps/app.yaml", file("app", "/etc/app.conf", "app two\n"));
    shop.commit_by(by, "two", &[])
}

fn content(shop: &Workshop) -> String {
    fs::read_to_string(shop.on_host("/etc/app.conf")).unwrap()
}

/// The next policy, with something in its list of what is revoked.
fn revoke(shop: &Workshop, version: u64, list: &str, what: &str) {
    let policy =
        shop.law(version).replace(&format!("{list}: []"), &format!("{list}: [\"{what}\"]"));
    assert_ne!(policy, shop.law(version));
    shop.enact(&policy, &["alice"]);
}

fn fingerprint(shop: &Workshop, name: &str) -> String {
    let file = format!("{name}.key.pub");
    let shown = shop.run("ssh-keygen", &["-lf", &file]).stdout;
    String::from_utf8(shown).unwrap().split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn a_trust_file_with_other_root_keys_is_asked_although_the_branch_stands_still() {
    let shop = settled("");
    let before = Picture::whole(&shop.root());
    let path = shop.folder().join("trust.yaml");
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, good.replace(&shop.public("alice"), &shop.public("bob"))).unwrap();
    shop.once().ended_for(Outcome::Refused, "policy-below-threshold");
    assert_eq!(Picture::whole(&shop.root()), before);
    fs::write(&path, good).unwrap();
    shop.once().ended(Outcome::Unchanged);
}

#[test]
fn what_a_key_signed_before_it_was_revoked_stays_and_what_it_signs_later_does_not() {
    let shop = settled("");
    two(&shop, "bob");
    shop.once().ended(Outcome::Committed);
    revoke(&shop, 2, "keys", &fingerprint(&shop, "bob"));
    let revoking = shop.commit("bob's key was stolen");
    shop.once().ended(Outcome::Committed);
    assert_eq!(content(&shop), "app two\n");
    shop.write("apps/app.yaml", file("app", "/etc/app.conf", "app three\n"));
    shop.commit_by("bob", "three", &[]);
    shop.once().ended_for(Outcome::Refused, "key-revoked");
    assert_eq!(content(&shop), "app two\n");
    shop.move_branch(&revoking);
    // A host that is new has only the newest policy's word for it, which says no.
    let anew = shop.copy();
    fs::remove_dir_all(anew.state()).unwrap();
    fs::remove_file(anew.folder().join("host.key.witness")).unwrap();
    fs::remove_file(anew.folder().join("host.key")).unwrap();
    anew.once().ended_for(Outcome::Refused, "key-revoked");
}

#[test]
fn a_key_that_is_revoked_together_with_what_it_signed_brings_nothing_in() {
    let shop = settled("");
    two(&shop, "bob");
    revoke(&shop, 2, "keys", &fingerprint(&shop, "bob"));
    shop.commit("bob's key was stolen");
    shop.once().ended_for(Outcome::Refused, "key-revoked");
    assert_eq!(content(&shop), "app one\n");
}

#[test]
fn a_commit_that_stands_and_is_revoked_makes_room_for_the_one_that_revokes_it() {
    let shop = settled("");
    let standing = two(&shop, "bob");
    shop.once().ended(Outcome::Committed);
    shop.write("apps/app.yaml", file("app", "/etc/app.conf", "app one\n"));
    revoke(&shop, 2, "commits", &standing);
    shop.commit("two is bad");
    shop.once().ended(Outcome::Committed);
    assert_eq!(content(&shop), "app one\n");
    // Nobody goes back to it either.
    let service = shop.serve();
    let (code, _, said) = shop.bowline(&["revert", "--reason", "x", "--wait"]);
    assert_ne!(code, 0, "{said}");
    assert_eq!(content(&shop), "app one\n");
    service.stop();
}

#[test]
fn a_commit_that_stands_and_is_revoked_is_not_repaired_while_nothing_newer_counts() {
    let shop = settled("");
    let standing = two(&shop, "bob");
    shop.once().ended(Outcome::Committed);
    // The revoking commit waits for a gate of its own: what it revokes binds all the same.
    let gate = "gates: [{id: tests, predicate: \"https://in-toto.io/attestation/test-result/v0.1\", signers: [bob]}]\n";
    let policy = shop.law(2).replace("commits: []", &format!("commits: [\"{standing}\"]"));
    shop.enact(&format!("{policy}{gate}"), &["alice"]);
    shop.commit("two is bad");
    shop.once().ended_for(Outcome::Pending, "evidence-missing");
    fs::write(shop.on_host("/etc/app.conf"), "drift\n").unwrap();
    shop.once().ended_for(Outcome::Pending, "evidence-missing");
    assert_eq!(content(&shop), "drift\n", "what is revoked is not put back");
    shop.enact(
        &shop.law(3).replace("commits: []", &format!("commits: [\"{standing}\"]")),
        &["alice"],
    );
    shop.commit("without the gate");
    shop.once().ended(Outcome::Committed);
    assert_eq!(content(&shop), "app two\n");
}
