//! Suite 4: the machine boots anew, or the agent is killed, in the middle of a change.
//!
//! **Invariant:** both happen while the change stands and is being watched: there is something to take back.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bowline_api::outcome::Outcome;
use bowline_api::record::Record;
use tests::patience;

use super::site::{expect_served, state};
use crate::agent;
use crate::desired::Shop;
use crate::host::Host;
use crate::report::Suite;
use crate::world::World;

/// Long beside the time that a test needs to see that it has begun.
const SOAK: &str = "6s";

/// The unit waits ten seconds before it starts a killed agent again.
const RESTART: Duration = Duration::from_secs(30);

pub(super) fn play(world: &mut World, suite: &mut Suite<'_>) -> Result<()> {
    let Some(mut host) = world.hosts.pop() else { return Ok(()) };
    let played = reboot(world, suite, &mut host)
        .and_then(|()| kill(world, suite, &host))
        .and_then(|()| hang(suite, &host));
    world.hosts.push(host);
    played
}

fn reboot(world: &World, suite: &mut Suite<'_>, host: &mut Host) -> Result<()> {
    let before = state(host)?;
    let (since, merge) = begin(world, host, "2.0.0")?;
    suite.check("the host boots anew while a change is watched", || {
        let began = Instant::now();
        host.reboot()?;
        Ok(((), format!("{:.1} s", began.elapsed().as_secs_f64())))
    })?;
    suite.check("after the boot the agent has taken it back, without anybody's help", || {
        let record = taken_back(host, since, &merge, &before, "1.1.0")?;
        Ok(((), format!("{}: {}", record.outcome, record.detail)))
    })?;
    suite.check("it was not the change's fault: it is tried once more, and committed", || {
        let since = agent::newest_record(host)?;
        agent::await_record(host, since, &merge, Outcome::Committed)?;
        expect_served(host, "2.0.0")?;
        Ok(((), String::new()))
    })
}

fn kill(world: &World, suite: &mut Suite<'_>, host: &Host) -> Result<()> {
    let before = state(host)?;
    let (since, merge) = begin(world, host, "2.1.0")?;
    suite.check("an agent that is killed while a change is watched is started again", || {
        host.run("systemctl kill --kill-whom=main --signal=KILL bowline-agent")?;
        patience::until("systemd to start the agent again", RESTART, || {
            let shown = host.run("systemctl show bowline-agent -p NRestarts,ActiveState")?;
            let is_back = shown.contains("ActiveState=active") && !shown.contains("NRestarts=0");
            Ok((is_back && agent::status(host).is_ok()).then_some(()))
        })?;
        Ok(((), String::new()))
    })?;
    suite.check("it has taken the change back before anything else", || {
        let record = taken_back(host, since, &merge, &before, "2.0.0")?;
        Ok(((), format!("{}: {}", record.outcome, record.detail)))
    })?;
    suite.check("and then it is tried once more, and committed", || {
        let since = agent::newest_record(host)?;
        agent::await_record(host, since, &merge, Outcome::Committed)?;
        expect_served(host, "2.1.0")?;
        Ok(((), String::new()))
    })
}

/// A process that is stopped tells its watchdog nothing, as one that hangs.
fn hang(suite: &mut Suite<'_>, host: &Host) -> Result<()> {
    // Before a fetch the agent asks its watchdog for a fetch's whole time: none is to begin here.
    host.run(
        "sed -i 's/^interval = .*/interval = \"0s\"/' /etc/bowline/agent.toml\n\
         mkdir -p /etc/systemd/system/bowline-agent.service.d\n\
         printf '[Service]\\nWatchdogSec=2s\\nRestartSec=100ms\\n' \
         > /etc/systemd/system/bowline-agent.service.d/lab.conf\n\
         systemctl daemon-reload && systemctl restart bowline-agent",
    )?;
    agent::await_phase(host, "rest")?;
    suite.check("an agent that hangs is ended by its watchdog, and started again", || {
        let began = Instant::now();
        host.run("systemctl kill --kill-whom=main --signal=STOP bowline-agent")?;
        patience::until("the watchdog to bite", RESTART, || {
            let shown = host.run("systemctl show bowline-agent -p NRestarts,ActiveState")?;
            let is_back = shown.contains("ActiveState=active") && !shown.contains("NRestarts=0");
            Ok((is_back && agent::status(host).is_ok()).then_some(()))
        })?;
        let journal =
            host.run("journalctl --quiet --no-pager -u bowline-agent -o cat --lines 20")?;
        ensure!(journal.contains("Watchdog timeout"), "no watchdog in the journal: {journal}");
        Ok(((), format!("{:.1} s after it stopped", began.elapsed().as_secs_f64())))
    })?;
    suite.check("a watchdog does not bite an agent that rests", || {
        let ask = "systemctl show bowline-agent -p NRestarts,MainPID";
        let before = host.run(ask)?;
        host.run("sleep 5")?;
        let after = host.run(ask)?;
        ensure!(before == after, "the service was:\n{before}\nand is:\n{after}");
        Ok(((), "5 s with a watchdog of 2 s".to_owned()))
    })?;
    host.run(
        "rm -r /etc/systemd/system/bowline-agent.service.d\n\
         sed -i 's/^interval = .*/interval = \"1s\"/' /etc/bowline/agent.toml\n\
         systemctl daemon-reload && systemctl restart bowline-agent",
    )
    .map(drop)
}

/// Merges a version, and waits until it stands and is watched. Gives the record before it and the merge.
fn begin(world: &World, host: &Host, version: &str) -> Result<(u64, String)> {
    let files = Shop { soak: SOAK, ..Shop::well(version) }.files();
    let since = agent::newest_record(host)?;
    let merge = world.merge(&format!("shop-{version}"), &files)?;
    agent::await_phase(host, "probe")?;
    patience::until("the new page", RESTART, || Ok(expect_served(host, version).ok()))?;
    Ok((since, merge))
}

/// Waits for the record of a change that was undone, and looks at the host before it is tried again.
fn taken_back(host: &Host, since: u64, merge: &str, before: &str, version: &str) -> Result<Record> {
    let record = patience::until("the record of what was undone", RESTART, || {
        Ok(agent::recorded(host, since, merge).ok().flatten())
    })?;
    let after = state(host)?;
    expect_served(host, version)?;
    ensure!(record.outcome != Outcome::Committed, "it was committed");
    let proof = record.proof.as_ref().context("the record has no proof")?;
    ensure!(proof.before == proof.after, "the record proves nothing");
    ensure!(after == before, "the host was:\n{before}\nand is:\n{after}");
    Ok(record)
}
