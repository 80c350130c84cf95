//! Attacks on what is deployed: real repositories, real signatures, forged objects.
//!
//! **Invariant:** whatever the repository offers, the host stays as its last good revision has it, and
//! goes on being looked after.

mod forge;
mod object;
mod blob;
mod back;
mod chain;
mod freeze;
mod law;
mod adoption;
mod state;
mod log;
mod tree;

use std::fs;

use bowline_api::outcome::Outcome;
use tests::agent::Told;
use tests::picture::Picture;
use tests::workshop::Workshop;

use crate::story::{file, settled};

/// A host at its last good revision, and a repository to be attacked.
fn host() -> Workshop {
    settled("")
}

/// What the attacker wants to see on the host.
fn evil(shop: &Workshop) {
    shop.write("apps/app.yaml", file("app", "/etc/app.conf", "evil\n"));
}

/// What an honest merge brings.
fn good(shop: &Workshop) {
    shop.write("apps/app.yaml", file("app", "/etc/app.conf", "app two\n"));
}

/// One cycle, after which the host is as it was, whatever was said.
#[track_caller]
fn unmoved(shop: &Workshop, what: &str) -> Told {
    let before = Picture::whole(&shop.root());
    let told = shop.once();
    assert_eq!(Picture::whole(&shop.root()), before, "{what}: {told:#?}");
    assert_eq!(told.exit, Some(1), "{what}: {told:#?}");
    told
}

/// The agent refuses what is offered for this reason, and repairs drift all the same.
#[track_caller]
fn refused(shop: &Workshop, code: &str, what: &str) {
    turned_away(shop, (Outcome::Refused, code), what);
}

/// The agent does not take what is offered, says why, and repairs drift all the same.
#[track_caller]
fn turned_away(shop: &Workshop, said: (Outcome, &str), what: &str) {
    let told = unmoved(shop, what);
    let found = told.cycle.as_ref().map(|it| (it.outcome, it.code.as_str()));
    assert_eq!(found, Some(said), "{what}: {told:#?}");
    let before = Picture::whole(&shop.root());
    fs::write(shop.on_host("/etc/app.conf"), "drift\n").unwrap();
    let told = shop.once();
    assert_eq!(Picture::whole(&shop.root()), before, "{what}: after drift: {told:#?}");
    let found = told.cycle.as_ref().map(|it| (it.outcome, it.code.as_str()));
    assert_eq!(found, Some(said), "{what}: after drift: {told:#?}");
}
