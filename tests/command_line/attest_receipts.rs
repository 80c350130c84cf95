//! `bowline attest receipts`: a host's own lines, carried to the notes as they stand.

use std::fs;
use std::sync::Arc;

use bowline_api::outcome::Outcome;
use bowline_api::record::{CommitMark, HealthMark, Kind, Record, RepoMark};
use bowline_host::key::HostKey;
use bowline_host::record::RecordLog;
use serde_json::Value;

use crate::attest::{GATES, fleet};
use crate::sealed::{Said, Sealed};

/// A host that keeps a record log below the sealed folder.
struct Host {
    log: RecordLog,
    name: &'static str,
}

impl Host {
    fn new(sealed: &Sealed, name: &'static str) -> Self {
        fs::create_dir_all(sealed.path(name)).unwrap();
        let key = HostKey::open(&sealed.path(&format!("{name}/host.key"))).unwrap();
        let log = RecordLog::open(&sealed.path(&format!("{name}/records")), Arc::new(key)).unwrap();
        Self { log, name }
    }

    /// Records something of the commit of a revision.
    fn tell(&mut self, sealed: &Sealed, rev: &str, change: impl FnOnce(&mut Record)) {
        let git = |name: &str| sealed.git("fleet", &["rev-parse", name]).trim().to_owned();
        let digest = sealed.run(
            ".",
            "sh",
            &["-c", &format!("git -C fleet cat-file commit {rev} | sha256sum")],
        );
        let empty = r#"{"v":1,"host":"","seq":0,"prev":"","at":"","kind":"healthy","deployment":"",
            "revision":null,"base":null,"outcome":"unchanged","reason":"Healthy","trustSha256":"00",
            "policy":null,"steps":{"changed":0,"byKind":{}}}"#;
        let mut record: Record = serde_json::from_str(empty).unwrap();
        self.name.clone_into(&mut record.host);
        record.revision = Some(format!("main@sha1:{}", git(rev)));
        record.commit = Some(CommitMark {
            id: git(rev),
            sha256: digest.split(' ').next().unwrap().to_owned(),
            tree: git(&format!("{rev}^{{tree}}")),
        });
        record.repo = Some(RepoMark {
            uri: "git+https://git.example/ops/fleet".to_owned(),
            ref_name: "refs/heads/main".to_owned(),
        });
        change(&mut record);
        self.log.append(record).unwrap();
    }

    fn vouch(&mut self, sealed: &Sealed, rev: &str, lasting_ms: u64) {
        let since = "2026-11-09T23:00:00Z".to_owned();
        self.tell(sealed, rev, |it| it.healthy = Some(HealthMark { since, lasting_ms }));
    }

    fn revert(&mut self, sealed: &Sealed, rev: &str) {
        self.tell(sealed, rev, |it| {
            (it.kind, it.outcome) = (Kind::Deployment, Outcome::Reverted);
            it.deployment = "d000009-0123456789ab".to_owned();
        });
    }

    /// Its lines, oldest first.
    fn lines(&self) -> Vec<String> {
        self.log.after(0, 100).unwrap()
    }
}

fn carry(sealed: &Sealed, more: &[&str]) -> Said {
    sealed.bowline(&[&["attest", "receipts", "--repo", "fleet"][..], more].concat())
}

fn notes(sealed: &Sealed, repo: &str, object: &str) -> Vec<String> {
    let text = sealed.git(repo, &["notes", "--ref=attestations", "show", object]);
    let mut lines: Vec<_> = text.lines().filter(|it| !it.is_empty()).map(str::to_owned).collect();
    lines.sort();
    lines
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

#[test]
fn a_host_s_lines_come_to_commit_and_tree_as_they_stand_and_once() {
    let sealed = fleet(GATES);
    let [mut one, mut two] = ["web-1", "web-2"].map(|it| Host::new(&sealed, it));
    one.vouch(&sealed, "HEAD", 60_000);
    one.vouch(&sealed, "HEAD", 3_600_000);
    two.vouch(&sealed, "HEAD", 60_000);
    let said = carry(&sealed, &["--records", "web-1/records", "--note"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{said:?}");
    assert!(
        said.stdout.contains("receipts  web-1 healthy for 1m, web-1 healthy for 1h\n"),
        "{said:?}"
    );
    // Once more beside another's, through the input, from a pipe.
    let script = format!(
        "cat web-*/records/*.ndjson | {} attest receipts --repo fleet --records - --note --json --rev main",
        tests::binaries::bowline().display()
    );
    let report: Value = serde_json::from_str(&sealed.run(".", "sh", &["-c", &script])).unwrap();
    assert_eq!((report["added"].as_u64(), &report["places"][0]), (Some(2), &"notes".into()));
    let all = sorted([one.lines(), two.lines()].concat());
    for object in ["HEAD", "HEAD^{tree}"] {
        assert_eq!(notes(&sealed, "fleet", object), all, "{object}");
    }
    let hosts: Vec<_> =
        report["receipts"].as_array().unwrap().iter().map(|it| &it["host"]).collect();
    assert_eq!(hosts.len(), 3);
    assert_eq!(report["receipts"][0]["kind"], "healthy");
}

#[test]
fn what_is_about_other_commits_by_other_keys_or_older_stays_behind() {
    let sealed = fleet(GATES);
    let mut one = Host::new(&sealed, "web-1");
    one.vouch(&sealed, "HEAD", 60_000);
    one.revert(&sealed, "HEAD");
    one.tell(&sealed, "HEAD", |it| it.outcome = Outcome::Committed);
    let said = carry(&sealed, &["--records", "web-1/records", "--out", "carried"]);
    assert_eq!(said.code, 0, "{said:?}");
    let lines = one.lines();
    let carried =
        |sealed: &Sealed| sorted(sealed.read("carried").lines().map(str::to_owned).collect());
    assert_eq!(carried(&sealed), sorted(lines[..2].to_vec()), "the word against it goes along");
    // Newer than the word against it.
    let mut two = Host::new(&sealed, "web-2");
    two.vouch(&sealed, "HEAD", 60_000);
    two.revert(&sealed, "HEAD");
    two.tell(&sealed, "HEAD", |it| {
        let since = "2026-11-10T00:00:00Z".to_owned();
        it.healthy = Some(HealthMark { since, lasting_ms: 60_000 });
    });
    assert_eq!(carry(&sealed, &["--records", "web-2/records", "--out", "carried"]).code, 0);
    assert_eq!(carried(&sealed), [two.lines()[2].clone()]);
    // A line that somebody changed, and one of another repository's commit.
    let forged = two.lines()[2].replace("\"sig\":\"", "\"sig\":\"AAAA");
    sealed.write("forged.ndjson", format!("{forged}\n"));
    let mut elsewhere = Host::new(&sealed, "web-3");
    elsewhere.tell(&sealed, "HEAD", |it| {
        it.healthy = Some(HealthMark { since: String::new(), lasting_ms: 1 });
        let other =
            CommitMark { id: "11".repeat(20), sha256: "22".repeat(32), tree: "33".repeat(20) };
        it.commit = Some(other);
    });
    for records in ["forged.ndjson", "web-3/records"] {
        for more in [&["--rev", "HEAD"][..], &[]] {
            let said = carry(&sealed, &[&["--records", records, "--note"][..], more].concat());
            assert_eq!(said.code, 1, "{records}: {said:?}");
            assert!(said.stderr.contains("hold no receipt of"), "{said:?}");
        }
    }
    assert_eq!(sealed.git("fleet", &["for-each-ref", "refs/notes"]), "");
}

#[test]
fn receipts_are_pushed_and_mistakes_are_told() {
    let sealed = fleet(GATES);
    sealed.git(".", &["clone", "-q", "--bare", "fleet", "remote.git"]);
    let mut one = Host::new(&sealed, "web-1");
    one.vouch(&sealed, "HEAD", 60_000);
    let log = "web-1/records/00000001.ndjson";
    let said = carry(&sealed, &["--records", log, "--push", "../remote.git"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(notes(&sealed, "remote.git", "HEAD"), one.lines());
    sealed.write("other.json", "{}\n");
    for (arguments, code, why) in [
        (&["--records", "other.json", "--note"][..], 2, "other.json, line 1: it is no record"),
        (&["--records", "nowhere", "--note"], 2, "there is no record log nowhere"),
        (&["--records", "web-1", "--note"], 2, "there is no record log in web-1"),
        (&["--records", log, "--note", "--rev", "nothing"], 2, "nothing"),
        (&["--records", log], 2, "--out"),
        (&["--note"], 2, "--records"),
        (&["--records", log, "--json", "--out", "-"], 2, "both write to stdout"),
    ] {
        let said = carry(&sealed, arguments);
        assert_eq!(said.code, code, "{arguments:?}: {said:?}");
        assert!(said.stderr.contains(why), "{arguments:?}: {said:?}");
    }
}
