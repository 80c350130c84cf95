//! The end: the host's own records, and a demo that stays up.
//!
//! **Invariant:** the history holds exactly the deployments that were told, in their order.

use anyhow::{Result, ensure};
use bowline_api::outcome::Outcome;
use bowline_api::record::Kind;
use tests::{patience, programs};

use crate::story::Story;
use crate::world::World;

/// How each deployment had to end, oldest first.
const MUST: [Outcome; 12] = [
    Outcome::Committed,
    Outcome::Committed,
    Outcome::Committed,
    Outcome::Reverted,
    Outcome::Committed,
    Outcome::Failed,
    Outcome::Committed,
    // Chapter 6: its policy, a good merge, that one taken back, a note, and it merged once more.
    Outcome::Committed,
    Outcome::Committed,
    Outcome::Committed,
    Outcome::Committed,
    Outcome::Committed,
];

pub(super) fn tell(world: &mut World, story: &Story) -> Result<()> {
    story.chapter(7, "What the host says of it");
    let history = world.agent.history()?;
    let ended: Vec<_> = history
        .iter()
        .rev()
        .filter(|it| it.kind == Kind::Deployment)
        .map(|it| it.outcome)
        .collect();
    ensure!(ended == MUST, "the history had to be {MUST:?}, and is {ended:?}");
    show(world, story, "history")?;
    show(world, story, "status")
}

/// Shows what the operator's program says.
fn show(world: &World, story: &Story, verb: &str) -> Result<()> {
    let mut bowline = programs::sealed(&world.bowline, &world.place.folder);
    bowline.arg(verb).arg("--socket").arg(&world.agent.seat.socket);
    let said = programs::run(&mut bowline, &format!("bowline {verb}"))?;
    story.command(&format!("bowline {verb} --socket fleet.state/agent.sock"));
    story.output(&world.shown(said.trim_end()));
    Ok(())
}

/// Stays up until Ctrl-C.
pub(crate) fn stay(world: &mut World, story: &Story) -> Result<()> {
    story.chapter(9, "It stays up until Ctrl-C");
    story.say("Look at the board in a browser, or ask from another terminal:");
    println!("\nhttp://{}/", world.board.address);
    let (bowline, socket) = (world.bowline.display(), world.agent.seat.socket.display());
    println!("{bowline} status \\\n  --socket {socket}");
    println!("git -C {} log --oneline --graph main", world.place.fleet.display());
    println!("curl http://{}/version", world.address);
    patience::until_interrupted(|| world.check())
}
