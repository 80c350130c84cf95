//! Suite 6: many hosts on one bridge follow one repository and report to one control service.
//!
//! **Invariant:** times are counted from the end of the push: what the operator's computer took does not count.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bowline_api::outcome::Outcome;
use serde_json::Value;
use tests::{http, patience};

use super::site::expect_served;
use crate::agent;
use crate::desired::Shop;
use crate::enlist;
use crate::host::Host;
use crate::hub;
use crate::report::Suite;
use crate::world::{Installed, World};

/// A first cycle of a whole fleet on a busy machine.
const SETTLED: Duration = Duration::from_mins(2);

/// Phases in which a host works at a change.
const APPLYING: [&str; 5] = ["stage", "apply", "probe", "commit", "revert"];

pub(super) fn play(world: &mut World, suite: &mut Suite<'_>) -> Result<()> {
    let count = usize::from(world.count);
    suite.check(&format!("{count} hosts are up on one bridge"), || {
        let began = Instant::now();
        let more = world.boot_all(Installed::Yes)?;
        Ok(((), format!("{more} more in {:.1} s", began.elapsed().as_secs_f64())))
    })?;
    let world = &*world;
    suite.check("every host enrols with its token, and a merge names all of them", || {
        world.hosts.iter().try_for_each(|it| enlist::enlist(world, it))?;
        let mut files = enlist::named(&world.hosts)?;
        files.extend(Shop::well("4.0.0").files());
        let merge = world.merge("shop-4.0.0", &files)?;
        await_everywhere(world, "4.0.0", &merge)?;
        Ok(((), String::new()))
    })?;
    spread(world, suite)?;
    is_on_the_board(world, suite)?;
    weigh(world, suite)
}

/// A merge with polls every second: when does each host begin to work at it?
fn spread(world: &World, suite: &mut Suite<'_>) -> Result<()> {
    suite.check("a merge is being applied everywhere", || {
        let files = Shop { soak: "3s", ..Shop::well("4.1.0") }.files();
        let merge = world.merge("shop-4.1.0", &files)?;
        let pushed = Instant::now();
        let mut begun: Vec<Option<Duration>> = vec![None; world.hosts.len()];
        patience::until("every host to work at the merge", SETTLED, || {
            for (host, begun) in world.hosts.iter().zip(&mut begun) {
                if begun.is_none() && is_applying(host)? {
                    *begun = Some(pushed.elapsed());
                }
            }
            Ok(begun.iter().all(Option::is_some).then_some(()))
        })?;
        let mut times: Vec<_> = begun.into_iter().flatten().collect();
        times.sort_unstable();
        let median = times.get(times.len() / 2).context("nobody was measured")?;
        let last = times.last().context("nobody was measured")?;
        await_everywhere(world, "4.1.0", &merge)?;
        let ended = pushed.elapsed().as_secs_f64();
        let (median, last) = (median.as_secs_f64(), last.as_secs_f64());
        Ok((
            (),
            format!("median {median:.1} s, last {last:.1} s after the push; done {ended:.1} s"),
        ))
    })
}

fn is_applying(host: &Host) -> Result<bool> {
    Ok(APPLYING.contains(&agent::status(host)?.phase.as_str()))
}

fn await_everywhere(world: &World, version: &str, merge: &str) -> Result<()> {
    for host in &world.hosts {
        let what = format!("{} to record {merge}", host.name);
        let record =
            patience::until(&what, SETTLED, || Ok(agent::recorded(host, 0, merge).ok().flatten()))?;
        let (is, detail) = (record.outcome, &record.detail);
        ensure!(is == Outcome::Committed, "{} is {is}: {detail}", host.name);
        expect_served(host, version)?;
    }
    Ok(())
}

fn is_on_the_board(world: &World, suite: &mut Suite<'_>) -> Result<()> {
    let hub = world.hub.as_ref().context("the hub is gone")?;
    let address = format!("{}:80", hub.address).parse().context("find the hub's address")?;
    let (head, shown) = (world.fleet.head()?, hub::shown(hub)?);
    suite.check("nobody reads without a token what a proxy passes on", || {
        let (status, _) = http::get_at(address, "/api/v1/hosts")?;
        ensure!(status == 401, "it answers {status}");
        Ok(((), String::new()))
    })?;
    suite.check("the control service has every host at the merge", || {
        let began = Instant::now();
        patience::until("all hosts' records", SETTLED, || {
            let (status, body) = http::get_at_as(address, "/api/v1/hosts?limit=100", &shown)?;
            ensure!(status == 200, "it answers {status}: {}", String::from_utf8_lossy(&body));
            let answer: Value = serde_json::from_slice(&body)?;
            let items = answer["items"].as_array().context("the answer has no items")?;
            let there = items.iter().filter(|it| it.to_string().contains(&head)).count();
            Ok((there == world.hosts.len()).then_some(()))
        })?;
        Ok(((), format!("{} hosts, {} ms later", world.hosts.len(), began.elapsed().as_millis())))
    })?;
    suite.check("the board shows every host", || {
        let (status, page) = http::get_at_as(address, "/", &shown)?;
        let page = String::from_utf8_lossy(&page).into_owned();
        ensure!(status == 200, "it answers {status}");
        for host in &world.hosts {
            ensure!(page.contains(&host.name), "{} is not on it", host.name);
        }
        Ok(((), format!("{} bytes", page.len())))
    })
}

/// What an agent on a real host costs while it polls every second.
fn weigh(world: &World, suite: &mut Suite<'_>) -> Result<()> {
    let ask = "pid=$(systemctl show bowline-agent -p MainPID --value)\n\
               awk '/^Pss:/ {print $2}' /proc/$pid/smaps_rollup";
    let mut weights = Vec::new();
    for host in &world.hosts {
        weights.push(host.run(ask)?.trim().parse::<u64>().context("read smaps_rollup")?);
    }
    weights.sort_unstable();
    let (least, most) = (weights.first().unwrap_or(&0), weights.last().unwrap_or(&0));
    suite.tell(format!("an agent's share of memory: {least} to {most} KiB (PSS)"));
    Ok(())
}
