//! How keys get in, and how they do not.

use bowline_api::enrolment::Request;

use bowline_api::status::Reporting;

use crate::host::Host;
use crate::service::Service;
use crate::site::{Site, until_all_is_there, until_it_is};

#[test]
fn a_key_with_a_fresh_token_is_enrolled_and_the_same_request_again_changes_nothing() {
    let service = Service::new();
    let host = Host::new("web-1");
    let request = host.request(&service.token("web-1", &["--for", "1h"]));
    for _ in 0..2 {
        let answer = service.post("/agent/v1/enrol", &request);
        assert_eq!(answer.status, 200, "{answer:?}");
        let expected = serde_json::json!({
            "host": "web-1", "key": host.key.fingerprint(), "state": "enrolled"
        });
        assert_eq!(answer.json(), expected);
    }
    let shown = service.get("/api/v1/hosts/web-1").json();
    assert_eq!(shown["keys"].as_array().unwrap().len(), 1);
}

#[test]
fn a_token_counts_once_for_one_host_and_not_for_longer_than_a_day() {
    let service = Service::new();
    let token = service.token("web-1", &[]);
    let other = Host::new("web-2").request(&token);
    assert!(service.post("/agent/v1/enrol", other).problem(403).contains("another host"));
    let host = Host::new("web-1");
    assert_eq!(service.post("/agent/v1/enrol", host.request(&token)).status, 200);
    let second = Host::new("web-1").request(&token);
    assert!(service.post("/agent/v1/enrol", second).problem(403).contains("used by another key"));
    let unknown = Host::new("web-1").request("bowline-enrol-00");
    service.post("/agent/v1/enrol", unknown).problem(403);
    for span in ["25h", "0s"] {
        let output = service.verb(&["token", "new", "--host", "web-1", "--for", span]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
}

#[test]
fn an_old_token_counts_no_more() {
    let service = Service::new();
    let request = Host::new("web-1").request(&service.token("web-1", &["--for", "1s"]));
    let made = now();
    let fresh = Host::new("web-2").request(&service.token("web-2", &[]));
    tests::agent::until("the token's time is over", || now() > 1 + made);
    assert!(service.post("/agent/v1/enrol", request).problem(403).contains("time is over"));
    assert_eq!(service.post("/agent/v1/enrol", fresh).status, 200);
}

fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

#[test]
fn a_token_is_kept_by_its_digest_only() {
    let mut service = Service::new();
    let token = service.token("web-1", &[]);
    service.stop();
    let secret = token.strip_prefix("bowline-enrol-").unwrap().as_bytes();
    let mut kept = 0;
    for entry in std::fs::read_dir(service.folder.path().join("store")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        kept += bytes.len();
        assert!(!bytes.windows(secret.len()).any(|it| it == secret));
    }
    assert!(kept > 0);
}

#[test]
fn only_who_holds_a_key_enrols_it() {
    let service = Service::new();
    let [host, thief] = [Host::new("web-1"), Host::new("web-1")];
    let token = service.token("web-1", &[]);
    let ask = |key: &Host| Request {
        v: 1,
        host: "web-1".to_owned(),
        key: key.key.public_line(),
        token: token.clone(),
    };
    // The thief names a key that is not theirs; then sends a proof that was made for something else.
    service.post("/agent/v1/enrol", thief.signed(&ask(&host))).problem(403);
    let payload = serde_json::to_vec(&ask(&host)).unwrap();
    let other = host.envelope("application/vnd.bowline.record+json", &payload);
    service.post("/agent/v1/enrol", other).problem(400);
    let newer = Request { v: 2, ..ask(&host) };
    assert!(
        service.post("/agent/v1/enrol", host.signed(&newer)).problem(400).contains("version 2")
    );
    let unnamed = Request { host: "../x".to_owned(), ..ask(&host) };
    service.post("/agent/v1/enrol", host.signed(&unnamed)).problem(400);
    for body in ["", "{}", "[]", "\0"] {
        service.post("/agent/v1/enrol", body).problem(400);
    }
    assert_eq!(service.get("/api/v1/hosts").json()["items"], serde_json::json!([]));
    assert_eq!(service.post("/agent/v1/enrol", host.signed(&ask(&host))).status, 200);
}

#[test]
fn a_second_key_waits_for_a_person_and_never_replaces_the_first_by_itself() {
    let service = Service::new();
    let mut first = Host::enrolled(&service, "web-1");
    let mut second = Host::new("web-1");
    let answer = second.enrol(&service);
    assert_eq!((answer.status, &answer.json()["state"]), (202, &"pending".into()));
    first.tell_many(1);
    second.tell_many(1);
    assert_eq!(service.send(&first.all()).status, 200);
    assert!(service.send(&second.all()).problem(403).contains("pending"));
    assert_eq!(service.get("/api/v1/hosts/web-1").json()["pendingKeys"], 1);

    let key = second.key.fingerprint();
    let wrong = service.verb(&["host", "approve", "web-2", &key]);
    assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
    let done = service.verb(&["host", "approve", "web-1", &key]);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(service.send(&second.all()).json(), serde_json::json!({"acked": 1}));
    first.tell_many(1);
    assert!(service.send(&first.after(1, 1)).problem(403).contains("retired"));
    // The first key cannot come back by a token either.
    assert!(first.enrol(&service).problem(403).contains("another key"));
    let again = service.verb(&["host", "approve", "web-1", &key]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("enrolled already"), "{again:?}");
}

#[test]
fn a_key_that_was_refused_stays_out() {
    let service = Service::new();
    let mut first = Host::enrolled(&service, "web-1");
    let second = Host::new("web-1");
    second.enrol(&service);
    let done = service.verb(&["host", "refuse", "web-1", &second.key.fingerprint()]);
    assert!(done.status.success(), "{done:?}");
    assert!(second.enrol(&service).problem(403).contains("refused"));
    first.tell_many(1);
    assert_eq!(service.send(&first.all()).status, 200);
}

#[test]
fn one_key_is_not_two_hosts() {
    let service = Service::new();
    let host = Host::enrolled(&service, "web-1");
    let mut clone = host.copy();
    clone.name = "web-2".to_owned();
    assert!(clone.enrol(&service).problem(403).contains("copied"));
    assert!(host.key_file().exists());
}

/// Merges a Host into the folder that the service was told of.
fn merge(service: &Service, name: &str, fingerprint: &str) {
    let folder = service.folder.path().join("hosts");
    std::fs::create_dir_all(&folder).unwrap();
    let text = format!(
        "apiVersion: bowline/v1\nkind: Host\nmetadata: {{name: {name}}}\nspec:\n  keyFingerprint: \
         {fingerprint}\n  environment: production\n"
    );
    std::fs::write(folder.join(format!("{name}.yaml")), text).unwrap();
}

#[test]
fn a_key_that_was_merged_needs_no_token() {
    let service = Service::with("[enrol]\nhosts = \"hosts\"\n");
    let [first, second, stranger] = [Host::new("web-1"), Host::new("web-1"), Host::new("web-1")];
    let ask = |host: &Host| service.post("/agent/v1/enrol", host.request(""));
    assert!(ask(&first).problem(403).contains("no merged Host"), "nothing was merged yet");
    merge(&service, "web-1", &first.key.fingerprint());
    for _ in 0..2 {
        assert_eq!((ask(&first).status, &ask(&first).json()["state"]), (200, &"enrolled".into()));
    }
    assert!(ask(&stranger).problem(403).contains("no merged Host"));
    assert_eq!(stranger.enrol(&service).status, 202, "a token alone takes nobody's place");
    // A new key for the same host is merged: it takes the place of the one before.
    merge(&service, "web-1", &second.key.fingerprint());
    assert_eq!(ask(&second).status, 200);
    let keys = service.get("/api/v1/hosts/web-1").json()["keys"].clone();
    let states: Vec<_> = keys.as_array().unwrap().iter().map(|it| it["state"].clone()).collect();
    assert_eq!(states, ["retired", "pending", "enrolled"]);
    merge(&service, "web-1", &first.key.fingerprint());
    assert!(ask(&first).problem(403).contains("retired"), "what was retired does not come back");
    // A retired host comes back by a person at the command line only.
    assert!(service.verb(&["host", "retire", "web-1"]).status.success());
    let third = Host::new("web-1");
    merge(&service, "web-1", &third.key.fingerprint());
    assert_eq!(ask(&third).status, 202);
}

#[test]
fn what_stands_in_the_folder_of_hosts_and_is_no_host_lets_nobody_in() {
    let service = Service::with("[enrol]\nhosts = \"hosts\"\n");
    let host = Host::new("web-1");
    merge(&service, "web-1", &host.key.fingerprint());
    let file = service.folder.path().join("hosts/web-1.yaml");
    let good = std::fs::read_to_string(&file).unwrap();
    let ask = || service.post("/agent/v1/enrol", host.request("")).status;
    for bad in [
        good.replace("kind: Host", "kind: File"),
        good.replace("name: web-1", "name: web-2"),
        format!("{good}  more: field\n"),
        format!("{good}---\n{good}"),
        format!("{good}---\n&anchor a: b\n"),
        format!("# {}\n{good}", "x".repeat(1 << 20)),
    ] {
        std::fs::write(&file, bad).unwrap();
        assert_eq!(ask(), 403);
    }
    let elsewhere = service.folder.path().join("web-1.yaml");
    std::fs::write(&elsewhere, &good).unwrap();
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    assert_eq!(ask(), 403, "a link leads out of the folder");
    std::fs::remove_file(&file).unwrap();
    nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(ask(), 403, "a pipe holds nobody up");
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, &good).unwrap();
    assert_eq!(ask(), 200);
}

#[test]
fn an_agent_without_a_token_is_let_in_once_its_key_is_merged() {
    let service = Service::with("[enrol]\nhosts = \"hosts\"\n");
    let site = Site::told(&service, "");
    let agent = site.shop.serve();
    until_it_is(&agent, Reporting::Unenrolled);
    merge(&service, "web-1", &site.fingerprint());
    assert!(until_all_is_there(&agent, &service) > 0);
}
