//! What every store must do, whatever it keeps its rows in.
//!
//! **Invariant:** a case here knows the trait `Store` only.

use bowline_api::enrolment::KeyState;
use bowline_api::fleet::Health;
use bowline_api::outcome::Outcome;
use bowline_api::record::ProbeWord;
use bowline_control::store::sqlite::Sqlite;
use bowline_control::store::{
    Appended, Batch, Break, Decision, Found, Named, Newest, Picked, Place, Store, Wanted, Which,
};
use bowline_fleet::claim::Denied;
use bowline_model::digest::Sha256;

use crate::chain::{Chain, append, claimant, envelopes, hosts, note, person, token, wait};
use crate::decisions::{
    a_chain_goes_on_where_a_person_says, a_fork_is_an_alarm_for_each_story, a_merge_lets_a_key_in,
    a_retired_host_is_shown_and_not_counted, a_second_key_is_decided_about_once,
    a_word_covers_what_was_seen, what_comes_late_fills_the_gap_and_nothing_else,
};
use crate::many_faults::{
    an_open_gap_is_never_only_counted, faults_beyond_the_limit_are_counted,
    gaps_beyond_the_limit_are_counted_when_their_records_came,
};
use crate::service::Folder;

/// One case.
type Case = fn(&dyn Store);

const CASES: &[(&str, Case)] = &[
    ("a token counts once", a_token_counts_once),
    ("a second key is decided about once", a_second_key_is_decided_about_once),
    ("records are kept once and in order", records_are_kept_once_and_in_order),
    ("envelopes come back byte for byte", envelopes_come_back_byte_for_byte),
    ("no sequence reaches another key's records", no_sequence_reaches_another_keys_records),
    ("what comes before a break is kept", what_comes_before_a_break_is_kept),
    ("a fork is an alarm for each story", a_fork_is_an_alarm_for_each_story),
    ("a word covers what was seen", a_word_covers_what_was_seen),
    ("faults beyond the limit are counted", faults_beyond_the_limit_are_counted),
    ("an open gap is never only counted", an_open_gap_is_never_only_counted),
    (
        "gaps are counted when their records came",
        gaps_beyond_the_limit_are_counted_when_their_records_came,
    ),
    ("a chain goes on where a person says", a_chain_goes_on_where_a_person_says),
    (
        "what comes late fills the gap and nothing else",
        what_comes_late_fills_the_gap_and_nothing_else,
    ),
    ("a retired host is shown and not counted", a_retired_host_is_shown_and_not_counted),
    ("a merge lets a key in", a_merge_lets_a_key_in),
    ("a key that does not count keeps nothing", a_key_that_does_not_count_keeps_nothing),
    ("a host runs what its newest record says", a_host_runs_what_its_newest_record_says),
    ("a host is as well as what it runs says", a_host_is_as_well_as_what_it_runs_says),
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
    let kept = |seq| wait(store.envelope(one.key, seq)).unwrap();
    assert_eq!(kept(2).as_ref(), envelopes(store, one.key).get(1));
    assert_eq!((kept(0), kept(4)), (None, None));
}

fn no_sequence_reaches_another_keys_records(store: &dyn Store) {
    let [mut one, mut two] = [Chain::of(store, "a"), Chain::of(store, "b")];
    for chain in [&mut one, &mut two] {
        let lines: Vec<_> = (0..3).map(|_| chain.next("c0ffee1", Outcome::Committed)).collect();
        append(store, chain.key, &lines);
    }
    assert!(one.key < two.key);
    let far = (u64::try_from(two.key - one.key).unwrap() << 40) + 1;
    assert!(wait(store.envelope(one.key, far)).is_err(), "it is the other's first");
    let which = Which { place: Place::Seq(far), key: None };
    let found = wait(store.kept("a".to_owned(), which, Newest { limit: 9, after: None })).unwrap();
    assert!(found.items.is_empty(), "{found:?}");
    // A gap to there, let go on by a person, writes nothing in the other's chain.
    (one.seq, one.prev) = (far + 5, "0".repeat(64));
    let line = one.next("c0ffee1", Outcome::Committed);
    append(store, one.key, std::slice::from_ref(&line));
    wait(store.resume("a".to_owned(), line.record.seq, note("lost"))).unwrap();
    let batch = Batch { key: one.key, entries: vec![line] };
    assert!(wait(store.append(batch, 7)).is_err());
    assert_eq!((envelopes(store, one.key).len(), envelopes(store, two.key).len()), (3, 3));
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

fn a_key_that_does_not_count_keeps_nothing(store: &dyn Store) {
    let mut chain = Chain::of(store, "a");
    token(store, "a", b"2", 10);
    wait(store.claim(claimant("a", 2, b"2"), 1)).unwrap().unwrap();
    let decided = store.decide("a".to_owned(), "SHA256:2".to_owned(), Decision::Approve, person());
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
    assert_eq!(hosts(store)[0].health, Some(Health::Unwell), "nobody knows how it stands");
    let line = chain.next("c0ffee6", Outcome::Committed);
    append(store, chain.key, &[line]);
    assert_eq!(hosts(store)[0].health, None, "it is known again, and no probe has spoken");
}

fn a_host_is_as_well_as_what_it_runs_says(store: &dyn Store) {
    let mut chain = Chain::of(store, "a");
    let (well, unwell) = (Some(Health::Well), Some(Health::Unwell));
    let probe = |passed| ProbeWord { name: "p".to_owned(), passed, detail: String::new() };
    for (outcome, probes, standing, expected) in [
        (Outcome::Reverted, vec![probe(false)], None, None),
        (Outcome::Committed, vec![probe(false)], None, unwell),
        (Outcome::Reverted, vec![probe(false)], None, well),
        (Outcome::Refused, vec![], None, well),
        (Outcome::Reverted, vec![probe(false)], Some(0), None),
        (Outcome::Reverted, vec![probe(false)], Some(2), well),
        (Outcome::Stranded, vec![], None, unwell),
        (Outcome::Reverted, vec![probe(false)], None, None),
        (Outcome::Committed, vec![probe(true)], None, well),
        (Outcome::Committed, vec![], None, None),
    ] {
        let entry = chain.told_so("c0ffee1", outcome, |it| {
            (it.probes, it.standing_probes) = (probes, standing);
        });
        append(store, chain.key, &[entry]);
        assert_eq!(hosts(store)[0].health, expected, "record {}: {outcome}", chain.seq);
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
