//! Chapter 5: the agent is killed in the middle of applying; the next one takes everything back, and
//! then tries once more.
//!
//! **Invariant:** the agent gets no chance to tidy up: SIGKILL, and the shop runs on.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bowline_api::outcome::Outcome;
use tests::fleet::Person;
use tests::patience;

use super::shop;
use crate::course::{Course, follow};
use crate::host_state::HostState;
use crate::story::Story;
use crate::world::World;

/// Once this page is new, the middle is reached: the agent applies pages in their order.
const MIDDLE: usize = shop::PAGES * 2 / 5;

/// Until the middle: a poll, and staging on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

pub(super) fn tell(world: &mut World, story: &Story) -> Result<()> {
    story.chapter(5, "The agent is killed in the middle, and nothing is half-done");
    story.say(&format!("Shop 1.2.0 changes all {} pages.", shop::PAGES));
    let before = world.host_state()?;
    let shop_before = world.units.shop_pid();
    story.fact("host before", &format!("sha256:{}", before.digest));
    let mut files: Vec<_> = shop::pages("1.2.0").collect();
    files.push(shop::manifests(world.address, "1.2.0", 4));
    let since = world.newest_record()?;
    let merge = world.fleet.merge(Person::Alice, "shop-1.2.0", "Repaint the shop", &files)?;
    story.command("git merge --no-ff -S shop-1.2.0");
    kill_in_the_middle(world, story)?;
    let new = shop::count(&world.place.host, "1.2.0")?;
    let old = shop::count(&world.place.host, "1.0.0")?;
    story.fact("host now", &format!("{new} pages are new, {old} are old: half a change"));
    ensure!(new > 0 && new + old == shop::PAGES, "a page is neither old nor new");
    ensure!(world.host_state()? != before, "the host does not differ");
    recover(world, story, since, &merge, &before)?;
    ensure!(world.units.shop_pid() == shop_before, "the shop did not run through");
    let answer = world.expect_shop("1.0.0")?;
    story.holds(&format!("The shop ran through all of it, and answers {answer}"));
    again(world, story, &merge)
}

fn kill_in_the_middle(world: &mut World, story: &Story) -> Result<()> {
    let mut course = Course::begin(story);
    let host = world.place.host.clone();
    patience::until("the agent to be in the middle of applying", LIMIT, || {
        world.agent.check()?;
        let phase = world.agent.status()?.phase;
        course.hear(&phase);
        if phase == "probe" {
            bail!("the change was applied before it could be cut short");
        }
        // A page is old or new and never missing: it is exchanged in one step.
        Ok(shop::is_of(&host, MIDDLE, "1.2.0")?.then_some(()))
    })?;
    world.agent.kill()?;
    course.end("apply", "killed with SIGKILL");
    Ok(())
}

/// A new agent finds the journal, and takes back what was begun.
fn recover(
    world: &mut World,
    story: &Story,
    since: u64,
    merge: &str,
    before: &HostState,
) -> Result<()> {
    story.command("bowline-agent --config fleet.agent.toml --root host");
    let began = Instant::now();
    let pid = world.agent.start()?;
    let record = patience::until("the agent to recover", LIMIT, || {
        world.agent.check()?;
        world.recorded(since, merge)
    })?;
    ensure!(
        record.outcome == Outcome::Failed,
        "it had to be failed, and was {}: {}",
        record.outcome,
        record.detail
    );
    let after = world.host_state()?;
    let took = began.elapsed().as_secs_f64();
    story.say(&format!(
        "Process {pid} reads the journal, and takes back what was begun: {took:.1} s."
    ));
    story.fact("record", &format!("{}: {}", record.outcome, record.detail));
    story.fact("host after", &format!("sha256:{}", after.digest));
    ensure!(*before == after, "the host is not as it was before");
    let proof = record.proof.context("the record has no proof")?;
    story.fact("proof before", &format!("sha256:{}", proof.before));
    story.fact("proof after", &format!("sha256:{}", proof.after));
    ensure!(proof.before == proof.after, "the agent's proof does not hold");
    story.holds(&format!("All {} objects below the host's root are as before.", after.objects));
    Ok(())
}

/// An interruption was not the change's fault.
fn again(world: &mut World, story: &Story, merge: &str) -> Result<()> {
    story
        .say("Being killed was not the change's fault: after a few seconds it is tried once more.");
    let since = world.newest_record()?;
    follow(world, story, since, merge, Outcome::Committed)?;
    let new = shop::count(&world.place.host, "1.2.0")?;
    ensure!(new == shop::PAGES, "{new} of {} pages are new", shop::PAGES);
    let answer = world.expect_shop("1.2.0")?;
    story.holds(&format!("All {new} pages are new, and the shop answers {answer}"));
    Ok(())
}
