//! What people order: back to the generation before, once more, a pause, and only a plan.
//!
//! **Invariant:** a change that somebody took back by order is not applied again by itself, whatever
//! happens on the way.

use bowline_api::outcome::Outcome;
use bowline_engine::wish::{Order, Wish};
use tests::history::live;
use tests::sim_host::{Fault, SimHost};

use crate::world::{first, merged, second, settled, third};

/// A host that committed the second revision.
pub(crate) fn second_committed() -> SimHost {
    let mut host = settled();
    host.village.merge(&second(), 1);
    live(&mut host, 1);
    assert_eq!(host.forms(), merged());
    host.endings.clear();
    host
}

pub(crate) fn revert(host: &SimHost) -> Wish {
    let to = host.disk.before.clone().map(Box::new);
    let order = Some(Order::Revert { to, because: "uid 0: it is slow".to_owned() });
    Wish { thorough: true, order, ..Wish::default() }
}

pub(crate) fn retry() -> Wish {
    Wish { thorough: true, order: Some(Order::Retry), ..Wish::default() }
}

pub(crate) fn outcomes(host: &SimHost) -> Vec<(Outcome, &str)> {
    host.endings.iter().map(|it| (it.cycle.outcome, it.cycle.reason.as_str())).collect()
}

#[test]
fn an_ordered_revert_brings_the_generation_before_back_and_holds_what_it_left() {
    let old = settled().forms();
    let mut host = second_committed();
    host.wish = Some(revert(&host));
    live(&mut host, 3);
    assert_eq!(host.forms(), old);
    let expected = [
        (Outcome::Committed, "RevertRequested"),
        (Outcome::Held, "Quarantined"),
        (Outcome::Held, "Quarantined"),
    ];
    assert_eq!(outcomes(&host), expected);
    assert_eq!(host.endings[0].cycle.detail, "uid 0: it is slow");
    assert_eq!(host.disk.ledger.quarantine[0].reason, "uid 0: it is slow");
    // Carried on in a later merge it is held as well; mended it is new.
    host.village.merge(&third(), 1);
    live(&mut host, 1);
    assert_eq!(host.endings[3].cycle.code, "quarantined");
    host.village.merge(&first(), 1);
    live(&mut host, 1);
    assert_eq!(host.endings[4].cycle.outcome, Outcome::Committed, "{:#?}", host.endings[4]);
}

#[test]
fn a_retry_tries_what_was_reverted_once_more_and_forgets_that_it_failed() {
    let mut host = second_committed();
    host.wish = Some(revert(&host));
    live(&mut host, 2);
    host.wish = Some(retry());
    live(&mut host, 2);
    assert_eq!(host.forms(), merged());
    assert_eq!(host.endings[2].cycle.outcome, Outcome::Committed);
    assert_eq!(host.endings[3].cycle.outcome, Outcome::Unchanged);
    assert!(host.disk.ledger.quarantine.is_empty());
}

#[test]
fn a_rehearsed_retry_forgets_nothing() {
    let mut host = second_committed();
    host.wish = Some(revert(&host));
    live(&mut host, 2);
    let old = host.forms();
    // In one process: what a rehearsal forgot in memory would be forgotten in the next cycle.
    host.wish = Some(Wish { dry: true, ..retry() });
    live(&mut host, 3);
    assert!(!host.shown.clone().unwrap().steps.is_empty());
    let last: Vec<_> = host.endings.iter().rev().take(2).map(|it| it.cycle.outcome).collect();
    assert_eq!(last, [Outcome::Held, Outcome::Held]);
    assert_eq!(host.forms(), old);
}

#[test]
fn a_retry_that_fails_again_is_quarantined_again() {
    let mut host = settled();
    let old = host.forms();
    host.village.merge(&second(), 1);
    host.probes = vec![false];
    live(&mut host, 2);
    host.wish = Some(retry());
    live(&mut host, 2);
    let reasons: Vec<_> = host.endings.iter().map(|it| it.cycle.outcome).collect();
    use Outcome::{Held, Reverted};
    assert_eq!(reasons, [Reverted, Held, Reverted, Held]);
    assert_eq!((host.forms(), host.disk.ledger.quarantine.len()), (old, 1));
}

#[test]
fn there_is_no_way_back_before_the_first_generation_or_twice() {
    let mut host = settled();
    let old = host.forms();
    host.wish = Some(revert(&host));
    live(&mut host, 1);
    assert_eq!(host.endings[0].cycle.code, "nothing-to-revert");
    assert!(host.disk.records.is_empty(), "an order that does nothing is no event");
    let mut host = second_committed();
    for _ in 0..2 {
        host.wish = Some(revert(&host));
        live(&mut host, 1);
    }
    assert_eq!(host.endings[1].cycle.code, "quarantined", "back again is a retry");
    assert_eq!(host.forms(), old);
}

#[test]
fn what_asks_for_nothing_new_is_no_place_to_go_back_to() {
    let old = settled().forms();
    let repair = |host: &mut SimHost| {
        host.put_file("/etc/a", "by hand");
        host.wish = Some(Wish { thorough: true, ..Wish::default() });
    };
    let merge_of_words = |host: &mut SimHost| {
        let mut files = second();
        files.insert("notes.txt".to_owned(), "no manifest".to_owned());
        host.village.merge(&files, 1);
    };
    let cases: [(&str, &[&dyn Fn(&mut SimHost)]); 4] = [
        ("a repair", &[&repair]),
        ("two repairs", &[&repair, &repair]),
        ("a merge that asks for nothing", &[&merge_of_words]),
        ("all of them", &[&repair, &merge_of_words, &repair]),
    ];
    for (name, events) in cases {
        let mut host = second_committed();
        for event in events {
            event(&mut host);
            live(&mut host, 1);
            assert_eq!(host.forms(), merged(), "{name}");
            let last = host.endings.last().map(|it| it.cycle.outcome);
            assert_eq!(last, Some(Outcome::Committed), "{name}");
        }
        let made = host.disk.generation.as_ref().map(|it| it.number);
        assert_eq!(made, Some(2 + events.len() as u64), "{name}: each makes a generation");
        host.wish = Some(revert(&host));
        live(&mut host, 2);
        assert_eq!(host.forms(), old, "{name}: {:#?}", host.endings);
        assert_eq!(host.endings.last().map(|it| it.cycle.code.as_str()), Some("quarantined"));
    }
}

#[test]
fn an_ordered_revert_that_fails_leaves_the_committed_change_in_force() {
    let mut host = second_committed();
    host.wish = Some(revert(&host));
    let effects = host.effects;
    // Everything that is tried on the way fails.
    host.faults = (effects..effects + 12).map(|at| (at, Fault::Fails)).collect();
    live(&mut host, 2);
    assert_eq!(host.forms(), merged());
    let barred = host.disk.ledger.quarantine.iter();
    assert_eq!(barred.filter(|it| it.reason.contains("slow")).count(), 0);
}

#[test]
fn fault_01_an_ordered_revert_is_whole_or_not_at_all_wherever_the_power_goes() {
    let (old, new) = (settled().forms(), merged());
    let mut plain = second_committed();
    let before = plain.effects;
    plain.wish = Some(revert(&plain));
    live(&mut plain, 1);
    let last = plain.effects;
    assert!(last > before + 8, "{:?}", plain.log);
    for at in before + 1..=last {
        for fault in [Fault::DarkBefore, Fault::DarkAmid(0b0101), Fault::DarkAfter] {
            let mut host = second_committed();
            host.wish = Some(revert(&host));
            host.faults = vec![(at, fault)];
            live(&mut host, 2);
            let barred = host.disk.ledger.quarantine.iter().any(|it| it.reason.contains("slow"));
            let forms = host.forms();
            assert!(forms == old || forms == new, "{at} {fault:?}: {}", host.log.join("\n"));
            assert_eq!(forms == old, barred, "{at} {fault:?}: {}", host.log.join("\n"));
        }
    }
}

#[test]
fn a_pause_holds_deployments_and_repairs_and_says_who_paused() {
    let mut host = settled();
    let paused =
        || Wish { thorough: true, paused: Some("uid 0: upgrade".to_owned()), ..Wish::default() };
    host.put_file("/etc/a", "by hand");
    let drifted = host.forms();
    host.wish = Some(paused());
    live(&mut host, 1);
    assert_eq!(outcomes(&host), [(Outcome::Unchanged, "Paused")]);
    host.village.merge(&second(), 1);
    host.wish = Some(paused());
    live(&mut host, 1);
    assert_eq!(host.endings[1].cycle.code, "paused");
    assert!(host.endings[1].cycle.detail.contains("uid 0: upgrade"));
    assert_eq!(host.forms(), drifted);
    live(&mut host, 1);
    assert_eq!(host.endings[2].cycle.outcome, Outcome::Committed);
}

#[test]
fn only_a_plan_changes_and_records_nothing() {
    let mut host = settled();
    host.village.merge(&second(), 1);
    let (old, records) = (host.forms(), host.disk.records.len());
    host.wish = Some(Wish { thorough: true, dry: true, ..Wish::default() });
    live(&mut host, 1);
    let shown = host.shown.clone().unwrap();
    assert!(shown.steps.len() >= 3, "{shown:?}");
    assert_eq!((host.forms(), host.disk.records.len()), (old, records));
    host.wish = Some(Wish { dry: true, ..revert(&host) });
    live(&mut host, 1);
    assert_eq!(host.endings[1].cycle.code, "nothing-to-revert");
}
