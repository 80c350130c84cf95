//! `bowline plan`: what would be done, and nothing done.

use std::fs;

use crate::sealed::{Said, Sealed};

fn fresh() -> Sealed {
    let sealed = Sealed::found(&["alice"]);
    fs::create_dir(sealed.path("root")).unwrap();
    sealed
}

fn plan(sealed: &Sealed, more: &[&str]) -> Said {
    let arguments = ["plan", "--config", "fleet.agent.toml", "--root", "root"];
    sealed.bowline(&[&arguments, more].concat())
}

const NO_HOST: &str = "warning: no hosts/*.yaml has this host's key (made at the agent's first start): \
                       only manifests without a target apply\n";

#[test]
fn on_a_fresh_root_everything_is_created_and_nothing_is_touched() {
    let sealed = fresh();
    let before = sealed.snapshot();
    let said = plan(&sealed, &[]);
    let stdout = "\
create  exact  Directory/srv  /srv
create  exact  File/hello     /srv/hello.txt
steps     2
revision  main@sha1:OID
digest    SHA256
";
    assert_eq!((said.code, said.stdout.as_str()), (0, stdout), "{said:?}");
    assert!(said.stderr.starts_with(NO_HOST), "{said:?}");
    let json = plan(&sealed, &["--json"]).json();
    let words: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(words, ["digest", "irreversible", "revision", "steps", "warnings"]);
    assert_eq!(json["steps"][0]["action"], "create");
    assert_eq!(sealed.snapshot(), before);
}

#[test]
fn the_same_plan_has_the_same_digest_and_another_has_another() {
    let sealed = fresh();
    let digest = |said: Said| said.json()["digest"].clone();
    let raw = || {
        let output = sealed.run(
            ".",
            tests::binaries::bowline().to_str().unwrap(),
            &["plan", "--config", "fleet.agent.toml", "--root", "root", "--json"],
        );
        serde_json::from_str::<serde_json::Value>(&output).unwrap()["digest"].clone()
    };
    assert_eq!(digest(plan(&sealed, &["--json"])), "SHA256");
    let first = raw();
    assert_eq!(raw(), first);
    fs::create_dir(sealed.path("root/srv")).unwrap();
    assert_ne!(raw(), first);
}

#[test]
fn a_guard_that_is_a_program_is_not_asked() {
    let sealed = fresh();
    let command = |name: &str, guard: &str| {
        format!(
            "apiVersion: bowline/v1\nkind: Command\nmetadata: {{name: {name}}}\n\
             spec: {{argv: [/bin/true], {guard}}}\n"
        )
    };
    let marker = sealed.path("marker").display().to_string();
    let commands = [
        command("a", &format!("unless: [/usr/bin/touch, {marker}]")),
        command("b", "creates: /srv/there"),
        command("c", "creates: /srv/missing"),
    ];
    sealed.write("fleet/apps/c.yaml", commands.join("---\n"));
    sealed.write("root/srv/there", "");
    sealed.merge("alice", "commands");
    let said = plan(&sealed, &["--json"]);
    let steps = said.json()["steps"].clone();
    let commands: Vec<_> = steps
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["resource"].as_str().unwrap().starts_with("Command/"))
        .map(|it| {
            format!("{} {}", it["action"].as_str().unwrap(), it["resource"].as_str().unwrap())
        })
        .collect();
    assert_eq!(commands, ["run? Command/a", "run Command/c"], "{said:?}");
    assert!(!sealed.path("marker").exists());
    assert!(
        said.stderr
            .contains("note: run? is decided by a program that plan does not start: Command/a\n")
    );
}

#[test]
fn what_is_not_accepted_is_not_planned() {
    let sealed = fresh();
    sealed.git("fleet", &["-c", "commit.gpgsign=false", "commit", "--allow-empty", "-qm", "x"]);
    let stderr = "error: SHORT is refused, so there is nothing to plan\n\
                  caused by: unsigned: there is no signature\n\
                  hint: sign that commit itself, a later one does not heal it: git commit --amend -S, or take it off the branch; else have root keys adopt it: bowline trust adopt\n";
    plan(&sealed, &[]).is(1, "", stderr);
    plan(&sealed, &["--rev", "HEAD"]).is(1, "", stderr);
    let parent = sealed.git("fleet", &["rev-parse", "HEAD^"]);
    assert_eq!(plan(&sealed, &["--rev", parent.trim()]).code, 0);
}

#[test]
fn manifests_at_fault_are_named() {
    let sealed = fresh();
    sealed.write("fleet/apps/bad.yaml", "apiVersion: bowline/v1\nkind: Fil\n");
    sealed.merge("alice", "bad");
    let said = plan(&sealed, &[]);
    assert_eq!((said.code, said.stdout.as_str()), (1, ""));
    assert!(said.stderr.contains("apps/bad.yaml:2:7: kind"), "{said:?}");
}

#[test]
fn somebody_elses_file_is_not_planned_over() {
    let sealed = fresh();
    sealed.write("root/srv/hello.txt", "mine\n");
    let said = plan(&sealed, &[]);
    assert_eq!((said.code, said.stdout.as_str()), (1, ""), "{said:?}");
    assert!(said.stderr.contains("the agent would refuse main@sha1:OID"), "{said:?}");
}

#[test]
fn a_damaged_state_needs_a_person() {
    let sealed = fresh();
    sealed.write("fleet.state/ledger.json", "[");
    let said = plan(&sealed, &[]);
    assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{said:?}");
    assert!(said.stderr.starts_with("error: read the state file HERE/fleet.state/ledger.json\n"));
}

#[test]
fn the_agents_own_paths_are_refused_as_the_agent_does() {
    let sealed = fresh();
    let settings = sealed.read("fleet.agent.toml").replace(
        &sealed.path("fleet.host.key").display().to_string(),
        &sealed.path("root/opt/key").display().to_string(),
    );
    sealed.write("root/opt/agent.toml", settings);
    fs::copy(tests::binaries::bowline(), sealed.path("root/opt/bowline")).unwrap();
    fs::copy(tests::binaries::agent(), sealed.path("root/opt/bowline-agent")).unwrap();
    for own in ["key", "key.witness", "bowline-agent", "agent.toml"] {
        let manifest = format!(
            "apiVersion: bowline/v1\nkind: File\nmetadata: {{name: own}}\n\
             spec: {{path: /opt/{own}, content: x}}\n"
        );
        sealed.write("fleet/apps/own.yaml", manifest);
        sealed.merge("alice", own);
        let both = ["--config", "root/opt/agent.toml", "--root", "root"];
        let planned = sealed.copied("root/opt/bowline", &[&["plan"], &both[..]].concat());
        let done = sealed.copied("root/opt/bowline-agent", &[&both[..], &["--once"]].concat());
        assert_eq!((planned.code, done.code), (1, 1), "{own}: {planned:?} {done:?}");
        let fault = planned.stderr.lines().find_map(|it| it.strip_prefix("caused by: ")).unwrap();
        assert!(fault.contains(&format!("/opt/{own}")), "{own}: {fault}");
        let refused = format!("refused main@sha1:OID {fault}\n");
        assert!(done.stdout.starts_with(&refused), "{own}: {planned:?} {done:?}");
    }
}

#[test]
fn settings_that_cannot_be_used_are_mistakes() {
    let sealed = fresh();
    let good = sealed.read("fleet.agent.toml");
    for (name, text) in [
        ("unknown", good.replace("[state]", "[stat]")),
        ("ref", good.replace("refs/heads/main", "refs/heads/other")),
        ("trust", good.replace("fleet.trust.yaml", "none.yaml")),
        ("source", good.replace("/fleet\"\nref", "/none\"\nref")),
    ] {
        sealed.write("bad.toml", text);
        let said = sealed.bowline(&["plan", "--config", "bad.toml", "--root", "root"]);
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{name}: {said:?}");
    }
    let said = sealed.bowline(&["plan", "--config", "none.toml", "--root", "root"]);
    assert_eq!(said.code, 2, "{said:?}");
    let stderr = "error: open the root HERE/none\ncaused by: No such file or directory (os error 2)\n\
                  hint: make it first: mkdir -p HERE/none\n";
    sealed.bowline(&["plan", "--config", "fleet.agent.toml", "--root", "none"]).is(2, "", stderr);
}

#[test]
fn an_archive_is_looked_into_where_nobody_else_can_have_laid_anything() {
    let sealed = fresh();
    sealed.write("root/tool", "program");
    let digest = bowline_model::digest::Sha256::of(b"program");
    let manifest = |sha256: &str| {
        format!(
            "apiVersion: bowline/v1\nkind: Artifact\nmetadata: {{name: tool}}\nspec: {{url: \
             \"file:///tool\", sha256: \"{sha256}\", extract: none, releasesDir: /srv/tools, link: \
             /srv/tool}}\n"
        )
    };
    sealed.write("precious/file", "mine");
    fs::create_dir(sealed.path("tmp")).unwrap();
    let bowline = tests::binaries::bowline().display().to_string();
    // Whoever guesses the process puts a link where its folder would be.
    let script = format!(
        "export TMPDIR=$PWD/tmp; ln -s $PWD/precious tmp/bowline-plan-$$; \
         exec {bowline} plan --config fleet.agent.toml --root root"
    );
    sealed.write("guess.sh", script);
    for (name, sha256, is_planned) in
        [("good", digest.to_string(), true), ("bad", "0".repeat(64), false)]
    {
        sealed.write("fleet/apps/tool.yaml", manifest(&sha256));
        sealed.merge("alice", name);
        let said = sealed.run(".", "sh", &["-c", "sh guess.sh || echo failed"]);
        assert_eq!(said.contains("/srv/tools/tool-"), is_planned, "{name}: {said}");
        assert_eq!(sealed.read("precious/file"), "mine", "{name}");
        let left = fs::read_dir(sealed.path("tmp")).unwrap();
        assert!(left.map(|it| it.unwrap().path()).all(|it| it.is_symlink()), "{name}: {said}");
    }
}
