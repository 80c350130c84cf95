//! A host: the agent's own key and record log.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bowline_api::enrolment::{self, Request};
use bowline_api::outcome::Outcome;
use bowline_api::record::{Kind, PAYLOAD_TYPE, Record, StepCount};
use bowline_host::key::HostKey;
use bowline_host::record::RecordLog;
use bowline_model::digest::Sha256;
use bowline_model::envelope::{Envelope, EnvelopeSignature, pae};
use bowline_trust::dsse;

use crate::http::Answer;
use crate::service::{Folder, Service};

/// A host.
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) key: Arc<HostKey>,
    folder: Folder,
    log: RecordLog,
}

impl Host {
    pub(crate) fn new(name: &str) -> Self {
        let folder = Folder::new();
        let key = Arc::new(HostKey::open(&folder.path().join("host.key")).unwrap());
        let log = RecordLog::open(&folder.path().join("records"), Arc::clone(&key)).unwrap();
        Self { name: name.to_owned(), key, folder, log }
    }

    /// A host that the service knows.
    pub(crate) fn enrolled(service: &Service, name: &str) -> Self {
        let host = Self::new(name);
        let answer = host.enrol(service);
        assert_eq!((answer.status, &answer.json()["state"]), (200, &"enrolled".into()));
        host
    }

    /// The same key, and what happened so far, as a copied disk has it.
    pub(crate) fn copy(&self) -> Self {
        let twin = Folder::new();
        let files = format!("{}/.", self.folder.path().display());
        let copied =
            std::process::Command::new("cp").args(["-a", &files]).arg(twin.path()).status();
        assert!(copied.unwrap().success());
        let log = RecordLog::open(&twin.path().join("records"), Arc::clone(&self.key)).unwrap();
        Self { name: self.name.clone(), key: Arc::clone(&self.key), folder: twin, log }
    }

    pub(crate) fn enrol(&self, service: &Service) -> Answer {
        let token = service.token(&self.name, &[]);
        service.post("/agent/v1/enrol", self.request(&token))
    }

    /// An enrolment's body.
    pub(crate) fn request(&self, token: &str) -> Vec<u8> {
        self.signed(&Request {
            v: enrolment::VERSION,
            host: self.name.clone(),
            key: self.key.public_line(),
            token: token.to_owned(),
        })
    }

    pub(crate) fn signed(&self, request: &Request) -> Vec<u8> {
        self.envelope(enrolment::PAYLOAD_TYPE, &serde_json::to_vec(request).unwrap())
    }

    /// A payload in an envelope of this host's key.
    pub(crate) fn envelope(&self, kind: &str, payload: &[u8]) -> Vec<u8> {
        dsse::write(&Envelope {
            payload_type: kind.to_owned(),
            payload: payload.to_vec(),
            signatures: vec![EnvelopeSignature {
                key_id: Some(self.key.fingerprint()),
                sig: self.key.sign(&pae(kind, payload)),
            }],
        })
    }

    /// Keeps a record of a deployment.
    pub(crate) fn tell(&mut self, commit: &str, base: Option<&str>, outcome: Outcome) {
        let name = |commit: &str| format!("main@sha1:{commit}");
        let number = self.log.next_seq();
        let mut record = blank(&self.name, &format!("d{number}"));
        record.revision = Some(name(commit));
        record.base = base.map(name);
        record.outcome = outcome;
        self.log.append(record).unwrap();
    }

    /// Keeps a record of this revision and base, as it is changed.
    pub(crate) fn tell_as(&mut self, commit: &str, change: impl FnOnce(&mut Record)) {
        let number = self.log.next_seq();
        let mut record = blank(&self.name, &format!("d{number:06}-{}", &commit[..8]));
        record.revision = Some(format!("main@sha1:{commit}"));
        change(&mut record);
        self.log.append(record).unwrap();
    }

    /// Records of one deployment with these details, written past the agent's log, which keeps each word once.
    pub(crate) fn chatter(&self, deployment: &str, details: &[&str]) -> Vec<String> {
        let mut prev = "0".repeat(64);
        let mut lines = Vec::new();
        for (at, detail) in details.iter().enumerate() {
            let mut record = blank(&self.name, deployment);
            (record.seq, record.prev) = (at as u64 + 1, prev);
            record.at = "2026-11-23T05:00:00Z".to_owned();
            record.revision = Some(format!("main@sha1:{}", "a1".repeat(20)));
            (*detail).clone_into(&mut record.detail);
            let payload = serde_json::to_vec(&record).unwrap();
            let line = String::from_utf8(self.envelope(PAYLOAD_TYPE, &payload)).unwrap();
            let line = line.trim_end().to_owned();
            prev = Sha256::of(line.as_bytes()).to_string();
            lines.push(line);
        }
        lines
    }

    /// The sequence of its newest record.
    pub(crate) fn told(&self) -> u64 {
        self.log.next_seq() - 1
    }

    /// Keeps so many records of one commit.
    pub(crate) fn tell_many(&mut self, count: u64) {
        for _ in 0..count {
            self.tell(&"a1".repeat(20), None, Outcome::Committed);
        }
    }

    /// Envelopes after a sequence, as the agent sends them.
    pub(crate) fn after(&self, seq: u64, count: usize) -> Vec<String> {
        self.log.after(seq, count).unwrap()
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.after(0, usize::MAX)
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.folder.path().join("host.key")
    }
}

/// A record; sequence, predecessor and time are set by the log.
pub(crate) fn blank(host: &str, deployment: &str) -> Record {
    Record {
        v: 1,
        host: host.to_owned(),
        seq: 0,
        prev: String::new(),
        at: String::new(),
        kind: Kind::Deployment,
        deployment: deployment.to_owned(),
        revision: None,
        commit: None,
        repo: None,
        host_key: None,
        subject: None,
        environment: None,
        base: None,
        outcome: Outcome::Committed,
        reason: "Applied".to_owned(),
        detail: String::new(),
        trust_sha256: "0".repeat(64),
        policy: None,
        evidence: Vec::new(),
        approvals: Vec::new(),
        gates: Vec::new(),
        adopted: Vec::new(),
        steps: StepCount::default(),
        irreversible: Vec::new(),
        probes: Vec::new(),
        snapshots: Vec::new(),
        conflicts: Vec::new(),
        after_revert: Vec::new(),
        standing_probes: None,
        proof: None,
        healthy: None,
        durations: BTreeMap::new(),
    }
}
