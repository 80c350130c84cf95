//! A word with the agent on this host: `bowline status`, `history`, `show`, and what changes something.
//!
//! **Invariant:** the exit code tells how the last cycle ended; a revert is never a success.
//! **Invariant:** `--json` prints what the agent said, also what this version does not know yet.

pub mod arguments;
pub mod order;
mod client;
mod follow;
mod words;

use anyhow::anyhow;
use bowline_api::outcome::Outcome;
use bowline_api::problem::Problem;
use bowline_api::record::Record;
use bowline_api::route;
use bowline_api::status::Status;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::arguments::{History, Local, Show};
use crate::failure::Failure;
use crate::screen::Screen;
use client::{Answer, Request};

/// What to do about an id that no deployment has.
const LIST: &str = "`bowline history` lists the ids";

/// HTTP's word for it.
const NOT_FOUND: u16 = 404;

/// Shows how the agent stands.
pub fn status(given: &Local, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let answer = ask(given, &Request::get(route::STATUS))?;
    let status: Status = typed(&answer)?;
    if given.json {
        screen.json(&answer)?;
    } else {
        words::status(&status, screen)?;
    }
    Ok(status.last.map_or(0, |last| last.outcome.exit_code()))
}

/// Lists the host's records.
pub fn history(given: &History, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let limit = given.limit.map(|it| format!("?limit={it}")).unwrap_or_default();
    let answer = ask(&given.local, &Request::get(&format!("{}{limit}", route::HISTORY)))?;
    let records: Vec<Record> = typed(&answer)?;
    if given.local.json {
        screen.json(&answer)?;
    } else {
        words::history(&records, screen)?;
    }
    Ok(0)
}

/// Shows one deployment.
pub fn show(given: &Show, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let plain = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
    if given.id.is_empty() || !given.id.chars().all(plain) || given.id.starts_with('.') {
        let what = anyhow!("{:?} is not the id of a deployment", given.id);
        return Err(Failure::usage(what).hint(LIST));
    }
    let path = format!("{}/{}", route::DEPLOYMENTS, given.id);
    let answer = ask(&given.local, &Request::get(&path))?;
    let record: Record = typed(&answer)?;
    if given.local.json {
        screen.json(&answer)?;
    } else {
        words::record(&record, screen)?;
    }
    // Looking up what went wrong is no failure; a host that needs a person says so wherever it is met.
    Ok(if record.outcome == Outcome::Stranded { record.outcome.exit_code() } else { 0 })
}

fn ask(given: &Local, request: &Request) -> Result<Value, Failure> {
    let place = client::Place::of(given)?;
    let answer = client::ask(&place, request)
        .map_err(|failure| Failure::failed(failure).hint(place.hint()))?;
    value_of(&answer, &request.path)
}

/// What an answer holds; a problem becomes a failure in the agent's words.
fn value_of(answer: &Answer, path: &str) -> Result<Value, Failure> {
    let Answer { status, body } = answer;
    if !(200..300).contains(status) {
        let what = match serde_json::from_slice::<Problem>(body) {
            Ok(problem) => anyhow!("{}: {}", problem.title, problem.detail),
            Err(_) => anyhow!("the agent answered {path} with status {status}"),
        };
        let is_unknown = *status == NOT_FOUND && path.starts_with(route::DEPLOYMENTS);
        return Err(Failure::failed(what).hint(if is_unknown { LIST } else { "" }));
    }
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body)
        .map_err(|source| Failure::failed(source).of(format!("the answer to {path} is not JSON")))
}

fn typed<T: DeserializeOwned>(answer: &Value) -> Result<T, Failure> {
    T::deserialize(answer).map_err(|source| {
        Failure::failed(source)
            .of("the agent's answer is not of the expected shape")
            .hint("use a bowline of the agent's version")
    })
}
