//! The branch: rewound, replaced, fast-forwarded over, or with something bad in its middle.
//!
//! **Invariant:** only the first-parent chain above the last verified commit counts.

use bowline_api::outcome::Outcome;

use super::forge::{offer, signed, unsigned};
use super::{evil, good, host, refused};

#[test]
fn attack_09_a_branch_that_was_rewound_or_replaced() {
    let shop = host();
    let older = shop.git(&["rev-parse", "HEAD~1"]);
    let newest = shop.tip();
    let tree = shop.git(&["rev-parse", "HEAD^{tree}"]);
    let sibling = format!("tree {tree}\nparent {older}\n");
    let orphan = format!("tree {tree}\n");
    let who = "Alice <alice@example.org>";
    let date = shop.git(&["log", "-1", "--format=%ct"]);
    let rest = format!("author {who} {date} +0000\ncommitter {who} {date} +0000\n\nanother\n");
    shop.move_branch(&older);
    refused(&shop, "not-fast-forward", "rewound");
    offer(&shop, signed(&shop, "alice", &format!("{sibling}{rest}")));
    refused(&shop, "not-fast-forward", "a sibling");
    offer(&shop, signed(&shop, "alice", &format!("{orphan}{rest}")));
    refused(&shop, "not-fast-forward", "an unrelated root");
    shop.move_branch(&newest);
    shop.once().ended(Outcome::Unchanged);
}

#[test]
fn attack_10_a_head_from_elsewhere() {
    // Another branch, forked before the last verified commit.
    let shop = host();
    shop.git(&["checkout", "-q", "-B", "main", "HEAD~1"]);
    evil(&shop);
    shop.commit("a request's own head");
    refused(&shop, "not-fast-forward", "the head of another branch");
    // Another repository altogether, by the same hand.
    let shop = host();
    shop.git(&["checkout", "-q", "--orphan", "other"]);
    evil(&shop);
    shop.commit_by("alice", "another repository", &[]);
    shop.git(&["update-ref", "refs/heads/main", "HEAD"]);
    refused(&shop, "not-fast-forward", "another repository");
    // A policy that was root-signed for another repository, or for another branch of this one.
    for (from, to, code) in [
        ("git.example/ops/fleet", "git.example/ops/sandbox", "wrong-repository"),
        ("refs/heads/main", "refs/heads/next", "wrong-ref"),
    ] {
        let shop = host();
        shop.enact(&shop.law(2).replace(from, to), &["alice"]);
        evil(&shop);
        shop.commit("a policy from elsewhere");
        refused(&shop, code, to);
    }
}

#[test]
fn attack_11_swapped_parents_and_a_request_put_over_the_branch() {
    let shop = host();
    let main = shop.tip();
    shop.git(&["checkout", "-q", "-b", "request", "HEAD~1"]);
    evil(&shop);
    shop.git(&["add", "-A"]);
    shop.git(&["-c", "commit.gpgsign=false", "commit", "-q", "-m", "a request"]);
    let request = shop.git(&["rev-parse", "HEAD"]);
    // The requester merges the branch into the request, and the branch is fast-forwarded to that.
    let tree = shop.git(&["rev-parse", "HEAD^{tree}"]);
    let merged = shop.git(&["commit-tree", "-p", &request, "-p", &main, "-m", "merge main", &tree]);
    shop.move_branch(&merged);
    refused(&shop, "not-fast-forward", "fast-forwarded");
    // Even if the merge is signed by a merger: its first parent is not the branch.
    offer(&shop, signed(&shop, "alice", &unsigned(&shop.raw(&merged))));
    refused(&shop, "not-fast-forward", "swapped parents");
}

#[test]
fn attack_12_a_bad_commit_under_a_good_tip() {
    let shop = host();
    evil(&shop);
    shop.commit_by("mallory", "bad", &[]);
    good(&shop);
    shop.commit("good");
    refused(&shop, "unknown-key", "a good tip");
}
