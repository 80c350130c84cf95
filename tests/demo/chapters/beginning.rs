//! Chapter 1: a signed repository, a root of trust, hosts that follow, and a board that hears of them.
//!
//! **Invariant:** an agent is given nothing but what `bowline init` made, settings, and a token for the board.

use anyhow::{Context as _, Result};
use bowline_api::outcome::Outcome;
use tests::fleet::Person;
use tests::programs;

use super::shop;
use crate::agent::Agent;
use crate::course::follow;
use crate::story::Story;
use crate::world::World;

/// Lines of `bowline init` that the demo shows: what was made, not what to type next.
const FOUNDED_LINES: usize = 6;

pub(super) fn tell(world: &mut World, story: &Story) -> Result<()> {
    story.chapter(1, "A repository, a root of trust, a host");
    story.say("Alice makes a key with ssh-keygen, and the fleet's repository with it:");
    story.command("bowline init fleet --key alice");
    let founded: Vec<_> = world.founded.lines().take(FOUNDED_LINES).collect();
    story.output(&world.shown(&founded.join("\n")));
    story.say(
        "fleet.trust.yaml is what a host trusts: Alice's key, and the commit at which trust begins. \
         It lies on the host, and nothing in the repository can change it.",
    );
    story.command("bowline-control --config control.toml");
    story.say("The control service takes hosts' signed records. It decides nothing. Its board:");
    story.fact("board", &format!("http://{}/", world.board.address));
    story.command("bowline-agent --config fleet.agent.toml --root host");
    let pid = world.agent.start()?;
    story.say(&format!(
        "The agent is process {pid}. It looks at the repository every second; nobody calls it."
    ));
    let founding = world.fleet.head()?;
    follow(world, story, 0, &founding, Outcome::Committed)?;
    story.holds("The example of the first commit stands on the host: /srv/hello.txt");
    name_the_hosts(world, story)
}

/// A host takes part by a merge that names its key.
fn name_the_hosts(world: &mut World, story: &Story) -> Result<()> {
    for neighbour in &mut world.neighbours {
        neighbour.start()?;
    }
    story.say("Two more agents follow. Each has made itself a key; Alice merges who they are:");
    let mut files = Vec::new();
    for agent in world.agents() {
        let fingerprint = fingerprint(agent, world)?;
        let name = agent.seat.name;
        let role = name.split('-').next().unwrap_or(name);
        story.fact(name, &format!("{fingerprint}, role {role}"));
        files.push(shop::host(name, &fingerprint, role));
    }
    let since = world.newest_record()?;
    let merge = world.fleet.merge(Person::Alice, "hosts", "Name the hosts", &files)?;
    story.command("git merge --no-ff -S hosts");
    follow(world, story, since, &merge, Outcome::Committed)?;
    Ok(())
}

/// A key's fingerprint, as a host's administrator reads it.
fn fingerprint(agent: &Agent, world: &World) -> Result<String> {
    let mut keygen = programs::sealed("ssh-keygen", &world.place.folder);
    let said = programs::run(keygen.arg("-lf").arg(&agent.seat.key), "ssh-keygen -lf")?;
    let fingerprint = said.split(' ').nth(1).context("ssh-keygen shows no fingerprint")?;
    Ok(fingerprint.to_owned())
}
