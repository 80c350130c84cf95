//! `bowline trust inspect`: what one signature is worth.

use crate::sealed::{Said, Sealed};

fn inspect(sealed: &Sealed, what: &str, keys: &str) -> Said {
    sealed.bowline(&["trust", "inspect", what, "--keys", keys, "--json"])
}

/// A raw commit that somebody signed, in the file `raw`.
fn signed() -> (Sealed, String) {
    let sealed = Sealed::found(&["alice"]);
    let raw = sealed.git("fleet", &["cat-file", "commit", "HEAD"]);
    sealed.write("raw", &raw);
    (sealed, raw)
}

#[test]
fn a_signature_is_valid_by_a_listed_key_only() {
    let (sealed, _) = signed();
    sealed.key("bob");
    let shown = "\
result   valid
reason   signed by \"alice@example.org\"
format   ssh
";
    let said = sealed.bowline(&["trust", "inspect", "raw", "--keys", "alice.pub"]);
    assert!(said.code == 0 && said.stdout.starts_with(shown), "{said:?}");
    let fingerprint = sealed.run(".", "ssh-keygen", &["-lf", "alice.pub"]);
    let found = inspect(&sealed, "raw", "alice.pub");
    let key = found.json()["key"].as_str().unwrap().to_owned();
    assert!(fingerprint.contains(&key), "{fingerprint} {key}");
    let found = inspect(&sealed, "raw", "bob.pub");
    assert_eq!((found.code, &found.json()["result"]), (1, &"invalid".into()));
}

#[test]
fn every_other_worth_has_its_word() {
    let (sealed, raw) = signed();
    let (head, rest) = raw.split_once("gpgsig ").unwrap();
    let (_, message) = rest.split_once("\n\n").unwrap();
    let openpgp = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n wsB=\n -----END PGP SIGNATURE-----\n";
    let x509 = "gpgsig -----BEGIN SIGNED MESSAGE-----\n MIIB\n -----END SIGNED MESSAGE-----\n";
    for (name, content, worth, format) in [
        ("unsigned", format!("{head}\n{message}"), "unsigned", "none"),
        ("changed", raw.replace("Begin", "Began"), "invalid", "ssh"),
        ("malformed", "hello\n".to_owned(), "malformed", "none"),
        ("empty", String::new(), "malformed", "none"),
        ("no signature", format!("{head}{openpgp}\n{message}"), "malformed", "openpgp"),
        ("unsupported", format!("{head}{x509}\n{message}"), "unsupported", "x509"),
    ] {
        sealed.write(name, content);
        let said = inspect(&sealed, name, "alice.pub");
        let found = said.json();
        assert_eq!((said.code, said.stderr.as_str()), (1, ""), "{name}");
        assert_eq!((&found["result"], &found["format"]), (&worth.into(), &format.into()), "{name}");
    }
}

#[test]
fn a_commit_of_a_repository_is_named_as_git_names_it() {
    let (sealed, _) = signed();
    let id = sealed.git("fleet", &["rev-parse", "HEAD"]);
    for name in ["HEAD", "main", "refs/heads/main", id.trim(), &id[..8]] {
        let arguments =
            ["trust", "inspect", name, "--repo", "fleet", "--keys", "alice.pub", "--json"];
        let said = sealed.bowline(&arguments);
        let found = said.json();
        assert_eq!(said.code, 0, "{name}: {said:?}");
        let words: Vec<_> = found.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(words, ["format", "key", "payloadSha256", "reason", "result"]);
    }
    for name in ["none", "HEAD~1", "0000000"] {
        let said =
            sealed.bowline(&["trust", "inspect", name, "--repo", "fleet", "--keys", "alice.pub"]);
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{name}: {said:?}");
    }
}

#[test]
fn a_tag_counts_by_its_own_signature_and_under_its_own_name() {
    let (sealed, _) = signed();
    let signing = format!("user.signingkey={}", sealed.path("alice").display());
    let signing = ["-c", "gpg.format=ssh", "-c", &signing];
    let git = |arguments: &[&str]| sealed.git("fleet", &[&signing[..], arguments].concat());
    git(&["tag", "-s", "-m", "first", "v1"]);
    git(&["tag", "-a", "--no-sign", "-m", "unsigned", "v0"]);
    git(&["update-ref", "refs/tags/plain", "HEAD"]);
    git(&["update-ref", "refs/tags/v2", "refs/tags/v1"]);
    let id = git(&["rev-parse", "v1"]);
    for (name, result, tag) in [
        ("v1", "valid", Some("v1")),
        ("refs/tags/v1", "valid", Some("v1")),
        (id.trim(), "valid", Some("v1")),
        (&id[..9], "valid", Some("v1")),
        ("v0", "unsigned", Some("v0")),
        // Git says "good" to a tag under another's name.
        ("v2", "invalid", Some("v1")),
        // No tag of its own, but the commit.
        ("plain", "valid", None),
    ] {
        let arguments =
            ["trust", "inspect", name, "--repo", "fleet", "--keys", "alice.pub", "--json"];
        let found = sealed.bowline(&arguments).json();
        let expected = (&result.into(), tag);
        assert_eq!((&found["result"], found["tag"].as_str()), expected, "{name}: {found}");
    }
    let shown =
        sealed.bowline(&["trust", "inspect", "v1", "--repo", "fleet", "--keys", "alice.pub"]);
    assert!(shown.stdout.contains("\ntag      v1\n"), "{shown:?}");
}

#[test]
fn a_changed_tag_is_judged_as_git_judges_it_or_more_strictly() {
    let (sealed, _) = signed();
    let signing = format!("user.signingkey={}", sealed.path("alice").display());
    let signed = ["-c", "gpg.format=ssh", "-c", &signing, "tag", "-s", "-m", "first", "v1"];
    sealed.git("fleet", &signed);
    sealed.write("signers", format!("alice@example.org {}", sealed.read("alice.pub")));
    let raw = sealed.git("fleet", &["cat-file", "tag", "v1"]);
    let verify = "id=$(git -C fleet hash-object --literally -t tag -w ../raw) && \
                  git -C fleet -c gpg.ssh.allowedSignersFile=../signers verify-tag $id \
                  >/dev/null 2>&1 && echo valid || echo invalid";
    let begin = "-----BEGIN SSH SIGNATURE-----";
    let twice = format!("{begin}\n{begin}");
    for (what, changed, result, git) in [
        ("as it is", raw.clone(), "valid", "valid"),
        ("another name", raw.replace("tag v1", "tag v2"), "invalid", "invalid"),
        ("another word", raw.replace("first", "First"), "invalid", "invalid"),
        ("a line that begins one", raw.replace(begin, &twice), "invalid", "invalid"),
        ("a NUL", raw.replace("first", "fir\0st"), "malformed", "invalid"),
        ("a NUL behind it", format!("{raw}\0x"), "malformed", "valid"),
        ("more behind it", format!("{raw}more\n"), "malformed", "valid"),
        ("a header more", raw.replace("\ntagger", "\nparent x\ntagger"), "malformed", "invalid"),
    ] {
        sealed.write("raw", changed);
        let said = inspect(&sealed, "raw", "alice.pub");
        assert_eq!(said.json()["result"], result, "{what}: {said:?}");
        assert_eq!(sealed.run(".", "sh", &["-c", verify]).trim(), git, "{what}: Git");
    }
}

#[test]
fn files_that_cannot_be_used_are_mistakes() {
    let (sealed, _) = signed();
    sealed.write("keys", "alice is a friend\n");
    for (what, keys) in [("none", "alice.pub"), ("raw", "none"), ("raw", "keys")] {
        let said = inspect(&sealed, what, keys);
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{what} {keys}: {said:?}");
    }
}

#[test]
fn a_key_that_is_listed_as_revoked_never_counts_and_the_list_must_be_there() {
    let (sealed, _) = signed();
    sealed.key("bob");
    let fingerprint = sealed.run(".", "ssh-keygen", &["-lf", "alice.pub"]);
    let fingerprint = fingerprint.split(' ').find(|it| it.starts_with("SHA256:")).unwrap();
    sealed.write("alice.sha256", format!("# gone\n{fingerprint}\n"));
    sealed.write("nobody", "\n");
    sealed.write("words", "alice\n");
    sealed.run(".", "ssh-keygen", &["-q", "-k", "-f", "alice.krl", "alice.pub"]);
    let look = |list: &str| {
        let arguments = ["trust", "inspect", "raw", "--keys", "alice.pub", "--revoked", list];
        sealed.bowline(&arguments)
    };
    for (list, code, shown) in [
        ("bob.pub", 0, "signed by \"alice@example.org\""),
        ("nobody", 0, "signed by \"alice@example.org\""),
        ("alice.pub", 1, "its key is revoked"),
        ("alice.sha256", 1, "its key is revoked"),
        ("alice.krl", 2, "binary lists of OpenSSH (KRL) are not supported"),
        ("words", 2, "line 1 of the list of revoked keys: neither key nor fingerprint"),
        ("none", 2, "list of revoked keys"),
        (".", 2, "read ."),
    ] {
        let said = look(list);
        assert_eq!(said.code, code, "{list}: {said:?}");
        let text = if code == 2 { &said.stderr } else { &said.stdout };
        assert!(text.contains(shown), "{list}: {said:?}");
    }
}

#[test]
fn without_keys_the_root_keys_of_a_trust_file_count() {
    let (sealed, _) = signed();
    let said = sealed.bowline(&["trust", "inspect", "raw", "--trust", "fleet.trust.yaml"]);
    let stderr = "note: the keys are the root keys of fleet.trust.yaml\n";
    assert_eq!((said.code, said.stderr.as_str()), (0, stderr), "{said:?}");
    assert!(said.stdout.starts_with("result   valid\nreason   signed by \"alice\"\n"), "{said:?}");
    let installed = "/etc/bowline/trust.yaml";
    if std::path::Path::new(installed).exists() {
        return println!("left out: this machine has {installed}");
    }
    let stderr = format!(
        "error: there is no trust file {installed}\n\
         hint: name public keys with --keys, or a trust file with --trust\n"
    );
    sealed.bowline(&["trust", "inspect", "raw"]).is(2, "", &stderr);
}
