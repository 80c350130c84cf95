//! Reads a request's body, within its limits.
//!
//! **Invariant:** no more than the limit is ever held.

use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use super::Service;
use super::answer::Refusal;

/// Largest body: one record of the largest size, or some hundred usual ones.
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;

/// How much of a body that is too large is read and thrown away, so that its sender hears why: a
/// connection that is closed on unread bytes loses the answer.
const DRAIN_BYTES_MAX: usize = 8 << 20;

pub(super) async fn read(service: &Service, body: Body) -> Result<Vec<u8>, Refusal> {
    let late = |_elapsed| {
        let detail = "send the whole body at once, or fewer records";
        Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body came too slowly", detail)
    };
    timeout(service.limits.body_time, collect(body)).await.map_err(late)?
}

async fn collect(mut body: Body) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_torn| Refusal::bad("a torn body", "send it again, whole"))?;
        let Ok(data) = frame.into_data() else { continue };
        length = length.saturating_add(data.len());
        if length <= BODY_BYTES_MAX {
            bytes.extend_from_slice(&data);
        } else {
            bytes = Vec::new();
        }
        if length > DRAIN_BYTES_MAX {
            break;
        }
    }
    if length > BODY_BYTES_MAX {
        let detail = format!("a body has at most {BODY_BYTES_MAX} bytes: send fewer records");
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large", detail));
    }
    Ok(bytes)
}
