//! The agent of a host, by way of its local API.
//!
//! **Invariant:** the agent is only asked here; what is done to it is done to its unit.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bowline_api::outcome::Outcome;
use bowline_api::record::Record;
use bowline_api::route;
use bowline_api::status::Status;
use serde::de::DeserializeOwned;
use tests::{http, patience};

use crate::host::Host;

/// Where the agent listens, unless it is told otherwise.
const SOCKET: &str = "/run/bowline/agent.sock";

/// A poll, a fetch, staging and a probe's deadline with its soak, on a busy machine.
const DEPLOYMENT: Duration = Duration::from_secs(90);

/// What the agent says of itself.
pub(crate) fn status(host: &Host) -> Result<Status> {
    ask(host, route::STATUS)
}

/// Its records, newest first.
pub(crate) fn history(host: &Host) -> Result<Vec<Record>> {
    ask(host, route::HISTORY)
}

/// The number of its newest record.
pub(crate) fn newest_record(host: &Host) -> Result<u64> {
    Ok(history(host)?.first().map_or(0, |it| it.seq))
}

/// The first record after `since` that is about a commit.
pub(crate) fn recorded(host: &Host, since: u64, commit: &str) -> Result<Option<Record>> {
    let is_it = |it: &Record| {
        it.seq > since && it.revision.as_ref().is_some_and(|revision| revision.ends_with(commit))
    };
    Ok(history(host)?.into_iter().rev().find(is_it))
}

/// Waits until a commit is recorded after `since`; it must have ended so.
pub(crate) fn await_record(
    host: &Host,
    since: u64,
    commit: &str,
    expected: Outcome,
) -> Result<Record> {
    let what = format!("{} to record {commit}", host.name);
    // Between two starts nobody answers.
    let record =
        patience::until(&what, DEPLOYMENT, || Ok(recorded(host, since, commit).ok().flatten()))?;
    if record.outcome != expected {
        let (is, reason, detail) = (record.outcome, &record.reason, &record.detail);
        bail!("{}: it had to be {expected}, and was {is}: {reason}: {detail}", host.name);
    }
    Ok(record)
}

/// Follows a commit that is taken back, and measures from the last look at which its verdict had not
/// fallen until the agent rests: never less than what it took.
pub(crate) fn time_of_revert(host: &Host, since: u64, commit: &str) -> Result<(Record, Duration)> {
    let mut undecided = Instant::now();
    let what = format!("{} to take {commit} back", host.name);
    patience::until(&what, DEPLOYMENT, || {
        let began = Instant::now();
        let phase = status(host)?.phase;
        match phase.as_str() {
            "revert" | "report" => Ok(None),
            "rest" => Ok(recorded(host, since, commit)?.map(drop)),
            _ => {
                undecided = began;
                Ok(None)
            }
        }
    })?;
    let took = undecided.elapsed();
    Ok((await_record(host, since, commit, Outcome::Reverted)?, took))
}

/// Waits until the agent is in a phase.
pub(crate) fn await_phase(host: &Host, phase: &str) -> Result<()> {
    let what = format!("{} to be in phase {phase}", host.name);
    patience::until(&what, DEPLOYMENT, || {
        Ok(status(host).is_ok_and(|it| it.phase == phase).then_some(()))
    })
}

fn ask<T: DeserializeOwned>(host: &Host, path: &str) -> Result<T> {
    let (status, body) = http::get_at_socket(&host.seen(SOCKET)?, path)?;
    if status != 200 {
        bail!("the agent of {} answered {path} with status {status}", host.name);
    }
    serde_json::from_slice(&body).with_context(|| format!("read the answer to {path}"))
}
