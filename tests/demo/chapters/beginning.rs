//! Chapter 1: a signed repository, a root of trust, and a host that follows.
//!
//! **Invariant:** the agent is given nothing but what `bowline init` made, and two settings.

use anyhow::Result;
use bowline_api::outcome::Outcome;

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
    story.command("bowline-agent --config fleet.agent.toml --root host");
    let pid = world.agent.start()?;
    story.say(&format!(
        "The agent is process {pid}. It looks at the repository every second; nobody calls it."
    ));
    let founding = world.fleet.head()?;
    follow(world, story, 0, &founding, Outcome::Committed)?;
    story.holds("The example of the first commit stands on the host: /srv/hello.txt");
    Ok(())
}
