//! Changing calls: sync, pause, resume, revert, retry.
//!
//! **Invariant:** who may not change anything learns nothing but that.
//! **Invariant:** with `dryRun` nothing is kept and nothing is asked but a plan.

use std::time::Duration;

use bowline_api::ask::{Ask, Asked, Changed, Rehearsal};
use bowline_api::route;
use bowline_host::door::clock;
use bowline_host::failure::chain;
use bowline_host::pause::Pause;
use bowline_host::state::State;
use bowline_model::duration::Span;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Served;
use super::answer::{Answer, json, problem};
use super::caller::Caller;
use crate::errand::{Errand, Want};
use crate::hands::paused;

/// A reason and a time are some hundred bytes.
const BODY_BYTES_MAX: usize = 16 << 10;

/// How long a client may take to send that.
const BODY_TIME: Duration = Duration::from_secs(10);

/// A reason is a line in status and records.
const REASON_LETTERS_MAX: usize = 500;

/// How long a plan is waited for: a fetch, and a large tree that is compiled and looked at.
const REHEARSAL_TIME: Duration = Duration::from_secs(100);

/// Answers a changing call.
pub(super) async fn answer(request: Request<Incoming>, served: Served, caller: Caller) -> Answer {
    let path = request.uri().path().to_owned();
    let (rules, headers) = (served.rules.clone(), request.headers().clone());
    // Users and tokens are files, which the thread that serves does not wait for.
    let judged = tokio::task::spawn_blocking(move || rules.may_change(caller, &headers)).await;
    let who = match judged {
        Ok(Ok(who)) => who,
        Ok(Err(turned)) => return problem(turned.status, "not allowed", &turned.detail),
        Err(error) => return broken(&error),
    };
    let ask = match read(request.into_body()).await {
        Ok(ask) => ask,
        Err(detail) => return problem(StatusCode::BAD_REQUEST, "bad request", &detail),
    };
    let because = ask.reason.as_ref().map_or_else(|| who.clone(), |it| format!("{who}: {it}"));
    let want = match path.as_str() {
        route::PAUSE => return pause(served, who, ask).await,
        route::RESUME if !ask.dry_run => return resume(served).await,
        route::RESUME => Want::Resume,
        route::REVERT => Want::Revert { because },
        route::RETRY => Want::Retry,
        _ => Want::Sync,
    };
    if ask.dry_run {
        return match rehearse(&served, want).await {
            Ok(rehearsal) => json(StatusCode::OK, &rehearsal),
            Err(answer) => *answer,
        };
    }
    tracing::info!(holder = who, path, "asked for a cycle");
    if want == Want::Sync {
        return asked(served.board.ask_sync());
    }
    match served.board.ask(Errand { want, rehearsal: None }) {
        Ok(cycle) => asked(cycle),
        Err(_busy) => *busy(),
    }
}

/// Has the loop work out a plan, and waits for it.
pub(super) async fn rehearse(served: &Served, want: Want) -> Result<Rehearsal, Box<Answer>> {
    let (tell, told) = oneshot::channel();
    served.board.ask(Errand { want, rehearsal: Some(tell) }).map_err(|_busy| busy())?;
    let late = || {
        let detail = "the agent is in the middle of something: /v1/status tells of what; ask again";
        Box::new(problem(StatusCode::SERVICE_UNAVAILABLE, "no plan yet", detail))
    };
    let told = timeout(REHEARSAL_TIME, told).await;
    told.ok().and_then(Result::ok).ok_or_else(late)
}

fn asked(cycle: u64) -> Answer {
    json(StatusCode::ACCEPTED, &Asked { asked: true, cycle })
}

fn busy() -> Box<Answer> {
    let detail = "somebody else's order waits for the agent: ask again when it is over";
    Box::new(problem(StatusCode::CONFLICT, "one order at a time", detail))
}

fn broken(error: &(dyn std::error::Error + 'static)) -> Answer {
    problem(StatusCode::INTERNAL_SERVER_ERROR, "not done", &chain(error))
}

/// What a body says; an empty one says nothing.
async fn read(body: Incoming) -> Result<Ask, String> {
    let whole = timeout(BODY_TIME, Limited::new(body, BODY_BYTES_MAX).collect()).await;
    let bytes = match whole {
        Ok(Ok(bytes)) => bytes.to_bytes(),
        Ok(Err(error)) => {
            return Err(format!("{error}; a body has {BODY_BYTES_MAX} bytes at most"));
        }
        Err(_elapsed) => return Err("the body did not come in time".to_owned()),
    };
    let ask: Ask = match bytes.len() {
        0 => Ask::default(),
        _ => serde_json::from_slice(&bytes).map_err(|error| format!("the body: {error}"))?,
    };
    let reason = ask.reason.as_deref().unwrap_or_default();
    if reason.chars().count() > REASON_LETTERS_MAX || reason.chars().any(char::is_control) {
        return Err(format!("a reason is one line of {REASON_LETTERS_MAX} letters at most"));
    }
    Ok(ask)
}

async fn pause(served: Served, holder: String, ask: Ask) -> Answer {
    let bad = |detail: &str| problem(StatusCode::BAD_REQUEST, "bad request", detail);
    let Some(reason) = ask.reason.filter(|it| !it.trim().is_empty()) else {
        return bad("a pause needs a reason, so that others know what it waits for");
    };
    let span = match ask.span.as_deref().map(str::parse::<Span>).transpose() {
        Ok(span) => span.map(|it| i64::try_from(it.as_secs()).unwrap_or(i64::MAX)),
        Err(error) => return bad(&format!("for: {error}")),
    };
    if span == Some(0) {
        return bad("for: a pause lasts a second at least");
    }
    let since = clock::wall();
    let pause = Pause { holder, reason, since, until: span.map(|it| since.saturating_add(it)) };
    let shown =
        Changed { dry_run: ask.dry_run, paused: Some(paused(&pause)), ..Changed::default() };
    if ask.dry_run {
        return json(StatusCode::OK, &shown);
    }
    tracing::info!(holder = pause.holder, reason = pause.reason, "paused");
    match exchange(served, Some(pause)).await {
        Ok(_) => json(StatusCode::OK, &shown),
        Err(answer) => *answer,
    }
}

async fn resume(served: Served) -> Answer {
    let board = served.board.clone();
    match exchange(served, None).await {
        Ok(before) => {
            let resumed = before.filter(|it| it.holds(clock::wall()));
            if let Some(ended) = &resumed {
                tracing::info!(holder = ended.holder, reason = ended.reason, "the pause is ended");
            }
            let changed = Changed {
                resumed: resumed.as_ref().map(paused),
                // What waited is looked at now.
                cycle: Some(board.ask_sync()),
                ..Changed::default()
            };
            json(StatusCode::OK, &changed)
        }
        Err(answer) => *answer,
    }
}

/// Keeps a pause, or ends it; the file first. Then the loop is woken, so that the status tells of it.
async fn exchange(served: Served, pause: Option<Pause>) -> Result<Option<Pause>, Box<Answer>> {
    let changed = tokio::task::spawn_blocking(move || {
        let keep = |it: Option<&Pause>| keep(&served.state, it);
        let before = served.board.set_pause(pause, keep);
        served.board.ask_look();
        before
    });
    match changed.await {
        Ok(Ok(before)) => Ok(before),
        Ok(Err(error)) => Err(Box::new(broken(&error))),
        Err(error) => Err(Box::new(broken(&error))),
    }
}

fn keep(state: &State, pause: Option<&Pause>) -> Result<(), bowline_host::state::StateFailure> {
    match pause {
        Some(pause) => state.keep_pause(pause),
        None => state.drop_pause(),
    }
}
