//! `bowline trust sign-policy`: a policy is changed by as many root keys as it takes.

use crate::sealed::Sealed;

const POLICY: &str = "fleet/.bowline/policy.yaml";

fn code(sealed: &Sealed) -> String {
    let arguments = ["verify", "--repo", "fleet", "--trust", "fleet.trust.yaml", "--json"];
    sealed.bowline(&arguments).json()["code"].as_str().unwrap().to_owned()
}

#[test]
fn a_new_policy_counts_once_enough_root_keys_have_signed_it() {
    let sealed = Sealed::found(&["alice", "bob"]);
    let next = sealed.read(POLICY).replace("version: 1\n", "version: 2\n");
    sealed.write(POLICY, next);
    let said = sealed.bowline_in("fleet", &["trust", "sign-policy", "--key", "../alice"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    assert!(said.stdout.contains("signatures  1\n"), "{said:?}");
    sealed.merge("alice", "policy");
    assert_eq!(code(&sealed), "policy-below-threshold");
    sealed.git("fleet", &["reset", "-q", "--soft", "HEAD^"]);
    let said = sealed.bowline(&["trust", "sign-policy", POLICY, "--key", "bob.pub"]);
    assert!(said.stdout.contains("signatures  2\n"), "{said:?}");
    sealed.merge("alice", "policy");
    assert_eq!(code(&sealed), "");
}

#[test]
fn what_is_no_policy_is_not_signed() {
    let sealed = Sealed::found(&["alice"]);
    sealed.write(POLICY, "version: 2\n");
    let before = sealed.snapshot();
    let said = sealed.bowline(&["trust", "sign-policy", POLICY, "--key", "alice"]);
    assert_eq!((said.code, said.stdout.as_str()), (1, ""), "{said:?}");
    let said = sealed.bowline(&["trust", "sign-policy", "none", "--key", "alice"]);
    said.is(2, "", "error: there is no policy none\n");
    assert_eq!(sealed.snapshot(), before);
}
