//! A host that sends everything again: a hundred thousand records, twice.

use serde_json::json;

use bowline_model::digest::Sha256;

use crate::host::{Host, blank};
use crate::service::Service;

/// As many as the design names.
const RECORDS: u64 = 100_000;

/// A body's limit.
const BODY_BYTES: usize = 1 << 20;

/// Bodies of chained records, each as full as it may be.
fn bodies(host: &Host) -> Vec<String> {
    let mut bodies = vec![String::new()];
    let mut prev = "0".repeat(64);
    for seq in 1..=RECORDS {
        let mut record = blank("web-1", &format!("d{seq:06}-0123456789ab"));
        (record.seq, record.prev, record.at) = (seq, prev, "2026-11-01T00:00:00Z".to_owned());
        let payload = serde_json::to_vec(&record).unwrap();
        let line = host.envelope(bowline_api::record::PAYLOAD_TYPE, &payload);
        let line = String::from_utf8(line).unwrap();
        prev = Sha256::of(line.trim_end().as_bytes()).to_string();
        if bodies.last().unwrap().len() + line.len() > BODY_BYTES {
            bodies.push(String::new());
        }
        bodies.last_mut().unwrap().push_str(&line);
    }
    bodies
}

#[test]
fn a_hundred_thousand_records_that_come_twice_are_kept_once() {
    let service = Service::new();
    let host = Host::enrolled(&service, "web-1");
    let bodies = bodies(&host);
    for lap in 1..=2 {
        for body in &bodies {
            assert_eq!(service.post("/agent/v1/records", body).status, 200);
        }
        assert_eq!(service.seq("web-1"), RECORDS);
        assert_eq!(service.figure("records_sent_total"), lap * RECORDS);
        assert_eq!(service.figure("records_taken_total"), RECORDS);
    }
    let store = service.folder.path().join("store/control.db");
    let store = rusqlite::Connection::open(store).unwrap();
    let kept = store.query_row("SELECT count(*), count(DISTINCT id) FROM record", [], |row| {
        Ok((row.get(0)?, row.get(1)?))
    });
    assert_eq!(kept.unwrap(), (100_000_i64, 100_000_i64));
    assert_eq!(service.get("/api/v1/hosts/web-1").json()["faults"], json!([]));
}
