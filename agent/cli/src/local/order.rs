//! Verbs that change something: sync, pause, resume, revert, retry.
//!
//! **Invariant:** nothing is changed from here: the agent is asked, and says who may.
//! **Invariant:** with `--wait` the exit code is that of the cycle that answers the order.

use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;
use bowline_api::ask::{Ask, Changed, Over, Paused, Rehearsal};
use bowline_api::route;
use hyper::Method;

use super::client::{Place, Request};
use super::follow::{Followed, follow};
use super::{ask, typed, value_of, words};
use crate::arguments::{Change, Follow, Pause, Revert};
use crate::failure::{Failure, read_given};
use crate::screen::Screen;

/// A token is one line.
const TOKEN_BYTES_MAX: u64 = 4 << 10;

/// A plan takes a cycle's fetch and a look at the host.
const PLAN_PATIENCE: Duration = Duration::from_mins(2);

/// Asks for a cycle now.
pub fn sync(given: &Follow, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    order(given, (route::SYNC, None), screen)
}

/// Tries what failed once more.
pub fn retry(given: &Follow, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    order(given, (route::RETRY, None), screen)
}

/// Goes back to the generation before.
pub fn revert(given: &Revert, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    order(&given.follow, (route::REVERT, given.reason.clone()), screen)
}

/// Holds deployments and repairs.
pub fn pause(given: &Pause, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let (reason, span) = (Some(given.reason.clone()), given.span.map(|it| it.to_string()));
    let dry_run = given.change.dry_run;
    let said = Ask { reason, span, dry_run };
    let answer = ask(&given.change.local, &request(&given.change, route::PAUSE, &said)?)?;
    let changed: Changed = typed(&answer)?;
    if given.change.local.json {
        screen.json(&answer)?;
    } else if let Some(it) = &changed.paused {
        let would = if changed.dry_run { "would be paused" } else { "paused" };
        screen.line(format_args!("{would} by {}", shown(it)))?;
    }
    Ok(0)
}

/// Ends the pause.
pub fn resume(given: &Change, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let said = Ask { dry_run: given.dry_run, ..Ask::default() };
    let answer = ask(&given.local, &request(given, route::RESUME, &said)?)?;
    if given.dry_run {
        return rehearsed(given.local.json, &answer, screen);
    }
    let changed: Changed = typed(&answer)?;
    if given.local.json {
        screen.json(&answer)?;
    } else if let Some(it) = &changed.resumed {
        screen.line(format_args!("ended the pause by {}", shown(it)))?;
    } else {
        screen.line("the agent was not paused")?;
    }
    Ok(0)
}

fn shown(pause: &Paused) -> String {
    let until = pause.until.as_ref().map(|it| format!(", until {it}")).unwrap_or_default();
    format!("{} since {}{until}: {}", pause.holder, pause.since, pause.reason)
}

fn order(
    given: &Follow,
    (path, reason): (&str, Option<String>),
    screen: &mut Screen<'_>,
) -> Result<u8, Failure> {
    let change = &given.change;
    let said = Ask { reason, span: None, dry_run: change.dry_run };
    let request = request(change, path, &said)?;
    if given.wait {
        return wait(given, &request, screen);
    }
    let answer = ask(&change.local, &request)?;
    if change.dry_run {
        return rehearsed(change.local.json, &answer, screen);
    }
    if change.local.json {
        screen.json(&answer)?;
    } else {
        screen.line("asked for a cycle; `bowline status` tells how it ends")?;
    }
    Ok(0)
}

fn request(given: &Change, path: &str, said: &Ask) -> Result<Request, Failure> {
    let body = match said {
        // An older agent takes no body; without anything to say there is none.
        said if *said == Ask::default() => Vec::new(),
        said => serde_json::to_vec(said).map_err(Failure::failed)?,
    };
    let get = Request::get(path);
    Ok(Request {
        method: Method::POST,
        body: body.into(),
        token: given.token_file.as_deref().map(token).transpose()?,
        patience: if said.dry_run { PLAN_PATIENCE } else { get.patience },
        ..get
    })
}

fn token(file: &Path) -> Result<String, Failure> {
    let bytes = read_given(file, "token file", TOKEN_BYTES_MAX)?;
    let token = String::from_utf8_lossy(&bytes).trim().to_owned();
    if token.bytes().all(|it| it.is_ascii_graphic()) && !token.is_empty() {
        return Ok(token);
    }
    Err(Failure::usage(anyhow!("{} holds no token: one line of letters", file.display())))
}

/// What would happen, as lines for people.
fn rehearsed(
    json: bool,
    answer: &serde_json::Value,
    screen: &mut Screen<'_>,
) -> Result<u8, Failure> {
    let rehearsal: Rehearsal = typed(answer)?;
    match &rehearsal.plan {
        _ if json => screen.json(answer)?,
        Some(plan) => {
            for warning in &plan.warnings {
                screen.note(format_args!("warning: {warning}"))?;
            }
            crate::plan::show(plan, screen)?;
        }
        None => words::hindrance(&rehearsal, screen)?,
    }
    Ok(rehearsal.would.exit_code())
}

/// Waits for the cycle that answers the order.
fn wait(given: &Follow, request: &Request, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let local = &given.change.local;
    let place = Place::of(local)?;
    let patience = given.timeout.as_duration();
    let mut phases = |phase: &str| screen.note(format_args!("phase {phase}"));
    let followed = follow(&place, request, patience, &mut phases)
        .map_err(|failure| Failure::failed(failure).hint(place.hint()))?;
    let over = match followed {
        Followed::Over(over) => over,
        Followed::Refused(answer) => {
            value_of(&answer, &request.path)?;
            return Err(Failure::failed(anyhow!("the agent took the order and gave it no number")));
        }
        Followed::TooLate => {
            let what = anyhow!("the cycle did not end within {}", given.timeout);
            return Err(Failure::failed(what).hint("it goes on: `bowline status` tells of it"));
        }
        Followed::Lost => {
            let what = anyhow!("the agent stopped telling before the cycle's end");
            return Err(Failure::failed(what).hint("`bowline status` tells how it stands"));
        }
    };
    let Over { cycle, .. } = &*over;
    if local.json {
        screen.json(cycle)?;
    } else {
        words::cycle(cycle, screen)?;
    }
    Ok(cycle.outcome.exit_code())
}
