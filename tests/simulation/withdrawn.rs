//! Orders where something is in the way: a revoked revision, nothing to do, a probe that fails, a record
//! that is owed.
//!
//! **Invariant:** an order is carried out or refused; nothing else is told as its success.
//! **Invariant:** 12 of the design: what is barred stays barred until it is kept.

use bowline_api::outcome::Outcome::{Committed, Failed, Held, Refused, Reverted};
use bowline_engine::wish::Wish;
use tests::history::live;
use tests::sim_host::{Fault, SimHost};
use tests::village::Files;

use crate::orders::{outcomes, retry, revert, second_committed};
use crate::world::{QUICK, file, files, probe, second, settled, third};

/// The second revision was taken back, and is held.
fn second_barred() -> SimHost {
    let mut host = settled();
    host.village.merge(&second(), 1);
    host.probes = vec![false];
    live(&mut host, 2);
    host.probes = vec![true];
    host.endings.clear();
    host
}

/// One file, and a probe.
fn probed(text: &str, spec: &str) -> Files {
    files(&[
        file("a", "/etc/a", text),
        file("b", "/etc/b", "b1"),
        file("c", "/etc/c", "c1"),
        probe(spec),
    ])
}

/// A host that committed these one after the other.
fn committed(revisions: &[Files]) -> SimHost {
    let mut host = settled();
    for files in revisions {
        host.village.merge(files, 1);
        live(&mut host, 1);
        assert_eq!(host.endings.last().unwrap().cycle.outcome, Committed, "{:#?}", host.endings);
    }
    host.endings.clear();
    host
}

#[test]
fn a_retry_that_only_plans_leaves_what_is_barred_barred() {
    let mut host = second_barred();
    let old = host.forms();
    host.wish = Some(Wish { dry: true, ..retry() });
    // In one process: what it remembers is not only what is durable.
    live(&mut host, 3);
    assert!(!host.shown.clone().unwrap().steps.is_empty());
    assert_eq!(outcomes(&host)[1..], [(Held, "Quarantined"), (Held, "Quarantined")]);
    assert_eq!(host.forms(), old);
}

#[test]
fn a_retry_whose_baseline_fails_leaves_what_is_barred_barred() {
    let spec = format!("baseline: true, {QUICK}");
    let mut host = committed(&[probed("a1", &spec)]);
    host.village.merge(&probed("a2", &spec), 1);
    host.probes = vec![true, false];
    live(&mut host, 1);
    assert_eq!(outcomes(&host), [(Reverted, "HealthCheckFailed")]);
    let old = host.forms();
    host.endings.clear();
    host.probes = vec![false, false, false, false, false, true];
    host.wish = Some(retry());
    live(&mut host, 3);
    let expected = [(Failed, "BaselineFailed"), (Held, "Quarantined"), (Held, "Quarantined")];
    assert_eq!(outcomes(&host), expected);
    assert_eq!(host.forms(), old);
    host.wish = Some(retry());
    live(&mut host, 2);
    assert_eq!(outcomes(&host)[3].0, Committed);
    assert!(host.disk.ledger.quarantine.is_empty(), "what was kept is barred no more");
}

#[test]
fn an_ordered_revert_without_a_step_holds_what_it_left() {
    let mut host = committed(&[probed("a1", QUICK), probed("a2", QUICK)]);
    // Somebody already put the file back by hand.
    host.put_file("/etc/a", "a1");
    let old = host.forms();
    host.wish = Some(revert(&host));
    live(&mut host, 3);
    let expected = [(Committed, "RevertRequested"), (Held, "Quarantined"), (Held, "Quarantined")];
    assert_eq!(outcomes(&host), expected);
    assert_eq!(host.forms(), old);
    live(&mut host, 1);
    assert_eq!(outcomes(&host)[3], (Held, "Quarantined"), "a start later as well");
}

#[test]
fn a_host_goes_back_from_a_revision_that_is_revoked() {
    let old = settled().forms();
    let mut host = second_committed();
    host.village.revoke(host.village.tip());
    // What revokes it cannot be deployed: the revoked one stands.
    host.village.merge(&files(&["---\nkind: Nothing\n".to_owned()]), 1);
    live(&mut host, 1);
    assert_eq!(outcomes(&host)[0].0, Refused, "{:#?}", host.endings);
    host.wish = Some(revert(&host));
    live(&mut host, 1);
    assert_eq!(outcomes(&host)[1], (Committed, "RevertRequested"), "{:#?}", host.endings[1]);
    assert_eq!(host.forms(), old);
}

#[test]
fn a_host_goes_back_below_a_commit_that_is_refused_and_not_to_one_that_is_revoked() {
    let mut host = second_committed();
    host.village.merge(&third(), 9);
    host.wish = Some(revert(&host));
    live(&mut host, 1);
    assert_eq!(outcomes(&host), [(Committed, "RevertRequested")]);
    let mut host = second_committed();
    let before = host.disk.before.clone().unwrap().revision.commit;
    host.village.revoke(before);
    host.village.merge(&third(), 1);
    let new = host.forms();
    host.wish = Some(revert(&host));
    live(&mut host, 1);
    assert_eq!(host.endings[0].cycle.code, "revision-revoked");
    assert_eq!(host.forms(), new);
}

#[test]
fn what_is_left_needs_not_be_read_again() {
    let mut host = second_committed();
    let lines = host.log.len();
    host.wish = Some(revert(&host));
    live(&mut host, 1);
    assert_eq!(outcomes(&host), [(Committed, "RevertRequested")]);
    let exports = host.log[lines..].iter().filter(|it| it.ends_with("Export")).count();
    assert_eq!(exports, 1, "only what is gone back to: {}", host.log[lines..].join("\n"));
}

#[test]
fn a_template_that_was_left_is_known_again() {
    let templated = |text: &str| {
        let mut files = probed("a1", QUICK);
        files.get_mut("apps/all.yaml").unwrap().push_str(
            "---\napiVersion: bowline/v1\nkind: Template\nmetadata: {name: t}\nspec: {path: /etc/t, \
             source: t.txt}\n",
        );
        files.insert("apps/t.txt".to_owned(), text.to_owned());
        files
    };
    let mut host = committed(&[templated("one\n"), templated("two\n")]);
    host.wish = Some(revert(&host));
    live(&mut host, 1);
    assert_eq!(outcomes(&host), [(Committed, "RevertRequested")]);
    live(&mut host, 1);
    assert_eq!(outcomes(&host)[1], (Held, "Quarantined"), "{:#?}", host.endings[1]);
}

#[test]
fn a_later_merge_that_edits_only_a_probe_still_carries_what_was_left() {
    let mut host = committed(&[probed("a1", QUICK), probed("a2", QUICK)]);
    host.wish = Some(revert(&host));
    live(&mut host, 1);
    let old = host.forms();
    host.village.merge(&probed("a2", &QUICK.replace("interval: 1s", "interval: 2s")), 1);
    live(&mut host, 1);
    assert_eq!(outcomes(&host), [(Committed, "RevertRequested"), (Held, "Quarantined")]);
    assert_eq!(host.forms(), old);
}

#[test]
fn an_order_waits_until_what_is_owed_is_kept() {
    for effect in ["Record", "Settle"] {
        let mut plain = settled();
        plain.village.merge(&second(), 1);
        live(&mut plain, 1);
        let at = 1 + plain.log.iter().position(|it| it.ends_with(effect)).unwrap();
        let mut host = settled();
        let old = host.forms();
        host.village.merge(&second(), 1);
        host.faults = vec![(at, Fault::Fails)];
        host.asked_after = 1;
        // The generation that it goes back to is the one that stands until then.
        host.disk.before = host.disk.generation.clone();
        host.wish = Some(revert(&host));
        live(&mut host, 3);
        assert_eq!(
            outcomes(&host)[1..],
            [(Committed, "ReconciliationSucceeded"), (Committed, "RevertRequested")],
            "{effect}"
        );
        assert_eq!(host.forms(), old, "{effect}");
    }
}
