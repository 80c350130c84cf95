//! Chapter 3: a change whose probe fails is taken back, and the host is proved to be as before.
//!
//! **Invariant:** the host is compared by a digest that the agent has no part in.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bowline_api::outcome::Outcome;
use tests::fleet::Person;
use tests::patience;

use super::shop;
use crate::course::follow;
use crate::story::Story;
use crate::world::World;

/// Restarting a small program.
const RESTART: Duration = Duration::from_secs(10);

pub(super) fn tell(world: &mut World, story: &Story) -> Result<()> {
    story.chapter(3, "A change whose probe fails is taken back");
    story.say("Shop 1.1.0 is signed and well-formed, but has no workers: it will never be ready.");
    let before = world.host_state()?;
    story.fact("host before", &format!("sha256:{}", before.digest));
    let files = [shop::manifests(world.address, "1.1.0", 0)];
    let since = world.newest_record()?;
    let merge = world.fleet.merge(Person::Alice, "shop-1.1.0", "Save on workers", &files)?;
    story.command("git merge --no-ff -S shop-1.1.0");
    let record = follow(world, story, since, &merge, Outcome::Reverted)?;
    story.fact("why", &record.detail);
    let after = world.host_state()?;
    story.fact("host after", &format!("sha256:{}", after.digest));
    ensure!(before == after, "the host is not as it was before");
    let proof = record.proof.context("the record has no proof")?;
    story.fact("proof before", &format!("sha256:{}", proof.before));
    story.fact("proof after", &format!("sha256:{}", proof.after));
    ensure!(proof.before == proof.after, "the agent's proof does not hold");
    patience::until("the shop to be 1.0.0 again", RESTART, || Ok(world.expect_shop("1.0.0").ok()))?;
    story.holds(&format!(
        "All {} objects below the host's root are as before, and the shop is 1.0.0 again.",
        after.objects
    ));
    let quarantined = world.agent.status()?.quarantine;
    let entry = quarantined.iter().find(|it| it.revision.ends_with(&merge));
    let entry = entry.context("the change is not in quarantine")?;
    story.holds(&format!(
        "It is not tried again by itself, nor inside a later merge: {} in quarantine.",
        entry.resources.join(", ")
    ));
    tidy(world, story)
}

/// Main says 1.0.0 again, which is what the host has.
fn tidy(world: &mut World, story: &Story) -> Result<()> {
    story.say("Alice takes it back in Git as well:");
    let since = world.newest_record()?;
    let revert = world.fleet.revert_last(Person::Alice)?;
    story.command("git revert -S -m 1 HEAD");
    follow(world, story, since, &revert, Outcome::Committed)?;
    Ok(())
}
