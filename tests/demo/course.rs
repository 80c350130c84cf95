//! Follows one revision through the pipeline, as the agent's status tells it.
//!
//! **Invariant:** the pipeline has one order: a phase that was too short to be seen was passed.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bowline_api::outcome::Outcome;
use bowline_api::record::Record;
use tests::patience;

use crate::story::Story;
use crate::world::World;

/// The pipeline up to where it divides.
const PIPELINE: [&str; 7] = ["fetch", "verify", "gate", "plan", "stage", "apply", "probe"];

/// From here on it is about a change, not about a look that finds nothing new.
const FIRST_OF_A_CHANGE: usize = 4;

/// The longest way: a poll, a backoff, 2,000 files on a busy machine, a probe's deadline and soak.
const LIMIT: Duration = Duration::from_mins(1);

/// One revision on its way.
#[derive(Debug)]
pub(crate) struct Course<'s> {
    story: &'s Story,
    began: Instant,
    shown: usize,
}

impl<'s> Course<'s> {
    /// Begins with nothing shown.
    pub(crate) fn begin(story: &'s Story) -> Self {
        Self { story, began: Instant::now(), shown: 0 }
    }

    /// Hears which phase the agent is in.
    pub(crate) fn hear(&mut self, phase: &str) {
        match PIPELINE.iter().position(|it| *it == phase) {
            Some(at) if at >= FIRST_OF_A_CHANGE => self.show(at),
            _ => {}
        }
    }

    fn show(&mut self, up_to: usize) {
        for (at, word) in PIPELINE.iter().enumerate().take(up_to + 1).skip(self.shown) {
            match at {
                0 => self.story.first_word(word),
                _ => self.story.next_word(word),
            }
            self.shown = at + 1;
        }
    }

    /// Ends; `last` is the phase that it reached at least.
    pub(crate) fn end(mut self, last: &str, how: &str) {
        let at = PIPELINE.iter().position(|it| *it == last).unwrap_or_default();
        self.show(at);
        self.story.end_of_course(&format!("{how}, {:.1} s", self.began.elapsed().as_secs_f64()));
    }

    /// Ends with a deployment's record.
    pub(crate) fn end_recorded(mut self, record: &Record) {
        let (last, way) = match record.outcome {
            Outcome::Committed if record.steps.changed == 0 => ("plan", "commit"),
            Outcome::Committed if record.probes.is_empty() => ("apply", "commit"),
            Outcome::Committed => ("probe", "commit"),
            Outcome::Reverted => ("probe", "revert"),
            _ => ("fetch", ""),
        };
        self.show(PIPELINE.iter().position(|it| *it == last).unwrap_or_default());
        if !way.is_empty() {
            self.story.next_word(way);
        }
        self.end(last, record.outcome.word());
    }
}

/// Follows a revision until it is recorded after `since`, and must have ended so.
pub(crate) fn follow(
    world: &mut World,
    story: &Story,
    since: u64,
    revision: &str,
    expected: Outcome,
) -> Result<Record> {
    let mut course = Course::begin(story);
    let record = patience::until("the agent to record how it ended", LIMIT, || {
        world.check()?;
        let status = world.agent.status()?;
        course.hear(&status.phase);
        // Reading the records is dearer than the status; they are complete when the agent rests.
        if status.phase == "rest" || status.phase == "stranded" {
            return world.recorded(since, revision);
        }
        Ok(None)
    })?;
    match record.outcome {
        Outcome::Refused => course.end("verify", record.outcome.word()),
        Outcome::Pending => course.end("gate", record.outcome.word()),
        _ => course.end_recorded(&record),
    }
    if record.outcome != expected {
        let (is, why) = (record.outcome, &record.detail);
        bail!("it had to be {expected}, and was {is}: {}: {why}", record.reason);
    }
    Ok(record)
}
