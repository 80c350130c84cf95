//! `GET /hosts/NAME`: who a host is, where its chain of records stands, and what happened on it.
//!
//! **Invariant:** a fault is shown for good; that a person looked after it is shown beside it.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use bowline_api::enrolment::KeyState;
use bowline_api::fleet::{Decision, Deployment, Fault, HostDetail, Key};
use bowline_api::outcome::Outcome;
use bowline_api::page::{Judged, Sheet};
use serde::Deserialize;

use super::deployment::{adopted, readable};
use super::words::{Badge, Moment, digits, key_sign, rfc3339, short};
use super::{Form, Frame, answered, links, newest, show};
use crate::door;
use crate::http::Service;
use crate::http::answer::{Refusal, failed};
use crate::http::asked::{Part, Question, part, query};
use crate::store::{Newest, Place, Wanted, Which};

/// What is asked for.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::http) struct Asked {
    after: String,
    limit: String,
}

pub(in crate::http) async fn page(
    State(service): State<Arc<Service>>,
    uri: Uri,
    named: Part<String>,
    asked: Question<Asked>,
) -> Response {
    let read = read(&service, named, asked);
    answered(Form::of_path(uri.path()), read, |it, asked| render(&service, it, asked)).await
}

async fn read(
    service: &Service,
    named: Part<String>,
    asked: Question<Asked>,
) -> Result<(Asked, Sheet), Refusal> {
    let (named, asked) = (part(named)?, query(asked)?);
    let name = Form::of_name(&named).1.to_owned();
    let part = newest(&asked.after, &asked.limit)?;
    let fail = |it| failed(service, &it);
    let detail = service.store.host(name.clone()).await.map_err(fail)?;
    let missing = || Refusal::missing("no such host", "the board lists all hosts");
    let detail = detail.ok_or_else(missing)?;
    let wanted = Wanted { host: Some(name.clone()), outcome: None };
    let deployments = service.store.deployments(wanted, part).await.map_err(fail)?;
    let which = Which { place: Place::Seq(detail.host.seq), key: detail.host.key.clone() };
    let newest = Newest { limit: 1, after: None };
    let kept = service.store.kept(name.clone(), which, newest).await.map_err(fail)?;
    let judged = kept.items.first().and_then(|it| judged(&it.payload, &name));
    Ok((asked, Sheet { now: rfc3339(door::wall()), detail, deployments, judged }))
}

/// By what a host's record says that it was judged; what cannot be read, or is another host's, says nothing here.
fn judged(payload: &[u8], host: &str) -> Option<Judged> {
    let record = readable(&serde_json::from_slice(payload).ok()?)?;
    let policy = record.policy.filter(|_| record.host == host)?;
    Some(Judged {
        policy_version: policy.version,
        policy_expires: policy.expires,
        root_version: policy.root_version,
        adopted: record.adopted.iter().map(adopted).collect(),
    })
}

#[derive(Template)]
#[template(path = "host.html")]
struct Shown<'a> {
    frame: Frame,
    sheet: &'a Sheet,
    badge: Option<Badge>,
    is_stranded: bool,
    record: String,
    revision: Option<String>,
    since: Option<Moment>,
    at: Option<Moment>,
    seen: Option<Moment>,
    keys: Vec<KeyLine<'a>>,
    faults: Vec<FaultLine<'a>>,
    newest_fault: u64,
    older_faults: Option<String>,
    retired: Option<Moment>,
    decisions: Vec<(&'a Decision, Moment)>,
    rows: Vec<Line<'a>>,
    next: Option<String>,
}

struct KeyLine<'a> {
    key: &'a Key,
    sign: &'static str,
    word: &'static str,
    since: Moment,
    /// Whether a person is asked about it.
    waits: bool,
}

struct FaultLine<'a> {
    fault: &'a Fault,
    state: String,
    /// Whether the host hangs there until a person lets it go on.
    hangs: bool,
    /// Where the record is that was sent.
    sent: Option<String>,
    key: String,
    first: Moment,
    last: Moment,
    acknowledged: Option<Moment>,
}

struct Line<'a> {
    deployment: &'a Deployment,
    badge: Badge,
    revision: String,
    link: String,
    at: Moment,
}

fn render(service: &Service, sheet: &Sheet, asked: &Asked) -> Response {
    let now = door::wall();
    let host = &sheet.detail.host;
    let query = |path: String, after: &str| {
        links::with(&path, &[("after", after), ("limit", &asked.limit)])
    };
    let twin = query(links::host_twin(&host.name), &asked.after);
    let page = Shown {
        frame: Frame::new(service, host.name.clone(), "", twin),
        sheet,
        badge: host.outcome.map(Badge::of),
        is_stranded: host.outcome == Some(Outcome::Stranded),
        record: links::of_key(links::record(&host.name, host.seq), host.key.as_deref()),
        revision: host.revision.as_deref().map(short),
        since: Moment::maybe(host.since.as_deref(), now),
        at: Moment::maybe(host.at.as_deref(), now),
        seen: Moment::maybe(host.seen.as_deref(), now),
        keys: sheet.detail.keys.iter().map(|it| key_line(it, now)).collect(),
        faults: sheet.detail.faults.iter().map(|it| fault_line(&sheet.detail, it, now)).collect(),
        newest_fault: sheet.detail.faults.first().map_or(0, |it| it.id),
        older_faults: sheet.detail.faults_next.as_ref().map(|it| links::faults(&host.name, it)),
        retired: Moment::maybe(host.retired.as_deref(), now),
        decisions: sheet.detail.decisions.iter().map(|it| (it, Moment::new(&it.at, now))).collect(),
        rows: sheet.deployments.items.iter().map(|it| line(it, now)).collect(),
        next: sheet.deployments.next.as_ref().map(|it| query(links::host(&host.name), it)),
    };
    show(StatusCode::OK, &page)
}

fn key_line(key: &Key, now: i64) -> KeyLine<'_> {
    KeyLine {
        key,
        sign: key_sign(key.state),
        word: key.state.word(),
        since: Moment::new(&key.since, now),
        waits: key.state == KeyState::Pending,
    }
}

fn fault_line<'a>(detail: &HostDetail, fault: &'a Fault, now: i64) -> FaultLine<'a> {
    let is_taken = |it: &Key| it.fingerprint == fault.key && it.state == KeyState::Enrolled;
    FaultLine {
        fault,
        state: fault_state(fault),
        hangs: fault.open && fault.kind == "gap" && detail.keys.iter().any(is_taken),
        sent: fault.kept.then(|| links::otherwise(&detail.host.name, fault.id)),
        key: digits(fault.key.strip_prefix("SHA256:").unwrap_or(&fault.key)),
        first: Moment::new(&fault.first, now),
        last: Moment::new(&fault.last, now),
        acknowledged: fault.acknowledged.as_ref().map(|it| Moment::new(&it.at, now)),
    }
}

/// How a fault stands that does not ring.
fn fault_state(fault: &Fault) -> String {
    let Some(last) = fault.lost_to.filter(|_| !fault.open) else {
        let word = if fault.open { "acknowledged" } else { "closed: the records came" };
        return word.to_owned();
    };
    let (first, late) = (fault.expected, fault.late);
    let (which, is) = if last <= first {
        (format!("record {last}"), "is")
    } else {
        (format!("records {first}–{last}"), "are")
    };
    match late {
        0 => format!("continued: {which} {is} lost"),
        _ if late > last.saturating_sub(first) => format!("continued: {which} came late"),
        _ => format!("continued: {which} {is} lost, but for {late} that came late"),
    }
}

fn line(deployment: &Deployment, now: i64) -> Line<'_> {
    Line {
        deployment,
        badge: Badge::of(deployment.outcome),
        revision: short(&deployment.revision),
        link: links::of_key(
            links::deployment(&deployment.host, &deployment.deployment, deployment.seq),
            deployment.key.as_deref(),
        ),
        at: Moment::new(&deployment.at, now),
    }
}
