//! When something was said, by its own signed word, and whether that is too long ago.
//!
//! **Invariant:** where an age is limited, a statement without a time is too old.

use bowline_model::duration::Span;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::reading::{Reading, Standing, quote};
use super::subject::Matter;
use crate::authority::SKEW_SECONDS;

/// The annotation that carries the time where the predicate has no field for it.
const CREATED: &str = "timeCreated";

/// The time in a field; none where there is no such field.
pub(super) fn read_field(predicate: &Value, pointer: &str) -> Result<Option<Timestamp>, Reading> {
    predicate.pointer(pointer).map(read).transpose()
}

/// The time with which the subjects are annotated; where they differ, the oldest.
pub(super) fn read_annotation(matter: &Matter<'_>) -> Result<Option<Timestamp>, Reading> {
    let mut oldest = None;
    for value in matter.annotations(CREATED) {
        oldest = oldest.into_iter().chain([read(value)?]).min();
    }
    Ok(oldest)
}

fn read(value: &Value) -> Result<Timestamp, Reading> {
    let text = value.as_str().unwrap_or_default();
    let time = text.parse();
    time.map_err(|_not_a_time| Reading::malformed(format!("{} is no time", quote(text))))
}

/// What a reading is worth at its age.
pub(super) fn weigh(reading: Reading, max_age: Option<Span>, now: Timestamp) -> Reading {
    let ahead = reading.at.filter(|at| is_ahead(*at, now));
    if let Some(at) = ahead.filter(|_| reading.standing.speaks()) {
        return reading.but(Standing::FutureDated, format!("it is dated {at}, and it is {now}"));
    }
    match max_age.and_then(|limit| too_old(reading.at, limit, now)) {
        Some(why) if reading.standing == Standing::Met => {
            reading.but(Standing::Stale, format!("the statement {why}"))
        }
        _ => reading,
    }
}

/// Why something is too old, if it is.
pub(super) fn too_old(at: Option<Timestamp>, limit: Span, now: Timestamp) -> Option<String> {
    let Some(at) = at else {
        return Some(format!("does not say when, and may be {limit} old at most"));
    };
    // A span is ten years at most, which always fits.
    let limit_as_duration = SignedDuration::try_from(limit.as_duration()).unwrap_or_default();
    let is_old = now.duration_since(at) > limit_as_duration;
    is_old.then(|| format!("is of {at}, more than {limit} ago"))
}

/// Whether a time lies further ahead than clocks differ.
pub(super) fn is_ahead(at: Timestamp, now: Timestamp) -> bool {
    at.duration_since(now) > SignedDuration::from_secs(SKEW_SECONDS)
}
