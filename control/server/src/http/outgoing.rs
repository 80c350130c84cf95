//! Answers on their way to clients, weighed as long as they are held.
//!
//! **Invariant:** however many clients ask for much and take nothing, what is held for all of them is limited.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body_util::{BodyExt as _, Collected};
use hyper::body::{Body as _, Bytes};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Service;
use super::answer::Refusal;

/// Answers up to this size are not weighed: with every connection's own buffers they are no more.
const SMALL_BYTES: u64 = 64 << 10;

/// All others together, in KiB: a part of the unit's `MemoryMax=`, and some of the largest pages.
const HELD_KIB_MAX: usize = 64 << 10;

/// The scales.
#[derive(Debug)]
pub(super) struct Scales(Arc<Semaphore>);

impl Default for Scales {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(HELD_KIB_MAX)))
    }
}

/// Bytes that weigh until the last of them was sent.
struct Held {
    bytes: Bytes,
    _weight: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Lets an answer go when there is room for it.
pub(super) async fn weighed(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    // What has no length, a feed of events, is held piece by piece.
    let length = response.body().size_hint().exact();
    let Some(length) = length.filter(|it| *it > SMALL_BYTES) else {
        return response;
    };
    let kib = u32::try_from(length >> 10).unwrap_or(u32::MAX);
    let Ok(weight) = Arc::clone(&service.scales.0).try_acquire_many_owned(kib) else {
        let detail = "too many large answers are on their way: ask again in a moment";
        return Refusal::busy(detail).into_response();
    };
    let (head, body) = response.into_parts();
    // What has a length lies in memory already: nothing is waited for, and nothing fails.
    let bytes = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    Response::from_parts(head, Body::from(Bytes::from_owner(Held { bytes, _weight: weight })))
}
