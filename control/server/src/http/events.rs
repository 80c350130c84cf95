//! `GET /api/v1/events`: what is heard from hosts, as server-sent events.
//!
//! **Invariant:** an event only says that something is new; whoever wants to know what, reads it.
//! **Invariant:** a client that takes nothing for a while loses its place, whatever its connection still holds.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bowline_api::page::Heard;
use hyper::body::{self, Bytes, Frame};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::answer::Refusal;
use super::bell::Place;
use super::{Service, gate};

/// The media type of server-sent events.
pub(super) const MEDIA_TYPE: &str = "text/event-stream";

/// How often something is sent when nothing is new: proxies end what is silent for a minute.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Events between here and the connection: what comes meanwhile waits at the bell.
const IN_HAND: usize = 4;

/// What is said first: how long a client waits before it comes again.
const HELLO: &str = "retry: 3000\n: here\n\n";

pub(super) async fn events(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let listening = service.bell.listen(gate::reader(&service, &headers));
    let (heard, place) = listening.ok_or_else(|| {
        let detail = "as many listen as [limits] listeners allows, or 16 with this token or session: \
                      read the lists now and then instead";
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "no place to listen is left", detail)
    })?;
    let (sender, lines) = mpsc::channel(IN_HAND);
    tokio::spawn(pass_on(heard, sender, place, service.limits.write_time));
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, Body::new(Feed { lines })).into_response())
}

/// Passes on what is heard, until the client is gone or too slow, or the service ends.
async fn pass_on(
    mut heard: Receiver<Heard>,
    sender: mpsc::Sender<Bytes>,
    place: Place,
    patience: Duration,
) {
    let send = async |text: String| {
        matches!(timeout(patience, sender.send(Bytes::from(text))).await, Ok(Ok(())))
    };
    let mut goes_on = send(HELLO.to_owned()).await;
    while goes_on {
        let next = tokio::select! {
            next = timeout(HEARTBEAT, heard.recv()) => next,
            () = sender.closed() => break,
        };
        goes_on = match next {
            Err(_silence) => send(": beat\n\n".to_owned()).await,
            Ok(Ok(news)) => {
                let news = serde_json::to_string(&news).unwrap_or_default();
                send(format!("event: heard\ndata: {news}\n\n")).await
            }
            Ok(Err(RecvError::Lagged(_))) => {
                // It comes again by itself, and reads everything anew.
                send("event: missed\ndata: {}\n\n".to_owned()).await;
                false
            }
            Ok(Err(RecvError::Closed)) => false,
        };
    }
    // The feed may lie in the connection's buffers for long: its place is free now.
    drop(place);
}

/// What a client is sent.
struct Feed {
    lines: mpsc::Receiver<Bytes>,
}

impl body::Body for Feed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.lines.poll_recv(context).map(|it| it.map(|line| Ok(Frame::data(line))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::bell::Bell;
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(200);

    fn ring(bell: &Bell, number: u64) {
        for seq in 0..number {
            bell.ring(Heard { host: "web-1".to_owned(), seq, outcome: None });
        }
    }

    #[tokio::test]
    async fn a_listener_that_is_far_behind_is_told_so_and_let_go() {
        let bell = Bell::new(1);
        let (heard, place) = bell.listen(None).unwrap();
        assert!(bell.listen(None).is_none(), "there is one place");
        ring(&bell, 1000);
        let (sender, mut lines) = mpsc::channel(IN_HAND);
        tokio::spawn(pass_on(heard, sender, place, PATIENCE));
        let mut said = String::new();
        while let Some(line) = lines.recv().await {
            said += &String::from_utf8_lossy(&line);
        }
        assert!(said.starts_with(HELLO) && said.ends_with("event: missed\ndata: {}\n\n"), "{said}");
        assert!(!said.contains("heard"), "{said}");
    }

    #[tokio::test]
    async fn nobody_waits_for_a_client_that_is_gone() {
        let bell = Bell::new(1);
        let (heard, place) = bell.listen(None).unwrap();
        let (sender, lines) = mpsc::channel(IN_HAND);
        drop(lines);
        pass_on(heard, sender, place, PATIENCE).await;
        assert!(bell.listen(None).is_some(), "its place is free");
        bell.close();
        assert!(bell.listen(None).is_none(), "the service ends");
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_loses_its_place() {
        let bell = Bell::new(1);
        let (heard, place) = bell.listen(None).unwrap();
        let (sender, lines) = mpsc::channel(IN_HAND);
        ring(&bell, 20);
        pass_on(heard, sender, place, PATIENCE).await;
        assert!(bell.listen(None).is_some(), "its place is free, and the feed still there");
        drop(lines);
    }
}
