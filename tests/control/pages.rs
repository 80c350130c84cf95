//! The pages: what they show, to whom, and that nothing of it is ever a part of the page.

use bowline_api::outcome::Outcome;
use bowline_api::record::{Conflict, Kind, PolicyMark, ProbeWord, Proof};
use bowline_model::digest::Sha256;
use rusqlite::Connection;
use serde_json::json;

use crate::host::Host;
use crate::http::ask_with;
use crate::service::Service;

/// What a page must never hold as it is.
const EVIL: &str = "<script>alert(1)</script><img src=x onerror=\"alert(2)\">'";

fn commit(word: &str) -> String {
    word.repeat(20)
}

/// Two hosts: one committed, one took the new commit back; everything that they say is hostile.
fn hostile(service: &Service) -> Host {
    let mut one = Host::enrolled(service, "web-1");
    one.tell_as(&commit("0a"), |it| it.subject = Some(EVIL.to_owned()));
    let mut two = Host::enrolled(service, "web-2");
    let probe = |passed| ProbeWord { name: EVIL.to_owned(), passed, detail: EVIL.to_owned() };
    two.tell_as(&commit("0a"), |it| it.environment = Some(EVIL.to_owned()));
    two.tell_as(&commit("1b"), |it| {
        it.outcome = Outcome::Reverted;
        it.revision = Some(format!("{EVIL}@sha1:{}", commit("1b")));
        it.subject = Some(format!("fix: {EVIL}\nsecond line"));
        it.reason = EVIL.to_owned();
        it.detail = EVIL.to_owned();
        it.probes = vec![probe(true), probe(false)];
        it.after_revert = vec![probe(false)];
        it.gates = vec![json!({"gate": EVIL})];
        it.adopted = vec![
            json!({"commit": "2c", "code": "unsigned", "reason": EVIL, "signers": [EVIL], "issued": "2026-11-01"}),
            json!({"other": EVIL}),
        ];
        it.irreversible = vec![EVIL.to_owned()];
        it.evidence = vec![EVIL.to_owned()];
        it.snapshots = vec![EVIL.to_owned()];
        it.policy = Some(PolicyMark {
            version: 3,
            sha256: EVIL.to_owned(),
            expires: Some(EVIL.to_owned()),
            root_version: Some(2),
        });
        it.conflicts = vec![Conflict {
            path: EVIL.to_owned(),
            kept: Some(EVIL.to_owned()),
            detail: EVIL.to_owned(),
        }];
        it.proof = Some(Proof { before: "00".to_owned(), after: EVIL.to_owned() });
        it.steps.by_kind.insert(EVIL.to_owned(), 7);
        it.durations.insert(EVIL.to_owned(), 9);
        it.durations.insert("apply".to_owned(), 1500);
        it.trust_sha256 = EVIL.to_owned();
    });
    two.tell_as(&commit("1b"), |it| {
        it.kind = Kind::Alarm;
        it.deployment = "../../../?<x>".to_owned();
        it.outcome = Outcome::Held;
    });
    for host in [&one, &two] {
        assert_eq!(service.send(&host.all()).status, 200);
    }
    two
}

const PAGES: [&str; 6] = [
    "/",
    "/?name=%3Cscript%3Ealert(1)%3C/script%3E&environment=%3Cimg%20onerror%3D%22x%22%3E",
    "/matrix",
    "/hosts/web-2",
    "/deployments/web-2/d000002-1b1b1b1b",
    "/deployments/web-2/@3",
];

#[test]
fn what_hosts_and_commits_say_is_text_in_every_page() {
    let service = Service::new();
    hostile(&service);
    for path in PAGES {
        let page = service.get(path);
        assert_eq!((page.status, page.kind.as_str()), (200, "text/html; charset=utf-8"), "{path}");
        assert_eq!(page.body.matches("<script").count(), 1, "{path}: its own file, and no other");
        assert!(page.body.contains("<script src=\"/assets/live.js?v="), "{path}");
        for evil in ["<img src=x", "onerror=\"alert", "alert(1)</script>", "<x>"] {
            assert!(!page.body.contains(evil), "{evil} in {path}: {}", page.body);
        }
        let policy = page.header("content-security-policy");
        for word in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(word), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("cache-control"), "no-store");
        for own in [" style=", " onclick=", " onload=", "javascript:", "http://", "https://"] {
            assert!(!page.body.contains(own), "{own} in {path}");
        }
    }
    let page = service.get("/deployments/web-2/d000002-1b1b1b1b").body;
    assert!(page.contains("&#60;script&#62;") || page.contains("&lt;script&gt;"), "{page}");
    assert!(!page.contains("second line"), "a subject is one line");
    let host = service.get("/hosts/web-2").body;
    assert!(host.contains("href=\"/deployments/web-2/@3\""), "an id that is no plain word: {host}");
}

#[test]
fn every_page_has_a_twin_that_holds_what_it_shows() {
    let service = Service::new();
    hostile(&service);
    for path in PAGES {
        let page = service.get(path).body;
        let link = page.split("rel=\"alternate\"").nth(1).unwrap();
        let twin = link.split("href=\"").nth(1).unwrap().split('"').next().unwrap();
        let twin = twin.replace("&#38;", "&").replace("&amp;", "&");
        let twin = service.get(&twin);
        assert_eq!((twin.status, twin.kind.as_str()), (200, "application/json"), "{path}");
        assert!(twin.json()["now"].is_string(), "{path}");
    }
    let board = service.get("/board.json").json();
    assert_eq!(board["hosts"], json!(2));
    assert_eq!(
        (&board["outcomes"]["committed"], &board["outcomes"]["held"]),
        (&json!(1), &json!(1))
    );
    let two = &board["items"][1];
    assert_eq!((&two["name"], &two["health"]), (&json!("web-2"), &json!("unwell")));
    let matrix = service.get("/matrix.json").json();
    assert_eq!(matrix["hosts"][1]["words"][1]["outcome"], json!("committed"));
    assert_eq!(matrix["hosts"][0]["words"][0], json!(null));
    let sheet = service.get("/hosts/web-2.json").json();
    assert_eq!(sheet["deployments"]["items"].as_array().unwrap().len(), 3);
    assert_eq!(sheet["keys"][0]["seq"], json!(3));
}

#[test]
fn the_board_is_filtered_and_goes_on() {
    let service = Service::new();
    for (name, environment, passed) in
        [("db-1", "production", true), ("web-1", "production", false), ("web-2", "staging", true)]
    {
        let mut host = Host::enrolled(&service, name);
        host.tell_as(&commit("0a"), |it| {
            it.environment = Some(environment.to_owned());
            it.probes = vec![ProbeWord { name: "p".to_owned(), passed, detail: String::new() }];
        });
        service.send(&host.all());
    }
    Host::enrolled(&service, "new-1");
    let names = |query: &str| -> Vec<String> {
        let board = service.get(&format!("/board.json?{query}")).json();
        let items = board["items"].as_array().unwrap().clone();
        items.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        names("name=&outcome=&environment=&health=&after=&limit="),
        ["db-1", "new-1", "web-1", "web-2"]
    );
    assert_eq!(names("name=eb-"), ["web-1", "web-2"]);
    assert_eq!(names("environment=production&health=well"), ["db-1"]);
    assert_eq!(names("health=unwell"), ["web-1"]);
    assert_eq!(names("outcome=committed&limit=1"), ["db-1"]);
    assert!(names("alarms=open").is_empty());
    let part = service.get("/board.json?outcome=committed&limit=1").json();
    assert_eq!(part["next"], json!("db-1"));
    let page = service.get("/?outcome=committed&limit=1").body;
    assert!(page.contains("outcome=committed&#38;limit=1&#38;after=db-1"), "{page}");
    for bad in
        ["outcome=success", "health=fine", "alarms=1", "limit=0", "limit=501", "limit=x", "o=1"]
    {
        let page = service.get(&format!("/?{bad}"));
        assert_eq!((page.status, page.kind.as_str()), (400, "text/html; charset=utf-8"), "{bad}");
        service.get(&format!("/board.json?{bad}")).problem(400);
    }
    for path in ["/hosts/nobody", "/deployments/web-1/none", "/deployments/nobody/@1", "/assets/x"]
    {
        assert_eq!(service.get(path).status, 404, "{path}");
    }
    for bad in ["/matrix?before=-1", "/matrix?before=99999999999999999999", "/hosts/web-1?after=x"]
    {
        assert_eq!(service.get(bad).status, 400, "{bad}");
    }
}

#[test]
fn a_deployments_proofs_are_looked_at_anew() {
    let service = Service::new();
    let host = hostile(&service);
    let proofs = || service.get("/deployments/web-2/@2.json").json()["records"][0].clone();
    let told = proofs();
    let yes = json!({"signature": true, "digest": true, "predecessor": true});
    assert_eq!((&told["proof"], &told["seq"], &told["newest"]), (&yes, &json!(2), &json!(3)));
    let line = host.after(1, 1).remove(0);
    let envelope = service.get(told["envelope"].as_str().unwrap());
    assert_eq!(
        (envelope.kind.as_str(), envelope.body.as_str()),
        ("application/json", line.as_str())
    );
    assert_eq!(told["digest"], json!(Sha256::of(line.as_bytes()).to_string()));
    let page = service.get("/deployments/web-2/@2").body;
    assert!(page.contains("Verified for this page") && page.contains(&host.key.fingerprint()));
    // Somebody with the database's file puts better words into the host's mouth.
    let db = Connection::open(service.folder.path().join("store/control.db")).unwrap();
    let sql = "UPDATE record SET payload =
                 CAST(replace(CAST(payload AS TEXT), 'reverted', 'committed') AS BLOB)";
    db.execute(&format!("{sql} WHERE id & 255 = 2"), []).unwrap();
    let no = json!({"signature": false, "digest": false, "predecessor": true});
    assert_eq!(proofs()["proof"], no);
    assert!(service.get("/deployments/web-2/@2").body.contains("do not trust this record"));
}

#[test]
fn keys_that_wait_are_shown_with_what_to_do() {
    let service = Service::new();
    let first = Host::enrolled(&service, "web-1");
    let second = Host::new("web-1");
    assert_eq!(second.enrol(&service).status, 202);
    let fingerprint = second.key.fingerprint();
    let page = service.get("/").body;
    for verb in ["approve", "refuse"] {
        let command = format!("bowline-control host {verb} web-1 {fingerprint}");
        assert!(page.replace("&#x2b;", "+").contains(&command), "{command} in {page}");
    }
    let board = service.get("/board.json").json();
    assert_eq!(board["waiting"][0]["holder"], json!(first.key.fingerprint()));
    let command = board["waiting"][0]["approve"].as_str().unwrap();
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    assert!(service.verb(&words).status.success(), "the command that is shown works");
    assert_eq!(service.get("/board.json").json()["waiting"], json!([]));
}

#[test]
fn a_fork_is_acknowledged_and_stays() {
    let service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    host.tell_many(1);
    let mut twin = host.copy();
    for (it, word) in [(&mut host, "1b"), (&mut twin, "2c")] {
        it.tell(&commit(word), None, Outcome::Committed);
        service.send(&it.all());
    }
    let alarms =
        || service.get("/board.json?alarms=open").json()["items"].as_array().unwrap().len();
    assert_eq!((alarms(), service.figure("chain_alarms{kind=\"fork\"}")), (1, 1));
    let note = "restored from <b>backup</b>, see OPS-7";
    let verb = |words: &[&str]| service.verb(words).status.code();
    let words = ["host", "acknowledge", "web-1", "--seen", "1", "--note", note];
    assert_eq!(verb(&["host", "acknowledge", "web-9", "--seen", "1", "--note", "x"]), Some(1));
    for bad in ["", "two\nlines", &"x".repeat(501)] {
        assert_eq!(
            verb(&["host", "acknowledge", "web-1", "--seen", "1", "--note", bad]),
            Some(2),
            "{bad:?}"
        );
    }
    assert_eq!(verb(&words), Some(0));
    assert_eq!(verb(&words), Some(1), "nothing is left to look after");
    assert_eq!((alarms(), service.figure("chain_alarms{kind=\"fork\"}")), (0, 0));
    let fault = service.get("/api/v1/hosts/web-1").json()["faults"][0].clone();
    assert_eq!((&fault["open"], &fault["acknowledged"]["note"]), (&json!(true), &json!(note)));
    let page = service.get("/hosts/web-1").body;
    assert!(page.contains("see OPS-7") && !page.contains("<b>backup"), "{page}");
    // The same fork again is known; another one is an alarm.
    service.send(&twin.all());
    assert_eq!(alarms(), 0);
    host.tell(&commit("3d"), None, Outcome::Committed);
    service.send(&host.all());
    twin.tell(&commit("4e"), None, Outcome::Committed);
    service.send(&twin.after(2, 1));
    assert_eq!(alarms(), 1);
}

fn guarded() -> Service {
    let digest = Sha256::of(b"let me in");
    let service = Service::with(&format!("[read]\ntokenSha256 = [\"{digest}\"]\n"));
    Host::enrolled(&service, "web-1");
    service
}

#[test]
fn people_log_in_with_a_readers_token() {
    let service = guarded();
    let ask = |method: &str, path: &str, lines: &[&str], body: &str| {
        ask_with(service.address, method, path, &[&["Host: control.example"], lines].concat(), body)
    };
    for path in ["/", "/matrix", "/hosts/web-1", "/deployments/web-1/@1"] {
        let answer = ask("GET", path, &[], "");
        assert_eq!(answer.status, 303, "{path}");
        let place = answer.header("location");
        assert_eq!(place, format!("/login?next={}", path.replace('/', "%2F").replace('@', "%40")));
    }
    let form = ask("GET", "/login?next=%2Fhosts%2Fweb-1", &[], "");
    assert!(form.body.contains("name=\"next\" value=\"/hosts/web-1\""), "{}", form.body);
    let wrong = ask("POST", "/login", &[], "token=let+me+out&next=%2F");
    assert_eq!((wrong.status, wrong.header("set-cookie")), (403, ""));
    let foreign = ["Origin: https://evil.example", "Sec-Fetch-Site: cross-site"];
    assert_eq!(ask("POST", "/login", &foreign, "token=let+me+in").status, 403);
    let own = ["Origin: https://control.example", "Sec-Fetch-Site: same-origin"];
    let right = ask("POST", "/login", &own, "token=let+me+in&next=%2Fhosts%2Fweb-1");
    assert_eq!((right.status, right.header("location")), (303, "/hosts/web-1"));
    let cookie = right.header("set-cookie").to_owned();
    assert!(cookie.starts_with("__Host-bowline="), "{cookie}");
    for word in ["; Path=/", "; HttpOnly", "; SameSite=Strict", "; Secure"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    assert!(!cookie.contains("let"), "the token is no part of it");
    let pair = format!("Cookie: {}", cookie.split(';').next().unwrap());
    for path in ["/", "/hosts/web-1", "/board.json", "/api/v1/hosts"] {
        assert_eq!(ask("GET", path, &[&pair], "").status, 200, "{path}");
    }
    assert!(ask("GET", "/", &[&pair], "").body.contains("action=\"/logout\""));
    assert_eq!(ask("POST", "/logout", &[&pair, foreign[1]], "").status, 403);
    let left = ask("POST", "/logout", &[&pair], "");
    assert_eq!((left.status, left.header("location")), (303, "/login"));
    assert!(left.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(ask("GET", "/", &[&pair], "").status, 303);
    for next in ["//evil.example", "https://evil.example", "/%5Cevil.example"] {
        let answer = ask("POST", "/login", &own, &format!("token=let+me+in&next={next}"));
        assert_eq!(answer.header("location"), "/", "{next}");
    }
}

#[test]
fn without_a_token_only_this_machine_is_answered() {
    let service = Service::new();
    let ask = |host: &str, path| {
        ask_with(service.address, "GET", path, &[&format!("Host: {host}")], "").status
    };
    for path in ["/", "/board.json", "/api/v1/hosts", "/metrics", "/api/v1/events"] {
        assert_eq!(ask("rebound.example:9480", path), 421, "{path}");
    }
    assert_eq!(ask("rebound.example", "/healthz"), 200);
    assert_eq!((ask("localhost:9480", "/"), ask("[::1]:9480", "/")), (200, 200));
}

#[test]
fn a_deployment_says_what_root_keys_adopted_and_how_long_its_policy_is_in_force() {
    let service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    host.tell_as(&commit("0a"), |it| {
        it.policy = Some(PolicyMark {
            version: 3,
            sha256: "5e".repeat(32),
            expires: Some("2027-02-01T00:00:00Z".to_owned()),
            root_version: Some(2),
        });
        it.adopted = vec![json!({
            "commit": commit("2c"), "code": "unsigned", "reason": "a web edit, looked at",
            "signers": ["alice", "bob"], "issued": "2026-11-01T00:00:00Z",
        })];
    });
    assert_eq!(service.send(&host.all()).status, 200);
    let pages = ["/deployments/web-1/@1", "/hosts/web-1"].map(|it| service.get(it).body);
    let adopted = format!(
        "<li>{} (unsigned) by alice, bob, 2026-11-01T00:00:00Z: a web edit, looked at</li>",
        commit("2c")
    );
    for words in ["version 3, until 2027-02-01T00:00:00Z", "; root version 2", &adopted] {
        assert!(pages.iter().all(|it| it.contains(words)), "{words}: {pages:?}");
    }
    let sheet = service.get("/hosts/web-1.json").json();
    assert_eq!(
        (&sheet["judged"]["policyVersion"], &sheet["judged"]["rootVersion"]),
        (&json!(3), &json!(2))
    );
}
