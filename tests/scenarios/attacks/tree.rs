//! The tree: entries that would do harm on a host, or in the agent's own repository.
//!
//! **Invariant:** the commit over each tree is well signed: only the tree is at fault.

use bowline_api::outcome::Outcome;
use tests::workshop::Workshop;

use super::forge::{offer, signed, unsigned};
use super::{evil, host, unmoved};

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
    for (what, mode, name, id) in [
        ("a submodule", "160000", "zz", &commit),
        ("a link that escapes", "120000", "zz", &escape),
        ("an absolute link", "120000", "zz", &absolute),
        ("a folder above", "40000", "..", &tree),
        ("a file above", "100644", "..", &blob),
        ("the folder itself", "40000", ".", &tree),
        ("Git's own folder", "40000", ".git", &tree),
        ("Git's own folder in capitals", "40000", ".GIT", &tree),
        ("a slash in a name", "100644", "zz/../../x", &blob),
        ("no name", "100644", "", &blob),
        ("a name twice", "100644", "bowline.yaml", &blob),
        ("an unknown mode", "130000", "zz", &blob),
        ("a file that is a folder", "40000", "zz", &blob),
        ("a folder that is a file", "100644", "zz", &tree),
    ] {
        let forged = shop.put("tree", &[good.clone(), entry(mode, name, id)].concat());
        offer(&shop, signed(&shop, "alice", &payload.replacen(&tree, &forged, 1)));
        let told = unmoved(&shop, what);
        // What libgit2 itself will not pack never arrives.
        let outcome = told.outcome();
        assert!(matches!(outcome, Some(Outcome::Refused | Outcome::Failed)), "{what}: {told:#?}");
        println!("{what}: {}", told.cycle.unwrap().code);
    }
}
