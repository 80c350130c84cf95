//! Going back to what stood in good health: one merger is enough, on a host where it did.
//!
//! **Invariant:** only the very same tree is gone back to; anything else waits for its approval.

use bowline_api::outcome::Outcome;
use tests::binaries;
use tests::picture::Picture;
use tests::workshop::Workshop;

use super::{good, host, unmoved};
use crate::story::file;

/// The policy asks for Bob's approval of every merge.
fn asking() -> Workshop {
    let shop = host();
    let law = shop.law(2);
    let mergers = law.lines().find(|it| it.contains("mergers:")).unwrap();
    let asked =
        mergers.replacen("mergers:", "approvals: {principals: 1, from: [bob]}, mergers:", 1);
    assert_ne!(mergers, asked);
    shop.enact(&law.replace(mergers, &asked), &["alice"]);
    shop.commit("ask for approvals");
    assert_eq!(shop.once().exit, Some(0));
    shop
}

fn approve(shop: &Workshop) {
    let output = std::process::Command::new(binaries::bowline())
        .args(["approve", "main", "--key"])
        .arg(shop.key("bob"))
        .arg("--repo")
        .arg(shop.repo())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_merge_that_brings_back_what_was_healthy_needs_nobodys_approval() {
    let shop = asking();
    let before = Picture::whole(&shop.root());
    good(&shop);
    shop.commit("two");
    let told = unmoved(&shop, "nobody approved it");
    assert_eq!(told.cycle.as_ref().map(|it| it.code.as_str()), Some("approval-missing"));
    approve(&shop);
    shop.once().ended(Outcome::Committed);
    // Back to the tree of the merge before: that of no other will do.
    shop.write("apps/app.yaml", file("app", "/etc/app.conf", "app three\n"));
    shop.commit("three");
    let told = unmoved(&shop, "it never stood here");
    assert_eq!(told.cycle.as_ref().map(|it| it.code.as_str()), Some("approval-missing"));
    shop.move_branch(shop.git(&["rev-parse", "HEAD~1"]).trim());
    shop.git(&["checkout", "-q", "HEAD~1", "--", "apps"]);
    shop.commit("back to one");
    let told = shop.once();
    told.ended(Outcome::Committed);
    let warnings = told.cycle.unwrap().warnings;
    assert!(
        warnings.iter().any(|it| it.contains("stood here in good health before")),
        "{warnings:?}"
    );
    assert_eq!(Picture::whole(&shop.root()), before);
}
