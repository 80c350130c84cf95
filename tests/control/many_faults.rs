//! What every store must do about more gaps and forks of one key than it keeps.
//!
//! **Invariant:** a case here knows the trait `Store` only.

use bowline_api::outcome::Outcome;
use bowline_control::store::{Appended, Break, Looked, Newest, Place, Resumed, Store, Which};

use crate::chain::{Chain, append, hosts, note, wait};
use crate::decisions::newest;

pub(crate) fn faults_beyond_the_limit_are_counted(store: &dyn Store) {
    let mut chain = Chain::of(store, "a");
    let first = chain.next("c0ffee1", Outcome::Committed);
    append(store, chain.key, &[first]);
    chain.prev = "0".repeat(64);
    for number in 0..1003 {
        let story = chain.story(&format!("{number:040x}"), None, Outcome::Failed);
        assert!(matches!(append(store, chain.key, &[story]), Appended::Broken { .. }));
    }
    let host = wait(store.host("a".to_owned())).unwrap().unwrap();
    assert_eq!((host.host.alarms, host.more_faults, host.faults.len()), (1003, 3, 100));
    let mut after = host.faults_next.map(|it| it.parse().unwrap());
    let mut listed = host.faults.len();
    while after.is_some() {
        let part = Newest { limit: 100, after };
        let page = wait(store.faults("a".to_owned(), part)).unwrap().unwrap();
        listed += page.items.len();
        after = page.next.map(|it| it.parse().unwrap());
    }
    assert_eq!(listed, 1000);
    let look = |seen| wait(store.acknowledge("a".to_owned(), seen, note("found"))).unwrap();
    let rung = || {
        let forks = wait(store.census()).unwrap().alarms[1];
        assert_eq!(forks, (Break::Fork, hosts(store)[0].alarms));
        forks.1
    };
    assert_eq!(rung(), 1003);
    let seen = newest(store);
    for number in [9, 9, 8, 9] {
        let story = chain.story(&format!("c0ffee{number}"), None, Outcome::Failed);
        append(store, chain.key, std::slice::from_ref(&story));
        append(store, chain.key, std::slice::from_ref(&story));
    }
    assert_eq!(rung(), 1005, "what came before is no news");
    assert_eq!(look(seen), Looked::Nothing { open: 1005 }, "it is only counted by now");
    assert_eq!(look(newest(store)), Looked::After { done: 1005, left: 0 });
    let story = chain.story("c0ffee7", None, Outcome::Failed);
    append(store, chain.key, &[story]);
    assert_eq!(rung(), 1);
    let fault = wait(store.host("a".to_owned())).unwrap().unwrap().faults.remove(0);
    assert!(fault.kept && fault.acknowledged.is_none(), "{fault:?}");
    assert!(fault.said.unwrap().contains("c0ffee7"), "the newest is there to be looked at");
}

pub(crate) fn an_open_gap_is_never_only_counted(store: &dyn Store) {
    let mut chain = Chain::of(store, "a");
    let lines: Vec<_> = (0..7).map(|_| chain.next("c0ffee1", Outcome::Committed)).collect();
    append(store, chain.key, &lines[..1]);
    // One gap that a person let go, one whose records came; then forks up to the limit, but for one.
    append(store, chain.key, &lines[2..3]);
    assert_eq!(wait(store.resume("a".to_owned(), 3, note("lost"))).unwrap(), Resumed::From);
    append(store, chain.key, &lines[2..3]);
    append(store, chain.key, &lines[4..5]);
    append(store, chain.key, &lines[3..5]);
    (chain.seq, chain.prev) = (5, "0".repeat(64));
    let fork = |number: u64| {
        let story = chain.story(&format!("{number:040x}"), None, Outcome::Failed);
        assert!(matches!(append(store, chain.key, &[story]), Appended::Broken { .. }));
    };
    (0..997).for_each(fork);
    let send_late = || {
        let late = append(store, chain.key, &lines[6..]);
        assert!(matches!(late, Appended::Broken { how: Break::Gap, seq: 7, taken: 0, .. }));
    };
    send_late();
    let rung = || wait(store.census()).unwrap().alarms;
    assert_eq!(rung(), [(Break::Gap, 1), (Break::Fork, 997)]);
    // Each fork that comes now displaces one, and the gap is none of them.
    for number in 997..1001 {
        fork(number);
        assert_eq!(rung(), [(Break::Gap, 1), (Break::Fork, number + 1)]);
        send_late();
    }
    assert_eq!(hosts(store)[0].alarms, 1002);
    let look = |seen| wait(store.acknowledge("a".to_owned(), seen, note("found"))).unwrap();
    assert_eq!(look(newest(store)), Looked::After { done: 1002, left: 0 });
    assert_eq!(wait(store.resume("a".to_owned(), 7, note("lost"))).unwrap(), Resumed::From);
    assert!(matches!(append(store, chain.key, &lines[6..]), Appended::Kept { taken: 1, .. }));
    for (seq, expected) in [(3, true), (5, false), (7, true)] {
        let which = Which { place: Place::Seq(seq), key: None };
        let part = Newest { limit: 9, after: None };
        let found = wait(store.kept("a".to_owned(), which, part)).unwrap().items.remove(0);
        assert_eq!(found.continued, expected, "{seq}");
    }
}

pub(crate) fn gaps_beyond_the_limit_are_counted_when_their_records_came(store: &dyn Store) {
    let mut chain = Chain::of(store, "a");
    let lines: Vec<_> = (0..2010).map(|_| chain.next("c0ffee1", Outcome::Committed)).collect();
    for pair in lines.chunks(2) {
        append(store, chain.key, &pair[1..]);
        assert_eq!(hosts(store)[0].alarms, 1);
        append(store, chain.key, pair);
        assert_eq!(hosts(store)[0].alarms, 0);
    }
    let host = wait(store.host("a".to_owned())).unwrap().unwrap();
    assert_eq!((host.more_faults, host.host.seq), (5, 2010));
}
