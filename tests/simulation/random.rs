//! Random histories: merges, foreign edits, unhealthy probes and faults in any order.
//!
//! **Invariant:** a failing history is printed whole, so that it can be replayed.

use bowline_api::outcome::Outcome;
use proptest::prelude::*;
use tests::history::live;
use tests::invariants;
use tests::sim_host::Fault;

use crate::world::{first, second, settled, third};

#[derive(Debug, Clone)]
enum Act {
    Merge(u8),
    Edit(&'static str),
    Health(bool),
    Cycle(Vec<(usize, Fault)>),
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::DarkBefore),
        any::<u32>().prop_map(Fault::DarkAmid),
        Just(Fault::DarkAfter),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0..3_u8).prop_map(Act::Merge),
        prop_oneof![Just("/etc/a"), Just("/etc/b"), Just("/etc/d")].prop_map(Act::Edit),
        any::<bool>().prop_map(Act::Health),
        prop::collection::vec((1..30_usize, fault()), 0..3).prop_map(Act::Cycle),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_ends_whole(acts in prop::collection::vec(act(), 1..14)) {
        let mut host = settled();
        for act in &acts {
            match act {
                Act::Merge(0) => host.village.merge(&first(), 1),
                Act::Merge(1) => host.village.merge(&second(), 1),
                Act::Merge(_) => host.village.merge(&third(), 1),
                Act::Edit(path) => host.put_file(path, "by hand"),
                Act::Health(healthy) => host.probes = vec![*healthy],
                Act::Cycle(faults) => {
                    let now = host.effects;
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
        }
    }
}
