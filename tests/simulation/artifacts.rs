//! Releases lose power and fail at every effect of a deployment and of its recovery.
//!
//! **Invariant:** at rest the link names a whole release; releases are as many as are kept.

use std::sync::OnceLock;

use bowline_api::outcome::Outcome;
use bowline_model::digest::Sha256;
use bowline_model::form::Form;
use bowline_model::generation::Generation;
use proptest::prelude::*;
use tests::history::live;
use tests::invariants;
use tests::sim_host::{Fault, SimHost};
use tests::village::{Files, Village};

use crate::world::{QUICK, file, files, probe};

/// A release by its number.
pub(crate) fn release(number: u8) -> String {
    let sha256 = Sha256::of(&[number]);
    format!(
        "---\napiVersion: bowline/v1\nkind: Artifact\nmetadata: {{name: shop}}\nspec: {{url: \
         \"https://a/shop-{number}.zip\", sha256: \"{sha256}\", releasesDir: /opt/releases, link: \
         /opt/current, keep: 2}}\n"
    )
}

pub(crate) fn revision(number: u8) -> Files {
    let text = format!("a{number}");
    files(&[file("a", "/opt/a", &text), release(number), probe(QUICK)])
}

pub(crate) fn folder(number: u8) -> String {
    format!("/opt/releases/shop-{number}-{}", &Sha256::of(&[number]).to_string()[..12])
}

/// A host on which the first two releases were committed, the second last.
pub(crate) fn settled() -> SimHost {
    static SETTLED: OnceLock<SimHost> = OnceLock::new();
    SETTLED.get_or_init(settle).clone()
}

fn settle() -> SimHost {
    let mut host = SimHost::new(Village::new(&revision(1)));
    host.put_folder("/opt");
    live(&mut host, 1);
    host.village.merge(&revision(2), 1);
    live(&mut host, 1);
    assert_eq!(host.disk.generation.as_ref().map(|it| it.number), Some(2), "{:#?}", host.endings);
    // The invariants know a change by the number that follows the first.
    host.disk.generation.iter_mut().for_each(|it| it.number = 1);
    host.endings.clear();
    host.disk.records.clear();
    host.effects = 0;
    host.log.clear();
    host.asked.clear();
    host
}

pub(crate) fn merged() -> SimHost {
    static MERGED: OnceLock<SimHost> = OnceLock::new();
    let merge = || {
        let mut host = settled();
        host.village.merge(&revision(3), 1);
        live(&mut host, 1);
        assert_eq!(host.endings[0].cycle.outcome, Outcome::Committed, "{:#?}", host.endings);
        host
    };
    MERGED.get_or_init(merge).clone()
}

/// What is linked to.
fn current(host: &SimHost) -> String {
    match host.forms().get("/opt/current") {
        Some(Form::Symlink { target }) => format!("/opt/{target}"),
        other => panic!("no link stands: {other:?}"),
    }
}

pub(crate) fn is_whole(host: &SimHost, release: &str) -> bool {
    let forms = host.forms();
    ["", "/bin", "/bin/shop", "/bin/start", "/readme"]
        .iter()
        .all(|it| forms.contains_key(&format!("{release}{it}")))
}

fn stands(host: &SimHost, release: &str) -> bool {
    host.forms().keys().any(|it| it.starts_with(release))
}

pub(crate) fn told(host: &SimHost) -> String {
    format!("faults {:?}\n{}\n{:#?}", host.faults, host.log.join("\n"), host.endings)
}

#[test]
fn the_newest_releases_stay_and_the_oldest_goes() {
    let host = merged();
    assert_eq!(current(&host), folder(3));
    assert!(is_whole(&host, &folder(3)) && is_whole(&host, &folder(2)));
    assert!(!stands(&host, &folder(1)), "{:#?}", host.forms().keys());
    let kept: &Generation = host.disk.generation.as_ref().unwrap();
    let folders: Vec<_> = kept.releases.iter().map(|it| it.folder.to_string()).collect();
    assert_eq!(folders, [folder(3), folder(2)]);
}

#[test]
fn a_release_that_still_stands_is_gone_back_to_without_its_archive() {
    let mut host = merged();
    host.disk.archives.clear();
    host.has_depot = false;
    host.village.merge(&revision(2), 1);
    live(&mut host, 1);
    let ended = host.endings.last().unwrap();
    assert_eq!(ended.cycle.outcome, Outcome::Committed, "{}", told(&host));
    assert_eq!(current(&host), folder(2));
    assert!(is_whole(&host, &folder(2)) && is_whole(&host, &folder(3)));
    // What is gone of it cannot be made again: then it is not gone back to.
    let mut host = merged();
    host.disk.archives.clear();
    host.has_depot = false;
    host.disk.live.remove(&format!("{}/readme", folder(2)));
    host.village.merge(&revision(2), 1);
    live(&mut host, 1);
    let ended = host.endings.last().unwrap();
    assert_eq!(ended.cycle.code, "artifact-away", "{}", told(&host));
    assert_eq!(current(&host), folder(3));
}

#[test]
fn without_its_server_a_release_is_not_begun_and_what_stands_is_looked_after() {
    let mut host = settled();
    host.has_depot = false;
    host.village.merge(&revision(3), 1);
    host.put_file("/opt/a", "by hand");
    let before = host.forms()["/opt/releases"].clone();
    live(&mut host, 1);
    assert_eq!(host.endings.last().unwrap().cycle.outcome, Outcome::Failed, "{}", told(&host));
    assert_eq!(current(&host), folder(2));
    assert_eq!(host.forms()["/opt/releases"], before);
    let Form::File { sha256, .. } = &host.forms()["/opt/a"] else { panic!("it is gone") };
    assert_eq!(*sha256, Sha256::of(b"a2"), "{}", told(&host));
    host.has_depot = true;
    live(&mut host, 1);
    assert_eq!(current(&host), folder(3), "{}", told(&host));
}

#[test]
fn an_artifact_that_leaves_takes_all_its_releases_with_it() {
    let mut host = merged();
    host.village.merge(&files(&[file("a", "/opt/a", "a3")]), 1);
    live(&mut host, 1);
    assert_eq!(host.endings.last().unwrap().cycle.outcome, Outcome::Committed, "{}", told(&host));
    let left: Vec<_> = host.forms().into_keys().collect();
    assert_eq!(left, ["/opt", "/opt/a"], "{}", told(&host));
}

#[test]
fn fault_01_a_fault_at_every_effect_of_a_release() {
    let (old, new) = (settled().forms(), merged().forms());
    let kinds = [
        Fault::Fails,
        Fault::DarkBefore,
        Fault::DarkAmid(0b0101),
        Fault::DarkAmid(0b1010),
        Fault::DarkAfter,
    ];
    for (healthy, reboots) in [(true, true), (false, true), (true, false)] {
        let history = |faults: &[(usize, Fault)]| {
            let mut host = settled();
            host.village.merge(&revision(3), 1);
            host.probes = vec![healthy];
            (host.faults, host.reboots) = (faults.to_vec(), reboots);
            live(&mut host, 3);
            host
        };
        let effects = history(&[]).effects;
        assert!(effects > 15, "a deployment has more effects than {effects}");
        for at in 1..=effects {
            for fault in kinds {
                let host = history(&[(at, fault)]);
                assert!(host.broken.is_empty(), "{:?}\n{}", host.broken, told(&host));
                if host.endings.iter().any(|it| it.cycle.outcome == Outcome::Stranded) {
                    assert_eq!(fault, Fault::Fails, "{}", told(&host));
                    continue;
                }
                invariants::all_old_or_all_new(&host, &old, &new)
                    .unwrap_or_else(|error| panic!("{error}\n{}", told(&host)));
                invariants::nothing_left_behind(&host)
                    .unwrap_or_else(|error| panic!("{error}\n{}", told(&host)));
                assert!(is_whole(&host, &current(&host)), "{}", told(&host));
                assert!(healthy || host.forms() == old, "{}", told(&host));
            }
        }
    }
}

#[test]
fn a_program_that_comes_with_the_change_judges_it_once_it_stands() {
    let judged = |number: u8, text: &str| {
        let judge = "validate: [/opt/current/bin/shop, check, \"%s\"]";
        let settings = file("a", "/opt/a", text).replace("content:", &format!("{judge}, content:"));
        files(&[settings, release(number), probe(QUICK)])
    };
    let checks = |host: &mut SimHost, files: &Files| {
        host.log.clear();
        host.village.merge(files, 1);
        live(host, 1);
        assert_eq!(
            host.endings.last().unwrap().cycle.outcome,
            Outcome::Committed,
            "{}",
            told(host)
        );
        host.log.iter().filter(|it| it.ends_with(" Check")).count()
    };
    let mut host = settled();
    // The release that stands has the program already: the staged file is shown to it.
    assert_eq!(checks(&mut host, &judged(2, "x")), 0);
    assert_eq!(checks(&mut host, &judged(3, "y")), 1);
}

#[derive(Debug, Clone)]
enum Act {
    Merge(u8),
    Edit,
    Health(bool),
    Depot(bool),
    Forget,
    Cycle(Vec<(usize, Fault)>),
}

fn act() -> impl Strategy<Value = Act> {
    let fault = prop_oneof![
        Just(Fault::DarkBefore),
        any::<u32>().prop_map(Fault::DarkAmid),
        Just(Fault::DarkAfter),
    ];
    prop_oneof![
        (1..5_u8).prop_map(Act::Merge),
        Just(Act::Edit),
        any::<bool>().prop_map(Act::Health),
        any::<bool>().prop_map(Act::Depot),
        Just(Act::Forget),
        prop::collection::vec((1..30_usize, fault), 0..3).prop_map(Act::Cycle),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_of_releases_ends_with_a_whole_one(acts in prop::collection::vec(act(), 1..14)) {
        let mut host = settled();
        for act in &acts {
            match act {
                Act::Merge(number) => host.village.merge(&revision(*number), 1),
                Act::Edit => {
                    let path = format!("{}/readme", current(&host));
                    host.put_file(&path, "by hand");
                }
                Act::Health(healthy) => host.probes = vec![*healthy],
                Act::Depot(has_depot) => host.has_depot = *has_depot,
                Act::Forget => host.disk.archives.clear(),
                Act::Cycle(faults) => {
                    let now = host.effects;
                    host.faults = faults.iter().map(|(at, fault)| (now + at, *fault)).collect();
                    live(&mut host, 1);
                }
            }
            let told = format!("{acts:?}\n{}", told(&host));
            prop_assert!(host.broken.is_empty(), "{:?}\n{told}", host.broken);
            let stranded = host.endings.iter().any(|it| it.cycle.outcome == Outcome::Stranded);
            prop_assert!(!stranded, "{told}");
            let left = invariants::nothing_left_behind(&host);
            prop_assert!(left.is_ok(), "{left:?}\n{told}");
            prop_assert!(is_whole(&host, &current(&host)), "{:?}\n{told}", host.forms());
            let releases = &host.disk.generation.as_ref().unwrap().releases;
            let kept = releases.iter().filter(|it| !it.is_rest).count();
            prop_assert!(kept <= 2, "{kept} releases are kept\n{told}");
            let standing = (1..5).filter(|it| stands(&host, &folder(*it))).count();
            let edited = acts.iter().any(|it| matches!(it, Act::Edit));
            prop_assert!(standing <= 2 || edited, "{standing} releases stand\n{told}");
        }
    }
}
