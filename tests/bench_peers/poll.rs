//! Polls of a remote in which nothing is new, behind a real nginx, beside `git ls-remote`.
//!
//! **Invariant:** bytes and requests are the web server's own count; both contenders ask the same server.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use bowline_api::outcome::Outcome;
use bowline_api::route;
use bowline_api::status::Status;
use tests::nginx::Nginx;
use tests::workshop::Workshop;

use crate::arguments::Arguments;
use crate::daemon::{Daemon, ask, cpu_ns, wait_quiet};
use crate::figures::median;
use crate::table::{self, Poll};
use crate::weigh::weigh;

/// Branches beside the one that is followed.
const OTHERS: [usize; 2] = [0, 200];

/// Measures polls and prints what they took.
pub(crate) fn measure(agent: &Path, arguments: &Arguments) -> Result<()> {
    let shop = Workshop::new();
    let Some(nginx) = Nginx::start(&shop, "") else { return Ok(()) };
    nginx.become_source(&shop, "");
    let mut command = shop.command(agent);
    command.args(["--config", "agent.toml", "--root", "root"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let daemon = Daemon { child: child.context("start the agent")? };
    let pid = daemon.child.id();
    wait_quiet(pid, 0)?;
    let mut rows = Vec::new();
    for others in OTHERS {
        for at in 0..others {
            shop.git(&["update-ref", &format!("refs/heads/side-{at}"), "HEAD"]);
        }
        let mut laps = (Vec::new(), Vec::new());
        for _ in 0..arguments.runs {
            laps.0.push(bowline(&shop, &nginx, pid)?);
            laps.1.push(git(&nginx)?);
        }
        rows.push((others + 1, [middle(&laps.0), middle(&laps.1)]));
    }
    table::polls(&rows);
    Ok(())
}

/// One cycle of the running agent, asked for over its local API.
fn bowline(shop: &Workshop, nginx: &Nginx, pid: u32) -> Result<Poll> {
    let socket = shop.folder().join("a.sock");
    nginx.forget();
    let before = cpu_ns(pid)?;
    ask(&socket, "POST", route::SYNC)?;
    let spent = wait_quiet(pid, before)? - before;
    let status: Status = serde_json::from_str(&ask(&socket, "GET", route::STATUS)?)?;
    let last = status.last.context("the agent tells of no cycle")?;
    ensure!(last.outcome == Outcome::Unchanged, "a cycle ended {}", last.outcome);
    Ok(poll(nginx, crate::weigh::seconds(spent)))
}

fn git(nginx: &Nginx) -> Result<Poll> {
    nginx.forget();
    let url = nginx.url("/repo");
    let words: [&OsStr; 3] = ["ls-remote".as_ref(), url.as_ref(), "refs/heads/main".as_ref()];
    let weight = weigh(Path::new("git"), &words, &[0])?;
    Ok(poll(nginx, weight.cpu() * 1e3))
}

fn poll(nginx: &Nginx, cpu_ms: f64) -> Poll {
    let requests = nginx.requests();
    let bytes: u64 = requests.iter().map(|it| it.bytes).sum();
    let number = |it: u64| u32::try_from(it).map_or(f64::INFINITY, f64::from);
    Poll { cpu_ms, requests: number(requests.len() as u64), bytes: number(bytes) }
}

/// The median of each figure by itself.
fn middle(laps: &[Poll]) -> Poll {
    let of = |figure: fn(&Poll) -> f64| median(&laps.iter().map(figure).collect::<Vec<_>>());
    Poll { cpu_ms: of(|it| it.cpu_ms), requests: of(|it| it.requests), bytes: of(|it| it.bytes) }
}
