//! What a person does at the command line: tokens, and decisions about keys.
//!
//! **Invariant:** a token is shown once and kept by its digest only.

use std::time::Duration;

use bowline_api::enrolment::KeyState;
use bowline_model::digest::{Sha256, hex};
use bowline_model::duration::Span;
use bowline_model::shown::one_line;
use thiserror::Error;

use crate::arguments::{HostVerb, KeyOf, TokenVerb, Verb};
use crate::door;
use crate::serve::exit_code;
use crate::settings::Settings;
use crate::store::sqlite::Sqlite;
use crate::store::{Decided, Decision, NewToken, Note, Store as _, StoreFailure};

/// A token counts no longer: whoever finds an old one has found nothing.
const LONGEST: Duration = Duration::from_hours(24);

/// Some sentences: what is longer belongs into a ticket that the note names.
const NOTE_CHARS_MAX: usize = 500;

/// Longer than any account's name.
const ACCOUNT_CHARS_MAX: usize = 64;

/// What was not done.
#[derive(Debug, Error)]
pub enum NotDone {
    /// The store failed.
    #[error("keep it in the store")]
    Store(#[from] StoreFailure),
    /// A token's time makes no sense.
    #[error("a token counts for 1s to 24h, not for {0}")]
    Span(Span),
    /// The host has no such key.
    #[error("the host {host} has no key {fingerprint}")]
    NoSuchKey {
        /// The host.
        host: String,
        /// The key.
        fingerprint: String,
    },
    /// There is no such host.
    #[error("no host {0} is known")]
    NoSuchHost(String),
    /// There is nothing to look after.
    #[error("the host {0} has no gap or fork that is open and was not acknowledged")]
    NoFault(String),
    /// A note that says nothing, or too much.
    #[error("a note has 1 to {NOTE_CHARS_MAX} characters in one line")]
    Note,
    /// The key does not wait.
    #[error("the key is {} already", .0.word())]
    NotPending(KeyState),
    /// The system is not as it should be.
    #[error("the system gives no random numbers, or no thread")]
    System,
}

impl NotDone {
    /// The exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Store(it) => exit_code(it),
            Self::Span(_) | Self::Note => 2,
            Self::NoSuchKey { .. }
            | Self::NoSuchHost(_)
            | Self::NoFault(_)
            | Self::NotPending(_)
            | Self::System => 1,
        }
    }

    /// What a person can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Store(it) => it.hint(),
            Self::NoSuchKey { .. } => "GET /api/v1/hosts/NAME lists the host's keys",
            Self::NoSuchHost(_) => "GET /api/v1/hosts lists all of them",
            Self::Span(_) | Self::Note | Self::NoFault(_) | Self::NotPending(_) | Self::System => {
                ""
            }
        }
    }
}

/// Does what a person asked for; gives what is printed.
pub fn run(verb: Verb, settings: &Settings) -> Result<String, NotDone> {
    let store = Sqlite::open(&settings.store)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|_refused| NotDone::System)?;
    match verb {
        Verb::Token(TokenVerb::New { host, span }) => {
            if !(Duration::from_secs(1)..=LONGEST).contains(&span.as_duration()) {
                return Err(NotDone::Span(span));
            }
            let random = door::random::<32>().ok_or(NotDone::System)?;
            let token = format!("bowline-enrol-{}", hex(&random));
            let made = door::wall();
            let seconds = i64::try_from(span.as_duration().as_secs()).unwrap_or_default();
            let digest = Sha256::of(token.as_bytes());
            let kept = NewToken { digest, made, until: made.saturating_add(seconds) };
            runtime.block_on(store.make_token(host.to_string(), kept))?;
            Ok(token)
        }
        Verb::Host(HostVerb::Approve(key)) => {
            runtime.block_on(decide(&store, key, Decision::Approve))
        }
        Verb::Host(HostVerb::Refuse(key)) => {
            runtime.block_on(decide(&store, key, Decision::Refuse))
        }
        Verb::Host(HostVerb::Acknowledge { name, note }) => {
            runtime.block_on(acknowledge(&store, name.to_string(), &note))
        }
    }
}

async fn decide(store: &Sqlite, key: KeyOf, decision: Decision) -> Result<String, NotDone> {
    let (host, fingerprint) = (key.name.to_string(), key.fingerprint);
    let decided = store.decide(host.clone(), fingerprint.clone(), decision, door::wall());
    match decided.await? {
        Decided::Done(state) => Ok(format!("{host} {fingerprint} {}", state.word())),
        Decided::NoSuchKey => Err(NotDone::NoSuchKey { host, fingerprint }),
        Decided::NotPending(state) => Err(NotDone::NotPending(state)),
    }
}

async fn acknowledge(store: &Sqlite, host: String, note: &str) -> Result<String, NotDone> {
    let text = one_line(note, NOTE_CHARS_MAX);
    if text.is_empty() || text != note.trim() {
        return Err(NotDone::Note);
    }
    let by = door::account().unwrap_or_else(|| "somebody".to_owned());
    let note = Note { by: one_line(&by, ACCOUNT_CHARS_MAX), text, at: door::wall() };
    match store.acknowledge(host.clone(), note).await? {
        None => Err(NotDone::NoSuchHost(host)),
        Some(0) => Err(NotDone::NoFault(host)),
        Some(number) => Ok(format!("{host} acknowledged {number}")),
    }
}
