//! The table of paths: what is answered, and who may ask.
//!
//! **Invariant:** what stands here is what stands in the `OpenAPI` document; a test compares them.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};
use bowline_api::route;

use super::Service;
use super::answer::Refusal;
use super::pages::{assets, board, deployment, host, login, matrix};
use super::{enrol, events, faults, gate, metrics, openapi, outgoing, read, records};

/// The path of one host.
pub(super) const HOST: &str = "/api/v1/hosts/{name}";

/// The path of one host's gaps and forks.
pub(super) const FAULTS: &str = "/api/v1/hosts/{name}/faults";

/// The path of one record that was told otherwise.
pub(super) const FAULT: &str = "/api/v1/hosts/{name}/faults/{id}";

/// The path of one host's page, and of its twin.
pub(super) const HOST_PAGE: &str = "/hosts/{name}";

/// The path of one deployment's page, and of its twin.
pub(super) const DEPLOYMENT_PAGE: &str = "/deployments/{host}/{id}";

/// The path of the pages' style, script and icon.
pub(super) const ASSET: &str = "/assets/{file}";

type Route = (&'static str, MethodRouter<Arc<Service>>);

/// Hosts may ask: they prove themselves by their signatures, and by certificates where those are wanted.
fn agents() -> [Route; 2] {
    [(route::ENROL, post(enrol::enrol)), (route::RECORDS, post(records::records))]
}

/// Whoever can connect may ask.
fn open() -> [Route; 5] {
    [
        (route::HEALTHZ, get(read::healthz)),
        (route::OPENAPI, get(openapi::openapi)),
        (route::LOGIN, get(login::form).post(login::enter)),
        (route::LOGOUT, post(login::leave)),
        (ASSET, get(assets::asset)),
    ]
}

/// Readers may ask.
fn guarded() -> [Route; 10] {
    [
        (route::METRICS, get(metrics::metrics)),
        (route::FLEET_HOSTS, get(read::hosts)),
        (HOST, get(read::host)),
        (FAULTS, get(faults::faults)),
        (FAULT, get(faults::fault)),
        (route::FLEET_DEPLOYMENTS, get(read::deployments)),
        (route::FLEET_COMMITS, get(read::commits)),
        (route::FLEET_WHERE, get(read::whereabouts)),
        (route::FLEET_ENVELOPE, get(read::envelope)),
        (route::FLEET_EVENTS, get(events::events)),
    ]
}

/// Readers may ask; people who are none yet are led to the login.
fn pages() -> [Route; 6] {
    [
        (route::BOARD, get(board::page)),
        (route::BOARD_TWIN, get(board::twin)),
        (route::MATRIX, get(matrix::page)),
        (route::MATRIX_TWIN, get(matrix::twin)),
        (HOST_PAGE, get(host::page)),
        (DEPLOYMENT_PAGE, get(deployment::page)),
    ]
}

/// Everything that is answered.
pub fn router(service: Arc<Service>) -> Router {
    let add = |router: Router<Arc<Service>>, (path, methods): Route| router.route(path, methods);
    let guarded = guarded()
        .into_iter()
        .fold(Router::new(), add)
        .route_layer(from_fn_with_state(Arc::clone(&service), gate::readers));
    let pages = pages()
        .into_iter()
        .fold(Router::new(), add)
        .route_layer(from_fn_with_state(Arc::clone(&service), gate::people));
    let agents = agents()
        .into_iter()
        .fold(Router::new(), add)
        .route_layer(from_fn_with_state(Arc::clone(&service), gate::hosts));
    open()
        .into_iter()
        .fold(Router::new(), add)
        .merge(agents)
        .merge(guarded)
        .merge(pages)
        .method_not_allowed_fallback(wrong_method)
        .fallback(nowhere)
        .layer(from_fn_with_state(Arc::clone(&service), outgoing::weighed))
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
    // Who is asked under two names could be let in by one, and lead elsewhere by the other.
    if request.headers().get_all(header::HOST).iter().nth(1).is_some() {
        let detail = "a request names one host: send one Host line";
        return Refusal::bad("two hosts", detail).into_response();
    }
    next.run(request).await
}

async fn wrong_method() -> Refusal {
    let detail = "GET reads; /openapi.json says what else a path takes";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "a wrong method", detail)
}

async fn nowhere() -> Refusal {
    Refusal::missing("no such path", "GET /openapi.json lists every path of this version")
}
