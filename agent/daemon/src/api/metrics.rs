//! `GET /metrics`: figures in Prometheus' text format.
//!
//! **Invariant:** labels are words of this program and two revisions: their number does not grow.

use std::fmt::{Arguments, Display, Write as _};

use bowline_api::outcome::Outcome;
use bowline_api::status::{Control, Status};
use bowline_host::door::clock;
use hyper::StatusCode;
use jiff::Timestamp;

use super::answer::{Answer, text};
use crate::board::Board;
use crate::meters::{Counts, Polled};

/// The media type of the text format.
const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn answer(board: &Board) -> Answer {
    let mut page = Page::default();
    of_process(&mut page, board);
    of_cycles(&mut page, &board.status(), &board.meters().counts());
    let status = board.status();
    of_host(&mut page, &status);
    of_policy(&mut page, &status);
    if let Some(control) = &status.control {
        of_spool(&mut page, control);
    }
    text(StatusCode::OK, MEDIA_TYPE, page.text)
}

fn of_process(page: &mut Page, board: &Board) {
    page.head("build_info", "gauge", "The version of the agent.");
    page.line("build_info", &[("version", &env!("CARGO_PKG_VERSION"))], &1);
    page.one(
        "ready",
        "gauge",
        "Whether what an earlier process left is ended.",
        &u8::from(board.is_ready()),
    );
    let cpu = clock::process_cpu().as_secs_f64();
    page.one("cpu_seconds_total", "counter", "CPU time of the agent itself.", &cpu);
    let paused = board.pause(clock::wall()).is_some();
    page.one("paused", "gauge", "Whether a person paused the agent.", &u8::from(paused));
}

fn of_cycles(page: &mut Page, status: &Status, counts: &Counts) {
    page.head("polls_total", "counter", "Times that the remotes were asked, by what came of it.");
    for polled in Polled::ALL.map(Polled::word) {
        let times = counts.polls.get(polled).copied().unwrap_or_default();
        page.line("polls_total", &[("result", &polled)], &times);
    }
    let help = "Bytes that remotes sent, without the heads of HTTP.";
    page.one("fetched_bytes_total", "counter", help, &counts.fetched_bytes);
    let of = |it: Outcome| counts.cycles.get(it.word()).copied().unwrap_or_default();
    page.head("cycles_total", "counter", "Cycles by how they ended.");
    for outcome in Outcome::ALL {
        page.line("cycles_total", &[("outcome", &outcome)], &of(outcome).0);
    }
    page.head("last_outcome", "gauge", "How the last cycle ended: 1 for that, 0 for the others.");
    let last = status.last.as_ref().map(|it| it.outcome);
    for outcome in Outcome::ALL {
        page.line("last_outcome", &[("outcome", &outcome)], &u8::from(last == Some(outcome)));
    }
    let help = "When a cycle last ended so; 0 for not since the start.";
    page.head("outcome_timestamp_seconds", "gauge", help);
    for outcome in Outcome::ALL {
        page.line("outcome_timestamp_seconds", &[("outcome", &outcome)], &of(outcome).1);
    }
    page.head("phase_seconds_total", "counter", "Time spent in each phase.");
    for (phase, (_, time)) in &counts.phases {
        page.line("phase_seconds_total", &[("phase", phase)], &time.as_secs_f64());
    }
    page.head("phases_total", "counter", "How often each phase was gone through.");
    for (phase, (times, _)) in &counts.phases {
        page.line("phases_total", &[("phase", phase)], times);
    }
}

fn of_host(page: &mut Page, status: &Status) {
    for (name, help, revision) in [
        ("attempted_revision_info", "The revision last tried.", &status.last_attempted_revision),
        ("applied_revision_info", "The revision that stands.", &status.last_applied_revision),
    ] {
        page.head(name, "gauge", help);
        if let Some(revision) = revision {
            page.line(name, &[("revision", revision)], &1);
        }
    }
    let committed = status.committed.as_ref();
    let generation = committed.map_or(0, |it| it.generation);
    page.one("generation", "gauge", "The committed generation; 0 for none.", &generation);
    let since = committed.map_or(0, |it| seconds(&it.since));
    page.one("generation_timestamp_seconds", "gauge", "Since when it stands.", &since);
    let next = status.next_poll.as_deref().map_or(0, seconds);
    page.one("next_poll_timestamp_seconds", "gauge", "When the remote is asked next.", &next);
    let barred = status.quarantine.len();
    page.one("quarantined_changes", "gauge", "Changes that are not tried again.", &barred);
    page.one("warnings", "gauge", "Warnings in the status.", &status.warnings.len());
}

/// The policy in force; without samples until one was judged, so that no alert fires for a time of 0.
fn of_policy(page: &mut Page, status: &Status) {
    let policy = status.policy.as_ref();
    page.head("policy_version", "gauge", "The version of the policy in force.");
    if let Some(policy) = policy {
        page.line("policy_version", &[], &policy.version);
    }
    let help = "When the policy in force expires.";
    page.head("policy_expires_timestamp_seconds", "gauge", help);
    if let Some(policy) = policy {
        page.line("policy_expires_timestamp_seconds", &[], &seconds(&policy.expires));
    }
}

/// The records that are for the control service; nothing where none is named.
fn of_spool(page: &mut Page, control: &Control) {
    let help = "Records that the control service has not acknowledged.";
    page.one("spool_waiting_records", "gauge", help, &control.waiting);
    let help = "About how many bytes those are.";
    page.one("spool_waiting_bytes", "gauge", help, &control.waiting_bytes);
    let help = "How many bytes of records are kept: control.spool.";
    page.one("spool_limit_bytes", "gauge", help, &control.spool_bytes);
    let help = "The newest record that the control service acknowledged.";
    page.one("spool_acked_sequence", "gauge", help, &control.acked);
    let help = "Records that were dropped unacknowledged, since the start.";
    page.one("spool_dropped_records_total", "counter", help, &control.dropped);
}

/// A time of the status, in seconds since 1970.
fn seconds(rfc3339: &str) -> i64 {
    rfc3339.parse::<Timestamp>().map_or(0, Timestamp::as_second)
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.add(format_args!("# HELP bowline_{name} {help}\n# TYPE bowline_{name} {kind}\n"));
    }

    /// A figure without labels.
    fn one(&mut self, name: &str, kind: &str, help: &str, value: &dyn Display) {
        self.head(name, kind, help);
        self.line(name, &[], value);
    }

    fn line(&mut self, name: &str, labels: &[(&str, &dyn Display)], value: &dyn Display) {
        // A branch's name is not this program's: it is the only part that may need escaping.
        let escaped = |it: &dyn Display| it.to_string().replace('\\', "\\\\").replace('"', "\\\"");
        let labels: Vec<_> =
            labels.iter().map(|(key, it)| format!("{key}=\"{}\"", escaped(*it))).collect();
        match labels.as_slice() {
            [] => self.add(format_args!("bowline_{name} {value}\n")),
            _ => self.add(format_args!("bowline_{name}{{{}}} {value}\n", labels.join(","))),
        }
    }

    fn add(&mut self, text: Arguments<'_>) {
        // Writing to a text in memory does not fail.
        self.text.write_fmt(text).unwrap_or_default();
    }
}
