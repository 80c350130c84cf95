//! `GET /deployments/HOST/ID`: one deployment, record by record, with what proves each.
//!
//! **Invariant:** every proof is looked at anew when the page is made; what does not hold is shown as that.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use bowline_api::enrolment::KeyState;
use bowline_api::page::{Proven, Timeline, Told};
use bowline_api::record::{Kind, Record};
use bowline_model::shown::{one_line, plain};
use serde::Deserialize;
use serde_json::Value;

use super::words::{Badge, Moment, digits, rfc3339, short, span};
use super::{Form, Frame, answer, links, refused, show};
use crate::door;
use crate::envelope;
use crate::http::Service;
use crate::http::answer::{Refusal, failed};
use crate::store::{Kept, Place, Which};

/// Records of one deployment that are shown: it has one, and one more for each thing that went on going
/// wrong.
const RECORDS_MAX: u32 = 50;

/// As many as lists hold.
const SUBJECT_CHARS_MAX: usize = 200;

/// The phases of the pipeline, in their order; others come after.
const PHASES: [&str; 10] =
    ["fetch", "verify", "gate", "plan", "stage", "apply", "probe", "commit", "revert", "report"];

/// What is asked for.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::http) struct Asked {
    key: String,
}

pub(in crate::http) async fn page(
    State(service): State<Arc<Service>>,
    Path((host, part)): Path<(String, String)>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let (form, id) = Form::of_name(&part);
    let asked = match asked {
        Ok(Query(asked)) => asked,
        Err(bad) => return refused(form, Refusal::bad("a bad query", bad.body_text())),
    };
    let key = (!asked.key.is_empty()).then_some(asked.key);
    match read(&service, host, id, key).await {
        Ok(timeline) => answer(form, &timeline, |it| render(&service, it)),
        Err(refusal) => refused(form, refusal),
    }
}

async fn read(
    service: &Service,
    host: String,
    id: &str,
    key: Option<String>,
) -> Result<Timeline, Refusal> {
    let place = match id.strip_prefix('@').map(str::parse) {
        Some(Ok(seq)) => Place::Seq(seq),
        _ => Place::Deployment(id.to_owned()),
    };
    let which = Which { place, key };
    let kept = service.store.kept(host.clone(), which, RECORDS_MAX).await;
    let kept = kept.map_err(|it| failed(service, &it))?;
    if kept.is_empty() {
        let detail = "the host's page lists its deployments; @N is the record with the sequence N";
        return Err(Refusal::missing("no such deployment", detail));
    }
    let records = kept.into_iter().map(told).collect();
    Ok(Timeline { now: rfc3339(door::wall()), host, id: id.to_owned(), records })
}

/// Looks at a record again: signature, digest and predecessor.
fn told(kept: Kept) -> Told {
    let again = envelope::again(&kept);
    // What was taken was read as a record then; what cannot be read now is shown as nothing.
    let record: Value = serde_json::from_slice(&kept.payload).unwrap_or_default();
    let prev = record.get("prev").and_then(Value::as_str).unwrap_or_default();
    let before = kept.before.unwrap_or_default().to_string();
    let is_begun = kept.seq == 1 || kept.before.is_some();
    Told {
        seq: kept.seq,
        newest: kept.newest,
        received: rfc3339(kept.received),
        key: kept.fingerprint,
        key_state: kept.state,
        digest: kept.digest.to_string(),
        proof: Proven {
            signature: again.is_signed,
            digest: again.digest == kept.digest,
            predecessor: is_begun && prev == before,
        },
        record,
        envelope: again.line,
    }
}

#[derive(Template)]
#[template(path = "deployment.html")]
struct Shown<'a> {
    frame: Frame,
    timeline: &'a Timeline,
    host: String,
    name: String,
    entries: Vec<Entry<'a>>,
}

/// One record.
struct Entry<'a> {
    told: &'a Told,
    record: Record,
    kind: &'static str,
    badge: Badge,
    at: Moment,
    received: Moment,
    revision: Option<String>,
    base: Option<String>,
    phases: Vec<Phase>,
    gates: Vec<String>,
    subject: String,
    before: Option<String>,
    holds: bool,
    digest: String,
}

/// How long a phase took; its bar is a part of a hundred.
struct Phase {
    name: String,
    took: String,
    from: u64,
    width: u64,
}

fn render(service: &Service, timeline: &Timeline) -> Response {
    let now = door::wall();
    let twin = format!("/deployments/{}/{}.json", timeline.host, timeline.id);
    // All of them are of one key, which may not be the one that is taken now.
    let older = timeline.records.first().filter(|it| it.key_state != KeyState::Enrolled);
    let older = older.map(|it| it.key.as_str());
    let twin = links::of_key(twin, older);
    let entries: Vec<_> = timeline.records.iter().filter_map(|it| entry(it, now)).collect();
    // A record that belongs to a deployment stands under that deployment's name, however it was asked for.
    let named = entries.iter().map(|it| one_line(&it.record.deployment, SUBJECT_CHARS_MAX));
    let name = named.into_iter().find(|it| !it.is_empty());
    let name = name.unwrap_or_else(|| timeline.id.replacen('@', "Record ", 1));
    let page = Shown {
        frame: Frame::new(service, format!("{name} on {}", timeline.host), "", twin),
        name,
        timeline,
        host: links::host(&timeline.host),
        entries,
    };
    show(StatusCode::OK, &page)
}

fn entry(told: &Told, now: i64) -> Option<Entry<'_>> {
    let mut record = told.record.clone();
    make_plain(&mut record);
    let record: Record = serde_json::from_value(record).ok()?;
    let Proven { signature, digest, predecessor } = told.proof;
    Some(Entry {
        told,
        kind: match record.kind {
            Kind::Deployment => "deployment",
            Kind::Drift => "drift",
            Kind::State => "state",
            Kind::Alarm => "alarm",
        },
        badge: Badge::of(record.outcome),
        at: Moment::new(&record.at, now),
        received: Moment::new(&told.received, now),
        revision: record.revision.as_deref().map(short),
        base: record.base.as_deref().map(short),
        phases: phases(&record),
        subject: one_line(record.subject.as_deref().unwrap_or_default(), SUBJECT_CHARS_MAX),
        gates: record.gates.iter().map(Value::to_string).collect(),
        before: (told.seq > 1).then(|| {
            let older = (told.key_state != KeyState::Enrolled).then_some(told.key.as_str());
            links::of_key(links::record(&record.host, told.seq.saturating_sub(1)), older)
        }),
        holds: signature && digest && predecessor,
        digest: digits(&told.digest),
        record,
    })
}

/// Takes what could move or hide a text out of every text of a record.
fn make_plain(value: &mut Value) {
    match value {
        Value::String(text) => *text = plain(text),
        Value::Array(items) => items.iter_mut().for_each(make_plain),
        Value::Object(fields) => fields.values_mut().for_each(make_plain),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn phases(record: &Record) -> Vec<Phase> {
    let place = |name: &str| PHASES.iter().position(|it| *it == name).unwrap_or(PHASES.len());
    let mut spans: Vec<(&String, u64)> = record.durations.iter().map(|(it, n)| (it, *n)).collect();
    spans.sort_by_key(|(name, _)| place(name));
    let total = spans.iter().fold(0_u64, |sum, (_, it)| sum.saturating_add(*it)).max(1);
    let part = |length: u64| length.saturating_mul(100).checked_div(total).unwrap_or_default();
    let mut from = 0_u64;
    let mut found = Vec::new();
    for (name, length) in spans {
        let (name, took) = (name.clone(), span(length));
        found.push(Phase { name, took, from: part(from), width: part(length).max(1) });
        from = from.saturating_add(length);
    }
    found
}
