//! The host's own account of what happened: signed records, each naming the one before.
//!
//! **Invariant:** a record that was given out is durable; nothing that stands in the log is rewritten.
//! **Invariant:** a line that a power cut tore is dropped; anything else that is not as written is an
//! error, and the log is left as it is.

mod line;
mod bookmark;
mod excerpt;
mod outbox;
mod segments;
mod spool;
mod verify;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bowline_api::record::{Kind as RecordKind, Record, VERSION};
use bowline_model::digest::Sha256;
use jiff::Timestamp;
use thiserror::Error;

pub use bookmark::Bookmark;
pub use excerpt::{Entry, around};
pub use outbox::{Most, Outbox, Parcel};
pub use spool::Spool;
pub use verify::verify_chain;

use crate::door::clock;
use crate::failure::{Kind, OsFailure};
use crate::key::HostKey;
use bookmark::Place;
use segments::Segments;

/// Records in which a repeated one is looked for: a crash repeats the last one, not an old one.
const RECENT: usize = 64;

/// The record log.
#[derive(Debug)]
pub struct RecordLog {
    segments: Segments,
    key: Arc<HostKey>,
    recent: VecDeque<Record>,
    last: Option<(u64, Sha256)>,
    bookmark: Option<Bookmark>,
}

/// The record log cannot be read or written.
#[derive(Debug, Error)]
pub enum RecordFailure {
    /// The system refused.
    #[error("keep the records")]
    Os(#[from] OsFailure),
    /// A record has no JSON form.
    #[error("write a record")]
    Json(#[from] serde_json::Error),
    /// It is not as it was written.
    #[error("the record log {}, line {line}: {what}", path.display())]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// The line in it, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
}

impl RecordFailure {
    /// What it means for the agent.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Os(failure) => failure.kind,
            Self::Json(_) | Self::Damaged { .. } => Kind::Broken,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Os(_) => "io",
            Self::Json(_) => "record",
            Self::Damaged { .. } => "records-damaged",
        }
    }
}

impl RecordLog {
    /// Opens the log as it is kept where settings say nothing of it.
    pub fn open(folder: &Path, key: Arc<HostKey>) -> Result<Self, RecordFailure> {
        Self::open_within(folder, key, Arc::default())
    }

    /// Opens the log, drops a torn last line, and finds where it ends. `spool` limits how much is kept.
    pub fn open_within(
        folder: &Path,
        key: Arc<HostKey>,
        spool: Arc<Spool>,
    ) -> Result<Self, RecordFailure> {
        let segments = Segments::open(folder, spool)?;
        segments.demand_signer(key.public())?;
        let lines = segments.newest(RECENT)?;
        let last = lines.first().map(|it| (it.record.seq, it.digest));
        let recent = lines.into_iter().rev().map(|it| it.record).collect();
        Ok(Self { segments, key, recent, last, bookmark: None })
    }

    /// Holds the log against where it ended last, and keeps that from now on. A log that ends before, or holds another
    /// record there, was rewound or forked.
    pub fn marked_by(mut self, bookmark: Bookmark) -> Result<Self, RecordFailure> {
        if let Some(place) = bookmark.place() {
            let found = self.segments.digest(place.seq)?;
            let is_behind = self.last.is_none_or(|(seq, _)| seq < place.seq);
            if is_behind || found.is_some_and(|it| it != place.sha256) {
                let what = format!(
                    "record {} was written, by {}, and {}",
                    place.seq,
                    bookmark.path().display(),
                    if is_behind { "is gone" } else { "another stands in its place" }
                );
                let path = self.segments.newest_path();
                return Err(RecordFailure::Damaged { path, line: 0, what });
            }
        }
        self.bookmark = Some(bookmark);
        Ok(self)
    }

    /// Adds a record and makes it durable. Sequence, predecessor, time, key and version are set here. A
    /// record of the same deployment, kind and outcome is not written twice: the first is given. A test is told
    /// when it begins and when it is over, which is proved.
    pub fn append(&mut self, mut record: Record) -> Result<Record, RecordFailure> {
        if let Some(earlier) = self.recent.iter().rev().find(|it| is_same(it, &record)) {
            return Ok(earlier.clone());
        }
        record.v = VERSION;
        record.seq = self.next_seq();
        record.prev = self.last.map_or_else(|| "0".repeat(64), |(_, digest)| digest.to_string());
        record.host_key = Some(self.key.public_line());
        record.at = Timestamp::from_second(clock::wall()).unwrap_or_default().to_string();
        let line = line::write(&record, &self.key)?;
        self.segments.append(&line)?;
        let place = Place { seq: record.seq, sha256: Sha256::of(&line) };
        self.last = Some((place.seq, place.sha256));
        if let Some(Err(error)) = self.bookmark.as_ref().map(|it| it.keep(place)) {
            tracing::warn!(%error, "where the record log ends is not kept beside the key");
        }
        self.recent.push_back(record.clone());
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        Ok(record)
    }

    /// The sequence of the next record, from 1.
    pub fn next_seq(&self) -> u64 {
        self.last.map_or(1, |(seq, _)| seq + 1)
    }

    /// The newest records, newest first.
    pub fn newest(&self, count: usize) -> Result<Vec<Record>, RecordFailure> {
        Ok(self.segments.newest(count)?.into_iter().map(|it| it.record).collect())
    }

    /// The records of one deployment, newest first.
    pub fn find(&self, deployment: &str) -> Result<Vec<Record>, RecordFailure> {
        self.segments.find(|it| it.deployment == deployment)
    }

    /// The envelopes after a sequence, oldest first, as they are sent on: at most `count`.
    pub fn after(&self, seq: u64, count: usize) -> Result<Vec<String>, RecordFailure> {
        self.segments.after(seq, count)
    }
}

/// The newest records of a log that another thread may be writing, newest first.
pub fn newest(folder: &Path, count: usize) -> Result<Vec<Record>, RecordFailure> {
    Ok(Segments::look(folder)?.newest(count)?.into_iter().map(|it| it.record).collect())
}

/// The records of one deployment in a log that another thread may be writing, newest first.
pub fn find(folder: &Path, deployment: &str) -> Result<Vec<Record>, RecordFailure> {
    Segments::look(folder)?.find(|it| it.deployment == deployment)
}

fn is_same(one: &Record, other: &Record) -> bool {
    let is_of_one = !other.deployment.is_empty() || other.kind == RecordKind::Healthy;
    is_of_one
        && (&one.deployment, one.kind, one.outcome, one.proof.is_some())
            == (&other.deployment, other.kind, other.outcome, other.proof.is_some())
        && (&one.revision, &one.healthy) == (&other.revision, &other.healthy)
}

#[cfg(test)]
mod tests;
