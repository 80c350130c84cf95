//! One request at a time to the control service, and what its answer means.
//!
//! **Invariant:** an answer is read by its status and its codes; its words are for people.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bowline_api::enrolment::{self, KeyState, Request};
use bowline_api::intake::{self, Acked, Broken, NotTaken};
use bowline_api::problem::Problem;
use bowline_api::route;
use bowline_model::envelope::{Envelope, EnvelopeSignature, pae};
use bowline_model::shown::one_line;
use bowline_trust::dsse;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::http::{Access, Address, Bytes, Call, Client, HttpFailure, Limits, Reply};
use crate::key::HostKey;
use crate::settings::Control;

/// A mebibyte over a slow line, and a service that waits for its disk.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(10),
    silence: Duration::from_secs(30),
    total: Duration::from_mins(2),
    head_bytes: 16 << 10,
    body_bytes: 64 << 10,
};

/// What is shown of a problem: a sentence or three, in the status and the log. An answer may be far longer.
const PROBLEM_LETTERS_MAX: usize = 500;

/// What is shown of a page that is no answer of a control service.
const SHOWN_LETTERS_MAX: usize = 200;

/// A way to the control service.
#[derive(Debug)]
pub struct Link {
    client: Client,
    base: Address,
}

/// What became of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// All are kept; the sequence of the newest that is.
    Acked(u64),
    /// They do not continue what is kept.
    Broken(Box<Broken>),
    /// The key's records are not taken: `None` for a key that nobody enrolled, and what people are told.
    NotTaken(Option<KeyState>, String),
    /// They are too many for one request.
    TooMany(String),
}

/// What became of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// How it stands now.
    Stands(KeyState),
    /// The request was denied, and why.
    Denied(String),
}

/// The control service did not do what was asked.
#[derive(Debug, Error)]
pub enum ControlFailure {
    /// There was no answer.
    #[error("ask the control service")]
    Http(#[from] HttpFailure),
    /// It cannot, for now or for good.
    #[error("the control service answers {status}: {detail}")]
    Answer {
        /// The status.
        status: u16,
        /// Its own words, or the beginning of what it sent instead.
        detail: String,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
}

impl ControlFailure {
    /// How long it asks to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Answer { retry_after, .. } => *retry_after,
            Self::Http(_) => None,
        }
    }

    /// Whether it would take them at another time, or fewer of them now.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Answer { status: 503, .. })
    }
}

impl Link {
    /// A way that is not connected yet; `stop` gives up whatever is under way.
    pub fn new(control: &Control, stop: Arc<AtomicBool>) -> Self {
        let (trust, proxy) = (control.trust(), control.proxy.clone());
        let client = Client::new(Access { trust, proxy, limits: LIMITS, stop });
        Self { client, base: control.url.clone() }
    }

    /// Asks that the host's key be known by the host's name.
    pub async fn enrol(
        &self,
        key: &HostKey,
        host: &str,
        token: &str,
    ) -> Result<Claimed, ControlFailure> {
        let request = Request {
            v: enrolment::VERSION,
            host: host.to_owned(),
            key: key.public_line(),
            token: token.to_owned(),
        };
        // Numbers and texts have a JSON form.
        let payload = serde_json::to_vec(&request).unwrap_or_default();
        let sig = key.sign(&pae(enrolment::PAYLOAD_TYPE, &payload));
        let body = dsse::write(&Envelope {
            payload_type: enrolment::PAYLOAD_TYPE.to_owned(),
            payload,
            signatures: vec![EnvelopeSignature { key_id: Some(key.fingerprint()), sig }],
        });
        let call = Call::post(self.base.below(route::ENROL), "application/json", body);
        let (reply, body) = self.ask(&call).await?;
        match reply.status() {
            200 | 202 => {
                let answer: enrolment::Answer = read(&reply, &body)?;
                Ok(Claimed::Stands(answer.state))
            }
            // The door is shut: that says nothing of the key or the token.
            403 if is_about_certificates(&body) => Err(failed(&reply, &body)),
            400 | 403 => Ok(Claimed::Denied(words(&body))),
            _ => Err(failed(&reply, &body)),
        }
    }

    /// Sends records, one envelope a line.
    pub async fn send(&self, records: Bytes) -> Result<Taken, ControlFailure> {
        let call = Call::post(self.base.below(route::RECORDS), intake::MEDIA_TYPE, records);
        let (reply, body) = self.ask(&call).await?;
        match reply.status() {
            200 => Ok(Taken::Acked(read::<Acked>(&reply, &body)?.acked)),
            409 => {
                let mut broken: Box<Broken> = Box::new(read(&reply, &body)?);
                for text in [&mut broken.problem.detail, &mut broken.expected_prev] {
                    *text = one_line(text, PROBLEM_LETTERS_MAX);
                }
                Ok(Taken::Broken(broken))
            }
            403 => {
                let answer: NotTaken = read(&reply, &body)?;
                let stands =
                    KeyState::ALL.into_iter().find(|it| answer.code.as_deref() == Some(it.word()));
                match (stands, answer.code.as_deref()) {
                    (None, Some(intake::UNKNOWN_KEY)) => Ok(Taken::NotTaken(
                        None,
                        one_line(&answer.problem.detail, PROBLEM_LETTERS_MAX),
                    )),
                    (Some(state), _) => {
                        let why = one_line(&answer.problem.detail, PROBLEM_LETTERS_MAX);
                        Ok(Taken::NotTaken(Some(state), why))
                    }
                    (None, _) => Err(failed(&reply, &body)),
                }
            }
            408 | 413 => Ok(Taken::TooMany(words(&body))),
            _ => Err(failed(&reply, &body)),
        }
    }

    async fn ask(&self, call: &Call) -> Result<(Reply, Vec<u8>), ControlFailure> {
        let mut reply = self.client.send(call).await?;
        let body = reply.whole().await?;
        Ok((reply, body))
    }
}

fn is_about_certificates(body: &[u8]) -> bool {
    let answer: Option<NotTaken> = serde_json::from_slice(body).ok();
    answer.is_some_and(|it| it.code.as_deref() == Some(intake::NO_CERTIFICATE))
}

fn read<T: DeserializeOwned>(reply: &Reply, body: &[u8]) -> Result<T, ControlFailure> {
    serde_json::from_slice(body).map_err(|_other| failed(reply, body))
}

fn failed(reply: &Reply, body: &[u8]) -> ControlFailure {
    let (status, retry_after) = (reply.status(), reply.retry_after());
    ControlFailure::Answer { status, detail: words(body), retry_after }
}

/// What an answer tells people; of one that is no problem, the beginning.
fn words(body: &[u8]) -> String {
    if let Ok(problem) = serde_json::from_slice::<Problem>(body) {
        return one_line(&format!("{}: {}", problem.title, problem.detail), PROBLEM_LETTERS_MAX);
    }
    let text = String::from_utf8_lossy(body);
    let plain = |it: char| if it.is_control() { ' ' } else { it };
    let shown: String = text.trim().chars().map(plain).take(SHOWN_LETTERS_MAX).collect();
    format!("it is no control service's answer: {shown:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_shown_in_one_line_that_is_not_too_long() {
        let problem = |detail: String| {
            let problem = Problem { title: "no".to_owned(), status: 400, detail };
            serde_json::to_vec(&problem).unwrap()
        };
        assert_eq!(words(&problem("send less".to_owned())), "no: send less");
        for body in [problem("\u{1b}[31m\n\u{202e}x".repeat(3000)), b"<p>\n".repeat(9000)] {
            let shown = words(&body);
            assert!(shown.chars().count() < 600, "{}", shown.len());
            assert!(!shown.contains(['\u{1b}', '\n', '\u{202e}']), "{shown}");
        }
    }
}
