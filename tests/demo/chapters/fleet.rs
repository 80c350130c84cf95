//! Chapter 8: the fleet's board knows of all of it, from the hosts' own records.
//!
//! **Invariant:** what is told is asked of the control service, and compared with what the hosts say of themselves.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bowline_api::outcome::Outcome;
use bowline_api::record::{Kind, Record};
use serde_json::Value;
use tests::patience;

use crate::agent::Agent;
use crate::story::Story;
use crate::world::World;

/// A poll, a signature, one request; hosts that found the service busy come again within seconds.
const HEARD: Duration = Duration::from_mins(1);

pub(super) fn tell(world: &mut World, story: &Story) -> Result<()> {
    story.chapter(8, "What the fleet's board says of it");
    let tip = world.fleet.head()?;
    patience::until("all hosts to run the newest merge, and the board to know", HEARD, || {
        world.check()?;
        let knows = |it: &Agent| is_known(world, it, &tip);
        let mut all = world.agents().map(knows);
        Ok(all.all(|it| matches!(it, Ok(true))).then_some(()))
    })?;
    for agent in world.agents() {
        let name = agent.seat.name;
        let host = world.board.read(&format!("/api/v1/hosts/{name}"))?;
        ensure!(host["alarms"] == 0, "the board has an alarm for {name}: {host}");
        let (seq, outcome) = (&host["seq"], host["outcome"].as_str().unwrap_or("nothing"));
        story.fact(name, &format!("{outcome}, {seq} records, each signed and chained"));
    }
    let history = world.agent.history()?;
    let reverted = |it: &&Record| it.kind == Kind::Deployment && it.outcome == Outcome::Reverted;
    let record = history.iter().find(reverted).context("no record tells of the revert")?;
    let page = format!("/deployments/{}/{}", world.agent.seat.name, record.deployment);
    expect_proved(&world.board.read(&format!("{page}.json"))?, record)?;
    story.fact("the revert", &format!("http://{}{page}", world.board.address));
    story.holds("Its record's signature, digest and predecessor were checked anew for that page.");
    story.fact("board", &format!("http://{}/", world.board.address));
    story.holds("Each change ended as it must.");
    Ok(())
}

/// Whether the board has everything that a host says of itself, and that is the newest merge.
fn is_known(world: &World, agent: &Agent, tip: &str) -> Result<bool> {
    let history = agent.history()?;
    let newest = history.first().map_or(0, |it| it.seq);
    let host = world.board.read(&format!("/api/v1/hosts/{}", agent.seat.name))?;
    let runs_it = host["revision"].as_str().is_some_and(|it| it.ends_with(tip));
    Ok(runs_it && host["seq"] == newest)
}

/// The page has to tell of this record, and every check of it has to hold.
fn expect_proved(page: &Value, record: &Record) -> Result<()> {
    let told = page["records"].as_array().context("the page tells of no records")?;
    let found = told.iter().find(|it| it["seq"] == record.seq);
    let found = found.with_context(|| format!("the page lacks record {}", record.seq))?;
    for check in ["signature", "digest", "predecessor"] {
        ensure!(found["proof"][check] == true, "the record's {check} does not hold: {found}");
    }
    let before = record.proof.as_ref().map(|it| it.before.as_str());
    ensure!(found["record"]["proof"]["before"].as_str() == before, "it is another record: {found}");
    Ok(())
}
