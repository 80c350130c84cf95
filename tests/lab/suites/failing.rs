//! Suite 3: a change that is not well is taken back, and soon.
//!
//! **Invariant:** the host's own files and its own web server say that it is as before.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bowline_api::record::Record;

use super::site::{expect_served, state};
use crate::agent;
use crate::desired::Shop;
use crate::host::Host;
use crate::report::Suite;
use crate::world::World;

/// Each is measured: on a machine that does other work the disk may be busy in one of them.
const VERSIONS: [&str; 3] = ["1.2.0", "1.2.1", "1.2.2"];

/// From the failing verdict to a revert that is proved, on a machine that does nothing else.
const REVERT_TARGET: Duration = Duration::from_secs(1);

/// A revert syncs the disk, and with it what others have written there: beyond this something hangs.
const REVERT_LIMIT: Duration = Duration::from_secs(5);

pub(super) fn play(world: &World, suite: &mut Suite<'_>) -> Result<()> {
    let Some(host) = world.hosts.first() else { return Ok(()) };
    let before = state(host)?;
    let mut times = Vec::new();
    for version in VERSIONS {
        let shop = Shop { expected: "1.1.0", deadline: "1s", ..Shop::well(version) };
        suite.check(&format!("shop {version}, which its probes do not like, goes back"), || {
            let (record, took) = taken_back(world, host, &shop)?;
            expect_as_before(host, &record, &before, "1.1.0")?;
            times.push(took);
            Ok(((), format!("{} steps, {} ms", record.steps.changed, took.as_millis())))
        })?;
        world.settle(host)?;
    }
    suite.check("ten files and a unit are proved to be back soon after the verdict", || {
        let least = times.iter().min().context("nothing was measured")?;
        ensure!(*least < REVERT_LIMIT, "it took {least:?} at the least");
        let met = if *least < REVERT_TARGET { "met" } else { "missed on this machine, now" };
        let load = fs::read_to_string("/proc/loadavg")?;
        let load = load.split(' ').next().unwrap_or_default();
        let least = least.as_millis();
        Ok(((), format!("{least} ms, the least of {}; target 1 s {met}; load {load}", times.len())))
    })?;
    suite.check("a start job that fails takes its change back", || {
        let (record, took) = taken_back(world, host, &Shop::that_cannot_start("1.3.0"))?;
        expect_as_before(host, &record, &before, "1.1.0")?;
        ensure!(record.detail.contains("shop.service"), "the reason is: {}", record.detail);
        Ok(((), format!("{} ms; {}", took.as_millis(), first_line(&record.detail))))
    })?;
    world.settle(host)
}

/// Merges a shop that is not well; gives its record and how long the revert took.
fn taken_back(world: &World, host: &Host, shop: &Shop<'_>) -> Result<(Record, Duration)> {
    let since = agent::newest_record(host)?;
    let merge = world.merge(&format!("shop-{}", shop.version), &shop.files())?;
    agent::time_of_revert(host, since, &merge)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// The host is as it was, by its own word and by its looks.
fn expect_as_before(host: &Host, record: &Record, before: &str, version: &str) -> Result<()> {
    let proof = record.proof.as_ref();
    ensure!(proof.is_some_and(|it| it.before == it.after), "the record proves nothing");
    let after = state(host)?;
    ensure!(after == before, "the host was:\n{before}\nand is:\n{after}");
    expect_served(host, version)
}
