//! `GET /deployments/HOST/ID`: one deployment, record by record, with what proves each.
//!
//! **Invariant:** every proof is looked at anew when the page is made; what does not hold is shown as that.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use bowline_api::enrolment::KeyState;
use bowline_api::page::{Proven, Timeline, Told};
use bowline_api::record::Record;
use bowline_model::shown::{one_line, plain};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::words::{Badge, Moment, digits, rfc3339, short, span};
use super::{Form, Frame, answer, given, links, number, refused, show};
use crate::door;
use crate::envelope;
use crate::http::Service;
use crate::http::answer::{Refusal, failed};
use crate::http::asked::{Part, Question, part, query};
use crate::store::{Kept, Newest, Place, Which};

/// Records of one deployment that are shown at once: it has one, and one more for each thing that went on
/// going wrong.
const RECORDS_MAX: u32 = 50;

/// How long a page waits for its turn: each takes some milliseconds, the largest some hundred.
const TURN_TIME: Duration = Duration::from_secs(10);

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
    after: String,
}

pub(in crate::http) async fn page(
    State(service): State<Arc<Service>>,
    uri: Uri,
    named: Part<(String, String)>,
    asked: Question<Asked>,
) -> Response {
    let form = Form::of_path(uri.path());
    match made(service, form, named, asked).await {
        Ok(response) => response,
        Err(refusal) => refused(form, refusal),
    }
}

/// Reads records, verifies each, and puts them on a page. That takes a core: it is done in turn, by a thread
/// that serves nobody else.
async fn made(
    service: Arc<Service>,
    form: Form,
    named: Part<(String, String)>,
    asked: Question<Asked>,
) -> Result<Response, Refusal> {
    let ((host, named), asked) = (part(named)?, query(asked)?);
    let id = Form::of_name(&named).1.to_owned();
    let part = Newest { limit: RECORDS_MAX, after: number(&asked.after, "after")? };
    let busy = || Refusal::busy("too many deployments are looked at: ask again in a moment");
    let turn = timeout(TURN_TIME, Arc::clone(&service.painters).acquire_owned()).await;
    let turn = turn.map_err(|_late| busy())?.map_err(|_closed| busy())?;
    let place = match id.strip_prefix('@').map(str::parse) {
        Some(Ok(seq)) => Place::Seq(seq),
        _ => Place::Deployment(id.clone()),
    };
    let which = Which { place, key: given(&asked.key) };
    let kept = service.store.kept(host.clone(), which, part).await;
    let kept = kept.map_err(|it| failed(&service, &it))?;
    if kept.items.is_empty() {
        let detail = "the host's page lists its deployments; @N is the record with the sequence N";
        return Err(Refusal::missing("no such deployment", detail));
    }
    let work = move || {
        let records = kept.items.into_iter().map(|it| told(it, &host)).collect();
        let now = rfc3339(door::wall());
        let timeline = Timeline { now, host, id, records, next: kept.next };
        let response = answer(form, &timeline, |it| render(&service, it, &asked));
        drop(turn);
        response
    };
    spawn_blocking(work).await.map_err(|_gone| busy())
}

/// Looks at a record of a host again: signature, digest and predecessor.
fn told(kept: Kept, host: &str) -> Told {
    let again = envelope::again(&kept);
    let read: Result<Value, _> = serde_json::from_slice(&kept.payload);
    let unreadable = match &read {
        Ok(_) => serde_json::from_slice::<Record>(&kept.payload).err().map(|it| it.to_string()),
        Err(error) => Some(error.to_string()),
    };
    let record = read.unwrap_or_default();
    // What another host signed proves nothing of this one, whatever brought it here.
    let is_its_own = record.get("host").and_then(Value::as_str) == Some(host);
    let prev = record.get("prev").and_then(Value::as_str).unwrap_or_default();
    let before = kept.before.unwrap_or_default().to_string();
    let is_begun = kept.seq == 1 || kept.before.is_some();
    Told {
        seq: kept.seq,
        newest: kept.newest,
        received: rfc3339(kept.received),
        envelope: links::envelope(&kept.fingerprint, kept.seq),
        key: kept.fingerprint,
        key_state: kept.state,
        digest: kept.digest.to_string(),
        continued: kept.continued,
        late: kept.late,
        proof: Proven {
            signature: again.is_signed && is_its_own,
            digest: again.digest == kept.digest,
            predecessor: is_begun && prev == before,
        },
        unreadable,
        record,
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
    next: Option<String>,
}

/// One record, with what is known of it whatever it says.
struct Entry<'a> {
    told: &'a Told,
    /// Tells it apart from all others on a page: each of a host's keys has a chain of its own.
    anchor: String,
    received: Moment,
    digest: String,
    holds: bool,
    /// Whether all holds but what a person let go.
    goes_on: bool,
    before: Option<String>,
    said: Option<Said>,
}

/// What a record says.
struct Said {
    record: Record,
    kind: &'static str,
    badge: Badge,
    at: Moment,
    revision: Option<String>,
    base: Option<String>,
    phases: Vec<Phase>,
    gates: Vec<String>,
    adopted: Vec<String>,
    subject: String,
}

/// How long a phase took; its bar is a part of a hundred.
struct Phase {
    name: String,
    took: String,
    from: u64,
    width: u64,
}

fn render(service: &Service, timeline: &Timeline, asked: &Asked) -> Response {
    let now = door::wall();
    let entries: Vec<_> = timeline.records.iter().map(|it| entry(timeline, it, now)).collect();
    let seq = timeline.records.first().map_or(0, |it| it.seq);
    let (page, twin) = links::deployment_and_twin(&timeline.host, &timeline.id, seq);
    // All of them are of one key, which may not be the one that is taken now.
    let key = timeline.records.first().and_then(older_key).unwrap_or_default();
    let at = |path: &str, after: &str| links::with(path, &[("key", key), ("after", after)]);
    // A record that belongs to a deployment stands under that deployment's name, however it was asked for.
    let said = entries.iter().filter_map(|it| it.said.as_ref());
    let named = said.map(|it| one_line(&it.record.deployment, SUBJECT_CHARS_MAX));
    let name = named.into_iter().find(|it| !it.is_empty());
    let id = one_line(&timeline.id, SUBJECT_CHARS_MAX);
    let name = name.unwrap_or_else(|| id.replacen('@', "Record ", 1));
    let title = format!("{name} on {}", timeline.host);
    let page = Shown {
        frame: Frame::new(service, title, "", at(&twin, &asked.after)),
        name,
        timeline,
        host: links::host(&timeline.host),
        entries,
        next: timeline.next.as_ref().map(|it| at(&page, it)),
    };
    show(StatusCode::OK, &page)
}

/// The key of a record, where it is not the one whose records are taken now.
fn older_key(told: &Told) -> Option<&str> {
    (told.key_state != KeyState::Enrolled).then_some(told.key.as_str())
}

fn entry<'a>(timeline: &Timeline, told: &'a Told, now: i64) -> Entry<'a> {
    let Proven { signature, digest, predecessor } = told.proof;
    let key = told.key.strip_prefix("SHA256:").unwrap_or(&told.key);
    Entry {
        anchor: format!("{}-{}", told.seq, digits(key)),
        received: Moment::new(&told.received, now),
        digest: digits(&told.digest),
        holds: signature && digest && predecessor && told.unreadable.is_none(),
        goes_on: signature && digest && told.continued && told.unreadable.is_none(),
        before: (told.seq > 1).then(|| {
            let before = links::record(&timeline.host, told.seq.saturating_sub(1));
            links::of_key(before, older_key(told))
        }),
        said: told.unreadable.is_none().then(|| said(&told.record, now)).flatten(),
        told,
    }
}

/// A record whose texts can neither move nor hide anything on a page; `None` when it cannot be read.
pub(super) fn readable(record: &Value) -> Option<Record> {
    let record: Record = serde_json::from_value(record.clone()).ok()?;
    // Fields that no record has are gone by now: none of them can turn into one that it has.
    let mut record = serde_json::to_value(record).ok()?;
    make_plain(&mut record);
    serde_json::from_value(record).ok()
}

/// What a record says; `None` when it cannot be read.
fn said(record: &Value, now: i64) -> Option<Said> {
    let record = readable(record)?;
    Some(Said {
        kind: record.kind.word(),
        badge: Badge::of(record.outcome),
        at: Moment::new(&record.at, now),
        revision: record.revision.as_deref().map(short),
        base: record.base.as_deref().map(short),
        phases: phases(&record),
        subject: one_line(record.subject.as_deref().unwrap_or_default(), SUBJECT_CHARS_MAX),
        gates: record.gates.iter().map(Value::to_string).collect(),
        adopted: record.adopted.iter().map(adopted).collect(),
        record,
    })
}

/// Why a commit that nobody let in may stay; what is of another form is shown as it came.
pub(super) fn adopted(value: &Value) -> String {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let signers = value.get("signers").and_then(Value::as_array);
    let signers: Option<Vec<_>> = signers.map(|it| it.iter().filter_map(Value::as_str).collect());
    match (text("commit"), text("code"), text("reason"), text("issued"), signers) {
        (Some(commit), Some(code), Some(reason), Some(issued), Some(signers)) => {
            format!("{commit} ({code}) by {}, {issued}: {reason}", signers.join(", "))
        }
        _ => value.to_string(),
    }
}

/// Takes what could move or hide a text out of every text of a record, the names of its fields included.
fn make_plain(value: &mut Value) {
    match value {
        Value::String(text) => *text = plain(text),
        Value::Array(items) => items.iter_mut().for_each(make_plain),
        Value::Object(fields) => {
            let mut found = Map::new();
            for (name, mut value) in std::mem::take(fields) {
                make_plain(&mut value);
                let mut name = plain(&name);
                // Two names that look the same are two: nothing that was said is left out.
                while found.contains_key(&name) {
                    name.push('′');
                }
                found.insert(name, value);
            }
            *fields = found;
        }
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
