//! `POST /agent/v1/records`: takes a host's records and acknowledges what is durable.
//!
//! **Invariant:** an acknowledgement is sent after the commit, never before.
//! **Invariant:** a request is of one key; one line that is refused refuses all of it.
//! **Invariant:** a name opens no room: more than what is free is held for a host only once it signed something.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use bowline_api::cause::chain;
use bowline_api::enrolment::KeyState;
use bowline_api::intake::{Acked, Broken, NotTaken, UNKNOWN_KEY};
use bowline_api::page::Heard;
use bowline_fleet::chain::Tip;
use tokio::task::{spawn, spawn_blocking};

use super::Service;
use super::answer::{Refusal, failed, json, problem};
use super::bell::Again;
use super::body::{self, Gathered, Reading, Weight};
use super::meters::Meters;
use super::peers::Peer;
use crate::door;
use crate::envelope::{self, BadMessage};
use crate::store::{Appended, Batch, Break, Entry, HostKey};

/// Records in one request: an envelope has some 500 bytes at least, so a full body holds no more.
const LINES_MAX: usize = 4096;

/// Bodies up to this size are verified where they were read, in some 0.2 ms: handing one to another
/// thread and back takes more than verifying a record.
const AT_ONCE_BYTES_MAX: usize = 4 << 10;

pub(super) async fn records(
    State(service): State<Arc<Service>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let from = parts.extensions.get().map(|it: &Peer| service.caller(*it, &parts.headers));
    let mut reading = Reading::new(&service, body, body::BODY_BYTES_MAX, from);
    // Nobody's bytes are gathered before it is known whose key they name, and not many before it is proved.
    let known = match sender(&service, &mut reading).await? {
        Ok((named, key)) => prove(&service, &mut reading, named, key).await?,
        Err(answer) => Err(answer),
    };
    let (named, key) = match known {
        Ok(known) => known,
        Err(answer) => {
            reading.drain().await;
            return Ok(answer);
        }
    };
    let Gathered { bytes, mut weight } = reading.whole().await?;
    let (id, host) = (key.id, key.host.clone());
    let entries = if bytes.len() <= AT_ONCE_BYTES_MAX {
        verify(&bytes, &key, &named)
    } else {
        let named = named.clone();
        apart(&service, move || verify(&bytes, &key, &named)).await?
    };
    let entries = entries.inspect_err(|_refusal| Meters::add(&service.meters.refused, 1))?;
    weight.is_hosts(&service, id)?;
    weight.cover(entries.iter().map(envelope::held_by).sum())?;
    let count = entries.len() as u64;
    let newest = entries.last().map(|it| (it.record.seq, it.record.outcome));
    let appended = append(&service, Batch { key: id, entries }, weight).await?;
    Meters::add(&service.meters.sent, count);
    match appended {
        Appended::Kept { tip, taken } => {
            Meters::add(&service.meters.taken, taken);
            if taken > 0 {
                // What came late says nothing of how the chain ends.
                let outcome = newest.filter(|it| it.0 == tip.seq).map(|it| it.1);
                service.bell.ring(Heard { host, seq: tip.seq, outcome });
            }
            Ok(json(StatusCode::OK, &Acked { acked: tip.seq }))
        }
        Appended::Broken { how, seq, tip, taken } => {
            Meters::add(&service.meters.taken, taken);
            Meters::add(&service.meters.broken, 1);
            let heard = Heard { host: host.clone(), seq: tip.seq, outcome: None };
            if taken > 0 {
                service.bell.ring(heard);
            } else {
                // The same fault may come again and again.
                service.bell.ring_seldom(Again::Fault, heard);
            }
            tracing::warn!(host, kind = how.word(), seq, expected = tip.expected(), "broken chain");
            Ok(problem(StatusCode::CONFLICT, &broken(how, seq, tip)))
        }
        Appended::NotTaken(state) => {
            service.keyring.drop_key(&named);
            Ok(turned_away(&service, state.word(), not_taken(&host, state)))
        }
    }
}

/// Waits for the writer with the records' weight, also when whoever sent them is gone by then.
async fn append(service: &Service, batch: Batch, weight: Weight) -> Result<Appended, Refusal> {
    if weight.is_free() {
        // Nothing is weighed, so nobody has to wait for it.
        let appended = service.store.append(batch, door::wall()).await;
        return appended.map_err(|it| failed(service, &it));
    }
    let store = Arc::clone(&service.store);
    let work = async move {
        let appended = store.append(batch, door::wall()).await;
        drop(weight);
        appended
    };
    let appended = spawn(work).await.map_err(|_gone| ending())?;
    appended.map_err(|it| failed(service, &it))
}

fn ending() -> Refusal {
    let detail = "send the records again in a moment";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the service is ending", detail)
}

/// Whose key the first line names, and that its records are taken; else what is answered.
async fn sender(
    service: &Service,
    reading: &mut Reading,
) -> Result<Result<(String, HostKey), Response>, Refusal> {
    let named = match reading.first_line().await? {
        Some(line) => envelope::key_named(line).map_err(|it| bad_line(1, &it)),
        None => Err(Refusal::bad("no records", "send one DSSE envelope a line, at least one")),
    };
    let named = match named {
        Ok(named) => named,
        Err(refusal) => {
            Meters::add(&service.meters.refused, 1);
            return Ok(Err(refusal.into_response()));
        }
    };
    Ok(match key_of(service, &named).await? {
        Some(key) if key.state == KeyState::Enrolled => Ok((named, key)),
        Some(key) => Err(turned_away(service, key.state.word(), not_taken(&key.host, key.state))),
        None => Err(turned_away(service, UNKNOWN_KEY, unknown(&named))),
    })
}

fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    body.split(|byte| *byte == b'\n').filter(|it| !it.is_empty())
}

async fn key_of(service: &Service, named: &str) -> Result<Option<HostKey>, Refusal> {
    if let Some(key) = service.keyring.find(named) {
        return Ok(Some(key));
    }
    let found = service.store.key(named.to_owned()).await;
    let found = found.map_err(|it| failed(service, &it))?;
    if let Some(key) = &found {
        service.keyring.hang(named, key);
    }
    Ok(found)
}

/// Proves of a large body that its first line is the host's, and gives it a host's room; else what is answered.
/// A small one is verified when all of it is there.
async fn prove(
    service: &Service,
    reading: &mut Reading,
    named: String,
    key: HostKey,
) -> Result<Result<(String, HostKey), Response>, Refusal> {
    if !reading.is_large().await? {
        return Ok(Ok((named, key)));
    }
    let id = key.id;
    let (lent, (start, end)) = reading.lend();
    let judge = move || {
        let line = lent.get(start..end).unwrap_or_default();
        let proof = envelope::proof(line, &key, &named).map_err(|it| bad_line(1, &it));
        (lent, proof.map(|()| (named, key)))
    };
    let (lent, proved) =
        if end - start <= AT_ONCE_BYTES_MAX { judge() } else { apart(service, judge).await? };
    match proved {
        Ok(known) => {
            reading.is_hosts(service, id, lent).await?;
            Ok(Ok(known))
        }
        Err(refusal) => {
            Meters::add(&service.meters.refused, 1);
            Ok(Err(refusal.into_response()))
        }
    }
}

/// Works on a thread of its own: a full body keeps one busy for tens of milliseconds.
async fn apart<T: Send + 'static>(
    service: &Service,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let place = Arc::clone(&service.verifiers).acquire_owned().await;
    let place = place.map_err(|_closed| ending())?;
    let work = move || {
        let done = work();
        drop(place);
        done
    };
    spawn_blocking(work).await.map_err(|_gone| ending())
}

fn verify(body: &[u8], key: &HostKey, named: &str) -> Result<Vec<Entry>, Refusal> {
    let mut entries = Vec::new();
    for (at, line) in lines(body).enumerate() {
        if at >= LINES_MAX {
            return Err(Refusal::bad("too many records", "send at most 4096 at once"));
        }
        entries.push(envelope::record(line, key, named).map_err(|it| bad_line(at + 1, &it))?);
    }
    Ok(entries)
}

fn bad_line(line: usize, bad: &BadMessage) -> Refusal {
    let status = if bad.is_forbidden() { StatusCode::FORBIDDEN } else { StatusCode::BAD_REQUEST };
    let detail = format!("line {line} is refused, and with it the whole request: {}", chain(bad));
    Refusal::new(status, "not a record of this host", detail).coded(bad.code())
}

/// The answer to a key whose records are not taken; a host reads from `code` what to do.
fn turned_away(service: &Service, code: &str, refusal: Refusal) -> Response {
    Meters::add(&service.meters.refused, 1);
    let code = Some(code.to_owned());
    problem(StatusCode::FORBIDDEN, &NotTaken { problem: refusal.problem(), code })
}

fn unknown(named: &str) -> Refusal {
    let named: String = named.chars().take(80).collect();
    let detail = format!(
        "no host has the key {named}: make a token with `bowline-control token new --host NAME` and \
         enrol the host"
    );
    Refusal::new(StatusCode::FORBIDDEN, "an unknown key", detail)
}

fn not_taken(host: &str, state: KeyState) -> Refusal {
    let todo = match state {
        KeyState::Pending => "a person decides with `bowline-control host approve` or `refuse`",
        KeyState::Refused => "a person refused it",
        KeyState::Retired => {
            "another key took its place, or a person retired the host; to take it back, make the host a new \
             key and a new token, and approve that key"
        }
        KeyState::Enrolled => "",
    };
    let detail = format!("the key of {host} is {}: {todo}", state.word());
    Refusal::new(StatusCode::FORBIDDEN, "records of this key are not taken", detail)
}

fn broken(how: Break, seq: u64, tip: Tip) -> Broken {
    let expected = tip.expected();
    let (title, detail) = match how {
        Break::Gap => (
            "records are missing",
            format!(
                "record {seq} came, and {expected} comes next: send the records from {expected} on. If \
                 the host does not have them any more, a person must look"
            ),
        ),
        Break::Fork => (
            "the host told two stories",
            format!(
                "record {seq} is another than the one that was taken, or names another before it: two \
                 machines have one key, a backup was restored, or records were changed. A person must \
                 find out; a host that begins anew gets a new key"
            ),
        ),
    };
    Broken {
        problem: Refusal::new(StatusCode::CONFLICT, title, detail).problem(),
        code: how.word().to_owned(),
        acked: tip.seq,
        expected,
        expected_prev: tip.digest.to_string(),
        seq,
    }
}
