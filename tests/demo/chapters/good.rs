//! Chapter 2: a good change is applied, probed and kept.
//!
//! **Invariant:** what is told of the host is read from its disk and asked of the shop, not taken from the agent.

use anyhow::{Result, ensure};
use bowline_api::outcome::Outcome;
use tests::fleet::Person;

use super::shop;
use crate::course::follow;
use crate::story::Story;
use crate::world::World;

pub(super) fn tell(world: &mut World, story: &Story) -> Result<()> {
    story.chapter(2, "A good change is kept");
    story.say(&format!(
        "Shop 1.0.0: a configuration, {} pages, and a probe that asks for the version.",
        shop::PAGES
    ));
    let mut files: Vec<_> = shop::pages("1.0.0").collect();
    files.push(shop::manifests(world.address, "1.0.0", 4));
    let since = world.newest_record()?;
    let merge = world.fleet.merge(Person::Alice, "shop-1.0.0", "Open the shop", &files)?;
    story.command("git merge --no-ff -S shop-1.0.0");
    let record = follow(world, story, since, &merge, Outcome::Committed)?;
    let count = shop::count(&world.place.host, "1.0.0")?;
    ensure!(count == shop::PAGES, "{count} of {} pages stand", shop::PAGES);
    let answer = world.expect_shop("1.0.0")?;
    story.fact("record", &format!("{}, {} steps", record.deployment, record.steps.changed));
    for probe in &record.probes {
        story.fact("probe", &format!("{}: {}", probe.name, probe.detail));
    }
    story.holds(&format!("The shop was started, and answers {answer}"));
    Ok(())
}
