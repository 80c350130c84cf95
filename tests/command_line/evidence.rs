//! What a host writes down of why it deployed.

use std::collections::BTreeMap;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::attest::{GATES, attest, fleet};
use crate::sealed::Sealed;

/// By a key of another kind.
const AGAIN: &str = "  - {id: again, predicate: https://in-toto.io/attestation/scai/v0.3, signers: [scanner], \
                     attribute: LINE_COVERAGE, field: percent, min: 80}\n";

const POLICY: &str = "fleet/.bowline/policy.yaml";

/// A repository whose policy asks for an approval and for two gates, and a host that runs its newest commit but
/// the one that is ready now.
pub(crate) fn governed() -> Sealed {
    let sealed = fleet(&format!("{GATES}{AGAIN}"));
    let policy = sealed.read(POLICY);
    let line = policy.lines().find(|it| it.trim_start().starts_with("mergers:")).unwrap();
    let asked = format!("{line}\n  approvals: {{principals: 1, from: [alice]}}");
    sealed.write(POLICY, policy.replace(line, &asked).replace("version: 2\n", "version: 3\n"));
    let said = sealed.bowline(&["trust", "sign-policy", POLICY, "--key", "alice"]);
    assert_eq!(said.code, 0, "{said:?}");
    sealed.merge("alice", "approvals");
    fs::create_dir(sealed.path("root")).unwrap();
    next(&sealed, "one");
    assert_eq!(cycle(&sealed)["outcome"], "committed");
    sealed
}

/// Merges something new, with all that the policy asks for.
pub(crate) fn next(sealed: &Sealed, word: &str) {
    let file = format!(
        "apiVersion: bowline/v1\nkind: File\nmetadata: {{name: word}}\nspec: {{path: /word, content: \"{word}\\n\"}}\n"
    );
    sealed.write("fleet/apps/word.yaml", file);
    sealed.merge("alice", word);
    let said = sealed.bowline(&["approve", "main", "--repo", "fleet", "--key", "alice"]);
    assert_eq!(said.code, 0, "{said:?}");
    for (kind, report) in [("tests", "junit.xml"), ("coverage", "lcov.info")] {
        assert_eq!(attest(sealed, kind, &["--note", report]).code, 0);
    }
    // Other numbers, so that it is another statement.
    sealed.write("other.info", "SF:a\nDA:1,1\nDA:2,1\nend_of_record\n");
    let arguments = ["attest", "coverage", "--repo", "fleet", "--key", "ec.pem", "--note"];
    let more = ["--format", "bundle", "other.info"];
    let said = sealed.bowline(&[&arguments[..], &more].concat());
    assert_eq!(said.code, 0, "{said:?}");
}

pub(crate) fn cycle(sealed: &Sealed) -> Value {
    let said = sealed.once_raw(&["--json"]);
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// Where the agent keeps its state.
pub(crate) fn state(sealed: &Sealed) -> String {
    let settings = sealed.read("fleet.agent.toml");
    let line = settings.lines().find_map(|it| it.strip_prefix("dir = \""));
    line.map_or("root/var/lib/bowline".to_owned(), |it| it.trim_end_matches('"').to_owned())
}

/// The host's records, oldest first.
fn records(sealed: &Sealed) -> Vec<Value> {
    let log = sealed.read(&format!("{}/records/00000001.ndjson", state(sealed)));
    let open = |line: &str| {
        let envelope: Value = serde_json::from_str(line).unwrap();
        let payload = STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap();
        serde_json::from_slice(&payload).unwrap()
    };
    log.lines().map(open).collect()
}

#[test]
fn a_record_names_what_the_deployment_rests_on() {
    let sealed = governed();
    let record = records(&sealed).pop().unwrap();
    let git = |name: &str| sealed.git("fleet", &["rev-parse", name]).trim().to_owned();
    assert_eq!(record["commit"]["id"], git("main"));
    assert_eq!(record["commit"]["tree"], git("main^{tree}"));
    let digest = sealed.run(".", "sh", &["-c", "git -C fleet cat-file commit main | sha256sum"]);
    assert_eq!(record["commit"]["sha256"], digest.split(' ').next().unwrap());
    assert_eq!(record["policy"]["version"], 3);
    let digest = sealed.run(".", "sha256sum", &[POLICY]);
    assert_eq!(record["policy"]["sha256"], digest.split(' ').next().unwrap());
    assert_eq!(record["repo"]["ref"], "refs/heads/main");
    assert!(record["hostKey"].as_str().unwrap().starts_with("ssh-ed25519 AAAA"), "{record}");
    assert_eq!(record["approvals"][0]["principal"], "alice");
    let ids: Vec<_> = record["gates"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
    assert_eq!(ids, ["tests", "coverage", "again"]);
    for gate in record["gates"].as_array().unwrap() {
        assert_eq!(gate["met"], true);
        let signer = if gate["id"] == "again" { "scanner" } else { "ci" };
        assert_eq!(gate["signers"], json!([signer]));
        assert!(gate["measured"].is_string() && gate["at"].is_string(), "{gate}");
    }
    // Three gates and one approval, each by the digest of what was signed.
    let evidence = record["evidence"].as_array().unwrap();
    assert_eq!(evidence.len(), 4, "{record}");
    assert!(evidence.contains(&record["approvals"][0]["sha256"]));
}

#[test]
fn what_counted_is_known_to_a_process_that_did_not_judge_it() {
    let sealed = governed();
    next(&sealed, "two");
    // Verified, and not deployed.
    let pause = format!("{}/pause.json", state(&sealed));
    sealed.write(&pause, r#"{"holder":"alice","reason":"lunch","since":0,"until":null}"#);
    assert_eq!(cycle(&sealed)["outcome"], "held");
    // Nothing of the notes is there any more.
    sealed.git("fleet", &["update-ref", "-d", "refs/notes/attestations"]);
    sealed.run(".", "rm", &[&pause]);
    let second = cycle(&sealed);
    assert_eq!(second["outcome"], "committed", "{second}");
    let record = records(&sealed).pop().unwrap();
    assert_eq!(record["outcome"], "committed");
    assert_eq!(record["evidence"].as_array().unwrap().len(), 4, "{record}");
    assert_eq!(record["gates"].as_array().unwrap().len(), 3, "{record}");
    assert_eq!(record["approvals"].as_array().unwrap().len(), 1, "{record}");
}

/// Makes the archive of the newest commit, and unpacks it into a folder.
pub(crate) fn unpacked(sealed: &Sealed, folder: &str) -> Value {
    let arguments = ["evidence", "REV", "--config", "fleet.agent.toml", "--root", "root"];
    let rev = sealed.git("fleet", &["rev-parse", "main"]).trim().to_owned();
    let arguments = arguments.map(|it| if it == "REV" { rev.as_str() } else { it });
    let said = sealed.bowline(&[&arguments[..], &["--out", "e.tar", "--json"]].concat());
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
    let report = said.json();
    fs::create_dir(sealed.path(folder)).unwrap();
    sealed.run(folder, "tar", &["-xf", "../e.tar"]);
    report
}

/// The commands of the README, each as it stands there.
pub(crate) fn steps(sealed: &Sealed, folder: &str) -> Vec<String> {
    let readme = sealed.read(&format!("{folder}/README.txt"));
    let steps = readme.lines().filter_map(|it| it.strip_prefix("    $ "));
    steps.map(str::to_owned).collect()
}

/// Runs the steps. Gives what they said, or the first one that failed.
pub(crate) fn follow(sealed: &Sealed, folder: &str, steps: &[String]) -> Result<String, String> {
    let mut said = String::new();
    for step in steps {
        let (succeeded, text) = sealed.tried(folder, step);
        if !succeeded {
            return Err(format!("{step}\n{text}"));
        }
        said += &text;
    }
    Ok(said)
}

#[test]
fn whoever_follows_the_readme_verifies_all_of_it_with_public_tools() {
    let sealed = governed();
    next(&sealed, "two");
    sealed.write("fleet/apps/other.md", "x");
    sealed.merge("alice", "nothing that anybody approved yet");
    next(&sealed, "three");
    for name in ["main~1", "main~2"] {
        let id = sealed.git("fleet", &["rev-parse", name]).trim().to_owned();
        let said = sealed.bowline(&["approve", &id, "--repo", "fleet", "--key", "alice"]);
        assert_eq!(said.code, 0, "{said:?}");
    }
    assert_eq!(cycle(&sealed)["outcome"], "committed");
    let report = unpacked(&sealed, "e");
    // From the commit that ran before to the new one; its gates, and three approvals.
    assert_eq!((&report["commits"], &report["envelopes"]), (&json!(4), &json!(10)), "{report}");
    let steps = steps(&sealed, "e");
    assert!(steps.len() > 25, "{}", steps.len());
    let said = follow(&sealed, "e", &steps).unwrap();
    assert!(said.matches("Good \"git\" signature").count() == 3, "{said}");
    assert!(said.matches("Good \"bowline-policy\" signature").count() >= 1, "{said}");
    assert!(said.matches("Good \"bowline-approval\" signature").count() >= 3, "{said}");
    assert!(said.matches("Signature Verified Successfully").count() >= 6, "{said}");
    // openssl's other word, for ECDSA.
    assert!(said.matches("Verified OK").count() >= 2, "{said}");
}

#[test]
fn a_host_at_its_beginning_has_evidence_as_well() {
    let sealed = Sealed::found(&["alice"]);
    fs::create_dir(sealed.path("root")).unwrap();
    assert_eq!(cycle(&sealed)["outcome"], "committed");
    let report = unpacked(&sealed, "e");
    let counts = (&report["commits"], &report["records"], &report["envelopes"]);
    assert_eq!(counts, (&json!(1), &json!(1), &json!(0)), "{report}");
    let said = follow(&sealed, "e", &steps(&sealed, "e")).unwrap();
    assert!(said.contains("Good \"bowline-policy\" signature"), "{said}");
}

/// Files of an unpacked archive, one of each kind: digests and numbers in their names are the same kind.
fn kinds(sealed: &Sealed, folder: &str) -> Vec<String> {
    let listed = sealed.run(folder, "find", &[".", "-type", "f", "-not", "-path", "./check*"]);
    let mut seen = BTreeMap::new();
    for name in listed.lines() {
        let kind: String = name.chars().filter(|it| !it.is_ascii_hexdigit()).collect();
        // A newer record, and a commit that is judged, stand further down.
        seen.entry(kind).or_insert(name.trim_start_matches("./").to_owned());
    }
    seen.into_values().filter(|it| it != "README.txt").collect()
}

/// The steps, those first that speak of a file's folder: each of them passes on the archive as it was, whatever the order,
/// so whoever follows them in theirs comes to the one that fails.
fn those_of_first(steps: &[String], name: &str) -> Vec<String> {
    let folder = name.split('/').next().unwrap();
    let (of_it, others): (Vec<_>, Vec<_>) =
        steps.iter().cloned().partition(|it| it.contains(folder));
    [of_it, others].concat()
}

/// Changes one byte of a file of each kind, and sees that the steps notice, also where the list of digests was made anew.
pub(crate) fn every_byte_counts(sealed: &Sealed, folder: &str) {
    let steps = steps(sealed, folder);
    let kinds = kinds(sealed, folder);
    assert!(kinds.len() >= 24, "{kinds:?}");
    // What the steps leave behind is there for each of them.
    follow(sealed, folder, &steps).unwrap();
    for name in kinds {
        sealed.run(".", "sh", &["-c", &format!("rm -rf f && cp -a {folder} f")]);
        let path = sealed.path("f").join(&name);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert!(follow(sealed, "f", &steps[..1]).is_err(), "{name} and the manifest agree");
        if name != "manifest.sha256" {
            let anew = "sed 's/^[^ ]*  //' manifest.sha256 | xargs sha256sum > anew && mv anew manifest.sha256";
            sealed.run("f", "sh", &["-c", anew]);
            assert!(follow(sealed, "f", &steps[..1]).is_ok(), "{name}");
            assert!(
                follow(sealed, "f", &those_of_first(&steps[1..], &name)).is_err(),
                "{name} is believed"
            );
        }
    }
}

#[test]
fn one_byte_of_anything_in_the_archive_is_noticed_also_without_the_manifest() {
    let sealed = governed();
    next(&sealed, "two");
    assert_eq!(cycle(&sealed)["outcome"], "committed");
    unpacked(&sealed, "e");
    every_byte_counts(&sealed, "e");
}

#[test]
fn what_counted_is_told_apart_by_commit() {
    let sealed = governed();
    next(&sealed, "two");
    next(&sealed, "three");
    let older = sealed.git("fleet", &["rev-parse", "main~1"]).trim().to_owned();
    assert_eq!(cycle(&sealed)["outcome"], "committed");
    unpacked(&sealed, "e");
    let newest = sealed.read("e/revision").trim().to_owned();
    let counted = |commit: &str| sealed.read(&format!("e/counted/{commit}"));
    let kinds = |text: &str| {
        let words = text.lines().map(|it| it.split(' ').map(str::to_owned).collect::<Vec<_>>());
        words.map(|it| format!("{} {}", it[0], it[2])).collect::<Vec<_>>()
    };
    assert_eq!(
        kinds(&counted(&newest)),
        ["approval alice", "gate tests", "gate coverage", "gate again"]
    );
    assert_eq!(kinds(&counted(&older)), ["approval alice"]);
    let approval = |text: &str| text.lines().next().unwrap().split(' ').nth(1).unwrap().to_owned();
    let [one, two] = [&newest, &older].map(|it| approval(&counted(it)));
    assert_ne!(one, two);
    for (digest, commit) in [(one, &newest), (two, &older)] {
        let payload = sealed.read(&format!("e/envelopes/{digest}/payload.json"));
        assert!(payload.contains(commit.as_str()), "{payload}");
    }
}

#[test]
fn a_commit_that_never_ran_here_has_no_evidence() {
    let sealed = governed();
    sealed.write("fleet/apps/other.md", "x");
    sealed.merge("alice", "nobody approved it");
    let arguments = ["--config", "fleet.agent.toml", "--root", "root", "--out", "e.tar"];
    let never = "error: there is no evidence, and nothing is written\n\
                 caused by: none of the records that this host keeps tells of OID\n\
                 hint: bowline history lists what was deployed here; a commit that came with a later one is in the evidence of that one\n";
    let base = sealed.git("fleet", &["rev-parse", "main~2"]).trim().to_owned();
    let said = sealed.bowline(&[&["evidence", base.as_str()], &arguments[..]].concat());
    said.is(1, "", never);
    // Not even fetched.
    let said = sealed.bowline(&[&["evidence", &"1".repeat(40)], &arguments[..]].concat());
    assert!(said.code == 2 && said.stderr.contains("objects.git is not here"), "{said:?}");
    assert!(!sealed.path("e.tar").exists());
}

#[test]
fn the_same_state_gives_the_same_archive_and_the_host_is_not_touched() {
    let sealed = governed();
    let before = sealed.snapshot();
    let first = unpacked(&sealed, "one");
    let bytes = fs::read(sealed.path("e.tar")).unwrap();
    let second = unpacked(&sealed, "two");
    assert_eq!(first, second);
    assert_eq!(bytes, fs::read(sealed.path("e.tar")).unwrap());
    for folder in ["one", "two"] {
        fs::remove_dir_all(sealed.path(folder)).unwrap();
    }
    fs::remove_file(sealed.path("e.tar")).unwrap();
    assert_eq!(before, sealed.snapshot());
    // By a deployment's id it is the same.
    let deployment = records(&sealed).pop().unwrap()["deployment"].as_str().unwrap().to_owned();
    let arguments = ["--config", "fleet.agent.toml", "--root", "root", "--out", "e.tar"];
    let said = sealed.bowline(&[&["evidence", &deployment], &arguments[..]].concat());
    let [commits, records, envelopes] =
        ["commits", "records", "envelopes"].map(|it| format!("{it:9}  {}", first[it]));
    let shown = format!(
        "commit     OID\n{commits}\n{records}\n{envelopes}\narchive    e.tar, {} bytes\nsha256     SHA256\n",
        bytes.len()
    );
    said.is(0, &shown, "note: README.txt in it says how it is verified\n");
    assert_eq!(bytes, fs::read(sealed.path("e.tar")).unwrap());
    // By the branch it is what the agent fetched last.
    for rev in ["main", "refs/heads/main", "main~0"] {
        let said = sealed.bowline(&[&["evidence", rev], &arguments[..], &["--json"]].concat());
        assert_eq!(said.json()["commit"], "OID", "{said:?}");
        assert_eq!(bytes, fs::read(sealed.path("e.tar")).unwrap(), "{rev}");
    }
    let said = sealed.bowline(&[&["evidence", "d99"], &arguments[..]].concat());
    assert_eq!(said.code, 2, "{said:?}");
}

#[test]
fn attack_34_a_log_that_somebody_edited_is_shown_to_nobody() {
    let sealed = governed();
    next(&sealed, "two");
    assert_eq!(cycle(&sealed)["outcome"], "committed");
    let path = format!("{}/records/00000001.ndjson", state(&sealed));
    let log = sealed.read(&path);
    let lines: Vec<_> = log.lines().collect();
    let last = lines.len() - 1;
    assert!(last >= 1, "{log}");
    let forged = lines[last].replace("\"sig\":\"", "\"sig\":\"AAAA");
    let all_but_one: String = lines[1..].iter().map(|it| format!("{it}\n")).collect();
    for (what, text) in [
        ("a gap", all_but_one),
        ("a forged signature", format!("{}\n{forged}\n", lines[..last].join("\n"))),
        ("a record twice", format!("{log}{}\n", lines[last])),
        ("another order", lines.iter().rev().map(|it| format!("{it}\n")).collect()),
    ] {
        sealed.write(&path, &text);
        let arguments = ["--config", "fleet.agent.toml", "--root", "root", "--out", "e.tar"];
        let said = sealed.bowline(&[&["evidence", "main"], &arguments[..]].concat());
        assert_eq!(said.code, 3, "{what}: {said:?}");
        assert!(!sealed.path("e.tar").exists(), "{what}");
    }
}
