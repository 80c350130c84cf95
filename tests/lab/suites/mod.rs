//! The suites, in the order in which they are played.
//!
//! **Invariant:** each is named by what it shows, and counts only what it has seen on a host.

mod service;
mod site;
mod failing;
mod cut_short;
mod remotes;
mod fleet;

use anyhow::Result;

use crate::arguments::Ground;
use crate::enclosure::Ended;
use crate::report::Report;
use crate::world::World;

/// Plays all suites inside the namespaces.
pub(crate) fn run(ground: &Ground) -> Result<Ended> {
    let mut world = World::make(ground)?;
    let mut report = Report::default();
    let installed =
        report.suite("1. The README's real host", |suite| service::play(&mut world, suite));
    // Nothing of what follows can be seen on a host without an agent.
    if installed {
        report.suite("2. A site behind nginx", |suite| site::play(&mut world, suite));
        report.suite("3. A change that is not well", |suite| failing::play(&world, suite));
        report.suite("4. Cut short in the middle", |suite| cut_short::play(&mut world, suite));
        report.suite("5. Over the network", |suite| remotes::play(&mut world, suite));
        report.suite("6. A fleet on one bridge", |suite| fleet::play(&mut world, suite));
    }
    if !report.end() {
        for host in &world.hosts {
            println!(
                "\nlast words of {}'s agent:\n{}",
                host.name,
                host.last_words("bowline-agent")
            );
        }
        return Ok(Ended::Failed);
    }
    Ok(Ended::Held)
}
