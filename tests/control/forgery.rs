//! Records that are not what they say.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bowline_api::record::PAYLOAD_TYPE;
use serde_json::{Value, json};

use crate::host::{Host, blank};
use crate::service::Service;

/// A line as JSON, changed and written anew.
fn changed(line: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut value: Value = serde_json::from_str(line).unwrap();
    change(&mut value);
    value.to_string()
}

#[test]
fn a_line_is_written_anew_as_it_was() {
    let mut host = Host::new("web-1");
    host.tell_many(1);
    let line = host.all().remove(0);
    // Otherwise the changes below would be refused for another reason.
    assert_eq!(changed(&line, |_| ()), line);
}

#[test]
fn attack_34_only_the_hosts_own_key_signs_its_records() {
    let service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    let mut other = Host::enrolled(&service, "web-2");
    let mut stranger = Host::new("web-1");
    for it in [&mut host, &mut other, &mut stranger] {
        it.tell_many(1);
    }
    let line = host.all().remove(0);
    assert!(service.send(&stranger.all()).problem(403).contains("token new"));
    // The stranger's signature under the host's name, and the host's payload under the other's.
    let forged = changed(&stranger.all()[0], |it| {
        it["signatures"][0]["keyid"] = json!(host.key.fingerprint());
    });
    assert!(service.send(&[forged]).problem(403).contains("signature"));
    let payload: Value = serde_json::from_str(&line).unwrap();
    let payload = STANDARD.decode(payload["payload"].as_str().unwrap()).unwrap();
    let spoken = String::from_utf8(other.envelope(PAYLOAD_TYPE, &payload)).unwrap();
    assert!(service.send(&[spoken.trim().to_owned()]).problem(403).contains("web-1"));
    // Lines of two hosts do not come in one request.
    service.send(&[line.clone(), other.all().remove(0)]).problem(400);
    for name in ["web-1", "web-2"] {
        assert_eq!(service.seq(name), 0, "{name}");
    }
    assert_eq!(service.send(&[line]).json(), json!({"acked": 1}));
    assert!(service.figure("messages_refused_total") >= 4);
}

#[test]
fn attack_34_a_record_that_somebody_touched_on_the_way_is_refused_and_no_fork() {
    let service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    host.tell_many(2);
    let lines = host.all();
    let payload = |it: &mut Value, change: fn(&mut Value)| {
        let bytes = STANDARD.decode(it["payload"].as_str().unwrap()).unwrap();
        let mut record: Value = serde_json::from_slice(&bytes).unwrap();
        change(&mut record);
        it["payload"] = json!(STANDARD.encode(record.to_string()));
    };
    let touched = [
        changed(&lines[0], |it| payload(it, |record| record["outcome"] = json!("reverted"))),
        changed(&lines[0], |it| it["payloadType"] = json!("application/json")),
        changed(&lines[0], |it| it["more"] = json!(1)),
        changed(&lines[0], |it| it["signatures"] = json!([])),
        changed(&lines[0], |it| {
            let one = it["signatures"][0].clone();
            it["signatures"] = json!([one, one]);
        }),
        lines[0].replace("\":", "\": "),
        format!(" {}", lines[0]),
        lines[0].replace("/", "_"),
        lines[0][1..].to_owned(),
    ];
    for line in touched {
        assert_ne!(line, lines[0]);
        let answer = service.send(std::slice::from_ref(&line));
        assert!([400, 403].contains(&answer.status), "{answer:?} to {line}");
        answer.problem(answer.status);
        // Behind a good line as well: nothing of the request is kept.
        let answer = service.send(&[lines[0].clone(), line]);
        assert!([400, 403].contains(&answer.status), "{answer:?}");
    }
    assert_eq!(service.seq("web-1"), 0);
    assert_eq!(service.get("/api/v1/hosts/web-1").json()["faults"], json!([]));
    assert_eq!(service.send(&lines).json(), json!({"acked": 2}));
}

#[test]
fn a_record_of_a_later_version_is_not_read_by_guess() {
    let service = Service::new();
    let host = Host::enrolled(&service, "web-1");
    let mut record = blank("web-1", "d");
    (record.v, record.seq, record.prev) = (2, 1, "0".repeat(64));
    let payload = serde_json::to_vec(&record).unwrap();
    let line = String::from_utf8(host.envelope(PAYLOAD_TYPE, &payload)).unwrap();
    assert!(service.send(&[line.trim().to_owned()]).problem(400).contains("version 2"));
}

#[test]
fn a_sequence_beyond_any_chain_is_refused_and_leads_to_nobodys_record() {
    let service = Service::new();
    let [mut host, mut other] = ["web-1", "web-2"].map(|it| Host::enrolled(&service, it));
    for it in [&mut host, &mut other] {
        it.tell_many(1);
        assert_eq!(service.send(&it.all()).json(), json!({"acked": 1}));
    }
    let mut record = blank("web-1", "d");
    (record.seq, record.prev) = ((1 << 40) + 2, "0".repeat(64));
    let payload = serde_json::to_vec(&record).unwrap();
    let line = String::from_utf8(host.envelope(PAYLOAD_TYPE, &payload)).unwrap();
    let answer = service.send(&[line.trim().to_owned()]);
    answer.problem(400);
    assert_eq!(answer.json()["code"], json!("sequence-too-large"));
    assert_eq!(service.get("/api/v1/hosts/web-1").json()["faults"], json!([]));
    let key = host.key.fingerprint().replace('+', "%2B");
    for seq in [0, 2, (1_u64 << 40) + 1] {
        assert_eq!(service.get(&format!("/deployments/web-1/@{seq}")).status, 404, "{seq}");
        service.get(&format!("/api/v1/envelope?key={key}&seq={seq}")).problem(404);
    }
}

#[test]
fn a_record_that_is_lost_has_no_envelope() {
    let service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    host.tell_many(3);
    assert_eq!(service.send(&host.after(0, 1)).json(), json!({"acked": 1}));
    service.send(&host.after(2, 1)).problem(409);
    assert!(service.verb(&["host", "continue", "web-1", "--from", "3"]).status.success());
    assert_eq!(service.send(&host.after(2, 1)).json(), json!({"acked": 3}));
    let key = host.key.fingerprint().replace('+', "%2B");
    let envelope = |seq: u64| service.get(&format!("/api/v1/envelope?key={key}&seq={seq}"));
    envelope(2).problem(404);
    assert_eq!(envelope(3).body.trim(), host.after(2, 1)[0]);
}
