//! What people and programs read, and who may.

use bowline_api::outcome::Outcome;
use bowline_api::record::{HealthMark, Kind, Record};
use bowline_model::digest::Sha256;
use serde_json::{Value, json};

use crate::host::Host;
use crate::service::Service;

/// A commit's id.
fn commit(word: &str) -> String {
    word.repeat(20)
}

/// Three hosts: one runs the new commit, one took it back, one waits on the old one.
fn fleet(service: &Service) {
    let [old, new] = [commit("0a"), commit("1b")];
    for (name, ended) in
        [("web-1", Some(Outcome::Committed)), ("web-2", Some(Outcome::Reverted)), ("web-3", None)]
    {
        let mut host = Host::enrolled(service, name);
        host.tell(&old, None, Outcome::Committed);
        if let Some(ended) = ended {
            host.tell(&new, Some(&old), ended);
        }
        assert_eq!(service.send(&host.all()).status, 200);
    }
}

fn column(page: &Value, name: &str) -> Vec<Value> {
    page["items"].as_array().unwrap().iter().map(|it| it[name].clone()).collect()
}

#[test]
fn hosts_are_listed_with_what_they_run() {
    let service = Service::new();
    fleet(&service);
    let page = service.get("/api/v1/hosts").json();
    assert_eq!(column(&page, "name"), ["web-1", "web-2", "web-3"]);
    let [old, new] = ["0a", "1b"].map(|it| format!("main@sha1:{}", commit(it)));
    assert_eq!(column(&page, "revision"), [new, old.clone(), old]);
    assert_eq!(column(&page, "outcome"), ["committed", "reverted", "committed"]);
    let part = service.get("/api/v1/hosts?limit=2").json();
    assert_eq!((column(&part, "name").len(), &part["next"]), (2, &json!("web-2")));
    let rest = service.get("/api/v1/hosts?limit=2&after=web-2").json();
    assert_eq!((column(&rest, "name"), &rest["next"]), (vec![json!("web-3")], &Value::Null));
    service.get("/api/v1/hosts/web-9").problem(404);
}

#[test]
fn deployments_are_filtered_by_host_and_outcome() {
    let service = Service::new();
    fleet(&service);
    for (query, count) in [
        ("", 5),
        ("?host=web-1", 2),
        ("?outcome=committed", 4),
        ("?host=web-2&outcome=reverted", 1),
        ("?host=web-3&outcome=reverted", 0),
        ("?host=nobody", 0),
    ] {
        let page = service.get(&format!("/api/v1/deployments{query}")).json();
        assert_eq!(column(&page, "id").len(), count, "{query}: {page}");
    }
    let one = service.get("/api/v1/deployments?outcome=reverted").json()["items"][0].clone();
    assert_eq!(
        (&one["host"], &one["seq"], &one["kind"]),
        (&json!("web-2"), &json!(2), &json!("deployment"))
    );
}

#[test]
fn a_commit_is_found_by_its_first_digits_with_every_hosts_last_word() {
    let service = Service::new();
    fleet(&service);
    let new = commit("1b");
    for asked in [&new[..7], &new] {
        let found = service.get(&format!("/api/v1/where?commit={asked}")).json();
        assert_eq!(found["commit"], json!(new));
        let hosts = found["hosts"].as_array().unwrap();
        let words: Vec<_> =
            hosts.iter().map(|it| (&it["host"], &it["outcome"], &it["running"])).collect();
        let [yes, no] = [json!(true), json!(false)];
        assert_eq!(
            words,
            [
                (&json!("web-1"), &json!("committed"), &yes),
                (&json!("web-2"), &json!("reverted"), &no),
            ]
        );
    }
    let commits = service.get("/api/v1/commits").json();
    assert_eq!(column(&commits, "commit"), [new, commit("0a")]);
    assert_eq!(column(&commits, "running"), [1, 2]);
    assert_eq!(
        column(&commits, "hosts"),
        [json!({"committed": 1, "reverted": 1}), json!({"committed": 3})]
    );
    service.get(&format!("/api/v1/where?commit={}", "9".repeat(40))).problem(404);
}

#[test]
fn a_question_that_is_none_is_answered_with_what_would_be_one() {
    let service = Service::new();
    fleet(&service);
    // A second commit that begins alike.
    let mut host = Host::enrolled(&service, "web-4");
    host.tell(&format!("{}ff", &commit("1b")[..38]), None, Outcome::Committed);
    assert_eq!(service.send(&host.all()).status, 200);
    for query in [
        "hosts?limit=0",
        "hosts?limit=1001",
        "hosts?limit=many",
        "hosts?limits=1",
        "commits?limit=101",
        "deployments?outcome=success",
        "deployments?after=last",
        "where",
        "where?commit=1b1b1b",
        "where?commit=1B1B1B1B",
        "where?commit=1b1b1b1b%25",
        "where?commit=1b1b1b1b",
    ] {
        service.get(&format!("/api/v1/{query}")).problem(400);
    }
    let long = format!("/api/v1/hosts?after={}", "a".repeat(5000));
    service.get(&long).problem(414);
    for path in ["/api/v1", "/api/v1/changes", "/api/v2/hosts", "/agent/v1/intent", "/index.html"] {
        service.get(path).problem(404);
    }
    service.get("/agent/v1/records").problem(405);
    service.post("/api/v1/hosts", "").problem(405);
}

#[test]
fn readers_need_a_token_where_one_is_named() {
    let digest = Sha256::of(b"let me in");
    let service = Service::with(&format!("[read]\ntokenSha256 = [\"{digest}\"]\n"));
    let mut host = Host::enrolled(&service, "web-1");
    host.tell_many(1);
    assert_eq!(service.send(&host.all()).status, 200, "agents prove themselves otherwise");
    let guarded = [
        "/api/v1/hosts",
        "/api/v1/hosts/web-1",
        "/api/v1/deployments",
        "/api/v1/commits",
        "/api/v1/where?commit=a1a1a1a1",
        "/api/v1/events",
        "/board.json",
        "/matrix.json",
        "/hosts/web-1.json",
        "/deployments/web-1/@1.json",
        "/metrics",
    ];
    for path in guarded {
        for token in [None, Some("let me out"), Some(""), Some(&*digest.to_string())] {
            service.get_as(token, path).problem(401);
        }
        if !path.ends_with("events") {
            assert_eq!(service.get_as(Some("let me in"), path).status, 200, "{path}");
        }
    }
    for path in ["/healthz", "/openapi.json"] {
        assert_eq!(service.get(path).status, 200, "{path}");
    }
}

#[test]
fn figures_have_few_labels_and_no_names_of_hosts() {
    let service = Service::new();
    fleet(&service);
    service.get("/api/v1/hosts/web-1");
    service.get("/no/such/path");
    let page = service.get("/metrics");
    assert!(page.kind.starts_with("text/plain; version=0.0.4"), "{page:?}");
    for line in [
        "bowline_control_hosts 3",
        "bowline_control_hosts_by_outcome{outcome=\"reverted\"} 1",
        "bowline_control_keys{state=\"enrolled\"} 3",
        "bowline_control_records_taken_total 5",
        "bowline_control_http_requests_total{route=\"/api/v1/hosts/{name}\",status=\"200\"} 1",
    ] {
        assert!(page.body.lines().any(|it| it == line), "{line} in {}", page.body);
    }
    assert!(!page.body.contains("web-1") && !page.body.contains("no/such"), "{}", page.body);
    for line in page.body.lines().filter(|it| !it.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("bowline_control_") && value.parse::<u64>().is_ok(), "{line}");
    }
}

#[test]
fn a_host_that_went_back_is_shown_so_until_something_else_becomes_of_it() {
    let service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    let [old, new] = ["0a", "1b"].map(commit);
    let quarantined = |it: &mut Record| {
        (it.outcome, it.reason) = (Outcome::Held, "Quarantined".to_owned());
    };
    let mut told = |change: &dyn Fn(&mut Host)| {
        let first = host.told();
        change(&mut host);
        let lines: Vec<_> = host.all().into_iter().skip(usize::try_from(first).unwrap()).collect();
        assert_eq!(service.send(&lines).status, 200);
        let found = service.get("/api/v1/hosts/web-1").json();
        let cell = service.get(&format!("/api/v1/where?commit={new}")).json();
        let word = |it: &Value| it.as_str().unwrap_or_default().to_owned();
        [word(&found["outcome"]), word(&cell["hosts"][0]["outcome"])]
    };
    told(&|it| it.tell(&old, None, Outcome::Committed));
    let reverted = told(&|it| it.tell(&new, Some(&old), Outcome::Reverted));
    assert_eq!(reverted, ["reverted", "reverted"]);
    assert_eq!(told(&|it| it.tell_as(&new, quarantined)), reverted);
    // What stands is repaired meanwhile, and the alarm comes anew.
    let repair = |it: &mut Record| (it.outcome, it.kind) = (Outcome::Committed, Kind::Drift);
    assert_eq!(told(&|it| it.tell_as(&old, repair)), ["committed", "reverted"]);
    assert_eq!(told(&|it| it.tell_as(&new, quarantined)), reverted);
    // Held for another reason is news.
    assert_eq!(told(&|it| it.tell(&new, Some(&old), Outcome::Held)), ["held", "held"]);
    assert_eq!(told(&|it| it.tell(&new, None, Outcome::Committed)), ["committed", "committed"]);
    assert_eq!(told(&|it| it.tell_as(&new, quarantined)), ["held", "held"]);
}

#[test]
fn a_receipt_says_that_a_host_is_well_and_ends_nothing() {
    let service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    let [old, new] = ["0a", "1b"].map(commit);
    host.tell(&old, None, Outcome::Committed);
    host.tell(&new, Some(&old), Outcome::Pending);
    host.tell_as(&old, |it| {
        (it.kind, it.outcome, it.reason) =
            (Kind::Healthy, Outcome::Unchanged, "Healthy".to_owned());
        it.deployment = String::new();
        it.standing_probes = Some(1);
        let since = "2026-11-23T05:00:00Z".to_owned();
        it.healthy = Some(HealthMark { since, lasting_ms: 3_600_000 });
    });
    assert_eq!(service.send(&host.all()).status, 200);
    let found = service.get("/api/v1/hosts/web-1").json();
    assert_eq!((&found["outcome"], &found["health"]), (&"pending".into(), &"well".into()));
    let cell = |commit: &str| service.get(&format!("/api/v1/where?commit={commit}")).json();
    assert_eq!(cell(&new)["hosts"][0]["outcome"], "pending");
    assert_eq!(cell(&old)["hosts"][0]["outcome"], "committed");
    let page = service.get("/deployments/web-1/@3");
    assert_eq!(page.status, 200);
    assert!(page.body.contains("healthy"), "{}", page.body);
}
