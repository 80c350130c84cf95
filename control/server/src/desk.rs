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
use crate::store::{
    Decided, Decision, Gone, Looked, NewToken, Note, Person, Resumed, Store as _, StoreFailure,
};

/// A token counts no longer: whoever finds an old one has found nothing.
const LONGEST: Duration = Duration::from_hours(24);

/// Some sentences: what is longer belongs into a ticket that the note names.
const NOTE_CHARS_MAX: usize = 500;

/// Two accounts with the longest names that systems have.
const ACCOUNT_CHARS_MAX: usize = 120;

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
    /// What was seen is none of those that are open, nor behind one.
    #[error("the host {host} has {open} gaps and forks that are open, and none is {seen} or older")]
    NotSeen {
        /// The host.
        host: String,
        /// The newest that the person saw.
        seen: u64,
        /// How many there are.
        open: u64,
    },
    /// The host was retired before.
    #[error("the host {0} is retired already")]
    Retired(String),
    /// No record is missing.
    #[error("no records of the host {0} are missing")]
    NoGap(String),
    /// The gap ends elsewhere.
    #[error("the host {host} sent record {sent} behind its gap, not {from}")]
    Elsewhere {
        /// The host.
        host: String,
        /// The sequence that was named.
        from: u64,
        /// The sequence that came.
        sent: u64,
    },
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
            | Self::NotSeen { .. }
            | Self::Retired(_)
            | Self::NoGap(_)
            | Self::Elsewhere { .. }
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
            Self::NotSeen { .. } => {
                "look at the host's page again: it shows all of them, and the number of the newest"
            }
            Self::NoGap(_) => {
                "a host that lost records shows a gap on its page once it sent what it has"
            }
            Self::Elsewhere { .. } => {
                "name the record that it sent: everything before that is lost"
            }
            Self::Span(_)
            | Self::Note
            | Self::NoFault(_)
            | Self::Retired(_)
            | Self::NotPending(_)
            | Self::System => "",
        }
    }
}

/// Does what a person asked for; gives what is printed.
pub fn run(verb: Verb, settings: &Settings) -> Result<String, NotDone> {
    let store = Sqlite::open_existing(&settings.store)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
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
        Verb::Host(HostVerb::Retire { name, note }) => {
            let note = written(note.as_deref())?;
            runtime.block_on(retire(&store, name.to_string(), note))
        }
        Verb::Host(HostVerb::Continue { name, from, note }) => {
            let note = written(note.as_deref())?;
            runtime.block_on(resume(&store, name.to_string(), from, note))
        }
        Verb::Host(HostVerb::Acknowledge { name, seen, note }) => {
            let note = written(Some(&note))?;
            runtime.block_on(acknowledge(&store, name.to_string(), seen, note))
        }
    }
}

/// Whoever sits at the command line.
fn person() -> Person {
    Person { account: one_line(&door::account(), ACCOUNT_CHARS_MAX), at: door::wall() }
}

/// What a person wrote, with who they are.
fn written(text: Option<&str>) -> Result<Note, NotDone> {
    let Some(text) = text else {
        return Ok(Note { by: person(), text: String::new() });
    };
    let line = one_line(text, NOTE_CHARS_MAX);
    if line.is_empty() || line != text.trim() {
        return Err(NotDone::Note);
    }
    Ok(Note { by: person(), text: line })
}

async fn decide(store: &Sqlite, key: KeyOf, decision: Decision) -> Result<String, NotDone> {
    let (host, fingerprint) = (key.name.to_string(), key.fingerprint);
    let decided = store.decide(host.clone(), fingerprint.clone(), decision, person());
    match decided.await? {
        Decided::Done(state) => Ok(format!("{host} {fingerprint} {}", state.word())),
        Decided::NoSuchKey => Err(NotDone::NoSuchKey { host, fingerprint }),
        Decided::NotPending(state) => Err(NotDone::NotPending(state)),
    }
}

async fn retire(store: &Sqlite, host: String, note: Note) -> Result<String, NotDone> {
    match store.retire(host.clone(), note).await? {
        Gone::Now => Ok(format!("{host} retired")),
        Gone::Already => Err(NotDone::Retired(host)),
        Gone::NoSuchHost => Err(NotDone::NoSuchHost(host)),
    }
}

async fn resume(store: &Sqlite, host: String, from: u64, note: Note) -> Result<String, NotDone> {
    match store.resume(host.clone(), from, note).await? {
        Resumed::From => Ok(format!("{host} continues from {from}")),
        Resumed::Elsewhere(sent) => Err(NotDone::Elsewhere { host, from, sent }),
        Resumed::NoGap => Err(NotDone::NoGap(host)),
        Resumed::NoSuchHost => Err(NotDone::NoSuchHost(host)),
    }
}

async fn acknowledge(
    store: &Sqlite,
    host: String,
    seen: u64,
    note: Note,
) -> Result<String, NotDone> {
    match store.acknowledge(host.clone(), seen, note).await? {
        Looked::After { done, left: 0 } => Ok(format!("{host} acknowledged {done}")),
        Looked::After { done, left } => {
            Ok(format!("{host} acknowledged {done}; {left} came later and are open"))
        }
        Looked::Nothing { open: 0 } => Err(NotDone::NoFault(host)),
        Looked::Nothing { open } => Err(NotDone::NotSeen { host, seen, open }),
        Looked::NoSuchHost => Err(NotDone::NoSuchHost(host)),
    }
}
