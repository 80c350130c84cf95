//! `GET /assets/…`: style, script and icon, compiled in.
//!
//! **Invariant:** a page names an asset with its digest, so a browser never mixes two versions.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use bowline_model::digest::Sha256;

use crate::http::answer::{Refusal, respond};

const STYLE: &str = include_str!("../../../assets/style.css");
const SCRIPT: &str = include_str!("../../../assets/live.js");
const ICON: &str = include_str!("../../../assets/icon.svg");

/// A page of another version names another digest, so what is kept is never wrong.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

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

pub(in crate::http) async fn asset(Path(name): Path<String>) -> Response {
    let (kind, content) = match name.as_str() {
        "style.css" => ("text/css; charset=utf-8", STYLE),
        "live.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => {
            return Refusal::missing("no such asset", "GET / names those of this version")
                .into_response();
        }
    };
    let mut response = respond(StatusCode::OK, kind, content.as_bytes().to_vec());
    response.headers_mut().insert(CACHE_CONTROL, KEPT);
    response
}
