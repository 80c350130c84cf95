//! Repositories behind real servers, and behind servers that mean no good.
//!
//! **Invariant:** every way to fetch brings the same revision, and every failure leaves the host as it was.

mod ssh;
mod web;
mod hostile;
mod unpacked;
mod bundles;

use std::fs;

use tests::workshop::Workshop;

use crate::story::file;

/// A workshop with a first revision, which nobody has deployed yet.
fn prepared() -> Workshop {
    let shop = Workshop::new();
    publish(&shop, "app one\n");
    shop
}

/// Merges another content of the application's file.
fn publish(shop: &Workshop, content: &str) {
    shop.write("apps/app.yaml", file("app", "/etc/app.conf", content));
    shop.commit("app");
}

/// The application's file as it stands on the host.
fn app(shop: &Workshop) -> String {
    fs::read_to_string(shop.on_host("/etc/app.conf")).unwrap()
}

/// The commit that one of the agent's own names leads to.
fn named(shop: &Workshop, name: &str) -> String {
    let text = fs::read_to_string(shop.state().join("objects.git").join(name)).unwrap_or_default();
    text.trim().to_owned()
}
