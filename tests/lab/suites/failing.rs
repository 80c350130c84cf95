//! Suite 3: a change that is not well is taken back, and soon.
//!
//! **Invariant:** the host's own files and its own web server say that it is as before.

use std::time::Duration;

use anyhow::{Result, ensure};
use bowline_api::record::Record;

use super::site::{expect_served, state};
use crate::agent;
use crate::desired::Shop;
use crate::host::Host;
use crate::report::Suite;
use crate::world::World;

/// From the failing verdict to a revert that is proved.
const REVERT_TARGET: Duration = Duration::from_secs(1);

pub(super) fn play(world: &World, suite: &mut Suite<'_>) -> Result<()> {
    let Some(host) = world.hosts.first() else { return Ok(()) };
    let before = state(host)?;
    suite.check("a shop that its probe does not know is taken back within a second", || {
        let files = Shop { expected: "1.2.0", ..Shop::well("1.2.1") }.files();
        let since = agent::newest_record(host)?;
        let merge = world.merge("shop-1.2", &files)?;
        let (record, took) = agent::time_of_revert(host, since, &merge)?;
        expect_as_before(host, &record, &before, "1.1.0")?;
        ensure!(took < REVERT_TARGET, "it took {took:?}");
        Ok(((), format!("{} steps back in {} ms", record.steps.changed, took.as_millis())))
    })?;
    world.settle(host)
}

/// The host is as it was, by its own word and by its looks.
fn expect_as_before(host: &Host, record: &Record, before: &str, version: &str) -> Result<()> {
    let proof = record.proof.as_ref();
    ensure!(proof.is_some_and(|it| it.before == it.after), "the record proves nothing");
    let after = state(host)?;
    ensure!(after == before, "the host was:\n{before}\nand is:\n{after}");
    expect_served(host, version)
}
