//! Hosts with records that are signed beforehand, and how they send them.
//!
//! **Invariant:** nothing is signed while the clock runs, and each request waits for the answer before.

use std::io::{BufRead as _, Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use bowline_api::enrolment::{self, Request};
use bowline_api::record::{PAYLOAD_TYPE, Record};
use bowline_host::key::HostKey;
use bowline_model::digest::Sha256;
use bowline_model::envelope::{Envelope, EnvelopeSignature, pae};
use bowline_trust::dsse;
use serde_json::{Value, json};

use crate::service::Service;
use crate::way::Stream;

/// One host.
pub(crate) struct Host {
    name: String,
    key: HostKey,
    /// Its records in their envelopes.
    pub(crate) lines: Vec<String>,
}

impl Host {
    pub(crate) fn new(folder: &Path, name: &str, records: u64) -> Result<Self> {
        let key = HostKey::open(&folder.join(format!("{name}.key")))?;
        let mut host = Self { name: name.to_owned(), key, lines: Vec::new() };
        let mut prev = "0".repeat(64);
        for seq in 1..=records {
            let payload = serde_json::to_vec(&record(name, seq, &prev)?)?;
            let line = String::from_utf8(host.envelope(PAYLOAD_TYPE, payload))?;
            prev = Sha256::of(line.as_bytes()).to_string();
            host.lines.push(line);
        }
        Ok(host)
    }

    fn envelope(&self, kind: &str, payload: Vec<u8>) -> Vec<u8> {
        let sig = self.key.sign(&pae(kind, &payload));
        let mut line = dsse::write(&Envelope {
            payload_type: kind.to_owned(),
            payload,
            signatures: vec![EnvelopeSignature { key_id: Some(self.key.fingerprint()), sig }],
        });
        line.pop();
        line
    }

    pub(crate) fn enrol(&self, service: &Service) -> Result<()> {
        let request = Request {
            v: enrolment::VERSION,
            host: self.name.clone(),
            key: self.key.public_line(),
            token: service.token(&self.name)?,
        };
        let body = self.envelope(enrolment::PAYLOAD_TYPE, serde_json::to_vec(&request)?);
        let answer = ask(&mut service.connect()?, "POST", "/agent/v1/enrol", &body)?;
        ensure!(answer.contains("enrolled"), "the host was not enrolled: {answer}");
        Ok(())
    }

    /// Sends all records over one connection.
    pub(crate) fn send(&self, service: &Service, batch: usize) -> Result<()> {
        let mut stream = service.connect()?;
        let mut seq = 0;
        for lines in self.lines.chunks(batch) {
            seq += lines.len();
            let body = lines.join("\n");
            let answer = ask(&mut stream, "POST", "/agent/v1/records", body.as_bytes())?;
            let acked = format!("{{\"acked\":{seq}}}");
            ensure!(answer == acked, "not acknowledged: {answer}");
        }
        Ok(())
    }
}

/// Asks over a connection that stays open; gives the answer's body.
pub(crate) fn ask(stream: &mut Stream, method: &str, path: &str, body: &[u8]) -> Result<String> {
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
    stream.get_mut().write_all(&[head.as_bytes(), body].concat())?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        ensure!(stream.read_line(&mut line)? > 0, "the service hung up");
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().context("the answer's length")?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(String::from_utf8(body)?)
}

/// A record of usual size: some steps, a policy, two probes.
fn record(host: &str, seq: u64, prev: &str) -> Result<Record> {
    let commit = |number: u64| format!("main@sha1:{number:040x}");
    let probe = |name: &str| json!({"name": name, "passed": true, "detail": "200 OK in 12 ms"});
    let value: Value = json!({
        "v": 1, "host": host, "seq": seq, "prev": prev, "at": "2026-11-01T00:00:00Z",
        "kind": "deployment", "deployment": format!("{host}-{seq}"), "revision": commit(seq),
        "base": commit(seq - 1), "outcome": "committed", "reason": "Applied",
        "trustSha256": "0".repeat(64), "policy": {"version": 1, "sha256": "1".repeat(64)},
        "steps": {"changed": 3, "byKind": {"write-file": 2, "restart": 1}},
        "probes": [probe("shop"), probe("shop-db")],
        "durations": {"plan": 3, "stage": 11, "apply": 7, "probe": 30},
    });
    Ok(serde_json::from_value(value)?)
}
