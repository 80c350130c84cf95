//! `bowline trust inspect` on commits that GnuPG signed: every kind of key, and what must not count.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use tests::binaries;
use tests::served::programs;

use crate::sealed::Sealed;

/// When commits are made, in seconds since 1970.
pub(crate) const COMMITTED: i64 = 1_790_000_000;

/// A day.
pub(crate) const DAY: i64 = 86_400;

/// A sealed environment with GnuPG's own folder; its agent ends with it.
pub(crate) struct Desk(pub(crate) Sealed);

impl Drop for Desk {
    fn drop(&mut self) {
        self.0.run(".", "gpgconf", &["--kill", "all"]);
    }
}

impl Desk {
    /// `None` where there is no GnuPG, and that may be.
    pub(crate) fn new() -> Option<Self> {
        Self::of(Sealed::new())
    }

    pub(crate) fn of(sealed: Sealed) -> Option<Self> {
        programs(&["gpg", "gpgconf"])?;
        let home = sealed.path("home/.gnupg");
        fs::create_dir(&home).unwrap();
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
        Some(Self(sealed))
    }

    pub(crate) fn gpg(&self, arguments: &[&str]) -> String {
        let usual =
            ["--batch", "--quiet", "--yes", "--passphrase", "", "--pinentry-mode", "loopback"];
        self.0.run(".", "gpg", &[&usual, arguments].concat())
    }

    /// Makes a key for a week, a day before the commit, and gives its fingerprint.
    fn key(&self, name: &str, kind: &str, more: &[&str]) -> String {
        self.key_for(name, kind, more, "seconds=604800")
    }

    /// Makes a key for a time.
    pub(crate) fn key_for(&self, name: &str, kind: &str, more: &[&str], lasting: &str) -> String {
        let made = format!("--faked-system-time={}!", COMMITTED - DAY);
        let user = format!("{name} <{name}@example.org>");
        let arguments = [&[made.as_str()], more, &["--quick-generate-key", &user, kind, "sign"]];
        self.gpg(&[&arguments.concat()[..], &[lasting]].concat());
        self.fingerprint(name)
    }

    pub(crate) fn fingerprint(&self, name: &str) -> String {
        let listed = self.gpg(&["--with-colons", "--list-keys", name]);
        let line = listed.lines().find(|it| it.starts_with("fpr:")).unwrap().to_owned();
        line.split(':').nth(9).unwrap().to_owned()
    }

    pub(crate) fn revoke(&self, fingerprint: &str) {
        let path = format!("home/.gnupg/openpgp-revocs.d/{fingerprint}.rev");
        // GnuPG keeps nobody from importing it by mistake but with a colon.
        self.0.write("revoked", self.0.read(&path).replace("\n:-----", "\n-----"));
        self.gpg(&["--import", "revoked"]);
    }

    pub(crate) fn public(&self, names: &[&str]) -> String {
        self.gpg(&[&["--armor", "--export"], names].concat())
    }

    /// A commit at a time, signed with these options a moment after [`COMMITTED`].
    pub(crate) fn commit(&self, at: i64, signing: &[&str]) -> String {
        let person = format!("A <a@example.org> {at} +0000");
        let tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        let head = format!("tree {tree}\nauthor {person}\ncommitter {person}\n");
        self.0.write("payload", format!("{head}\nBegin\n"));
        let now = format!("--faked-system-time={}!", COMMITTED + 5);
        let usual = [now.as_str(), "--armor", "--detach-sign", "--output", "-"];
        let signature = self.gpg(&[&usual, signing, &["payload"]].concat());
        let folded = signature.trim_end().replace('\n', "\n ");
        format!("{head}gpgsig {folded}\n\nBegin\n")
    }

    /// Result, key and reason.
    fn inspect(&self, raw: &str, keys: &str) -> [String; 3] {
        self.0.write("raw", raw);
        self.0.write("keys.asc", keys);
        // As it is: the harness shows fingerprints by their kind.
        let command = format!(
            "{} trust inspect raw --keys keys.asc --json; test $? -lt 2",
            binaries::bowline().display()
        );
        let said = self.0.run(".", "sh", &["-c", &command]);
        let found: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(found["format"], "openpgp", "{said}");
        let code = self.0.bowline(&["trust", "inspect", "raw", "--keys", "keys.asc"]).code;
        assert_eq!(code == 0, found["result"] == "valid", "{said}");
        ["result", "key", "reason"].map(|it| found[it].as_str().unwrap_or_default().to_owned())
    }

    #[track_caller]
    fn counts_not(&self, raw: &str, keys: &str, result: &str, reason: &str) {
        let found = self.inspect(raw, keys);
        assert_eq!(found[0], result, "{found:?}");
        assert!(found[2].contains(reason), "{reason}: {found:?}");
    }
}

#[test]
fn a_signature_of_every_supported_kind_is_valid_by_its_key_only() {
    let Some(desk) = Desk::new() else { return };
    let other = {
        desk.key("other", "ed25519", &[]);
        desk.public(&["other"])
    };
    for kind in ["rsa2048", "ed25519", "nistp256", "nistp384"] {
        let fingerprint = desk.key(kind, kind, &[]);
        let raw = desk.commit(COMMITTED, &["--local-user", kind]);
        let keys = desk.public(&[kind]);
        for keys in [&keys, &desk.public(&["other", kind]), &format!("{other}\n{keys}")] {
            let reason = format!("signed by \"{kind} <{kind}@example.org>\"");
            let expected = ["valid".to_owned(), fingerprint.clone(), reason];
            assert_eq!(desk.inspect(&raw, keys), expected, "{kind}");
        }
        desk.counts_not(&raw, &other, "invalid", "none of the given");
        desk.counts_not(&raw.replace("Begin", "Begun"), &keys, "invalid", "does not verify");
    }
}

#[test]
fn a_subkey_signs_for_its_certificate_only_where_both_say_so() {
    let Some(desk) = Desk::new() else { return };
    let fingerprint = desk.key("alice", "rsa2048", &[]);
    let made = format!("--faked-system-time={}!", COMMITTED - DAY);
    for usage in ["sign", "encr"] {
        let kind = if usage == "sign" { "ed25519" } else { "cv25519" };
        desk.gpg(&[&made, "--quick-add-key", &fingerprint, kind, usage, "seconds=604800"]);
    }
    let raw = desk.commit(COMMITTED, &["--local-user", "alice"]);
    let found = desk.inspect(&raw, &desk.public(&["alice"]));
    assert_eq!((found[0].as_str(), &found[1]), ("valid", &fingerprint));
    let listed = desk.gpg(&["--with-colons", "--list-keys", "alice"]);
    let names: Vec<_> = listed.lines().filter(|it| it.starts_with("fpr:")).collect();
    let names = names.iter().map(|it| it.split(':').nth(9).unwrap());
    for (place, (name, code)) in names.zip([1, 1, 0]).enumerate() {
        desk.0.write("revoked", name);
        let arguments = ["trust", "inspect", "raw", "--keys", "keys.asc", "--revoked", "revoked"];
        assert_eq!(desk.0.bowline(&arguments).code, code, "key {place}, {name}");
    }
    let primary = desk.gpg(&["--armor", "--export", &format!("{fingerprint}!")]);
    desk.counts_not(&raw, &primary, "invalid", "none of the given");
}

#[test]
fn a_key_counts_in_its_own_time_and_never_once_it_is_revoked() {
    let Some(desk) = Desk::new() else { return };
    let fingerprint = desk.key("alice", "ed25519", &[]);
    let keys = desk.public(&["alice"]);
    for (at, result) in [(0, "valid"), (-2 * DAY, "invalid"), (7 * DAY, "invalid")] {
        let raw = desk.commit(COMMITTED + at, &["--local-user", "alice"]);
        assert_eq!(desk.inspect(&raw, &keys)[0], result, "{at}");
    }
    let raw = desk.commit(COMMITTED, &["--local-user", "alice"]);
    desk.revoke(&fingerprint);
    let revoked = desk.public(&["alice"]);
    assert_ne!(revoked, keys);
    desk.counts_not(&raw, &revoked, "invalid", "is revoked");
    for both in [format!("{keys}\n{revoked}"), format!("{revoked}\n{keys}")] {
        desk.0.write("keys.asc", both);
        let said = desk.0.bowline(&["trust", "inspect", "raw", "--keys", "keys.asc"]);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.stderr.contains("stands there twice"), "{said:?}");
    }
}

#[test]
fn what_can_be_forged_or_read_in_two_ways_never_counts() {
    let Some(desk) = Desk::new() else { return };
    for name in ["alice", "bob"] {
        desk.key(name, "ed25519", &[]);
    }
    desk.key("old", "rsa2048", &["--cert-digest-algo=SHA1", "--allow-weak-key-signatures"]);
    desk.key("short", "rsa1024", &[]);
    let keys = desk.public(&["alice", "bob", "short"]);
    let signed =
        |more: &[&str]| desk.commit(COMMITTED, &[more, &["--local-user", "alice"]].concat());
    let [one, two] = ["alice", "bob"].map(|it| desk.commit(COMMITTED, &["--local-user", it]));
    for (raw, result, reason) in [
        (signed(&["--digest-algo=SHA1"]), "unsupported", "can be forged"),
        (signed(&["--textmode"]), "unsupported", "kind 0x01"),
        (signed(&["--default-sig-expire=1d", "--no-ask-sig-expire"]), "unsupported", "that ends"),
        (signed(&["--local-user=bob"]), "malformed", "not one signature"),
        (one.replace("SIGNATURE", "MESSAGE"), "malformed", "BEGIN line"),
        (desk.commit(COMMITTED, &["--local-user", "short"]), "invalid", "none of the given"),
    ] {
        desk.counts_not(&raw, &keys, result, reason);
    }
    assert_eq!(desk.inspect(&two, &keys)[0], "valid");
    let raw = desk.commit(COMMITTED, &["--local-user", "old"]);
    desk.counts_not(&raw, &desk.public(&["old"]), "invalid", "none of the given");
}

#[test]
fn a_later_word_of_a_key_that_says_nothing_of_its_end_does_not_lift_it() {
    let Some(desk) = Desk::new() else { return };
    desk.key("alice", "ed25519", &[]);
    let bob = desk.key("bob", "ed25519", &[]);
    // A word over the key itself that names who may revoke it, and nothing else; GnuPG asks before it says it.
    let answers = format!("addrevoker\\n{bob}\\ny\\nsave\\n");
    let later = COMMITTED - DAY / 2;
    let gpg = "gpg --no-tty --quiet --passphrase= --pinentry-mode loopback --command-fd=0";
    let command =
        format!("printf '{answers}' | {gpg} --faked-system-time={later}! --edit-key alice");
    desk.0.run(".", "sh", &["-c", &command]);
    let keys = desk.public(&["alice"]);
    desk.0.write("keys.asc", &keys);
    let packets = desk.gpg(&["--list-packets", "keys.asc"]);
    assert!(packets.contains("sigclass 0x1f"), "{packets}");
    for (at, result) in [(0, "valid"), (7 * DAY, "invalid")] {
        let raw = desk.commit(COMMITTED + at, &["--local-user", "alice"]);
        assert_eq!(desk.inspect(&raw, &keys)[0], result, "{at}");
    }
}
