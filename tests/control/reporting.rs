//! The agent reports: it enrols itself, and its records arrive.

use bowline_api::outcome::Outcome;
use bowline_api::status::{Reporting, Status};
use serde_json::json;
use tests::agent::until;

use crate::service::Service;
use crate::site::{Site, standing, until_all_is_there, until_it_is, warned};

#[test]
fn a_host_enrols_itself_by_its_token_and_its_records_arrive() {
    let service = Service::new();
    let site = Site::with_token(&service);
    assert_eq!(warned(&site.shop.once(), Outcome::Committed), "");
    let shown = service.get("/api/v1/hosts/web-1").json();
    let tip = site.shop.tip();
    assert_eq!(shown["keys"][0]["fingerprint"], site.fingerprint(), "{shown}");
    assert!(shown["revision"].as_str().unwrap().contains(&tip), "{shown}");

    // The token is needed no more, and everything that happens is told as it happens.
    std::fs::remove_file(site.shop.folder().join("token")).unwrap();
    let agent = site.shop.serve();
    let before = until_all_is_there(&agent, &service);
    let second = site.merge("second");
    agent.sync();
    until("the second revision is shown", || {
        let shown = service.get("/api/v1/hosts/web-1").json();
        shown["revision"].as_str().is_some_and(|it| it.contains(&second))
    });
    assert_eq!(until_all_is_there(&agent, &service), before + 1);
    let told = standing(&agent);
    assert_eq!((told.url, told.last_error), (format!("http://{}/", service.address), None));
    assert_eq!(agent.stop(), Some(0));
}

#[test]
fn the_page_of_a_deployment_shows_how_long_a_real_agent_took_for_each_phase() {
    let service = Service::new();
    let site = Site::with_token(&service);
    site.merge("first");
    let cycle = site.shop.once();
    let id = cycle.ended(Outcome::Committed).deployment.clone().unwrap();
    let page = service.get(&format!("/deployments/web-1/{id}")).body;
    for phase in ["fetch", "verify", "plan", "stage", "apply", "commit"] {
        let row =
            page.split("<tr>").find(|it| it.starts_with(&format!("<th scope=\"row\">{phase}<")));
        assert!(row.is_some_and(|it| it.contains("<rect x=\"")), "{phase}: {page}");
    }
}

#[test]
fn a_host_is_well_only_where_what_it_runs_has_probes() {
    let service = Service::new();
    let site = Site::with_token(&service);
    let probed = |program: &str, text: &str| {
        let probe = format!(
            "apiVersion: bowline/v1\nkind: Probe\nmetadata: {{name: works}}\nspec: {{exec: {{argv: \
             [{program}]}}, interval: 100ms, successThreshold: 1, failureThreshold: 1, deadline: 200ms, \
             soak: 0s}}\n"
        );
        site.shop.write("apps/works.yaml", probe);
        site.merge(text);
    };
    let shown = || {
        let page = service.get("/").body;
        let is_none = page.contains("<span class=\"none\">no probe</span>");
        (service.get("/board.json").json()["items"][0]["health"].clone(), is_none)
    };
    let ended = |outcome| assert_eq!(warned(&site.shop.once(), outcome), "");
    // Nothing stands yet, so nothing is well once the first change was taken back.
    probed("/usr/bin/false", "first");
    ended(Outcome::Reverted);
    assert_eq!(shown(), (json!(null), true));
    probed("/usr/bin/true", "second");
    ended(Outcome::Committed);
    assert_eq!(shown(), (json!("well"), false));
    assert!(service.get("/hosts/web-1").body.contains("by its probes"));
    probed("/usr/bin/false", "third");
    ended(Outcome::Reverted);
    assert_eq!(shown(), (json!("well"), false), "what stands again was asked");
    std::fs::remove_file(site.shop.repo().join("apps/works.yaml")).unwrap();
    site.merge("fourth");
    ended(Outcome::Committed);
    assert_eq!(shown(), (json!(null), true), "what was said of another revision is over");
    probed("/usr/bin/false", "fifth");
    ended(Outcome::Reverted);
    assert_eq!(shown(), (json!(null), true));
    assert_eq!(service.get("/hosts/web-1.json").json()["health"], json!(null));
    assert!(!service.get("/hosts/web-1").body.contains("by its probes"));
}

#[test]
fn settings_by_which_nothing_could_be_sent_are_found_before_the_start() {
    let service = Service::new();
    let check = |site: &Site| {
        let mut agent = site.shop.command(tests::binaries::agent());
        let words = ["--config", "agent.toml", "--root", "root", "--check-config"];
        let output = agent.args(words).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for (more, said) in [
        ("caFile = \"ca.pem\"\n", "ca.pem is not there"),
        ("clientCert = \"trust.yaml\"\nclientKey = \"key\"\n", "trust.yaml holds no certificate"),
        ("clientCert = \"c.pem\"\n", "clientCert and clientKey go together"),
        ("proxy = \"https://proxy\"\n", "a proxy is asked over http only"),
        ("spool = \"1MiB\"\n", "not between 8MiB and 64GiB"),
    ] {
        let (code, shown) = check(&Site::told(&service, more));
        assert_eq!(code, Some(2), "{more}: {shown}");
        assert!(shown.contains(said), "{more}: {shown}");
    }
    // A token is thrown away once it was used; one that others may read is not used.
    let site = Site::told(&service, "");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    assert_eq!(check(&site).0, Some(0));
    site.give("token");
    std::fs::set_permissions(site.shop.folder().join("token"), mode).unwrap();
    assert_eq!(check(&site).0, Some(2));
}

#[test]
fn an_agent_without_a_control_service_says_nothing_of_one() {
    let site = tests::workshop::Workshop::new();
    let agent = site.serve();
    let status: Status = agent.tell("/v1/status");
    assert_eq!(status.control, None);
    assert!(!status.warnings.concat().contains("control"), "{status:?}");
}

#[test]
fn a_key_that_control_does_not_know_waits_for_a_token_that_counts() {
    let service = Service::new();
    let site = Site::told(&service, "");
    let refused = |said: &str| {
        let told = site.shop.once();
        let shown = warned(&told, told.outcome().unwrap());
        assert!(shown.contains(said) && shown.contains("unenrolled"), "{said}: {told:?}");
    };
    refused("no host has the key");
    site.give("bowline-enrol-of-my-own");
    refused("unknown or was made for another host");
    site.give(&service.token("web-2", &[]));
    refused("unknown or was made for another host");
    let used = service.token("web-1", &[]);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    site.give(&used);
    std::fs::set_permissions(site.shop.folder().join("token"), mode).unwrap();
    refused("has mode 0644");
    let short = service.token("web-1", &["--for", "1s"]);
    let made = std::time::UNIX_EPOCH.elapsed().unwrap();
    until("the token's time is over", || {
        std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() > made.as_secs() + 1
    });
    site.give(&short);
    refused("time is over");
    assert_eq!(service.get("/api/v1/hosts").json()["items"], json!([]));

    // A running agent sees a token that comes later.
    let agent = site.shop.serve();
    let told = until_it_is(&agent, Reporting::Unenrolled);
    assert!(told.waiting > 0 && told.acked == 0, "{told:?}");
    site.give(&used);
    let all = until_all_is_there(&agent, &service);
    assert_eq!(all, site.written());

    // The same token counts for no other key.
    let other = Site::told(&service, "");
    other.give(&used);
    let shown = warned(&other.shop.once(), Outcome::Committed);
    assert!(shown.contains("used by another key"), "{shown}");
}

#[test]
fn a_second_host_of_the_same_name_waits_for_a_person_and_loses_nothing() {
    let service = Service::new();
    let first = Site::with_token(&service);
    first.shop.once().ended(Outcome::Committed);
    let second = Site::with_token(&service);
    let agent = second.shop.serve();
    let told = until_it_is(&agent, Reporting::Pending);
    let key = second.fingerprint();
    assert!(told.last_error.unwrap().contains(&key));
    let status: Status = agent.tell("/v1/status");
    assert!(status.warnings.concat().contains("bowline-control host approve"), "{status:?}");
    // Nobody waits for the service: the host goes on.
    let next = second.merge("meanwhile");
    agent.sync();
    until("the merge is applied", || {
        let status: Status = agent.tell("/v1/status");
        status.committed.is_some_and(|it| it.revision.contains(&next))
    });
    assert_eq!(standing(&agent).waiting, 2);
    assert!(service.verb(&["host", "approve", "web-1", &key]).status.success());
    assert_eq!(until_all_is_there(&agent, &service), 2);
    // The first one is told that another took its place, and goes on as well.
    first.merge("late");
    let shown = warned(&first.shop.once(), Outcome::Committed);
    assert!(shown.contains("refused") && shown.contains("another key took its place"), "{shown}");
}

#[test]
fn two_machines_with_one_key_are_an_alarm_on_the_later_one_and_deploy_all_the_same() {
    let service = Service::new();
    let site = Site::with_token(&service);
    site.shop.once().ended(Outcome::Committed);
    let twin = Site { shop: site.shop.copy() };
    site.merge("mine");
    site.shop.once().ended(Outcome::Committed);
    twin.merge("theirs");
    let agent = twin.shop.serve();
    let told = until_it_is(&agent, Reporting::Forked);
    let chain = service.get("/api/v1/hosts/web-1").json();
    assert_eq!(chain["faults"][0]["kind"], "fork", "{chain}");
    // Both ends are named: the one that the service has, and the one that stands here.
    let why = told.last_error.unwrap();
    let digests = why.split(|it: char| !it.is_ascii_hexdigit()).filter(|it| it.len() == 64);
    let digests: std::collections::BTreeSet<_> = digests.collect();
    assert_eq!(digests.len(), 2, "{why}");
    let status: Status = agent.tell("/v1/status");
    assert!(status.committed.is_some_and(|it| it.revision.contains(&twin.shop.tip())));
}
