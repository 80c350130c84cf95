//! A host vouches for what it committed, once it stood in good health for as long as another host's gate asks.
//!
//! **Invariant:** a receipt is never written of a host that was not looked at, or whose probes fail.

use std::time::Duration;

use bowline_api::outcome::Outcome;
use bowline_api::record::{Kind, Record};
use bowline_engine::wish::{Order, Wish};
use tests::history::live;
use tests::sim_host::{Fault, Moment, SimHost};
use tests::village::{Files, Village};

use crate::world::{QUICK, file, files, probe};

const KEY: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

const HOUR: u64 = 3_600;

fn desired(text: &str) -> Files {
    of_environment("staging", text)
}

fn of_environment(environment: &str, text: &str) -> Files {
    let host = format!(
        "---\napiVersion: bowline/v1\nkind: Host\nmetadata: {{name: sim}}\n\
         spec: {{keyFingerprint: \"{KEY}\", environment: {environment}}}\n"
    );
    files(&[host, file("a", "/etc/a", text), probe(QUICK)])
}

/// A host of staging that committed a revision; the policy of the next one, which waits for its gates, is in force.
fn asked_for(times: &[&str]) -> SimHost {
    asked_in("staging", times)
}

/// The same in an environment.
fn asked_in(environment: &str, times: &[&str]) -> SimHost {
    let mut host = SimHost::new(Village::new(&of_environment(environment, "a1")));
    host.fingerprint = KEY.to_owned();
    host.put_folder("/etc");
    live(&mut host, 1);
    assert_eq!(host.disk.generation.as_ref().map(|it| it.number), Some(1), "{:?}", host.endings);
    host.village.ask_of_hosts(times);
    host.village.merge(&desired("a2"), 1);
    host.endings.clear();
    host.log.clear();
    host.disk.records.clear();
    host
}

/// Lets so many seconds pass before each cycle.
fn naps(host: &mut SimHost, naps: &[u64]) {
    let moment = |it: &u64| Moment { nap: Duration::from_secs(*it), ..Moment::default() };
    host.moments = naps.iter().map(moment).collect();
    live(host, u32::try_from(naps.len()).unwrap());
    assert!(host.broken.is_empty(), "{:?}", host.broken);
}

fn receipts(host: &SimHost) -> Vec<&Record> {
    host.disk.records.iter().filter(|it| it.kind == Kind::Healthy).collect()
}

/// Milliseconds that were vouched for, in turn.
fn vouched(host: &SimHost) -> Vec<u64> {
    receipts(host).iter().map(|it| it.healthy.as_ref().unwrap().lasting_ms).collect()
}

#[test]
fn a_host_vouches_once_for_each_time_that_is_asked() {
    let mut host = asked_for(&["1h", "3h", "1h"]);
    // The first look begins the time.
    naps(&mut host, &[60, HOUR - 10, 20, HOUR, HOUR, HOUR]);
    assert_eq!(vouched(&host), [3_600_000, 3 * 3_600_000]);
    let probed = host.log.iter().filter(|it| it.ends_with(" Probe")).count();
    assert_eq!(probed, 2, "once for each: {:?}", host.log);
    let first = receipts(&host)[0].clone();
    let standing = host.disk.generation.clone().unwrap();
    let commit = first.commit.clone().unwrap();
    assert_eq!(commit.id, standing.revision.commit.to_string());
    assert_eq!(commit.sha256, standing.revision.commit_sha256.to_string());
    assert_eq!(commit.tree, standing.revision.tree.to_string());
    assert_eq!(first.revision, Some(standing.revision.to_string()));
    assert_eq!(first.environment.as_deref(), Some("staging"));
    assert_eq!(first.repo.as_ref().unwrap().uri, "git+https://git.example/ops/fleet");
    assert_eq!((first.outcome, first.reason.as_str()), (Outcome::Unchanged, "Healthy"));
    assert_eq!(first.probes.iter().map(|it| it.passed).collect::<Vec<_>>(), [true]);
    // Whoever stood for long is not asked for the shorter time as well.
    let mut host = asked_for(&["1h", "3h"]);
    naps(&mut host, &[60, 4 * HOUR, HOUR]);
    assert_eq!(vouched(&host), [3 * 3_600_000]);
}

#[test]
fn nothing_is_done_for_it_where_no_gate_asks_this_environment() {
    let mut host = asked_for(&[]);
    naps(&mut host, &[60, HOUR, HOUR]);
    assert!(receipts(&host).is_empty());
    assert_eq!(host.disk.steady, None);
    let mut host = asked_for(&["1h"]);
    host.fingerprint = "SHA256:none".to_owned();
    naps(&mut host, &[60, HOUR, HOUR]);
    assert_eq!((receipts(&host).len(), host.disk.steady.clone()), (0, None), "nobody names it");
    let mut host = asked_in("canary", &["1h"]);
    naps(&mut host, &[60, HOUR, HOUR]);
    assert_eq!((receipts(&host).len(), host.disk.steady.clone()), (0, None), "another's");
}

#[test]
fn a_look_is_made_for_it_though_none_is_due() {
    let mut host = asked_for(&["2m"]);
    naps(&mut host, &[60, 130, 60]);
    assert_eq!(receipts(&host).len(), 1);
}

#[test]
fn a_boot_begins_anew_and_a_restart_goes_on() {
    for (reboots, expected) in [(false, 1), (true, 0)] {
        let mut host = asked_for(&["1h"]);
        naps(&mut host, &[60, HOUR / 2]);
        if reboots {
            host.disk.boot();
        }
        naps(&mut host, &[HOUR / 2 + 60]);
        assert_eq!(receipts(&host).len(), expected, "{reboots}");
        naps(&mut host, &[HOUR]);
        assert_eq!(receipts(&host).len(), 1, "{reboots}");
    }
}

#[test]
fn a_failing_probe_begins_anew_and_is_told() {
    let mut host = asked_for(&["1h"]);
    naps(&mut host, &[60]);
    host.probes = vec![false];
    naps(&mut host, &[HOUR]);
    let last = host.endings.last().unwrap().cycle.clone();
    assert_eq!(last.failing, ["ready"]);
    assert!(last.warnings.iter().any(|it| it.contains("Probe/ready fails")), "{last:?}");
    host.probes = vec![true];
    naps(&mut host, &[HOUR / 2]);
    assert!(receipts(&host).is_empty());
    naps(&mut host, &[HOUR / 2]);
    assert_eq!(receipts(&host).len(), 1);
}

#[test]
fn a_passing_weakness_of_a_probe_is_asked_about_again() {
    let mut host = asked_for(&["1h"]);
    naps(&mut host, &[60]);
    host.probes = vec![false, false, true];
    naps(&mut host, &[HOUR]);
    let receipts = receipts(&host);
    assert_eq!(receipts.len(), 1);
    assert!(receipts[0].probes.iter().all(|it| it.passed));
}

#[test]
fn what_drifted_is_seen_at_that_moment_and_its_repair_begins_anew() {
    let mut host = asked_for(&["1h"]);
    naps(&mut host, &[60]);
    host.put_file("/etc/a", "by hand");
    naps(&mut host, &[HOUR]);
    assert!(receipts(&host).is_empty());
    assert_eq!(host.disk.generation.as_ref().map(|it| it.number), Some(2), "it was repaired");
    naps(&mut host, &[60, HOUR - 10]);
    assert!(receipts(&host).is_empty());
    naps(&mut host, &[60]);
    assert_eq!(receipts(&host).len(), 1);
}

#[test]
fn drift_that_a_pause_leaves_is_no_good_health() {
    let mut host = asked_for(&["1h"]);
    naps(&mut host, &[60]);
    host.put_file("/etc/a", "by hand");
    let wish = Wish { paused: Some("uid 0: wait".to_owned()), ..Wish::default() };
    let moment =
        |nap| Moment { nap: Duration::from_secs(nap), wish: wish.clone(), ..Moment::default() };
    host.moments = [moment(HOUR), moment(HOUR), moment(HOUR)].into();
    live(&mut host, 3);
    assert!(receipts(&host).is_empty());
}

#[test]
fn whoever_went_back_counts_anew() {
    let mut host = asked_for(&["1h"]);
    naps(&mut host, &[60, HOUR / 2]);
    let number = host.disk.generation.as_ref().unwrap().number;
    // As a deployment that was tried and taken back leaves it.
    host.disk.ledger.settled = Some("d000009-0123456789ab".to_owned());
    naps(&mut host, &[HOUR / 2 + 60]);
    assert_eq!(host.disk.generation.as_ref().unwrap().number, number);
    assert!(receipts(&host).is_empty());
    naps(&mut host, &[HOUR]);
    assert_eq!(receipts(&host).len(), 1);
}

#[test]
fn a_look_a_rehearsal_and_an_order_vouch_for_nothing() {
    for wish in [
        Wish { hint: true, ..Wish::default() },
        Wish { dry: true, ..Wish::default() },
        Wish { order: Some(Order::Retry), ..Wish::default() },
    ] {
        let mut host = asked_for(&["1h"]);
        naps(&mut host, &[60]);
        host.moments =
            [Moment { nap: Duration::from_secs(HOUR), wish: wish.clone(), ..Moment::default() }]
                .into();
        live(&mut host, 1);
        assert!(receipts(&host).is_empty(), "{wish:?}");
        naps(&mut host, &[60]);
        assert_eq!(receipts(&host).len(), 1, "{wish:?}");
    }
}

#[test]
fn a_fault_or_power_cut_at_any_effect_leaves_one_receipt_or_begins_anew() {
    let plain = {
        let mut host = asked_for(&["1h"]);
        naps(&mut host, &[60, HOUR, 60]);
        assert_eq!(receipts(&host).len(), 1);
        host.effects
    };
    for at in asked_for(&["1h"]).effects + 1..=plain {
        for fault in [Fault::Fails, Fault::DarkBefore, Fault::DarkAfter] {
            for reboots in [false, true] {
                let mut host = asked_for(&["1h"]);
                (host.faults, host.reboots) = (vec![(at, fault)], reboots);
                naps(&mut host, &[60, HOUR, 60]);
                host.moments.clear();
                naps(&mut host, &[60, HOUR, HOUR]);
                let log = host.log.join("\n");
                assert_eq!(receipts(&host).len(), 1, "{at} {fault:?} {reboots}\n{log}");
                let last = host.endings.last().unwrap();
                assert_eq!(last.cycle.outcome, Outcome::Pending, "{at} {fault:?}: {last:?}");
            }
        }
    }
}
