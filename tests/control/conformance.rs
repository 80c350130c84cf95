//! What every store must do, whatever it keeps its rows in.
//!
//! **Invariant:** a case here knows the trait `Store` only.

use bowline_api::enrolment::KeyState;
use bowline_api::outcome::Outcome;
use bowline_control::store::sqlite::Sqlite;
use bowline_control::store::{
    Appended, Batch, Break, Claimant, Decided, Decision, Entry, Found, Named, NewToken, Newest,
    Picked, Store, Wanted,
};
use bowline_fleet::claim::Denied;
use bowline_model::digest::Sha256;
use bowline_model::envelope::{Envelope, EnvelopeSignature};
use bowline_trust::dsse;

use crate::host::blank;
use crate::service::Folder;

/// One case.
type Case = fn(&dyn Store);

const CASES: &[(&str, Case)] = &[
    ("a token counts once", a_token_counts_once),
    ("a second key is decided about once", a_second_key_is_decided_about_once),
    ("records are kept once and in order", records_are_kept_once_and_in_order),
    ("envelopes come back byte for byte", envelopes_come_back_byte_for_byte),
    ("what comes before a break is kept", what_comes_before_a_break_is_kept),
    ("a fork is an alarm for each place", a_fork_is_an_alarm_for_each_place),
    ("a key that does not count keeps nothing", a_key_that_does_not_count_keeps_nothing),
    ("a host runs what its newest record says", a_host_runs_what_its_newest_record_says),
    ("lists are cut and go on", lists_are_cut_and_go_on),
    ("a commit is found by its beginning", a_commit_is_found_by_its_beginning),
    ("writers at once are all kept", writers_at_once_are_all_kept),
];

#[test]
fn sqlite_in_memory_conforms() {
    for (what, case) in CASES {
        println!("{what}");
        case(&Sqlite::in_memory().unwrap());
    }
}

#[test]
fn sqlite_on_disk_conforms() {
    for (what, case) in CASES {
        println!("{what}");
        let folder = Folder::new();
        case(&Sqlite::open(&folder.path().join("a.db")).unwrap());
    }
}

#[test]
fn sqlite_on_disk_keeps_everything_over_a_restart() {
    let folder = Folder::new();
    let file = folder.path().join("a.db");
    let store = Sqlite::open(&file).unwrap();
    let mut chain = Chain::of(&store, "a");
    let lines: Vec<_> = (0..5).map(|_| chain.next("c0ffee1", Outcome::Committed)).collect();
    append(&store, chain.key, &lines);
    let before = (hosts(&store), envelopes(&store, chain.key), wait(store.census()).unwrap());
    drop(store);
    let store = Sqlite::open(&file).unwrap();
    let after = (hosts(&store), envelopes(&store, chain.key), wait(store.census()).unwrap());
    assert_eq!(before, after);
    let next = chain.next("c0ffee2", Outcome::Committed);
    assert!(matches!(append(&store, chain.key, &[next]), Appended::Kept { taken: 1, .. }));
}

/// Runs one call to its end.
fn wait<T>(call: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(call)
}

fn append(store: &dyn Store, key: i64, entries: &[Entry]) -> Appended {
    wait(store.append(Batch { key, entries: entries.to_vec() }, 7)).unwrap()
}

fn hosts(store: &dyn Store) -> Vec<bowline_api::fleet::Host> {
    wait(store.hosts(Picked::default(), Named { limit: 100, after: None })).unwrap().items
}

fn envelopes(store: &dyn Store, key: i64) -> Vec<Vec<u8>> {
    wait(store.envelopes(key, 0, 1000)).unwrap()
}

fn claimant(host: &str, key: u8, token: &[u8]) -> Claimant {
    Claimant {
        host: host.to_owned(),
        public: [key; 32],
        fingerprint: format!("SHA256:{key}"),
        token: Sha256::of(token),
    }
}

fn token(store: &dyn Store, host: &str, word: &[u8], until: i64) {
    let token = NewToken { digest: Sha256::of(word), made: 0, until };
    wait(store.make_token(host.to_owned(), token)).unwrap();
}

/// A key's records in the making.
struct Chain {
    host: String,
    key: i64,
    number: u8,
    seq: u64,
    prev: String,
}

impl Chain {
    /// Of a host with a key of its own.
    fn of(store: &dyn Store, host: &str) -> Self {
        let number = 1 + u8::try_from(hosts(store).len()).unwrap();
        token(store, host, host.as_bytes(), 10);
        let state = wait(store.claim(claimant(host, number, host.as_bytes()), 1)).unwrap();
        assert_eq!(state, Ok(KeyState::Enrolled));
        let key = wait(store.key(format!("SHA256:{number}"))).unwrap().unwrap();
        assert_eq!((key.host.as_str(), key.public), (host, [number; 32]));
        Self { host: host.to_owned(), key: key.id, number, seq: 0, prev: "0".repeat(64) }
    }

    fn next(&mut self, commit: &str, outcome: Outcome) -> Entry {
        self.after(commit, None, outcome)
    }

    fn after(&mut self, commit: &str, base: Option<&str>, outcome: Outcome) -> Entry {
        self.seq += 1;
        let entry = self.story(commit, base, outcome);
        self.prev = entry.digest.to_string();
        entry
    }

    /// What the chain's newest place says, told so.
    fn story(&self, commit: &str, base: Option<&str>, outcome: Outcome) -> Entry {
        let mut record = blank(&self.host, &format!("d{}", self.seq));
        (record.seq, record.prev, record.outcome) = (self.seq, self.prev.clone(), outcome);
        record.at = "2026-11-01T00:00:00Z".to_owned();
        record.revision = Some(format!("main@sha1:{commit}"));
        record.base = base.map(|it| format!("main@sha1:{it}"));
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

fn a_token_counts_once(store: &dyn Store) {
    token(store, "a", b"t", 10);
    let claim = |key, word: &[u8], now| wait(store.claim(claimant("a", key, word), now)).unwrap();
    assert_eq!(claim(1, b"other", 1), Err(Denied::Token));
    assert_eq!(claim(1, b"t", 10), Err(Denied::Expired));
    assert_eq!(hosts(store).len(), 0, "a claim that was denied leaves nothing");
    assert_eq!(claim(1, b"t", 9), Ok(KeyState::Enrolled));
    assert_eq!(claim(1, b"t", 99), Ok(KeyState::Enrolled));
    assert_eq!(claim(2, b"t", 9), Err(Denied::Used));
}

fn a_second_key_is_decided_about_once(store: &dyn Store) {
    let first = Chain::of(store, "a");
    let decide = |key: u8, decision| {
        wait(store.decide("a".to_owned(), format!("SHA256:{key}"), decision, 5)).unwrap()
    };
    for (key, decision) in [(2, Decision::Refuse), (3, Decision::Approve)] {
        token(store, "a", &[key], 10);
        let state = wait(store.claim(claimant("a", key, &[key]), 1)).unwrap();
        assert_eq!(state, Ok(KeyState::Pending));
        let expected = match decision {
            Decision::Approve => KeyState::Enrolled,
            Decision::Refuse => KeyState::Refused,
        };
        assert_eq!(decide(key, decision), Decided::Done(expected));
        assert_eq!(decide(key, Decision::Approve), Decided::NotPending(expected));
    }
    assert_eq!(decide(9, Decision::Approve), Decided::NoSuchKey);
    assert_eq!(decide(first.number, Decision::Approve), Decided::NotPending(KeyState::Retired));
    let states: Vec<_> =
        wait(store.host("a".to_owned())).unwrap().unwrap().keys.iter().map(|it| it.state).collect();
    assert_eq!(states, [KeyState::Retired, KeyState::Refused, KeyState::Enrolled]);
}

fn records_are_kept_once_and_in_order(store: &dyn Store) {
    let mut chain = Chain::of(store, "a");
    let lines: Vec<_> = (0..6).map(|_| chain.next("c0ffee1", Outcome::Committed)).collect();
    for (part, expected) in [(&lines[..4], 4), (&lines[..4], 0), (&lines[2..], 2), (&lines[..], 0)]
    {
        let Appended::Kept { tip, taken } = append(store, chain.key, part) else { panic!() };
        assert_eq!(taken, expected);
        assert!(tip.seq == 4 || tip.seq == 6);
        assert_eq!(tip.digest, lines[usize::try_from(tip.seq).unwrap() - 1].digest);
    }
    assert_eq!(envelopes(store, chain.key).len(), 6);
    let all =
        wait(store.deployments(Wanted::default(), Newest { limit: 99, after: None })).unwrap();
    assert_eq!(all.items.iter().map(|it| it.seq).collect::<Vec<_>>(), [6, 5, 4, 3, 2, 1]);
    assert!(matches!(append(store, chain.key, &[]), Appended::Kept { taken: 0, .. }));
}

fn envelopes_come_back_byte_for_byte(store: &dyn Store) {
    let [mut one, mut two] = [Chain::of(store, "a"), Chain::of(store, "b")];
    for chain in [&mut one, &mut two] {
        let lines: Vec<_> = (0..3).map(|_| chain.next("c0ffee1", Outcome::Reverted)).collect();
        append(store, chain.key, &lines);
        let kept = envelopes(store, chain.key);
        let digests: Vec<_> = kept.iter().map(|it| Sha256::of(it)).collect();
        assert_eq!(digests, lines.iter().map(|it| it.digest).collect::<Vec<_>>());
    }
    assert_eq!(wait(store.envelopes(one.key, 1, 1)).unwrap()[0], envelopes(store, one.key)[1]);
}

fn what_comes_before_a_break_is_kept(store: &dyn Store) {
    let mut chain = Chain::of(store, "a");
    let lines: Vec<_> = (0..4).map(|_| chain.next("c0ffee1", Outcome::Committed)).collect();
    let part = [lines[0].clone(), lines[1].clone(), lines[3].clone()];
    let Appended::Broken { how: Break::Gap, seq: 4, tip, taken: 2 } =
        append(store, chain.key, &part)
    else {
        panic!()
    };
    assert_eq!((tip.seq, tip.digest), (2, lines[1].digest));
    assert_eq!((hosts(store)[0].seq, hosts(store)[0].alarms), (2, 1));
    append(store, chain.key, &lines[2..]);
    assert_eq!((hosts(store)[0].seq, hosts(store)[0].alarms), (4, 0));
}

fn a_fork_is_an_alarm_for_each_place(store: &dyn Store) {
    let mut chain = Chain::of(store, "a");
    let first = chain.next("c0ffee1", Outcome::Committed);
    append(store, chain.key, &[first]);
    let (one, other) = {
        chain.seq = 2;
        (
            chain.story("c0ffee1", None, Outcome::Committed),
            chain.story("c0ffee2", None, Outcome::Failed),
        )
    };
    append(store, chain.key, &[one]);
    for count in 1..4 {
        let found = append(store, chain.key, std::slice::from_ref(&other));
        assert!(matches!(found, Appended::Broken { how: Break::Fork, seq: 2, taken: 0, .. }));
        let faults = wait(store.host("a".to_owned())).unwrap().unwrap().faults;
        assert_eq!((faults.len(), faults[0].count, faults[0].open), (1, count, true));
    }
}

fn a_key_that_does_not_count_keeps_nothing(store: &dyn Store) {
    let mut chain = Chain::of(store, "a");
    token(store, "a", b"2", 10);
    wait(store.claim(claimant("a", 2, b"2"), 1)).unwrap().unwrap();
    let decided = store.decide("a".to_owned(), "SHA256:2".to_owned(), Decision::Approve, 5);
    wait(decided).unwrap();
    let line = chain.next("c0ffee1", Outcome::Committed);
    assert_eq!(append(store, chain.key, &[line]), Appended::NotTaken(KeyState::Retired));
    assert_eq!(envelopes(store, chain.key).len(), 0);
}

fn a_host_runs_what_its_newest_record_says(store: &dyn Store) {
    let mut chain = Chain::of(store, "a");
    let runs = || hosts(store).remove(0).revision;
    for (commit, base, outcome, expected) in [
        ("c0ffee1", None, Outcome::Committed, Some("c0ffee1")),
        ("c0ffee2", Some("c0ffee1"), Outcome::Reverted, Some("c0ffee1")),
        ("c0ffee3", Some("c0ffee1"), Outcome::Unchanged, Some("c0ffee3")),
        ("c0ffee4", None, Outcome::Refused, Some("c0ffee3")),
        ("c0ffee5", Some("c0ffee3"), Outcome::Stranded, None),
    ] {
        let line = chain.after(commit, base, outcome);
        append(store, chain.key, &[line]);
        assert_eq!(runs(), expected.map(|it| format!("main@sha1:{it}")), "{commit}");
        assert_eq!(hosts(store)[0].outcome, Some(outcome));
    }
}

fn lists_are_cut_and_go_on(store: &dyn Store) {
    for name in ["a", "b", "c"] {
        let mut chain = Chain::of(store, name);
        let lines = ["c0ffee1", "c0ffee2"].map(|it| chain.next(it, Outcome::Committed));
        append(store, chain.key, &lines);
    }
    let page = wait(store.hosts(Picked::default(), Named { limit: 2, after: None })).unwrap();
    assert_eq!((page.items.len(), page.next.as_deref()), (2, Some("b")));
    let page = wait(store.hosts(Picked::default(), Named { limit: 2, after: page.next })).unwrap();
    assert_eq!((page.items[0].name.as_str(), page.items.len(), page.next), ("c", 1, None));
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let part = Newest { limit: 4, after };
        let page = wait(store.deployments(Wanted::default(), part)).unwrap();
        seen.extend(page.items.iter().map(|it| it.id));
        let Some(next) = page.next else { break };
        after = Some(next.parse().unwrap());
    }
    assert_eq!(seen.len(), 6);
    assert!(seen.is_sorted_by(|one, two| one > two), "{seen:?}");
    let page = wait(store.commits(Newest { limit: 1, after: None })).unwrap();
    assert_eq!((page.items[0].commit.as_str(), page.items[0].running), ("c0ffee2", 3));
    assert!(page.next.is_some());
}

fn a_commit_is_found_by_its_beginning(store: &dyn Store) {
    let mut chain = Chain::of(store, "a");
    let lines = ["c0ffee1a", "c0ffee1b", "c0ffee1"].map(|it| chain.next(it, Outcome::Committed));
    append(store, chain.key, &lines);
    let part = || Named { limit: 9, after: None };
    let find = |commit: &str| wait(store.whereabouts(commit.to_owned(), part())).unwrap();
    assert_eq!(find("c0ffee"), Found::Several);
    assert_eq!(find("c0ffee2"), Found::None);
    for (asked, commit) in [("c0ffee1", "c0ffee1"), ("c0ffee1b", "c0ffee1b")] {
        let Found::One(found) = find(asked) else { panic!("{asked}") };
        assert_eq!((found.commit.as_str(), found.hosts.len()), (commit, 1));
        assert_eq!(found.hosts[0].running, commit == "c0ffee1");
    }
}

fn writers_at_once_are_all_kept(store: &dyn Store) {
    let mut chains: Vec<_> = (0..6).map(|at| Chain::of(store, &format!("h{at}"))).collect();
    let lines: Vec<Vec<_>> = chains
        .iter_mut()
        .map(|it| (0..20).map(|_| it.next("c0ffee1", Outcome::Committed)).collect())
        .collect();
    std::thread::scope(|scope| {
        for (chain, lines) in chains.iter().zip(&lines) {
            scope.spawn(move || {
                for line in lines.chunks(3) {
                    assert!(matches!(append(store, chain.key, line), Appended::Kept { .. }));
                }
            });
        }
    });
    assert!(hosts(store).iter().all(|it| it.seq == 20));
    let Found::One(found) =
        wait(store.whereabouts("c0ffee1".to_owned(), Named { limit: 9, after: None })).unwrap()
    else {
        panic!()
    };
    assert_eq!(found.hosts.len(), 6);
}
