//! Units lose power, fail and are stopped by others at every effect of a deployment and of its recovery.
//!
//! **Invariant:** at rest what runs is what stands: a unit that runs an older or newer text than its file
//! is half-changed.

use std::sync::OnceLock;

use bowline_api::outcome::Outcome;
use bowline_model::digest::Sha256;
use proptest::prelude::*;
use tests::history::live;
use tests::invariants;
use tests::sim_host::{Fault, SimHost};
use tests::village::{Files, Village};

use crate::world::{QUICK, file, files, probe};

fn unit(name: &str, text: &str, rest: &str) -> String {
    format!(
        "---\napiVersion: bowline/v1\nkind: Unit\nmetadata: {{name: {name}}}\n{rest}\nspec: {{enabled: true, \
         contents: \"# {text}\\n[Install]\\n\"}}\n"
    )
}

/// A unit that something else brings, or that is only told.
fn plain(name: &str, spec: &str) -> String {
    format!("---\napiVersion: bowline/v1\nkind: Unit\nmetadata: {{name: {name}}}\nspec: {spec}\n")
}

fn first() -> Files {
    files(&[
        file("a", "/etc/a", "a1"),
        unit("db.service", "db1", ""),
        unit("old.service", "old1", ""),
        unit("shop.service", "shop1", "dependsOn: [Unit/db.service]"),
    ])
}

/// One replaced and restarted, one kept, one removed, one new with a drop-in, one stopped and disabled.
fn second() -> Files {
    let added = "dropIns: {10-a.conf: added}, contents: new2, enabled: true"
        .replace("new2", "\"[Install]\"");
    files(&[
        file("a", "/etc/a", "a2"),
        unit("db.service", "db1", ""),
        unit("shop.service", "shop2", "dependsOn: [Unit/db.service]"),
        plain("new.service", &format!("{{{added}}}")),
        plain("other.service", "{enabled: false, state: stopped}"),
        probe(QUICK),
    ])
}

/// A host on which the first revision is committed, and a unit of somebody else's runs.
fn settled() -> SimHost {
    static SETTLED: OnceLock<SimHost> = OnceLock::new();
    SETTLED.get_or_init(settle).clone()
}

fn settle() -> SimHost {
    let mut host = SimHost::new(Village::new(&first()));
    for folder in ["/etc", "/etc/systemd", "/etc/systemd/system"] {
        host.put_folder(folder);
    }
    host.put_file("/etc/systemd/system/other.service", "other");
    host.disk.units.enabled.insert("other.service".to_owned());
    host.disk.boot();
    live(&mut host, 1);
    assert_eq!(host.disk.generation.as_ref().map(|it| it.number), Some(1), "{:#?}", host.endings);
    host.endings.clear();
    host.disk.records.clear();
    host.effects = 0;
    host.log.clear();
    host
}

fn merged() -> SimHost {
    static MERGED: OnceLock<SimHost> = OnceLock::new();
    let merge = || {
        let mut host = settled();
        host.village.merge(&second(), 1);
        live(&mut host, 1);
        assert_eq!(host.endings[0].cycle.outcome, Outcome::Committed, "{:#?}", host.endings);
        host
    };
    MERGED.get_or_init(merge).clone()
}

fn history(faults: &[(usize, Fault)], healthy: bool, reboots: bool) -> SimHost {
    let mut host = settled();
    host.village.merge(&second(), 1);
    host.probes = vec![healthy];
    (host.faults, host.reboots) = (faults.to_vec(), reboots);
    live(&mut host, 3);
    host
}

fn check(host: &SimHost, healthy: bool) {
    let (old, new) = (settled(), merged());
    let told = || format!("faults {:?}\n{}\n{:#?}", host.faults, host.log.join("\n"), host.endings);
    assert!(host.broken.is_empty(), "{:?}\n{}", host.broken, told());
    if host.endings.iter().any(|it| it.cycle.outcome == Outcome::Stranded) {
        assert!(host.faults.iter().any(|(_, it)| *it == Fault::Fails), "{}", told());
        return;
    }
    invariants::all_old_or_all_new(host, &old.forms(), &new.forms())
        .unwrap_or_else(|error| panic!("{error}\n{}", told()));
    invariants::nothing_left_behind(host).unwrap_or_else(|error| panic!("{error}\n{}", told()));
    let expected = if host.forms() == old.forms() { &old } else { &new };
    let (now, then) = (&host.disk.units, &expected.disk.units);
    assert_eq!(now.picture(), then.picture(), "{}", told());
    assert_eq!(now.loaded, then.loaded, "{}", told());
    if !healthy {
        assert_eq!(host.forms(), old.forms(), "an unhealthy change stands\n{}", told());
    }
}

#[test]
fn units_come_to_stand_in_the_order_of_their_needs() {
    let host = merged();
    let steps: Vec<_> = host.endings[0].cycle.steps.iter().filter(|it| it.path.is_none()).collect();
    let shown: Vec<_> = steps.iter().map(|it| (it.resource.as_str(), it.action.as_str())).collect();
    let expected = [
        ("Unit/old.service", "stop"),
        ("Unit/old.service", "disable"),
        ("Unit/shop.service", "disable"),
        ("Unit/other.service", "stop"),
        ("Unit/other.service", "disable"),
        ("Unit/new.service", "daemon-reload"),
        ("Unit/new.service", "enable"),
        ("Unit/new.service", "start"),
        ("Unit/shop.service", "enable"),
        ("Unit/shop.service", "restart"),
    ];
    assert_eq!(shown, expected, "{:#?}", host.endings[0].cycle.steps);
    let (enabled, running) = host.disk.units.picture();
    assert_eq!(
        enabled.iter().map(String::as_str).collect::<Vec<_>>(),
        ["db.service", "new.service", "shop.service"]
    );
    assert_eq!(running.len(), 3);
}

#[test]
fn fault_01_a_fault_at_every_effect_of_a_change_of_units() {
    for (healthy, reboots) in [(true, true), (true, false), (false, true), (false, false)] {
        let effects = history(&[], healthy, reboots).effects;
        assert!(effects > 40, "a deployment of units has more effects than {effects}");
        for at in 1..=effects {
            for fault in
                [Fault::Fails, Fault::DarkBefore, Fault::DarkAmid(0b0101), Fault::DarkAfter]
            {
                check(&history(&[(at, fault)], healthy, reboots), healthy);
            }
        }
    }
}

#[test]
fn fault_01_a_second_fault_at_every_effect_of_the_recovery_of_units() {
    let mut histories = 0;
    for (healthy, reboots) in [(true, false), (false, true)] {
        let effects = history(&[], healthy, reboots).effects;
        for first in (1..=effects).step_by(3) {
            let dark = (first, Fault::DarkAfter);
            let after = history(&[dark], healthy, reboots).effects;
            for second in (first + 1..=after).step_by(2) {
                for fault in [Fault::Fails, Fault::DarkBefore, Fault::DarkAfter] {
                    check(&history(&[dark, (second, fault)], healthy, reboots), healthy);
                    histories += 1;
                }
            }
        }
    }
    assert!(histories > 1_000, "only {histories} histories were tried");
}

#[test]
fn a_unit_that_does_not_start_takes_the_whole_change_back() {
    let mut host = settled();
    let old = host.disk.units.picture();
    host.disk.units.bad.insert(Sha256::of(b"# shop2\n[Install]\n"));
    host.village.merge(&second(), 1);
    live(&mut host, 2);
    let cycle = &host.endings[0].cycle;
    assert_eq!(
        (cycle.outcome, cycle.code.as_str()),
        (Outcome::Reverted, "unit-failed"),
        "{cycle:#?}"
    );
    assert_eq!(host.endings[1].cycle.outcome, Outcome::Held, "it is quarantined");
    assert_eq!(host.forms(), settled().forms());
    assert_eq!(host.disk.units.picture(), old);
    let proof = cycle.proof.as_ref().unwrap();
    assert_eq!(proof.before, proof.after);
}

#[test]
fn a_unit_that_somebody_stopped_is_started_again_as_a_repair() {
    let mut host = settled();
    let old = host.disk.units.picture();
    host.disk.units.running.remove("shop.service");
    host.disk.units.enabled.remove("db.service");
    live(&mut host, 2);
    assert_eq!(host.endings[0].cycle.outcome, Outcome::Committed);
    assert_eq!(host.endings[1].cycle.outcome, Outcome::Unchanged);
    assert_eq!(host.disk.records[0].kind, bowline_api::record::Kind::Drift);
    assert_eq!(host.disk.units.picture(), old);
}

#[test]
fn a_unit_that_is_only_to_be_watched_is_left_as_it_is() {
    let mut host = settled();
    let watched = unit("shop.service", "shop1", "policy: {drift: detect}");
    let mut files = first();
    let text = files.get_mut("apps/all.yaml").unwrap();
    *text = text
        .split("---\n")
        .filter(|it| !it.contains("name: shop.service"))
        .collect::<Vec<_>>()
        .join("---\n");
    text.push_str(&watched);
    host.village.merge(&files, 1);
    live(&mut host, 1);
    host.disk.units.running.remove("shop.service");
    live(&mut host, 1);
    let cycle = &host.endings[1].cycle;
    assert_eq!(cycle.code, "drift-detected", "{cycle:#?}");
    assert!(cycle.detail.contains("shop.service (enabled and down)"), "{cycle:#?}");
    assert!(!host.disk.units.running.contains_key("shop.service"));
}

#[test]
fn what_ran_runs_again_also_after_a_power_cut_behind_its_way_back() {
    let mut host = settled();
    host.disk.units.enabled.retain(|unit| unit == "other.service");
    let (_, running) = host.disk.units.picture();
    host.reboots = true;
    host.faults = vec![(8, Fault::DarkAfter), (12, Fault::DarkBefore)];
    live(&mut host, 1);
    let cycle = &host.endings[0].cycle;
    assert_ne!(cycle.outcome, Outcome::Stranded, "{}\n{cycle:#?}", host.log.join("\n"));
    assert_eq!(host.disk.units.picture().1, running);
}

#[derive(Debug, Clone)]
enum Act {
    Merge(bool),
    Stop(&'static str),
    Disable(&'static str),
    Health(bool),
    Cycle(Vec<(usize, Fault)>, bool),
}

fn act() -> impl Strategy<Value = Act> {
    let name = prop_oneof![Just("db.service"), Just("shop.service"), Just("new.service")];
    let fault = prop_oneof![Just(Fault::DarkBefore), Just(Fault::DarkAfter)];
    prop_oneof![
        any::<bool>().prop_map(Act::Merge),
        name.clone().prop_map(Act::Stop),
        name.prop_map(Act::Disable),
        any::<bool>().prop_map(Act::Health),
        (prop::collection::vec((1..60_usize, fault), 0..3), any::<bool>())
            .prop_map(|(faults, reboots)| Act::Cycle(faults, reboots)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_of_units_ends_whole(acts in prop::collection::vec(act(), 1..12)) {
        let mut host = settled();
        for act in &acts {
            match act {
                Act::Merge(true) => host.village.merge(&second(), 1),
                Act::Merge(false) => host.village.merge(&first(), 1),
                Act::Stop(unit) => drop(host.disk.units.running.remove(*unit)),
                Act::Disable(unit) => drop(host.disk.units.enabled.remove(*unit)),
                Act::Health(healthy) => host.probes = vec![*healthy],
                Act::Cycle(faults, reboots) => {
                    let now = host.effects;
                    host.reboots = *reboots;
                    host.faults = faults.iter().map(|(at, fault)| (now + at, *fault)).collect();
                    live(&mut host, 1);
                }
            }
            let told = format!("{acts:?}\n{}\n{:#?}", host.log.join("\n"), host.endings);
            prop_assert!(host.broken.is_empty(), "{:?}\n{told}", host.broken);
            let stranded = host.endings.iter().any(|it| it.cycle.outcome == Outcome::Stranded);
            prop_assert!(!stranded, "{told}");
            let left = invariants::nothing_left_behind(&host);
            prop_assert!(left.is_ok(), "{left:?}\n{told}");
            let units = &host.disk.units;
            let stale = units.running.iter().find(|(unit, text)| units.loaded.get(*unit) != Some(text));
            prop_assert!(stale.is_none(), "{stale:?} runs another text\n{told}");
        }
    }
}
