//! A policy that ends: people hear of it long before, and then it lets nothing through but its own renewal.
//!
//! **Invariant:** whatever the clock says, the last good revision goes on being looked after.

use std::fs;
use std::process::Command;

use bowline_api::cycle::{Cycle, PolicyState};
use bowline_api::outcome::Outcome;
use bowline_api::status::Status;
use tests::agent::until;
use tests::picture::Picture;
use tests::wall_clock::{build, off_by};
use tests::workshop::Workshop;

use crate::story::{file, settled};

const DAY: i64 = 24 * 60 * 60;

/// A time so many days from now, to the second.
fn in_days(days: i64) -> String {
    let mut date = Command::new("date");
    let output = date.args(["-u", "-d", &format!("+{days} days"), "+%Y-%m-%dT%H:%M:%SZ"]).output();
    String::from_utf8(output.unwrap().stdout).unwrap().trim().to_owned()
}

/// The next policy, which expires in so many days.
fn enact(shop: &Workshop, version: u64, days: i64) {
    let policy = shop.law(version).replace("2099-01-01T00:00:00Z", &in_days(days));
    shop.enact(&policy, &["alice"]);
}

/// A host whose policy ends in so many days.
fn ending(days: i64) -> Workshop {
    let shop = settled("");
    enact(&shop, 2, days);
    shop.commit("policy");
    shop
}

fn state(cycle: &Cycle) -> PolicyState {
    cycle.policy.as_ref().unwrap().state
}

#[test]
fn an_expired_policy_takes_its_renewal_and_nothing_else() {
    let shop = ending(20);
    let Some(clock) = build(shop.folder()) else { return };
    let at = |days: i64| {
        let words = off_by(shop.folder(), &clock, days * DAY);
        shop.once_under(&words.each_ref().map(String::as_str))
    };
    assert_eq!(state(at(0).ended(Outcome::Committed)), PolicyState::ExpiresSoon);
    let head = shop.tip();
    let told = at(21);
    assert_eq!(state(told.ended(Outcome::Unchanged)), PolicyState::Expired);
    let before = Picture::whole(&shop.root());
    // A merge as any other, dated as its maker likes.
    for days in [0, 21] {
        shop.write("apps/app.yaml", file("app", "/etc/app.conf", "app two\n"));
        shop.commit_by("bob", "two", &[("GIT_COMMITTER_DATE", &in_days(days))]);
        fs::write(shop.on_host("/etc/app.conf"), "drift\n").unwrap();
        let told = at(21);
        let cycle = told.ended_for(Outcome::Refused, "policy-expired");
        assert_eq!(state(cycle), PolicyState::Expired, "{told:#?}");
        assert_eq!(Picture::whole(&shop.root()), before, "drift is repaired: {told:#?}");
        shop.git(&["reset", "-q", "--hard", &head]);
    }
    // A renewal that brings something else along, and one that nobody of the root signed.
    enact(&shop, 3, 400);
    shop.write("apps/app.yaml", file("app", "/etc/app.conf", "app two\n"));
    shop.commit_by("alice", "three and more", &[("GIT_COMMITTER_DATE", &in_days(21))]);
    at(21).ended_for(Outcome::Refused, "policy-expired");
    shop.git(&["reset", "-q", "--hard", &head]);
    let policy = shop.law(3);
    shop.enact(&policy, &["bob"]);
    shop.commit_by("alice", "three by bob", &[("GIT_COMMITTER_DATE", &in_days(21))]);
    at(21).ended_for(Outcome::Refused, "policy-below-threshold");
    shop.git(&["reset", "-q", "--hard", &head]);
    enact(&shop, 3, 400);
    shop.commit_by("alice", "three", &[("GIT_COMMITTER_DATE", &in_days(21))]);
    let told = at(21);
    assert_eq!(state(told.ended(Outcome::Committed)), PolicyState::InForce, "{told:#?}");
    shop.write("apps/app.yaml", file("app", "/etc/app.conf", "app two\n"));
    shop.commit_by("bob", "two", &[("GIT_COMMITTER_DATE", &in_days(21))]);
    at(21).ended(Outcome::Committed);
    assert_eq!(fs::read_to_string(shop.on_host("/etc/app.conf")).unwrap(), "app two\n");
}

/// The condition that says so, and the policy's row of `bowline status`.
fn told(shop: &Workshop) -> (Option<String>, String) {
    let service = shop.serve();
    service.sync();
    let status = || service.tell::<Status>("/v1/status");
    until("a policy is told", || status().policy.is_some());
    let conditions = status().conditions;
    let condition = conditions.into_iter().find(|it| it.kind == "PolicyExpiring");
    let (code, shown, said) = shop.bowline(&["status"]);
    assert_eq!((code, said.as_str()), (0, ""), "{shown}");
    let row = shown.lines().find_map(|it| it.strip_prefix("policy ")).unwrap_or_default();
    let row = row.trim().to_owned();
    assert_eq!(service.stop(), Some(0));
    (condition.map(|it| format!("{} {}", it.status, it.reason)), row)
}

#[test]
fn status_says_so_thirty_days_ahead() {
    let until = |days: i64| in_days(days).split('T').next().unwrap().to_owned();
    let (condition, row) = told(&ending(31));
    assert_eq!(condition, None);
    assert!(row.starts_with(&format!("version 2, expires {}", until(31))), "{row}");
    assert!(!row.contains("renewal"), "{row}");
    let shop = ending(29);
    let (condition, row) = told(&shop);
    assert_eq!(condition.as_deref(), Some("True PolicyExpiresSoon"));
    assert!(row.starts_with(&format!("version 2, expires {}", until(29))), "{row}");
    assert!(row.ends_with("have a renewal signed"), "{row}");
    let told = shop.once();
    let warnings = &told.ended(Outcome::Unchanged).warnings;
    assert!(warnings.iter().any(|it| it.starts_with("the policy expires")), "{warnings:?}");
}

#[test]
fn a_merger_whose_key_ends_is_told_of() {
    let shop = settled("");
    let end = in_days(10);
    let public = shop.public("bob");
    let policy = shop
        .law(2)
        .replace(&format!("\"{public}\"}}"), &format!("\"{public}\", notAfter: {end}}}"));
    shop.enact(&policy, &["alice"]);
    shop.commit("policy");
    let told = shop.once();
    let warning =
        format!("a key of \"bob\", who merges, ends {end}: have a new one signed into the policy");
    assert!(told.ended(Outcome::Committed).warnings.contains(&warning), "{told:#?}");
}
