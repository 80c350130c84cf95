//! `GET /matrix`: which commit is where.
//!
//! **Invariant:** both ways, through commits and through hosts, a page is a part and says where it goes on.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use bowline_api::fleet::Commit;
use bowline_api::page::Matrix;
use bowline_api::route;
use serde::Deserialize;

use super::words::{Badge, Moment, digits, rfc3339};
use super::{Form, Frame, answer, links, number, refused, rows, show};
use crate::door;
use crate::http::Service;
use crate::http::answer::{Refusal, failed};
use crate::store::{Named, Newest};

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

/// A query, or why it is none.
type Question = Result<Query<Asked>, QueryRejection>;

pub(in crate::http) async fn page(service: State<Arc<Service>>, asked: Question) -> Response {
    answered(Form::Page, service, asked).await
}

pub(in crate::http) async fn twin(service: State<Arc<Service>>, asked: Question) -> Response {
    answered(Form::Twin, service, asked).await
}

async fn answered(form: Form, State(service): State<Arc<Service>>, asked: Question) -> Response {
    let bad = |it: QueryRejection| Refusal::bad("a bad query", it.body_text());
    let read = async {
        let Query(asked) = asked.map_err(bad)?;
        let matrix = read(&service, &asked).await?;
        Ok((matrix, asked))
    };
    match read.await {
        Ok((matrix, asked)) => answer(form, &matrix, |it| render(&service, it, &asked)),
        Err(refusal) => refused(form, refusal),
    }
}

async fn read(service: &Service, asked: &Asked) -> Result<Matrix, Refusal> {
    let after = (!asked.after.is_empty()).then(|| asked.after.clone());
    let hosts = Named { limit: rows(&asked.limit)?, after };
    let commits = Newest { limit: COMMITS, after: number(&asked.before, "before")? };
    let mut matrix =
        service.store.matrix(hosts, commits).await.map_err(|it| failed(service, &it))?;
    matrix.now = rfc3339(door::wall());
    Ok(matrix)
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
