//! `bowline trust inspect` on commits signed with SSH certificates, with Git and OpenSSH as the oracle.

use crate::sealed::Sealed;

/// When commits are made, 2026-09-21, in seconds since 1970.
const COMMITTED: i64 = 1_790_000_000;

/// A folder with keys and a repository to ask Git in.
struct Desk(Sealed);

impl Desk {
    fn new() -> Self {
        let sealed = Sealed::new();
        sealed.git(".", &["init", "--quiet", "ask"]);
        Self(sealed)
    }

    fn key(&self, name: &str, kind: &[&str]) -> String {
        let arguments = [kind, &["-q", "-N", "", "-C", name, "-f", name]].concat();
        self.0.run(".", "ssh-keygen", &arguments);
        self.0.read(&format!("{name}.pub")).trim().to_owned()
    }

    /// Has an authority sign the key `signer`, with these options.
    fn certify(&self, authority: &str, options: &[&str]) {
        let fixed = ["-q", "-s", authority, "-I", "the key's id"];
        self.0.run(".", "ssh-keygen", &[&fixed, options, &["signer.pub"]].concat());
    }

    /// A commit signed with the certificate of `signer`.
    fn commit(&self) -> String {
        let person = format!("A <a@example.org> {COMMITTED} +0000");
        let tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        let head = format!("tree {tree}\nauthor {person}\ncommitter {person}\n");
        self.0.write("payload", format!("{head}\nBegin\n"));
        let sign = "ssh-keygen -Y sign -n git -f signer-cert.pub < payload 2>/dev/null";
        let signature = self.0.run(".", "sh", &["-c", sign]);
        format!("{head}gpgsig {}\n\nBegin\n", signature.trim_end().replace('\n', "\n "))
    }

    /// Result and reason by an `allowed_signers` line.
    fn inspect(&self, raw: &str, line: &str) -> [String; 2] {
        self.0.write("raw", raw);
        self.0.write("signers", format!("{line}\n"));
        let said =
            self.0.bowline(&["trust", "inspect", "raw", "--keys", "signers", "--json"]).json();
        assert_eq!(said["format"], "ssh", "{said}");
        ["result", "reason"].map(|it| said[it].as_str().unwrap_or_default().to_owned())
    }

    /// Whether Git says "good" by the same line.
    fn git_says(&self, raw: &str, line: &str) -> &'static str {
        self.0.write("raw", raw);
        self.0.write("signers", format!("{line}\n"));
        let verify = "id=$(git -C ask hash-object -t commit -w ../raw) && \
                      git -C ask -c gpg.ssh.allowedSignersFile=../signers verify-commit $id \
                      >/dev/null 2>&1 && echo valid || echo invalid";
        let said = self.0.run(".", "sh", &["-c", verify]);
        if said.trim() == "valid" { "valid" } else { "invalid" }
    }

    #[track_caller]
    fn agree(&self, line: &str, expected: &str) {
        let raw = self.commit();
        let [result, reason] = self.inspect(&raw, line);
        assert_eq!(result, expected, "{line}: {reason}");
        assert_eq!(self.git_says(&raw, line), expected, "{line}: Git");
    }
}

/// What `alice@ops` may sign with, in September.
const USUAL: [&str; 4] = ["-n", "root,alice@ops", "-V", "20260901000000:20261001000000"];

#[test]
fn certificates_of_every_kind_of_key_and_authority_are_judged_as_git_judges_them() {
    let rsa: &[&str] = &["-t", "rsa", "-b", "2048"];
    let p384: &[&str] = &["-t", "ecdsa", "-b", "384"];
    for (signer, authority) in [
        (&["-t", "ed25519"][..], &["-t", "ed25519"][..]),
        (&["-t", "ecdsa", "-b", "256"], rsa),
        (p384, &["-t", "ecdsa", "-b", "256"]),
        (rsa, p384),
    ] {
        let desk = Desk::new();
        let authority = desk.key("authority", authority);
        desk.key("signer", signer);
        desk.certify("authority", &USUAL);
        desk.agree(&format!("alice@ops cert-authority {authority}"), "valid");
    }
}

#[test]
fn an_authority_vouches_for_the_names_at_the_times_and_for_what_its_line_says() {
    let desk = Desk::new();
    let kind = ["-t", "ed25519"];
    let [authority, other] = ["authority", "other"].map(|name| desk.key(name, &kind));
    let signer = desk.key("signer", &kind);
    desk.certify("authority", &USUAL);
    for (line, expected) in [
        (format!("alice@ops cert-authority {authority}"), "valid"),
        (format!("*@ops cert-authority {authority}"), "valid"),
        (format!("bob@ops,al?ce@* cert-authority {authority}"), "valid"),
        (format!("*@ops,!alice@ops cert-authority {authority}"), "invalid"),
        (format!("bob@ops cert-authority {authority}"), "invalid"),
        (format!("alice cert-authority {authority}"), "invalid"),
        (format!("alice@ops cert-authority {other}"), "invalid"),
        (format!("alice@ops {authority}"), "invalid"),
        (format!("alice@ops {signer}"), "invalid"),
        (format!("alice@ops cert-authority {signer}"), "invalid"),
        (format!("alice@ops cert-authority,namespaces=\"git\" {authority}"), "valid"),
        (format!("alice@ops cert-authority,namespaces=\"file\" {authority}"), "invalid"),
        (format!("alice@ops cert-authority,valid-after=\"20260920Z\" {authority}"), "valid"),
        (format!("alice@ops cert-authority,valid-after=\"20260922Z\" {authority}"), "invalid"),
        (format!("alice@ops cert-authority,valid-before=\"20260920Z\" {authority}"), "invalid"),
        (format!("bob@ops cert-authority {other}\n*@ops cert-authority {authority}"), "valid"),
    ] {
        desk.agree(&line, expected);
    }
}

#[test]
fn a_certificate_counts_for_people_in_its_own_time() {
    let desk = Desk::new();
    let kind = ["-t", "ed25519"];
    let authority = desk.key("authority", &kind);
    desk.key("signer", &kind);
    let line = format!("alice@ops cert-authority {authority}");
    let name = ["-n", "alice@ops"];
    for (options, expected) in [
        (&["-V", "always:forever"][..], "valid"),
        (&["-V", "20260101000000:20260201000000"], "invalid"),
        (&["-V", "20260922000000:20270101000000"], "invalid"),
        (&["-h"], "invalid"),
    ] {
        desk.certify("authority", &[&name, options].concat());
        desk.agree(&line, expected);
    }
    desk.certify("authority", &[]);
    desk.agree(&line, "invalid");
    // An option that must be kept to, and that nobody here could: stricter than Git.
    desk.certify("authority", &[&name[..], &["-O", "source-address=10.0.0.0/8"]].concat());
    let [result, reason] = desk.inspect(&desk.commit(), &line);
    assert!(result == "unsupported" && reason.contains("source-address"), "{result}: {reason}");
}

#[test]
fn a_revoked_authority_takes_its_certificates_with_it_as_in_openssh() {
    let desk = Desk::new();
    let kind = ["-t", "ed25519"];
    let [authority, _] = ["authority", "other"].map(|name| desk.key(name, &kind));
    desk.key("signer", &kind);
    desk.certify("authority", &USUAL);
    let raw = desk.commit();
    let line = format!("alice@ops cert-authority {authority}");
    assert_eq!(desk.git_says(&raw, &line), "valid");
    desk.0.git("ask", &["config", "gpg.ssh.revocationFile", "../revoked"]);
    for (name, expected) in [("other", "valid"), ("signer", "invalid"), ("authority", "invalid")] {
        desk.0.write("revoked", desk.0.read(&format!("{name}.pub")));
        assert_eq!(desk.git_says(&raw, &line), expected, "{name}: Git");
        let said = desk.0.bowline(&[
            "trust",
            "inspect",
            "raw",
            "--keys",
            "signers",
            "--revoked",
            "revoked",
            "--json",
        ]);
        assert_eq!(said.json()["result"], expected, "{name}: {said:?}");
    }
}
