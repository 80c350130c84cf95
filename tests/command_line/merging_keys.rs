//! Mergers with other keys than plain SSH ones: policies name them, Git signs with them, `bowline verify` judges.

use crate::openpgp::Desk;
use crate::sealed::Sealed;

const POLICY: &str = "fleet/.bowline/policy.yaml";

/// Merges a policy of this version in which Dave merges with these keys, beside Alice.
fn let_in(sealed: &Sealed, founded: &str, version: u32, keys: &str) {
    let dave = format!("principals:\n  dave: {{kind: human, keys: [{keys}]}}\n");
    let next = founded
        .replace("version: 1\n", &format!("version: {version}\n"))
        .replace("principals:\n", &dave)
        .replace("mergers: [", "mergers: [dave, ");
    sealed.write(POLICY, next);
    let signed = sealed.bowline(&["trust", "sign-policy", POLICY, "--key", "alice"]);
    assert_eq!(signed.code, 0, "{signed:?}");
    sealed.merge("alice", "policy");
}

/// Makes a commit that is signed as these settings of Git say.
fn commit(sealed: &Sealed, settings: &[&str]) {
    let settings: Vec<_> = settings.iter().flat_map(|it| ["-c", it]).collect();
    let commit = ["commit", "--allow-empty", "-qm", "by Dave"];
    sealed.git("fleet", &[&settings[..], &commit].concat());
}

/// The verdict and its code.
fn verdict(sealed: &Sealed) -> String {
    let arguments = ["verify", "--repo", "fleet", "--trust", "fleet.trust.yaml", "--json"];
    let said = sealed.bowline(&arguments).json();
    let [verdict, code] = ["verdict", "code"].map(|it| said[it].as_str().unwrap_or_default());
    format!("{verdict} {code}").trim_end().to_owned()
}

#[test]
fn an_openpgp_key_of_the_policy_merges_until_it_is_revoked() {
    let Some(desk) = Desk::of(Sealed::found(&["alice"])) else { return };
    let sealed = &desk.0;
    let founded = sealed.read(POLICY);
    let [dave, mallory] = ["dave", "mallory"].map(|it| desk.key_for(it, "ed25519", &[], "never"));
    let entry = |block: String| format!("{{type: openpgp, fingerprint: {dave}, key: {block:?}}}");
    let signing = |who: &str| format!("user.signingkey={who}");
    let_in(sealed, &founded, 2, &entry(desk.public(&["dave"])));
    commit(sealed, &["gpg.format=openpgp", &signing(&dave)]);
    assert_eq!(verdict(sealed), "accepted");
    commit(sealed, &["gpg.format=openpgp", &signing(&mallory)]);
    assert_eq!(verdict(sealed), "refused unknown-key");
    sealed.git("fleet", &["reset", "-q", "--hard", "HEAD~1"]);
    desk.revoke(&dave);
    let_in(sealed, &founded, 3, &entry(desk.public(&["dave"])));
    assert_eq!(verdict(sealed), "refused key-revoked");
}

#[test]
fn a_certificate_of_the_policys_authority_merges_for_the_names_that_the_policy_lists() {
    let sealed = Sealed::found(&["alice"]);
    let founded = sealed.read(POLICY);
    for name in ["authority", "other", "dave"] {
        sealed.key(name);
    }
    let authority = sealed.read("authority.pub");
    let entry = format!("{{type: ssh-ca, key: \"{}\", principals: [dave@ops]}}", authority.trim());
    let_in(&sealed, &founded, 2, &entry);
    let signing = format!("user.signingkey={}", sealed.path("dave-cert.pub").display());
    for (authority, name, expected) in [
        ("authority", "dave@ops", "accepted"),
        ("authority", "erin@ops", "refused unknown-key"),
        ("other", "dave@ops", "refused unknown-key"),
    ] {
        let certify = ["-q", "-s", authority, "-I", "id", "-n", name, "dave.pub"];
        sealed.run(".", "ssh-keygen", &certify);
        commit(&sealed, &[&signing]);
        assert_eq!(verdict(&sealed), expected, "{authority} {name}");
        sealed.git("fleet", &["reset", "-q", "--hard", "HEAD~1"]);
    }
}
