//! `GET /assets/…`: style, script and icon, compiled in.
//!
//! **Invariant:** a page names an asset with its digest, so a browser never mixes two versions; what was asked for
//! with another one is not kept.

use std::sync::LazyLock;

use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use bowline_model::digest::Sha256;

use crate::http::answer::{Refusal, respond};
use crate::http::asked::{Part, part};

const STYLE: &str = include_str!("../../../assets/style.css");
const SCRIPT: &str = include_str!("../../../assets/live.js");
const ICON: &str = include_str!("../../../assets/icon.svg");

/// A page of another version names another digest, so what is kept is never wrong.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// What has no digest in its name changes with the service.
const FOR_NOW: HeaderValue = HeaderValue::from_static("no-cache");

static STYLE_TAG: LazyLock<String> = LazyLock::new(|| tag(STYLE));
static SCRIPT_TAG: LazyLock<String> = LazyLock::new(|| tag(SCRIPT));

fn tag(content: &str) -> String {
    Sha256::of(content.as_bytes()).to_string().chars().take(12).collect()
}

/// The style's digest.
pub(super) fn style_tag() -> &'static str {
    &STYLE_TAG
}

/// The script's digest.
pub(super) fn script_tag() -> &'static str {
    &SCRIPT_TAG
}

pub(in crate::http) async fn asset(named: Part<String>, uri: Uri) -> Result<Response, Refusal> {
    let (kind, content, digest) = match part(named)?.as_str() {
        "style.css" => ("text/css; charset=utf-8", STYLE, style_tag()),
        "live.js" => ("text/javascript; charset=utf-8", SCRIPT, script_tag()),
        "icon.svg" => ("image/svg+xml", ICON, ""),
        _ => return Err(Refusal::missing("no such asset", "GET / names those of this version")),
    };
    let is_this = uri
        .query()
        .and_then(|it| it.strip_prefix("v="))
        .is_some_and(|it| !it.is_empty() && it == digest);
    let mut response = respond(StatusCode::OK, kind, content.as_bytes().to_vec());
    response.headers_mut().insert(CACHE_CONTROL, if is_this { KEPT } else { FOR_NOW });
    Ok(response)
}
