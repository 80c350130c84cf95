//! What people decide at the command line, and what the service shows of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bowline_api::outcome::Outcome;
use bowline_api::record::PAYLOAD_TYPE;
use bowline_model::digest::Sha256;
use serde_json::{Value, json};

use crate::host::{Host, blank};
use crate::service::Service;

fn commit(word: &str) -> String {
    word.repeat(20)
}

/// A host whose third record is told in two ways.
fn forked(service: &Service) -> (Host, Host) {
    let mut host = Host::enrolled(service, "web-1");
    host.tell_many(2);
    let mut twin = host.copy();
    host.tell_many(1);
    twin.tell(&commit("2c"), None, Outcome::Reverted);
    assert_eq!(service.send(&host.all()).status, 200);
    assert_eq!(service.send(&twin.after(2, 1)).status, 409);
    (host, twin)
}

#[test]
fn what_was_told_otherwise_is_kept_as_it_came_and_shown() {
    let service = Service::new();
    let (_, twin) = forked(&service);
    let fault = service.get("/api/v1/hosts/web-1").json()["faults"][0].clone();
    let line = twin.after(2, 1).remove(0);
    assert_eq!(fault["digest"], json!(Sha256::of(line.as_bytes()).to_string()));
    assert_eq!((&fault["kept"], &fault["kind"]), (&json!(true), &json!("fork")));
    let path = format!("/api/v1/hosts/web-1/faults/{}", fault["id"]);
    let told = service.get(&path).json();
    assert_eq!((&told["envelope"], &told["signature"]), (&json!(line), &json!(true)));
    assert_eq!(told["record"]["outcome"], json!("reverted"));
    let page = service.get("/hosts/web-1").body;
    assert!(
        page.contains(&format!("href=\"{path}\"")) && page.contains("reverted (Applied)"),
        "{page}"
    );
    for path in ["web-1/faults/99", "web-2/faults/1", "web-2/faults"] {
        service.get(&format!("/api/v1/hosts/{path}")).problem(404);
    }
    for path in ["web-1/faults/x", "web-1/faults?after=x", "%ff/faults"] {
        service.get(&format!("/api/v1/hosts/{path}")).problem(400);
    }
}

#[test]
fn looking_after_one_story_hides_no_other_at_the_same_place() {
    let service = Service::new();
    let (_, twin) = forked(&service);
    let alarms = || service.get("/api/v1/hosts/web-1").json()["alarms"].clone();
    let look = |seen: &str| {
        service.verb(&[
            "host",
            "acknowledge",
            "web-1",
            "--seen",
            seen,
            "--note",
            "a restored backup",
        ])
    };
    let told = look("2");
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    let said = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(said.contains("has 1 gaps and forks") && said.contains("hint: "), "{said}");
    assert_eq!((alarms(), look("1").status.code(), alarms()), (json!(1), Some(0), json!(0)));
    // A third machine with the same key tells the same place in its own way.
    let mut third = twin.copy();
    third.tell_many(1);
    let payload = {
        let line: Value = serde_json::from_str(&twin.after(2, 1)[0]).unwrap();
        let bytes = STANDARD.decode(line["payload"].as_str().unwrap()).unwrap();
        String::from_utf8(bytes).unwrap().replace("Applied", "Elsewhere")
    };
    let line = String::from_utf8(third.envelope(PAYLOAD_TYPE, payload.as_bytes())).unwrap();
    assert_eq!(service.send(&[line.trim().to_owned()]).status, 409);
    assert_eq!(alarms(), json!(1));
}

#[test]
fn who_decided_is_kept_by_the_systems_word() {
    let service = Service::new();
    Host::enrolled(&service, "web-1");
    for (verb, state) in [("refuse", 403), ("approve", 200)] {
        let second = Host::new("web-1");
        second.enrol(&service);
        let told = service
            .command()
            .args(["host", verb, "web-1", &second.key.fingerprint()])
            .envs([("SUDO_USER", "mallory"), ("LOGNAME", "mallory"), ("USER", "mallory")])
            .output();
        assert!(told.unwrap().status.success());
        let decided = service.get("/api/v1/hosts/web-1").json()["decisions"][0].clone();
        assert_eq!(
            (&decided["verb"], &decided["what"]),
            (&json!(verb), &json!(second.key.fingerprint()))
        );
        let by = decided["by"].as_str().unwrap();
        let uid = nix::unistd::getuid();
        assert!(by.contains(&format!("uid {uid}")) && !by.contains("mallory"), "{by}");
        assert_eq!(second.enrol(&service).status, state);
    }
    let page = service.get("/hosts/web-1").body;
    assert!(page.contains("What people decided") && page.contains("<b>approve</b>"), "{page}");
}

#[test]
fn a_retired_host_is_heard_no_more_and_comes_back_by_a_person_only() {
    let service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    Host::enrolled(&service, "web-2");
    host.tell_many(2);
    assert_eq!(service.send(&host.after(0, 1)).status, 200);
    let retire = |name| service.verb(&["host", "retire", name, "--note", "OPS-9"]).status.code();
    assert_eq!([retire("web-1"), retire("web-1"), retire("web-9")], [Some(0), Some(1), Some(1)]);
    let answer = service.send(&host.after(1, 1));
    assert!(answer.problem(403).contains("approve that key"), "{answer:?}");
    assert_eq!(answer.json()["code"], json!("retired"));
    assert!(host.enrol(&service).problem(403).contains("retired"));
    let board = service.get("/board.json").json();
    assert_eq!((&board["hosts"], &board["outcomes"]["committed"]), (&json!(1), &json!(0)));
    assert_eq!(
        board["items"].as_array().unwrap().len(),
        1,
        "a list holds what is counted: {board}"
    );
    let all = service.get("/board.json?retired=shown").json();
    assert!(all["items"][0]["retired"].is_string(), "{all}");
    service.get("/board.json?retired=no").problem(400);
    assert!(service.get("/hosts/web-1").body.contains("<dt>Retired</dt>"));
    assert_eq!(service.figure("hosts"), 1);
    let again = Host::new("web-1");
    assert_eq!(again.enrol(&service).status, 202, "the name is free for nobody");
    let words = ["host", "approve", "web-1", &again.key.fingerprint()];
    assert!(service.verb(&words).status.success());
    assert_eq!(service.get("/board.json").json()["hosts"], json!(2));
}

#[test]
fn one_lying_host_rewrites_no_commit_and_takes_one_column() {
    let service = Service::new();
    let mut liar = Host::enrolled(&service, "liar");
    let real: Vec<String> = (0..4).map(|at| commit(&format!("a{at}"))).collect();
    for it in &real {
        liar.tell_as(it, |record| {
            record.subject = Some("PWNED".to_owned());
            record.revision = Some(format!("pwned@sha1:{it}"));
        });
    }
    assert_eq!(service.send(&liar.all()).status, 200);
    for name in ["web-1", "web-2"] {
        let mut host = Host::enrolled(&service, name);
        for it in &real {
            host.tell_as(it, |record| record.subject = Some("add a thing".to_owned()));
        }
        assert_eq!(service.send(&host.all()).status, 200);
    }
    for at in 0..12 {
        let invented = format!("{at:040x}");
        liar.tell_as(&invented, |record| record.subject = Some(format!("PWNED {at}")));
    }
    assert_eq!(service.send(&liar.after(4, 99)).status, 200);
    let shown = service.get("/api/v1/hosts/web-1").json();
    let name = format!("main@sha1:{}", real[3]);
    assert_eq!((&shown["subject"], &shown["revision"]), (&json!("add a thing"), &json!(name)));
    let deployments = service.get("/api/v1/deployments?host=liar&limit=1").json();
    assert_eq!(deployments["items"][0]["subject"], json!("PWNED 11"), "its own words are its own");
    let matrix = service.get("/matrix.json").json();
    let columns = matrix["commits"].as_array().unwrap();
    let commits: Vec<_> = columns.iter().map(|it| it["commit"].as_str().unwrap()).collect();
    assert_eq!(commits[0], format!("{:040x}", 11), "its newest one may be a new commit");
    let expected: Vec<_> = real.iter().rev().map(String::as_str).collect();
    assert_eq!(commits[1..5], expected);
    assert_eq!(
        (&columns[1]["subject"], &columns[1]["revision"]),
        (&json!("add a thing"), &json!(name))
    );
    assert!(service.verb(&["host", "retire", "liar"]).status.success());
    let matrix = service.get("/matrix.json").json();
    assert_eq!(matrix["commits"].as_array().unwrap().len(), 4, "{matrix}");
    assert_eq!(matrix["hosts"].as_array().unwrap().len(), 2);
}

#[test]
fn a_record_that_could_not_be_shown_is_not_taken() {
    let service = Service::new();
    let host = Host::enrolled(&service, "web-1");
    let mut record = blank("web-1", "d2");
    (record.seq, record.prev, record.outcome) = (1, "0".repeat(64), Outcome::Stranded);
    let text = serde_json::to_string(&record).unwrap();
    let with = |more: &str| {
        let payload = text.strip_suffix('}').unwrap().to_owned() + more + "}";
        let line = String::from_utf8(host.envelope(PAYLOAD_TYPE, payload.as_bytes())).unwrap();
        service.send(&[line.trim().to_owned()])
    };
    let answer = with(",\"x\":1e999");
    assert!(answer.problem(400).contains("find out what wrote"), "{answer:?}");
    assert_eq!(answer.json()["code"], json!("unreadable-record"));
    assert_eq!(service.seq("web-1"), 0);
    assert_eq!(with(",\"x\":1e99").status, 200, "what a later version adds is no fault");
    assert!(service.get("/deployments/web-1/@1").body.contains("stranded"));
}

#[test]
fn links_lead_to_the_record_of_the_key_that_wrote_it() {
    let service = Service::new();
    let mut first = Host::enrolled(&service, "web-1");
    first.tell_as(&commit("0a"), |it| it.reason = "OldLife".to_owned());
    assert_eq!(service.send(&first.all()).status, 200);
    let mut second = Host::new("web-1");
    assert_eq!(second.enrol(&service).status, 202);
    let words = ["host", "approve", "web-1", &second.key.fingerprint()];
    assert!(service.verb(&words).status.success());
    let follow = |from: &str, number: usize| {
        let page = service.get(from).body;
        let links: Vec<_> = page.split("href=\"/deployments/").skip(1).collect();
        let link = links[number].split('"').next().unwrap().replace("&#38;", "&");
        let page = service.get(&format!("/deployments/{link}"));
        assert_eq!(page.status, 200, "{link}");
        assert_eq!(page.body.matches("<article").count(), 1, "{link} leads to one record");
        page.body
    };
    assert!(follow("/", 0).contains("OldLife"), "nothing came of the new key yet");
    second.tell_as(&commit("0a"), |it| it.reason = "NewLife".to_owned());
    assert_eq!(service.send(&second.all()).status, 200);
    for from in ["/", "/matrix", "/hosts/web-1"] {
        assert!(follow(from, 0).contains("NewLife"), "{from}");
    }
    // The newest deployment stands first; the older one is the old key's.
    assert!(follow("/hosts/web-1", 2).contains("OldLife"));
    let bare = service.get("/deployments/web-1/@1").body;
    assert!(
        bare.contains("NewLife") && !bare.contains("OldLife"),
        "the key that is taken comes first"
    );
}

#[test]
fn a_person_is_asked_to_go_on_over_a_gap_where_a_host_hangs() {
    let service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    host.tell_many(6);
    let page = || service.get("/hosts/web-1").body;
    let verb = |words: &[&str]| assert!(service.verb(words).status.success(), "{words:?}");
    let offer = |from: u64| format!("host continue web-1 --from {from}");
    assert_eq!(service.send(&host.after(0, 1)).status, 200);
    service.send(&host.after(3, 1)).problem(409);
    assert!(page().contains(&offer(4)));
    let seen = service.get("/api/v1/hosts/web-1").json()["faults"][0]["id"].to_string();
    assert!(page().contains(&format!("host acknowledge web-1 --seen {seen}")));
    verb(&["host", "acknowledge", "web-1", "--seen", &seen, "--note", "seen"]);
    assert!(page().contains(&offer(4)), "it hangs all the same");
    verb(&["host", "continue", "web-1", "--from", "4"]);
    assert_eq!(service.send(&host.after(3, 1)).status, 200);
    let shown = page();
    assert!(shown.contains("continued: records 2–3 are lost"), "{shown}");
    assert!(!shown.contains("the records came") && !shown.contains("host continue"), "{shown}");
    // Of a key that is not taken any more, nothing comes.
    service.send(&host.after(5, 1)).problem(409);
    assert!(page().contains(&offer(6)));
    let second = Host::new("web-1");
    second.enrol(&service);
    verb(&["host", "approve", "web-1", &second.key.fingerprint()]);
    assert!(!page().contains("host continue"), "{}", page());
}
