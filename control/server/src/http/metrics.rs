//! `GET /metrics`: figures in Prometheus' text format.
//!
//! **Invariant:** no label's values grow with the fleet.

use std::fmt::{Display, Write as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::Service;
use super::answer::{Refusal, respond};

/// The media type of the text format.
const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn metrics(State(service): State<Arc<Service>>) -> Result<Response, Refusal> {
    let census = service.census().await?;
    let mut page = Page::default();
    page.head("build_info", "gauge", "The version of this program.");
    page.line("build_info", &[("version", &env!("CARGO_PKG_VERSION"))], 1);
    page.head("hosts", "gauge", "Hosts that are known.");
    page.line("hosts", &[], census.hosts);
    page.head("hosts_by_outcome", "gauge", "Hosts by how their newest record ended.");
    for (outcome, number) in &census.outcomes {
        page.line("hosts_by_outcome", &[("outcome", outcome)], *number);
    }
    page.head("keys", "gauge", "Keys of hosts by how they stand.");
    for (state, number) in &census.keys {
        page.line("keys", &[("state", &state.word())], *number);
    }
    page.head("chain_alarms", "gauge", "Places at which a host's records do not go on.");
    for (kind, number) in &census.alarms {
        page.line("chain_alarms", &[("kind", &kind.word())], *number);
    }
    let meters = &service.meters;
    for (name, help, meter) in [
        ("records_sent_total", "Records that hosts sent, known ones included.", &meters.sent),
        ("records_taken_total", "Records that were new and are durable.", &meters.taken),
        ("batches_broken_total", "Batches with a gap or a fork.", &meters.broken),
        ("messages_refused_total", "Messages of wrong form or signature.", &meters.refused),
    ] {
        page.head(name, "counter", help);
        page.line(name, &[], meter.load(Ordering::Relaxed));
    }
    if service.certificates.is_some() {
        page.head("tls_handshakes_total", "counter", "TLS handshakes by how they ended.");
        for (result, number) in service.handshakes.counts() {
            page.line("tls_handshakes_total", &[("result", &result)], number);
        }
    }
    page.head("http_requests_total", "counter", "Requests by route and status.");
    for ((route, status), number) in meters.requests() {
        page.line("http_requests_total", &[("route", &route), ("status", &status)], number);
    }
    Ok(respond(StatusCode::OK, MEDIA_TYPE, page.text.into_bytes()))
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.add(format_args!(
            "# HELP bowline_control_{name} {help}\n# TYPE bowline_control_{name} {kind}\n"
        ));
    }

    /// Label values are words, routes and numbers of this program: none needs escaping.
    fn line(&mut self, name: &str, labels: &[(&str, &dyn Display)], value: u64) {
        let labels: Vec<_> = labels.iter().map(|(key, it)| format!("{key}=\"{it}\"")).collect();
        match labels.as_slice() {
            [] => self.add(format_args!("bowline_control_{name} {value}\n")),
            _ => self.add(format_args!("bowline_control_{name}{{{}}} {value}\n", labels.join(","))),
        }
    }

    fn add(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a text in memory does not fail.
        self.text.write_fmt(text).unwrap_or_default();
    }
}
