//! What must hold of a host after a fault, after its recovery, and after the next cycle.
//!
//! **Invariant:** the numbers are those of the transaction's invariants.

use std::fs;

use bowline_api::outcome::Outcome;
use bowline_api::record::{Kind, Record};
use bowline_host::record;
use bowline_host::state::State;
use tests::agent::Told;
use tests::picture::Picture;
use tests::workshop::Workshop;

use crate::story::Story;

/// After the fault, before anything else: nothing that stood is lost (4).
pub(crate) fn nothing_is_lost(story: &Story, shop: &Workshop, label: &str) {
    if committed(shop) == committed(&story.shop) {
        let lost = story.old.lost_in(&Picture::whole(&shop.root()));
        assert!(lost.is_empty(), "{label}: lost: {lost:?}");
    }
}

/// Lets the agent recover where neither repository nor fetched objects are at hand (8), so that what
/// it does next is not mixed with the recovery.
pub(crate) fn recover_alone(shop: &Workshop) -> Told {
    let hidden = Hidden::hide(shop);
    let told = shop.once();
    drop(hidden);
    told
}

/// Repository and fetched objects are out of reach while this value lives.
#[derive(Debug)]
pub(crate) struct Hidden<'w> {
    shop: &'w Workshop,
}

impl<'w> Hidden<'w> {
    pub(crate) fn hide(shop: &'w Workshop) -> Self {
        fs::rename(shop.repo(), shop.folder().join("repo.away")).unwrap();
        // There is none when the fault came before the first fetch.
        drop(fs::rename(shop.state().join("objects.git"), shop.folder().join("objects.away")));
        Self { shop }
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        let folder = self.shop.folder();
        fs::rename(folder.join("repo.away"), self.shop.repo()).unwrap();
        let objects = self.shop.state().join("objects.git");
        if folder.join("objects.away").exists() {
            drop(fs::remove_dir_all(&objects));
            fs::rename(folder.join("objects.away"), objects).unwrap();
        }
    }
}

/// After the recovery: all old or all new, and what is written says the same (2, 3).
pub(crate) fn is_settled(story: &Story, shop: &Workshop, label: &str) {
    let whole = Picture::whole(&shop.root());
    let here = Picture::of(&shop.root());
    assert!(!whole.has_stage(), "{label}: a stage is left: {whole:#?}");
    assert!(journals(shop).is_empty(), "{label}: a journal is left: {:?}", journals(shop));
    assert!(here == story.old || here == story.new, "{label}: neither old nor new: {here:#?}");
    let last = deployments(shop).into_iter().next();
    let of_second = last.filter(|it| ends_with_tip(story, it.revision.as_deref()));
    let outcome = of_second.map(|it| it.outcome);
    if committed(shop) == committed(&story.shop) {
        assert!(here == story.old, "{label}: it is new, and its state says old: {here:#?}");
        let fits = [None, Some(Outcome::Failed), Some(Outcome::Reverted)].contains(&outcome);
        assert!(fits, "{label}: it is old, and recorded as {outcome:?}");
    } else {
        assert!(here == story.new, "{label}: it is old, and its state says new: {here:#?}");
        assert_eq!(outcome, Some(Outcome::Committed), "{label}");
    }
}

/// After the next cycle: it came where the story leads to, by itself (6).
pub(crate) fn goes_on(story: &Story, shop: &Workshop, told: &Told, label: &str) {
    let outcome = told.outcome();
    let good: &[Outcome] = match story.ends {
        Outcome::Committed => &[Outcome::Committed, Outcome::Unchanged],
        _ => &[Outcome::Reverted, Outcome::Held],
    };
    assert!(outcome.is_some_and(|it| good.contains(&it)), "{label}: {told:#?}");
    assert_eq!(Picture::whole(&shop.root()), story.new, "{label}: after the next cycle");
    assert!(journals(shop).is_empty(), "{label}: a journal is left after the next cycle");
}

/// The journal's files.
pub(crate) fn journals(shop: &Workshop) -> Vec<String> {
    let Ok(entries) = fs::read_dir(shop.state().join("journal")) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.map(|it| it.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The revision that the state calls committed.
pub(crate) fn committed(shop: &Workshop) -> Option<String> {
    if !shop.state().exists() {
        return None;
    }
    let standing = State::open(&shop.state()).unwrap().generation().unwrap();
    standing.map(|it| it.revision.to_string())
}

/// The records of deployments, newest first.
pub(crate) fn deployments(shop: &Workshop) -> Vec<Record> {
    let mut records = record::newest(&shop.state().join("records"), 50).unwrap();
    records.retain(|it| it.kind == Kind::Deployment);
    records
}

fn ends_with_tip(story: &Story, revision: Option<&str>) -> bool {
    revision.is_some_and(|it| it.ends_with(&story.shop.tip()))
}
