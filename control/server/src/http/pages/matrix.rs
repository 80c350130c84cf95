//! `GET /matrix`: which commit is where.
//!
//! **Invariant:** both ways, through commits and through hosts, a page is a part and says where it goes on.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bowline_api::fleet::Commit;
use bowline_api::page::Matrix;
use bowline_api::route;
use serde::Deserialize;

use super::words::{Badge, Moment, digits, rfc3339};
use super::{Form, Frame, answered, links, named, number, show};
use crate::door;
use crate::http::Service;
use crate::http::answer::{Refusal, failed};
use crate::http::asked::{Question, query};
use crate::store::Newest;

/// Commits side by side: what a wide screen shows.
const COMMITS: u32 = 10;

/// What is asked for.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::http) struct Asked {
    after: String,
    before: String,
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

async fn read(service: &Service, asked: Question<Asked>) -> Result<(Asked, Arc<Matrix>), Refusal> {
    let asked = query(asked)?;
    let hosts = named(&asked.after, &asked.limit)?;
    let commits = Newest { limit: COMMITS, after: number(&asked.before, "before")? };
    let count = async {
        let found = service.store.matrix(hosts.clone(), commits).await;
        let mut matrix = found.map_err(|it| failed(service, &it))?;
        matrix.now = rfc3339(door::wall());
        Ok(matrix)
    };
    let matrix = service.matrix.get((hosts.clone(), commits), count).await?;
    Ok((asked, matrix))
}

#[derive(Template)]
#[template(path = "matrix.html")]
struct Shown<'a> {
    frame: Frame,
    columns: Vec<Column<'a>>,
    rows: Vec<Line<'a>>,
    older: Option<String>,
    next: Option<String>,
}

/// One commit.
struct Column<'a> {
    commit: &'a Commit,
    digits: String,
    first: Moment,
    said: u64,
}

/// One host.
struct Line<'a> {
    host: &'a str,
    link: String,
    cells: Vec<Option<Cell>>,
}

/// A host's last word on a commit.
struct Cell {
    badge: Badge,
    link: String,
    runs: bool,
}

fn render(service: &Service, matrix: &Matrix, asked: &Asked) -> Response {
    let now = door::wall();
    let query = |path: &str, before: &str, after: &str| {
        links::with(path, &[("before", before), ("after", after), ("limit", &asked.limit)])
    };
    let column = |commit| Column::of(commit, now);
    let page = Shown {
        frame: Frame::new(
            service,
            "Commits and hosts",
            "matrix",
            query(route::MATRIX_TWIN, &asked.before, &asked.after),
        ),
        columns: matrix.commits.iter().map(column).collect(),
        rows: matrix.hosts.iter().map(|it| line(it, &matrix.commits)).collect(),
        older: matrix.older.as_ref().map(|it| query(route::MATRIX, it, &asked.after)),
        next: matrix.next.as_ref().map(|it| query(route::MATRIX, &asked.before, it)),
    };
    show(StatusCode::OK, &page)
}

impl<'a> Column<'a> {
    fn of(commit: &'a Commit, now: i64) -> Self {
        let said = commit.hosts.values().sum();
        let first = Moment::new(&commit.first, now);
        Self { commit, digits: digits(&commit.commit), first, said }
    }
}

fn line<'a>(row: &'a bowline_api::page::Row, commits: &[Commit]) -> Line<'a> {
    let cell = |(word, commit): (&Option<bowline_api::page::Word>, &Commit)| {
        let word = word.as_ref()?;
        let runs = row.runs.as_ref() == Some(&commit.commit);
        let link = links::of_key(links::record(&row.host, word.seq), word.key.as_deref());
        Some(Cell { badge: Badge::of(word.outcome), link, runs })
    };
    let cells = row.words.iter().zip(commits).map(cell).collect();
    Line { host: &row.host, link: links::host(&row.host), cells }
}
