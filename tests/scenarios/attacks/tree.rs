//! The tree: entries that would do harm on a host, or in the agent's own repository.
//!
//! **Invariant:** the commit over each tree is well signed: only the tree is at fault.

use bowline_api::outcome::Outcome;
use tests::workshop::Workshop;

use super::forge::{offer, signed, unsigned};
use super::{evil, host, turned_away};

/// One entry as Git writes it in a tree.
fn entry(mode: &str, name: &str, id: &str) -> Vec<u8> {
    let hex = |at: usize| u8::from_str_radix(&id[at..at + 2], 16).unwrap();
    let id: Vec<u8> = (0..id.len()).step_by(2).map(hex).collect();
    [mode.as_bytes(), b" ", name.as_bytes(), b"\0", &id].concat()
}

/// The raw bytes of a tree.
fn raw(shop: &Workshop, tree: &str) -> Vec<u8> {
    let mut git = shop.command("git");
    git.arg("-C").arg(shop.repo()).args(["cat-file", "tree", tree]);
    git.output().unwrap().stdout
}

#[test]
fn attack_31_hostile_tree_entries() {
    let shop = host();
    evil(&shop);
    let commit = shop.commit("two");
    let payload = unsigned(&shop.raw(&commit));
    let tree = shop.git(&["rev-parse", "HEAD^{tree}"]);
    let good = raw(&shop, &tree);
    let blob = shop.put("blob", b"x");
    let escape = shop.put("blob", b"../../../../etc/shadow");
    let absolute = shop.put("blob", b"/etc/shadow");
    for (what, mode, name, id, damaged) in [
        // What libgit2 itself will not pack never arrives.
        ("no name", "100644", "", &blob, Some("remote-damaged")),
        ("a file that is a folder", "40000", "zz", &blob, Some("remote-damaged")),
        ("a submodule", "160000", "zz", &commit, None),
        ("a file that names a folder", "100644", "zz", &tree, None),
        ("a link that names a folder", "120000", "zz", &tree, None),
        ("a link that escapes", "120000", "zz", &escape, None),
        ("an absolute link", "120000", "zz", &absolute, None),
        ("a folder above", "40000", "..", &tree, None),
        ("a file above", "100644", "..", &blob, None),
        ("the folder itself", "40000", ".", &tree, None),
        ("Git's own folder", "40000", ".git", &tree, None),
        ("Git's own folder in capitals", "40000", ".GIT", &tree, None),
        ("a slash in a name", "100644", "zz/../../x", &blob, None),
        ("a name twice", "100644", "bowline.yaml", &blob, None),
        ("an unknown mode", "130000", "zz", &blob, None),
    ] {
        // A well signed commit counts as seen, whatever its tree: each case has a host of its own.
        let shop = shop.copy();
        let forged = shop.put("tree", &[good.clone(), entry(mode, name, id)].concat());
        offer(&shop, signed(&shop, "alice", &payload.replacen(&tree, &forged, 1)));
        let outcome = if damaged.is_some() { Outcome::Failed } else { Outcome::Refused };
        turned_away(&shop, (outcome, damaged.unwrap_or("hostile-tree")), what);
    }
}

#[test]
fn attack_31_a_policy_that_names_a_folder() {
    let shop = host();
    evil(&shop);
    let payload = unsigned(&shop.raw(&shop.commit("two")));
    let tree = shop.git(&["rev-parse", "HEAD^{tree}"]);
    let folder = shop.git(&["rev-parse", "HEAD:.bowline"]);
    let envelope = shop.git(&["rev-parse", "HEAD:.bowline/policy.dsse.json"]);
    let forged = [
        entry("100644", "policy.dsse.json", &envelope),
        entry("100644", "policy.yaml", &shop.git(&["rev-parse", "HEAD:apps"])),
    ];
    let forged = shop.put("tree", &forged.concat());
    let top = raw(&shop, &tree);
    let (old, new) = (entry("40000", ".bowline", &folder), entry("40000", ".bowline", &forged));
    let at = top.windows(old.len()).position(|it| it == old).unwrap();
    let top = [&top[..at], &new, &top[at + old.len()..]].concat();
    let payload = payload.replacen(&tree, &shop.put("tree", &top), 1);
    // Trees are looked at before it is known who signed: nobody may spoil the agent's copy by them.
    for (key, code) in [("mallory", "unknown-key"), ("alice", "policy-not-a-file")] {
        let shop = shop.copy();
        offer(&shop, signed(&shop, key, &payload));
        turned_away(&shop, (Outcome::Refused, code), key);
    }
}
