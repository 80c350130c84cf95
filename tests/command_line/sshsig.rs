//! OpenSSH's own cases of signed files (regress/sshsig.sh), judged by `ssh-keygen` and by `bowline trust inspect`.
//!
//! **Invariant:** what `ssh-keygen` refuses is never `valid`; where it takes what is not valid here, the table says so.

use crate::openpgp::{COMMITTED, DAY};
use crate::sealed::Sealed;

/// Whose signature it is meant to be.
const NAME: &str = "user@example.com";

/// Kinds of keys that both verify with.
const KINDS: [[&str; 2]; 4] =
    [["ed25519", "256"], ["ecdsa", "256"], ["ecdsa", "384"], ["rsa", "2048"]];

/// September 2026, as options of a line and of a certificate.
const SPAN: &str = "valid-after=\"20260901Z\",valid-before=\"20261001Z\"";
const IN_SPAN: &str = "20260901000000Z:20261001000000Z";

/// A folder with a key to sign, an authority that certified it, and keys of others.
struct Desk(Sealed);

impl Desk {
    fn new([kind, bits]: [&str; 2]) -> Self {
        let sealed = Sealed::new();
        for (name, kind, bits) in
            [("signer", kind, bits), ("authority", "ed25519", "256"), ("wrong", "ed25519", "256")]
        {
            let options = ["-q", "-t", kind, "-b", bits, "-N", "", "-C", name, "-f", name];
            sealed.run(".", "ssh-keygen", &options);
        }
        Self(sealed)
    }

    /// Has the authority certify the signer for this name.
    fn certify(&self, options: &str) {
        let script = format!("ssh-keygen -q -s authority -I id -z 1 {options} signer.pub");
        self.0.run(".", "sh", &["-c", &script]);
    }

    fn public(&self, name: &str) -> String {
        self.0.read(&format!("{name}.pub")).trim().to_owned()
    }

    /// A commit of this time, signed with the named key in a namespace, with options.
    fn commit(&self, key: &str, namespace: &str, at: i64, options: &str) -> String {
        let person = format!("A <a@example.org> {at} +0000");
        let tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        let head = format!("tree {tree}\nauthor {person}\ncommitter {person}\n");
        self.0.write("payload", format!("{head}\nBegin\n"));
        let sign =
            format!("ssh-keygen -Y sign -n {namespace} {options} -f {key} < payload 2>/dev/null");
        let signature = self.0.run(".", "sh", &["-c", &sign]);
        self.0.write("signature", &signature);
        format!("{head}gpgsig {}\n\nBegin\n", signature.trim_end().replace('\n', "\n "))
    }

    /// Holds both verdicts on the last signature, at a time, against what is expected.
    #[track_caller]
    fn judge(&self, what: &str, raw: &str, at: i64, lines: &str, [theirs, ours]: [&str; 2]) {
        self.0.write("raw", raw);
        self.0.write("signers", format!("{lines}\n"));
        let time = format!("date -u -d @{at} +%Y%m%d%H%M%SZ");
        let verify = format!(
            "ssh-keygen -q -Y verify -n git -I {NAME} -f signers -r revoked -s signature \
             -O verify-time=$({time}) < payload >/dev/null 2>&1 && echo valid || echo invalid"
        );
        assert_eq!(self.0.run(".", "sh", &["-c", &verify]).trim(), theirs, "{what}: ssh-keygen");
        let arguments = ["trust", "inspect", "raw", "--keys", "signers", "--revoked", "revoked"];
        let said = self.0.bowline(&[&arguments[..], &["--json"]].concat());
        let found = if said.stdout.is_empty() { "error".to_owned() } else { result(&said.json()) };
        assert_eq!(found, ours, "{what}: {said:?}");
    }
}

fn result(said: &serde_json::Value) -> String {
    said["result"].as_str().unwrap_or_default().to_owned()
}

const BOTH: [&str; 2] = ["valid", "valid"];
const NONE: [&str; 2] = ["invalid", "invalid"];

#[test]
fn keys_are_judged_as_in_the_tests_of_openssh() {
    for kind in KINDS {
        let desk = Desk::new(kind);
        let [signer, wrong] = ["signer", "wrong"].map(|it| desk.public(it));
        let usual = format!("{NAME} {signer}");
        desk.0.write("revoked", &wrong);
        for hash in ["", "-O hashalg=sha256", "-O hashalg=sha512"] {
            let raw = desk.commit("signer", "git", COMMITTED, hash);
            desk.judge(&format!("{kind:?} {hash}"), &raw, COMMITTED, &usual, BOTH);
        }
        let refused = "ssh-keygen -Y sign -n git -O hashalg=sha1 -f signer < payload \
                       >/dev/null 2>&1 && echo signed || echo refused";
        assert_eq!(desk.0.run(".", "sh", &["-c", refused]).trim(), "refused");
        let raw = desk.commit("signer", "git", COMMITTED, "");
        for (what, lines, expected) in [
            ("a namespace among others", format!("{NAME} namespaces=\"git,more\" {signer}"), BOTH),
            ("namespace excluded", format!("{NAME} namespaces=\"more\" {signer}"), NONE),
            ("the wrong key", format!("{NAME} {wrong}"), NONE),
            ("another line is no matter", format!("{NAME} {wrong}\n{usual}"), BOTH),
            // ssh-keygen leaves such a line out; a list that is half understood is none here.
            ("an unknown option", format!("{NAME} octopus {signer}"), ["invalid", "error"]),
            ("it is no authority", format!("{NAME} cert-authority {signer}"), NONE),
        ] {
            desk.judge(&format!("{kind:?}: {what}"), &raw, COMMITTED, &lines, expected);
        }
        // Whose name it is, is a policy's matter: the list says who signed, and nobody was asked for.
        let josef = format!("josef.k@example.com {signer}");
        desk.judge("another's name", &raw, COMMITTED, &josef, ["invalid", "valid"]);
        desk.0.write("payload", "other data");
        let other = raw.replace("Begin", "Began");
        desk.judge("wrong data", &other, COMMITTED, &usual, NONE);
        let raw = desk.commit("signer", "cows", COMMITTED, "");
        desk.judge("the wrong namespace", &raw, COMMITTED, &usual, NONE);
        let raw = desk.commit("signer", "git", COMMITTED, "");
        desk.0.write("revoked", &signer);
        desk.judge("revoked", &raw, COMMITTED, &usual, NONE);
        // A list in the binary form is refused as a whole, never read as empty.
        desk.0.run(".", "ssh-keygen", &["-q", "-k", "-f", "revoked", "signer.pub"]);
        desk.judge("revoked in a KRL", &raw, COMMITTED, &usual, ["invalid", "error"]);
    }
}

#[test]
fn spans_of_keys_are_judged_as_in_the_tests_of_openssh() {
    let desk = Desk::new(KINDS[0]);
    let signer = desk.public("signer");
    desk.0.write("revoked", desk.public("wrong"));
    let one = format!("{NAME} {SPAN} {signer}");
    let later = "valid-after=\"20260915Z\",valid-before=\"20261115Z\"";
    let two = format!("{one}\n{NAME} {later} {signer}");
    for (days, by_one, by_two) in
        [(-60, NONE, NONE), (-15, BOTH, BOTH), (0, BOTH, BOTH), (30, NONE, BOTH), (90, NONE, NONE)]
    {
        let at = COMMITTED + days * DAY;
        let raw = desk.commit("signer", "git", at, "");
        desk.judge(&format!("one span, {days} days"), &raw, at, &one, by_one);
        desk.judge(&format!("two spans, {days} days"), &raw, at, &two, by_two);
    }
}

#[test]
fn certificates_are_judged_as_in_the_tests_of_openssh() {
    for kind in KINDS {
        let desk = Desk::new(kind);
        let [signer, wrong, authority] = ["signer", "wrong", "authority"].map(|it| desk.public(it));
        desk.0.write("revoked", &wrong);
        desk.certify(&format!("-n {NAME} -V {IN_SPAN}"));
        let raw = desk.commit("signer-cert.pub", "git", COMMITTED, "");
        let good = format!("{NAME} cert-authority {authority}");
        let line = |options: &str| format!("{NAME} {options} {authority}");
        for (what, lines, expected) in [
            ("a good authority", good.clone(), BOTH),
            ("a pattern of names", format!("*@example.com cert-authority {authority}"), BOTH),
            ("the wrong authority", format!("{NAME} cert-authority {wrong}"), NONE),
            ("another's name", format!("josef.k@example.com cert-authority {authority}"), NONE),
            ("a key that is no authority", format!("{NAME} {authority}"), NONE),
            ("the key alone", format!("{NAME} {signer}"), NONE),
            ("namespace", line("cert-authority,namespaces=\"git,more\""), BOTH),
            ("namespace excluded", line("namespaces=\"more\",cert-authority"), NONE),
            ("its span", line(&format!("cert-authority,{SPAN}")), BOTH),
            ("ended", line("cert-authority,valid-before=\"20260901Z\""), NONE),
            ("not yet", line("cert-authority,valid-after=\"20261001Z\""), NONE),
        ] {
            desk.judge(&format!("{kind:?}: {what}"), &raw, COMMITTED, &lines, expected);
        }
        for (what, at) in [("before", -30), ("after", 30)] {
            let at = COMMITTED + at * DAY;
            let raw = desk.commit("signer-cert.pub", "git", at, "");
            desk.judge(&format!("{what} the certificate's time"), &raw, at, &good, NONE);
        }
        let raw = desk.commit("signer-cert.pub", "git", COMMITTED, "");
        for revoked in ["signer", "authority"] {
            desk.0.write("revoked", desk.public(revoked));
            desk.judge(&format!("{revoked} revoked"), &raw, COMMITTED, &good, NONE);
        }
    }
}
