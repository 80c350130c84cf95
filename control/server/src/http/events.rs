//! `GET /api/v1/events`: what is heard from hosts, as server-sent events.
//!
//! **Invariant:** an event only says that something is new; whoever wants to know what, reads it.
//! **Invariant:** a client that takes nothing for a while loses its place.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use bowline_api::page::Heard;
use hyper::body::{self, Bytes, Frame};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use super::Service;
use super::answer::Refusal;

/// The media type of server-sent events.
pub(super) const MEDIA_TYPE: &str = "text/event-stream";

/// How often something is sent when nothing is new: proxies end what is silent for a minute.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a client may take nothing while something waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Events between here and the connection: what comes meanwhile waits at the bell.
const IN_HAND: usize = 4;

/// What is said first: how long a client waits before it comes again.
const HELLO: &str = "retry: 3000\n: here\n\n";

pub(super) async fn events(State(service): State<Arc<Service>>) -> Result<Response, Refusal> {
    let (heard, place) = service.bell.listen().ok_or_else(|| {
        let detail =
            "as many listen as [limits] listeners allows: read the lists now and then instead";
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "no place to listen is left", detail)
    })?;
    let (sender, lines) = mpsc::channel(IN_HAND);
    tokio::spawn(pass_on(heard, sender));
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, Body::new(Feed { lines, _place: place })).into_response())
}

/// Passes on what is heard, until the client is gone or too slow, or the service ends.
async fn pass_on(mut heard: Receiver<Heard>, sender: mpsc::Sender<Bytes>) {
    let send = async |text: String| {
        matches!(timeout(PATIENCE, sender.send(Bytes::from(text))).await, Ok(Ok(())))
    };
    let mut goes_on = send(HELLO.to_owned()).await;
    while goes_on {
        goes_on = match timeout(HEARTBEAT, heard.recv()).await {
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
}

/// What a client is sent, for as long as it has its place.
struct Feed {
    lines: mpsc::Receiver<Bytes>,
    _place: OwnedSemaphorePermit,
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

    #[tokio::test]
    async fn a_listener_that_is_far_behind_is_told_so_and_let_go() {
        let bell = Bell::new(1);
        let (heard, _place) = bell.listen().unwrap();
        assert!(bell.listen().is_none(), "there is one place");
        for seq in 0..1000 {
            bell.ring(Heard { host: "web-1".to_owned(), seq, outcome: None });
        }
        let (sender, mut lines) = mpsc::channel(IN_HAND);
        tokio::spawn(pass_on(heard, sender));
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
        let (heard, place) = bell.listen().unwrap();
        let (sender, lines) = mpsc::channel(IN_HAND);
        drop((lines, place));
        pass_on(heard, sender).await;
        assert!(bell.listen().is_some(), "its place is free");
        bell.close();
        assert!(bell.listen().is_none(), "the service ends");
    }
}
