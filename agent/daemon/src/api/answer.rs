//! The forms of answers: JSON, text, a problem, or events without an end.
//!
//! **Invariant:** every error is a problem that says what happened and what to do.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bowline_api::problem::{MEDIA_TYPE, Problem};
use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::stream::Stream;

/// What is sent back.
#[derive(Debug)]
pub(super) enum Content {
    /// All of it is here.
    Whole(Full<Bytes>),
    /// Events, as they come.
    Events(Box<Stream>),
}

/// An answer.
pub(super) type Answer = Response<Content>;

impl Content {
    /// Whether more may come for as long as somebody listens.
    pub(super) fn is_endless(&self) -> bool {
        matches!(self, Self::Events(_))
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(whole) => Pin::new(whole).poll_frame(context),
            Self::Events(events) => events.next(context).map(|it| it.map(|it| Ok(Frame::data(it)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::Events(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Events(_) => SizeHint::default(),
        }
    }
}

/// Words for people and probes.
pub(super) fn text(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    respond(status, kind, Content::Whole(Full::new(body.into())))
}

/// A value.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(body) => text(status, "application/json", body),
        Err(error) => {
            problem(StatusCode::INTERNAL_SERVER_ERROR, "no JSON form", &error.to_string())
        }
    }
}

/// Events.
pub(super) fn events(stream: Stream) -> Answer {
    let content = Content::Events(Box::new(stream));
    let mut answer = respond(StatusCode::OK, "text/event-stream", content);
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// An error.
pub(super) fn problem(status: StatusCode, title: &str, detail: &str) -> Answer {
    let problem =
        Problem { title: title.to_owned(), status: status.as_u16(), detail: detail.to_owned() };
    text(status, MEDIA_TYPE, serde_json::to_vec(&problem).unwrap_or_default())
}

fn respond(status: StatusCode, kind: &'static str, content: Content) -> Answer {
    let mut answer = Response::new(content);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}
