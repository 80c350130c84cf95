//! The table of paths: what is answered, and who may ask.
//!
//! **Invariant:** what stands here is what stands in the `OpenAPI` document; a test compares them.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};
use bowline_api::route;

use super::Service;
use super::answer::Refusal;
use super::{enrol, gate, metrics, openapi, read, records};

/// The path of one host.
pub(super) const HOST: &str = "/api/v1/hosts/{name}";

type Route = (&'static str, MethodRouter<Arc<Service>>);

/// Whoever can connect may ask; agents prove themselves by their signatures.
fn open() -> [Route; 4] {
    [
        (route::HEALTHZ, get(read::healthz)),
        (route::OPENAPI, get(openapi::openapi)),
        (route::ENROL, post(enrol::enrol)),
        (route::RECORDS, post(records::records)),
    ]
}

/// Readers may ask.
fn guarded() -> [Route; 6] {
    [
        (route::METRICS, get(metrics::metrics)),
        (route::FLEET_HOSTS, get(read::hosts)),
        (HOST, get(read::host)),
        (route::FLEET_DEPLOYMENTS, get(read::deployments)),
        (route::FLEET_COMMITS, get(read::commits)),
        (route::FLEET_WHERE, get(read::whereabouts)),
    ]
}

/// Everything that is answered.
pub fn router(service: Arc<Service>) -> Router {
    let add = |router: Router<Arc<Service>>, (path, methods): Route| router.route(path, methods);
    let guarded = guarded()
        .into_iter()
        .fold(Router::new(), add)
        .route_layer(from_fn_with_state(Arc::clone(&service), gate::readers));
    open()
        .into_iter()
        .fold(Router::new(), add)
        .merge(guarded)
        .method_not_allowed_fallback(wrong_method)
        .fallback(nowhere)
        .layer(from_fn_with_state(Arc::clone(&service), gate::counted))
        .layer(axum::middleware::from_fn(bounded))
        .with_state(service)
}

/// Longest path with its query: a host's name and a cursor, many times over.
const TARGET_BYTES_MAX: usize = 4096;

async fn bounded(request: Request, next: Next) -> Response {
    let target = request.uri().path_and_query().map_or(0, |it| it.as_str().len());
    if target > TARGET_BYTES_MAX {
        let detail = "a path and its query have at most 4096 bytes";
        return Refusal::new(StatusCode::URI_TOO_LONG, "the path is too long", detail)
            .into_response();
    }
    next.run(request).await
}

async fn wrong_method() -> Refusal {
    let detail = "GET reads; POST is for /agent/v1/enrol and /agent/v1/records";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "a wrong method", detail)
}

async fn nowhere() -> Refusal {
    Refusal::missing("no such path", "GET /openapi.json lists every path of this version")
}
