//! The policy: changed without the root's word, removed, made weaker, older, or a bomb.
//!
//! **Invariant:** a proper change of the same shape is accepted.

use std::fs;
use std::os::unix::fs::symlink;

use bowline_api::outcome::Outcome;

use super::{evil, good, host, refused};

#[test]
fn attack_26_a_commit_that_authorises_itself() {
    let shop = host();
    let with_mallory = shop.law(2).replace(&shop.public("bob"), &shop.public("mallory"));
    shop.enact(&with_mallory, &["mallory"]);
    evil(&shop);
    shop.commit_by("mallory", "let me in", &[]);
    refused(&shop, "unknown-key", "by its own key");
    let shop = host();
    shop.enact(&shop.law(2).replace(&shop.public("bob"), &shop.public("mallory")), &["bob"]);
    evil(&shop);
    shop.commit("let her in");
    refused(&shop, "policy-below-threshold", "a merger who is not the root");
}

#[test]
fn attack_26_a_policy_that_is_removed_moved_or_a_link() {
    for (what, code) in [
        ("removed", "policy-missing"),
        ("moved", "policy-missing"),
        ("linked", "policy-not-a-file"),
    ] {
        let shop = host();
        let policy = shop.repo().join(".bowline/policy.yaml");
        if what == "removed" {
            fs::remove_file(&policy).unwrap();
        } else {
            fs::rename(&policy, shop.repo().join(".bowline/other.yaml")).unwrap();
        }
        if what == "linked" {
            symlink("other.yaml", &policy).unwrap();
        }
        evil(&shop);
        shop.commit(what);
        refused(&shop, code, what);
    }
}

#[test]
fn attack_27_a_policy_that_is_older_or_unsigned_or_cannot_be_read() {
    let shop = host();
    shop.enact(&shop.law(5), &["alice"]);
    shop.commit("policy 5");
    shop.once().ended(Outcome::Committed);
    let head = shop.tip();
    let bomb = format!("{}a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n", shop.law(6));
    for (what, law, code) in [
        ("a lower version", shop.law(4), "policy-version"),
        ("the same version", format!("{}# changed\n", shop.law(5)), "policy-version"),
        ("a bomb", bomb, "policy-malformed"),
        (
            "no list of what is revoked",
            shop.law(6).replace("revoked:", "revokes:"),
            "policy-malformed",
        ),
        (
            "a merger who is nobody",
            shop.law(6).replace("[alice, bob]", "[carol]"),
            "policy-malformed",
        ),
    ] {
        shop.git(&["checkout", "-q", "-B", "main", &head]);
        shop.enact(&law, &["alice"]);
        evil(&shop);
        shop.commit(what);
        refused(&shop, code, what);
    }
    shop.git(&["checkout", "-q", "-B", "main", &head]);
    shop.write(".bowline/policy.yaml", shop.law(6));
    evil(&shop);
    shop.commit("under the signatures of another text");
    refused(&shop, "policy-below-threshold", "signatures over another text");
}

#[test]
fn attack_27_an_expired_policy_admits_only_its_renewal() {
    let shop = host();
    shop.enact(&shop.law(2).replace("2099-", "2020-"), &["alice"]);
    shop.commit("a policy that is over");
    let first = shop.once();
    let head = shop.tip();
    evil(&shop);
    shop.commit("with something else");
    refused(&shop, "policy-expired", &format!("after {first:?}"));
    shop.git(&["checkout", "-q", "-B", "main", &head]);
    shop.enact(&shop.law(3), &["alice"]);
    shop.commit("renewed, and nothing else");
    good(&shop);
    shop.commit("and on it goes");
    shop.once().ended(Outcome::Committed);
}

#[test]
fn attack_27_a_proper_rotation_is_accepted() {
    let shop = host();
    shop.make_key("carol", &["-t", "ecdsa", "-b", "256"]);
    shop.enact(&shop.law(2).replace(&shop.public("bob"), &shop.public("carol")), &["alice"]);
    shop.commit("Carol for Bob");
    good(&shop);
    shop.commit_by("carol", "by Carol", &[]);
    shop.once().ended(Outcome::Committed);
    evil(&shop);
    shop.commit_by("bob", "by Bob", &[]);
    refused(&shop, "unknown-key", "the key that was rotated out");
}
