//! Arguments that are wrong, missing, or ask for help; and schemas.

use crate::sealed::Sealed;

const HELP: &str = "\
Keeps hosts as their signed repository says

Usage: bowline <COMMAND>

Commands:
  init         Makes a signed repository, and a trust file and agent settings for its first host
  validate     Checks manifests, and names every fault with file, line and column
  schema       Prints the JSON Schema of one kind of manifest, or of all
  verify       Says whether a host with this trust file would accept a repository
  approve      Approves a change: what merging a commit would change, or did
  head         Vouches that a branch's newest commit is the newest
  gate         Says what a host would say of a commit's gates, before it is merged
  evidence     Writes what this host has of one revision into an archive that public tools verify
  plan         Shows what the agent would do on this host; touches nothing
  trust        Looks at signatures, and at what this host trusts
  policy       Writes, checks, signs and shows policies
  attest       Signs what CI found out about a revision, so that gates on hosts can count it
  bundle       Carries a branch and its evidence to hosts without a network
  status       Shows how the agent on this host stands
  history      Lists what happened on this host, newest first
  show         Shows one deployment's record
  sync         Asks the agent for a cycle now
  pause        Holds deployments and repairs until somebody resumes
  resume       Ends the pause, and looks at what waited
  revert       Goes back to the generation before
  retry        Tries once more what failed or was reverted
  completions  Prints what a shell needs to complete this command
  help         Print this message or the help of the given subcommand(s)

Options:
  -h, --help     Print help
  -V, --version  Print version

Exit codes: 0 done or true; 1 refused, pending, reverted or failed; 2 usage; 3 the host needs a person.
";

#[test]
fn help_is_data_and_its_absence_is_a_mistake() {
    let sealed = Sealed::new();
    sealed.bowline(&["--help"]).is(0, HELP, "");
    sealed.bowline(&[]).is(2, "", HELP);
    sealed.bowline(&["--version"]).is(0, "bowline 0.1.0\n", "");
}

#[test]
fn a_verb_that_does_not_exist_is_a_mistake_with_a_suggestion() {
    let said = Sealed::new().bowline(&["valdate"]);
    let stderr = "error: unrecognized subcommand 'valdate'\n\n  tip: a similar subcommand exists: 'validate'\n\n\
                  Usage: bowline <COMMAND>\n\nFor more information, try '--help'.\n";
    said.is(2, "", stderr);
}

#[test]
fn an_order_that_lacks_what_it_needs_is_a_mistake() {
    for order in [&["pause"][..], &["sync", "--timeout", "5s"], &["retry", "--wait", "--dry-run"]] {
        assert_eq!(Sealed::new().bowline(order).code, 2, "{order:?}");
    }
}

#[test]
fn a_missing_argument_is_named() {
    let said = Sealed::new().bowline(&["verify", "--repo", "."]);
    assert_eq!((said.code, said.stdout.as_str()), (2, ""));
    assert!(said.stderr.contains("--trust <FILE>"), "{said:?}");
}

#[test]
fn a_time_or_a_branch_that_is_none_is_a_mistake() {
    let sealed = Sealed::new();
    let said = sealed.bowline(&["verify", "--repo", ".", "--trust", "t", "--at", "yesterday"]);
    assert_eq!(said.code, 2, "{said:?}");
    let said = sealed.bowline(&["init", "fleet", "--key", "k", "--ref", "main"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("write refs/heads/NAME"), "{said:?}");
}

#[test]
fn a_schema_is_json_for_one_kind_or_for_all() {
    let sealed = Sealed::new();
    let file = sealed.bowline(&["schema", "File"]);
    assert_eq!((file.code, file.stderr.as_str()), (0, ""));
    assert_eq!(file.json()["properties"]["kind"]["const"], "File");
    let all = sealed.bowline(&["schema"]);
    assert_eq!(all.json()["properties"]["kind"]["enum"].as_array().unwrap().len(), 10);
}

#[test]
fn a_kind_without_a_schema_is_a_mistake() {
    let sealed = Sealed::new();
    let kinds = "hint: the kinds are Artifact, Command, Directory, File, Host, Probe, Repository, Symlink, Template, Unit\n";
    let stranger = format!("error: there is no kind \"Fil\"\n{kinds}");
    sealed.bowline(&["schema", "Fil"]).is(2, "", &stranger);
    let later = format!("error: kind Package is not supported by this version\n{kinds}");
    sealed.bowline(&["schema", "Package"]).is(2, "", &later);
}

/// What CI would say of a file.
const ATTEST: [&str; 9] = [
    "--key",
    "ci.pem",
    "--out",
    "-",
    "--builder",
    "https://ci.example",
    "--build-type",
    "https://ci.example/1",
    "ci.pem",
];

#[test]
fn a_commit_is_named_as_git_names_it_wherever_one_is_named() {
    let sealed = Sealed::found(&["alice"]);
    sealed.merge("alice", "two");
    sealed.git("fleet", &["-c", "tag.gpgsign=false", "tag", "-am", "a tag", "v1"]);
    sealed.merge("alice", "three");
    sealed.run(".", "openssl", &["genpkey", "-algorithm", "ed25519", "-out", "ci.pem"]);
    std::fs::create_dir(sealed.path("root")).unwrap();
    let settings = ["--config", "fleet.agent.toml", "--root", "root"];
    let second = sealed.git("fleet", &["rev-parse", "HEAD~1"]).trim().to_owned();
    let short = second[..10].to_owned();
    for rev in ["HEAD~1", "main^", "v1", "v1^{commit}", "@~", &short] {
        let repo = ["--repo", "fleet"];
        let key = ["--key", "alice"];
        for (verb, more) in [
            (&["approve", rev][..], [&repo[..], &key, &["--out", "-"]].concat()),
            (&["gate", "--rev", rev], repo.to_vec()),
            (&["policy", "show", rev], repo.to_vec()),
            (&["trust", "inspect", rev], [&repo[..], &["--trust", "fleet.trust.yaml"]].concat()),
            (&["trust", "checkpoint", rev], [&repo[..], &key, &["--out", "-"]].concat()),
            (
                &["trust", "adopt", rev],
                [&repo[..], &key, &["--reason", "x", "--out", "-"]].concat(),
            ),
            (&["attest", "provenance", "--any-gate", "--rev", rev], [&repo[..], &ATTEST].concat()),
            (&["plan", "--rev", rev], settings.to_vec()),
        ] {
            let said = sealed.bowline(&[verb, &more].concat());
            // A tag of nobody's is no signed commit.
            let expected = i32::from(rev == "v1" && verb[1] == "inspect");
            assert_eq!(said.code, expected, "{verb:?}: {said:?}");
        }
    }
    let said = sealed.bowline(&["gate", "--repo", "fleet", "--rev", "HEAD~7"]);
    let stderr = "error: \"HEAD~7\": SHORT in fleet has no such parent\n\
                  hint: name a branch, a tag, or the id of a commit\n";
    said.is(2, "", stderr);
}
