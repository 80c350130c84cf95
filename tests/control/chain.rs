//! A key's records in the making, for a store that is asked directly.

use bowline_api::enrolment::KeyState;
use bowline_api::fleet::Host;
use bowline_api::outcome::Outcome;
use bowline_api::record::Record;
use bowline_control::store::{
    Appended, Batch, Claimant, Entry, Named, NewToken, Note, Person, Picked, Store, Warrant,
};
use bowline_model::digest::Sha256;
use bowline_model::envelope::{Envelope, EnvelopeSignature};
use bowline_trust::dsse;

use crate::host::blank;

/// Runs one call to its end.
pub(crate) fn wait<T>(call: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(call)
}

pub(crate) fn append(store: &dyn Store, key: i64, entries: &[Entry]) -> Appended {
    wait(store.append(Batch { key, entries: entries.to_vec() }, 7)).unwrap()
}

pub(crate) fn hosts(store: &dyn Store) -> Vec<Host> {
    let all = Picked { retired: true, ..Picked::default() };
    wait(store.hosts(all, Named { limit: 100, after: None })).unwrap().items
}

pub(crate) fn envelopes(store: &dyn Store, key: i64) -> Vec<Vec<u8>> {
    let of = |seq| wait(store.envelope(key, seq)).unwrap();
    (1..=1000).map_while(of).collect()
}

pub(crate) fn claimant(host: &str, key: u8, token: &[u8]) -> Claimant {
    Claimant {
        host: host.to_owned(),
        public: [key; 32],
        fingerprint: format!("SHA256:{key}"),
        warrant: Warrant::Token(Sha256::of(token)),
    }
}

pub(crate) fn person() -> Person {
    Person { account: "alice (uid 1000)".to_owned(), at: 5 }
}

pub(crate) fn note(text: &str) -> Note {
    Note { by: person(), text: text.to_owned() }
}

pub(crate) fn token(store: &dyn Store, host: &str, word: &[u8], until: i64) {
    let token = NewToken { digest: Sha256::of(word), made: 0, until };
    wait(store.make_token(host.to_owned(), token)).unwrap();
}

/// A key's records in the making.
pub(crate) struct Chain {
    pub(crate) host: String,
    pub(crate) key: i64,
    pub(crate) number: u8,
    pub(crate) seq: u64,
    pub(crate) prev: String,
}

impl Chain {
    /// Of a host with a key of its own.
    pub(crate) fn of(store: &dyn Store, host: &str) -> Self {
        let number = 1 + u8::try_from(hosts(store).len()).unwrap();
        token(store, host, host.as_bytes(), 10);
        let state = wait(store.claim(claimant(host, number, host.as_bytes()), 1)).unwrap();
        assert_eq!(state, Ok(KeyState::Enrolled));
        let key = wait(store.key(format!("SHA256:{number}"))).unwrap().unwrap();
        assert_eq!((key.host.as_str(), key.public), (host, [number; 32]));
        Self { host: host.to_owned(), key: key.id, number, seq: 0, prev: "0".repeat(64) }
    }

    pub(crate) fn next(&mut self, commit: &str, outcome: Outcome) -> Entry {
        self.after(commit, None, outcome)
    }

    pub(crate) fn after(&mut self, commit: &str, base: Option<&str>, outcome: Outcome) -> Entry {
        self.told_so(commit, outcome, |it| it.base = base.map(|it| format!("main@sha1:{it}")))
    }

    /// What the chain's newest place says, told so.
    pub(crate) fn story(&self, commit: &str, base: Option<&str>, outcome: Outcome) -> Entry {
        self.written(commit, outcome, |it| it.base = base.map(|it| format!("main@sha1:{it}")))
    }

    /// The next record, as it is changed.
    pub(crate) fn told_so(
        &mut self,
        commit: &str,
        outcome: Outcome,
        change: impl FnOnce(&mut Record),
    ) -> Entry {
        self.seq += 1;
        let entry = self.written(commit, outcome, change);
        self.prev = entry.digest.to_string();
        entry
    }

    fn written(&self, commit: &str, outcome: Outcome, change: impl FnOnce(&mut Record)) -> Entry {
        let mut record = blank(&self.host, &format!("d{}", self.seq));
        (record.seq, record.prev, record.outcome) = (self.seq, self.prev.clone(), outcome);
        record.at = "2026-11-01T00:00:00Z".to_owned();
        record.revision = Some(format!("main@sha1:{commit}"));
        change(&mut record);
        let payload = serde_json::to_vec(&record).unwrap();
        let signature = [self.number; 64];
        let digest = Sha256::of(&self.line(&payload, signature));
        Entry { record, payload, signature, digest }
    }

    fn line(&self, payload: &[u8], signature: [u8; 64]) -> Vec<u8> {
        let mut line = dsse::write(&Envelope {
            payload_type: bowline_api::record::PAYLOAD_TYPE.to_owned(),
            payload: payload.to_vec(),
            signatures: vec![EnvelopeSignature {
                key_id: Some(format!("SHA256:{}", self.number)),
                sig: signature.to_vec(),
            }],
        });
        line.pop();
        line
    }
}
