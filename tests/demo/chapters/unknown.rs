//! Chapter 4: a commit that nobody trusted signed is refused, whatever it holds.
//!
//! **Invariant:** the digest of the host says that nothing was applied, not the agent alone.

use anyhow::{Result, ensure};
use bowline_api::outcome::Outcome;
use tests::fleet::Person;

use super::shop;
use crate::course::follow;
use crate::story::Story;
use crate::world::World;

pub(super) fn tell(world: &mut World, story: &Story) -> Result<()> {
    story.chapter(4, "A change by an unknown key is refused");
    story.say("Mallory can push, and signs with a key of her own. The policy does not know it.");
    let before = world.host_state()?;
    let files = [shop::manifests(world.address, "6.6.6", 4)];
    let since = world.newest_record()?;
    let merge = world.fleet.merge(Person::Mallory, "shop-6.6.6", "Trust me", &files)?;
    story.command("git -c user.signingkey=mallory merge --no-ff -S shop-6.6.6");
    let record = follow(world, story, since, &merge, Outcome::Refused)?;
    story.fact("why", &record.detail);
    ensure!(world.host_state()? == before, "the host was changed");
    let answer = world.expect_shop("1.0.0")?;
    story.holds(&format!("Nothing was applied; the shop still answers {answer}"));
    story.say("Alice takes it off the branch:");
    world.fleet.drop_last()?;
    story.command("git reset --hard HEAD^");
    Ok(())
}
