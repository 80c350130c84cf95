//! What every store must do about gaps, forks, and what people decide.
//!
//! **Invariant:** a case here knows the trait `Store` only.

use bowline_api::enrolment::KeyState;
use bowline_api::outcome::Outcome;
use bowline_control::store::{
    Appended, Break, Claimant, Decided, Decision, Entry, Found, Gone, Looked, Named, Newest, Place,
    Resumed, Store, Wanted, Warrant, Which,
};
use bowline_fleet::claim::Denied;
use bowline_model::digest::Sha256;

use crate::chain::{Chain, append, claimant, envelopes, hosts, note, person, token, wait};

/// The number of the newest fault.
pub(crate) fn newest(store: &dyn Store) -> u64 {
    wait(store.host("a".to_owned())).unwrap().unwrap().faults[0].id
}

pub(crate) fn a_word_covers_what_was_seen(store: &dyn Store) {
    let mut chain = Chain::of(store, "a");
    let lines: Vec<_> = (0..3).map(|_| chain.next("c0ffee1", Outcome::Committed)).collect();
    append(store, chain.key, &lines[..1]);
    append(store, chain.key, &lines[2..]);
    let gap = newest(store);
    // The gap closes, and a fork comes: there is one, as before.
    append(store, chain.key, &lines[1..]);
    let other = chain.story("c0ffee2", None, Outcome::Failed);
    append(store, chain.key, &[other]);
    assert_eq!(hosts(store)[0].alarms, 1);
    let look = |seen| wait(store.acknowledge("a".to_owned(), seen, note("the gap"))).unwrap();
    assert_eq!(look(gap), Looked::Nothing { open: 1 });
    let fork = newest(store);
    let another = chain.story("c0ffee3", None, Outcome::Failed);
    append(store, chain.key, &[another]);
    assert_eq!(look(fork), Looked::After { done: 1, left: 1 });
    let faults = wait(store.host("a".to_owned())).unwrap().unwrap().faults;
    let rest: Vec<_> = faults.iter().map(|it| it.acknowledged.is_some()).collect();
    assert_eq!(rest, [false, true, false], "the later one rings, and the gap was closed before");
}

pub(crate) fn a_fork_is_an_alarm_for_each_story(store: &dyn Store) {
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
    let look = |seen| wait(store.acknowledge("a".to_owned(), seen, note("found"))).unwrap();
    let seen = newest(store);
    let nothing = |open| Looked::Nothing { open };
    assert_eq!((look(seen + 1), look(0)), (nothing(1), nothing(1)));
    assert_eq!((look(seen), look(seen)), (Looked::After { done: 1, left: 0 }, nothing(0)));
    let third = chain.story("c0ffee3", None, Outcome::Failed);
    append(store, chain.key, std::slice::from_ref(&third));
    assert_eq!(hosts(store)[0].alarms, 1, "another story at the same place is another alarm");
    let faults = wait(store.faults("a".to_owned(), Newest { limit: 1, after: None })).unwrap();
    let faults = faults.unwrap();
    assert!(
        faults.items[0].said.as_deref().unwrap().starts_with("failed (Applied), main@sha1:c0ffee3")
    );
    assert_eq!(faults.items[0].digest, Some(third.digest.to_string()));
    let after = faults.next.unwrap().parse().unwrap();
    let older =
        wait(store.faults("a".to_owned(), Newest { limit: 1, after: Some(after) })).unwrap();
    assert_eq!(older.unwrap().items[0].digest, Some(other.digest.to_string()));
    let told = wait(store.told_otherwise("a".to_owned(), faults.items[0].id)).unwrap().unwrap();
    assert_eq!((told.payload, told.signature), (third.payload, third.signature));
    assert!(
        wait(store.faults("b".to_owned(), Newest { limit: 1, after: None })).unwrap().is_none()
    );
}

pub(crate) fn a_second_key_is_decided_about_once(store: &dyn Store) {
    let first = Chain::of(store, "a");
    let decide = |key: u8, decision| {
        wait(store.decide("a".to_owned(), format!("SHA256:{key}"), decision, person())).unwrap()
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

pub(crate) fn a_chain_goes_on_where_a_person_says(store: &dyn Store) {
    let mut chain = Chain::of(store, "a");
    let lines: Vec<_> = (0..6).map(|_| chain.next("c0ffee1", Outcome::Committed)).collect();
    append(store, chain.key, &lines[..2]);
    let go_on = |host: &str, from| wait(store.resume(host.to_owned(), from, note(""))).unwrap();
    assert_eq!((go_on("a", 4), go_on("b", 4)), (Resumed::NoGap, Resumed::NoSuchHost));
    assert!(matches!(append(store, chain.key, &lines[3..]), Appended::Broken { seq: 4, .. }));
    assert_eq!((go_on("a", 5), go_on("a", 4)), (Resumed::Elsewhere(4), Resumed::From));
    assert!(matches!(append(store, chain.key, &lines[4..]), Appended::Broken { seq: 5, .. }));
    assert!(matches!(append(store, chain.key, &lines[3..]), Appended::Kept { taken: 3, .. }));
    let host = wait(store.host("a".to_owned())).unwrap().unwrap();
    assert_eq!((host.host.seq, host.host.alarms, host.faults[0].open), (6, 0, false));
    assert_eq!((host.faults[0].expected, host.faults[0].lost_to), (3, Some(3)));
    let decided = &host.decisions[0];
    assert_eq!((decided.verb.as_str(), decided.by.as_str()), ("continue", "alice (uid 1000)"));
    assert_eq!(decided.note, None);
}

pub(crate) fn what_comes_late_fills_the_gap_and_nothing_else(store: &dyn Store) {
    let mut chain = Chain::of(store, "a");
    let told = ["1", "2", "3", "8", "5", "6", "7", "8"].map(|word| {
        let is_late = chain.seq == 3;
        let outcome = if is_late { Outcome::Failed } else { Outcome::Committed };
        chain.next(&format!("c0ffee{word}"), outcome)
    });
    let other = |seq: u64, prev: &str| {
        let (host, prev) = (chain.host.clone(), prev.to_owned());
        let place = Chain { host, key: chain.key, number: chain.number, seq, prev };
        place.story("c0ffee9", None, Outcome::Committed)
    };
    let taken = |lines: &[Entry]| match append(store, chain.key, lines) {
        Appended::Kept { tip, taken } => {
            assert_eq!(tip.seq, 8, "the chain ends where it did");
            taken
        }
        broken => panic!("{broken:?}"),
    };
    let forks = |line: Entry| {
        let found = append(store, chain.key, std::slice::from_ref(&line));
        let seq = line.record.seq;
        assert!(
            matches!(found, Appended::Broken { how: Break::Fork, seq: at, .. } if at == seq),
            "{seq}: {found:?}"
        );
    };
    append(store, chain.key, &told[..2]);
    append(store, chain.key, &told[6..]);
    assert_eq!(
        wait(store.resume("a".to_owned(), 7, note("the disk is gone"))).unwrap(),
        Resumed::From
    );
    assert_eq!(taken(&told[6..]), 2);
    let kept = |seq| {
        let which = Which { place: Place::Seq(seq), key: None };
        let part = Newest { limit: 1, after: None };
        let kept = wait(store.kept("a".to_owned(), which, part)).unwrap().items.remove(0);
        (kept.late, kept.continued)
    };
    let gap = || {
        let faults = wait(store.host("a".to_owned())).unwrap().unwrap().faults;
        let gap = faults.into_iter().find(|it| it.kind == "gap").unwrap();
        (gap.open, gap.expected, gap.lost_to, gap.late)
    };
    assert_eq!((gap(), kept(7)), ((false, 3, Some(6), 0), (false, true)));
    assert_eq!((taken(&told[4..5]), taken(&told[4..5])), (1, 0), "nobody stands beside it");
    assert_eq!((gap(), kept(5)), ((false, 3, Some(6), 1), (true, true)));
    let zeros = "0".repeat(64);
    forks(other(5, &told[3].digest.to_string()));
    forks(other(3, &zeros));
    forks(other(4, &told[2].digest.to_string()));
    forks(other(6, &told[4].digest.to_string()));
    assert_eq!((taken(&told[2..4]), taken(&told[5..6])), (2, 1));
    assert_eq!(taken(&told), 0, "all of it is known by now");
    let alarms = hosts(store)[0].alarms;
    assert_eq!(
        (gap(), kept(5), kept(7), alarms),
        ((false, 3, Some(6), 4), (true, false), (false, false), 4)
    );
    // How the host stands, and what comes first, its newest records say.
    let host = hosts(store).remove(0);
    let runs = host.revision.unwrap();
    assert_eq!(
        (host.seq, runs.as_str(), host.outcome),
        (8, "main@sha1:c0ffee8", Some(Outcome::Committed))
    );
    let commits = wait(store.commits(Newest { limit: 9, after: None })).unwrap().items;
    assert_eq!(commits[0].commit, "c0ffee8");
    let part = Named { limit: 9, after: None };
    let Found::One(place) = wait(store.whereabouts("c0ffee8".to_owned(), part)).unwrap() else {
        panic!()
    };
    assert_eq!((place.hosts[0].seq, place.hosts[0].outcome), (8, Outcome::Committed));
    let part = Newest { limit: 9, after: None };
    let listed = wait(store.deployments(Wanted::default(), part)).unwrap().items;
    let late: Vec<_> = listed.iter().filter(|it| it.late).map(|it| it.seq).collect();
    assert_eq!(late, [6, 4, 3, 5], "in the order in which they came");
    assert_eq!(envelopes(store, chain.key).len(), 8);
}

pub(crate) fn a_retired_host_is_shown_and_not_counted(store: &dyn Store) {
    let [mut one, mut liar] = [Chain::of(store, "a"), Chain::of(store, "b")];
    let line = one.next("c0ffee1", Outcome::Committed);
    append(store, one.key, &[line]);
    let lines = ["c0ffee1", "c0ffee2", "c0ffee3"].map(|it| liar.next(it, Outcome::Committed));
    append(store, liar.key, &lines);
    let commits = || {
        let page = wait(store.commits(Newest { limit: 9, after: None })).unwrap();
        page.items.into_iter().map(|it| (it.commit, it.hosts["committed"])).collect::<Vec<_>>()
    };
    let [first, second, third] = ["c0ffee1", "c0ffee2", "c0ffee3"].map(str::to_owned);
    let before = vec![(third, 1), (first.clone(), 2), (second, 1)];
    assert_eq!(commits(), before);
    let retire = |host: &str| wait(store.retire(host.to_owned(), note("it lies"))).unwrap();
    assert_eq!(
        [retire("b"), retire("b"), retire("c")],
        [Gone::Now, Gone::Already, Gone::NoSuchHost]
    );
    let line = liar.next("c0ffee4", Outcome::Committed);
    assert_eq!(append(store, liar.key, &[line]), Appended::NotTaken(KeyState::Retired));
    assert_eq!(commits(), [(first, 1)]);
    assert_eq!(wait(store.census()).unwrap().hosts, 1);
    let shown = hosts(store).remove(1);
    assert_eq!((shown.name.as_str(), shown.seq, shown.retired.is_some()), ("b", 3, true));
    assert_eq!(
        shown.key,
        Some("SHA256:2".to_owned()),
        "its records stay, under the key that it had"
    );
    token(store, "b", b"again", 10);
    let state = wait(store.claim(claimant("b", 9, b"again"), 1)).unwrap();
    assert_eq!(state, Ok(KeyState::Pending), "the name is not free");
    let decided = store.decide("b".to_owned(), "SHA256:9".to_owned(), Decision::Approve, person());
    assert_eq!(wait(decided).unwrap(), Decided::Done(KeyState::Enrolled));
    assert_eq!((commits(), wait(store.census()).unwrap().hosts), (before, 2), "it is back");
}

pub(crate) fn a_merge_lets_a_key_in(store: &dyn Store) {
    let claim = |key, warrant| {
        let claimant = Claimant { warrant, ..claimant("a", key, b"") };
        wait(store.claim(claimant, 1)).unwrap()
    };
    assert_eq!(claim(1, Warrant::Token(Sha256::of(b""))), Err(Denied::Token));
    for _ in 0..2 {
        assert_eq!(claim(1, Warrant::Merged), Ok(KeyState::Enrolled));
    }
    token(store, "a", b"t", 10);
    assert_eq!(claim(2, Warrant::Token(Sha256::of(b"t"))), Ok(KeyState::Pending));
    assert_eq!(claim(2, Warrant::Merged), Ok(KeyState::Enrolled));
    assert_eq!(claim(1, Warrant::Merged), Err(Denied::Key(KeyState::Retired)));
    let states: Vec<_> =
        wait(store.host("a".to_owned())).unwrap().unwrap().keys.iter().map(|it| it.state).collect();
    assert_eq!(states, [KeyState::Retired, KeyState::Enrolled]);
}
