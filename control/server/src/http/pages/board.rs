//! `GET /`: all hosts, what they run, and how they fare.
//!
//! **Invariant:** a page holds a part of the fleet, however large that is, and says where it goes on.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bowline_api::enrolment::KeyState;
use bowline_api::fleet::{Health, Host};
use bowline_api::outcome::Outcome;
use bowline_api::page::{Board, Waiting};
use bowline_api::route;
use serde::Deserialize;

use super::words::{Badge, Moment, short};
use super::{Form, Frame, answered, given, links, named, show};
use crate::door;
use crate::http::Service;
use crate::http::answer::{Refusal, failed};
use crate::http::asked::{Question, query};
use crate::store::Picked;

/// Keys shown that wait for a person: whoever has more has another problem first.
const WAITING_MAX: u32 = 50;

/// What is asked for. A form sends what was left empty as well.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::http) struct Asked {
    name: String,
    outcome: String,
    environment: String,
    health: String,
    alarms: String,
    retired: String,
    after: String,
    limit: String,
}

pub(in crate::http) async fn page(
    State(service): State<Arc<Service>>,
    asked: Question<Asked>,
) -> Response {
    answered(Form::Page, read(&service, asked), |it, asked| render(&service, it, asked)).await
}

pub(in crate::http) async fn twin(
    State(service): State<Arc<Service>>,
    asked: Question<Asked>,
) -> Response {
    answered(Form::Twin, read(&service, asked), |it, asked| render(&service, it, asked)).await
}

async fn read(service: &Service, asked: Question<Asked>) -> Result<(Asked, Board), Refusal> {
    let asked = query(asked)?;
    let (picked, part) = (picked(&asked)?, named(&asked.after, &asked.limit)?);
    let fail = |it| failed(service, &it);
    let census = service.census().await?;
    let waiting = service.store.waiting(WAITING_MAX).await.map_err(fail)?;
    let page = service.store.hosts(picked, part).await.map_err(fail)?;
    let outcomes = census.outcomes.iter();
    let pending = census.keys.iter().find(|(it, _)| *it == KeyState::Pending);
    // The census may be a moment older than the list.
    let waiting_keys = pending.map_or(0, |(_, number)| *number).max(waiting.len() as u64);
    let board = Board {
        now: super::words::rfc3339(door::wall()),
        hosts: census.hosts,
        outcomes: outcomes.map(|(it, number)| (it.word().to_owned(), *number)).collect(),
        environments: census.environments.clone(),
        waiting_keys,
        waiting,
        page,
    };
    Ok((asked, board))
}

fn picked(asked: &Asked) -> Result<Picked, Refusal> {
    let outcome = Outcome::ALL.into_iter().find(|it| it.word() == asked.outcome);
    let health = Health::ALL.into_iter().find(|it| it.word() == asked.health);
    if outcome.is_none() && !asked.outcome.is_empty() {
        let words = Outcome::ALL.map(Outcome::word).join(", ");
        return Err(Refusal::bad("a bad outcome", format!("outcome is one of {words}")));
    }
    if health.is_none() && !asked.health.is_empty() {
        return Err(Refusal::bad("a bad health", "health is well or unwell"));
    }
    if !["", "open"].contains(&asked.alarms.as_str()) {
        return Err(Refusal::bad("bad alarms", "alarms is `open`, or left out"));
    }
    if !["", "shown"].contains(&asked.retired.as_str()) {
        return Err(Refusal::bad("bad retired", "retired is `shown`, or left out"));
    }
    Ok(Picked {
        outcome,
        environment: given(&asked.environment),
        health,
        name: given(&asked.name),
        alarmed: !asked.alarms.is_empty(),
        retired: !asked.retired.is_empty(),
    })
}

#[derive(Template)]
#[template(path = "board.html")]
struct Shown<'a> {
    frame: Frame,
    board: &'a Board,
    asked: &'a Asked,
    counts: Vec<Count>,
    outcomes: [&'static str; 8],
    waiting: Vec<(&'a Waiting, Moment)>,
    rows: Vec<Row<'a>>,
    next: Option<String>,
    is_filtered: bool,
}

/// How many hosts ended so, and where they are shown.
struct Count {
    badge: Badge,
    number: u64,
    link: String,
    is_chosen: bool,
}

/// One host's line.
struct Row<'a> {
    host: &'a Host,
    link: String,
    badge: Option<Badge>,
    record: String,
    /// Whether why it ended so is worth its room.
    tells: bool,
    revision: Option<String>,
    since: Option<Moment>,
    seen: Option<Moment>,
}

fn render(service: &Service, board: &Board, asked: &Asked) -> Response {
    let now = door::wall();
    let twin = path(route::BOARD_TWIN, asked, &asked.after);
    let count = |outcome: Outcome| {
        let number = board.outcomes.get(outcome.word()).copied().unwrap_or_default();
        let badge = Badge::of(outcome);
        let link = links::with(route::BOARD, &[("outcome", badge.word)]);
        Count { badge, number, link, is_chosen: asked.outcome == badge.word }
    };
    let page = Shown {
        frame: Frame::new(service, "Fleet board", "board", twin),
        board,
        asked,
        counts: Outcome::ALL.into_iter().map(count).collect(),
        outcomes: Outcome::ALL.map(Outcome::word),
        waiting: board.waiting.iter().map(|it| (it, Moment::new(&it.since, now))).collect(),
        rows: board.page.items.iter().map(|it| row(it, now)).collect(),
        next: board.page.next.as_ref().map(|it| path(route::BOARD, asked, it)),
        is_filtered: !path(route::BOARD, asked, "").ends_with('/'),
    };
    show(StatusCode::OK, &page)
}

/// What is asked for, from a place on.
fn path(of: &str, asked: &Asked, after: &str) -> String {
    let Asked { name, outcome, environment, health, alarms, retired, limit, .. } = asked;
    links::with(
        of,
        &[
            ("name", name),
            ("outcome", outcome),
            ("environment", environment),
            ("health", health),
            ("alarms", alarms),
            ("retired", retired),
            ("limit", limit),
            ("after", after),
        ],
    )
}

fn row(host: &Host, now: i64) -> Row<'_> {
    Row {
        host,
        link: links::host(&host.name),
        badge: host.outcome.map(Badge::of),
        record: links::of_key(links::record(&host.name, host.seq), host.key.as_deref()),
        tells: host.outcome.is_some_and(|it| it.exit_code() != 0),
        revision: host.revision.as_deref().map(short),
        since: Moment::maybe(host.since.as_deref(), now),
        seen: Moment::maybe(host.seen.as_deref(), now),
    }
}
