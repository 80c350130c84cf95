//! The part of the description that is about pages, their twins, events, and the login.
//!
//! **Invariant:** what a form leaves empty is described as well as what a program leaves out.
//! **Invariant:** a page leads whoever is no reader yet to the login, and is described so.

use bowline_api::outcome::Outcome;
use bowline_api::page::{Board, Matrix, Sheet, Timeline};
use bowline_api::route;
use schemars::generate::SchemaGenerator;
use serde_json::{Value, json};

use super::{JSON, Read, content, operation, parameter, place, text};
use crate::http::events::MEDIA_TYPE as EVENTS;
use crate::http::pages::MEDIA_TYPE;
use crate::http::table::{ASSET, DEPLOYMENT_PAGE, HOST_PAGE};

/// The path of one host's twin.
const HOST_TWIN: &str = "/hosts/{name}.json";

/// The path of one deployment's twin.
const DEPLOYMENT_TWIN: &str = "/deployments/{host}/{id}.json";

/// Pages, and what they are made of.
pub(super) fn shown() -> [Read; 6] {
    let page = || content(MEDIA_TYPE, text());
    let name = |name: &str| json!({"name": name, "in": "path", "required": true, "schema": text()});
    let file = json!({"name": "file", "in": "path", "required": true,
        "schema": {"type": "string", "enum": ["style.css", "live.js", "icon.svg"]}});
    let asset = json!({"description": "the asset", "content": {
        "text/css": {"schema": text()}, "text/javascript": {"schema": text()},
        "image/svg+xml": {"schema": text()},
    }});
    let news = content(EVENTS, text());
    let parts = [name("host"), name("id"), parameter("key", text()), older()];
    let mut found = [
        (route::BOARD, operation("boardPage", "All hosts, as a page", &board_filters(), page())),
        (route::MATRIX, operation("matrixPage", "Commits and hosts, as a page", &cells(), page())),
        (HOST_PAGE, operation("hostPage", "One host, as a page", &host_parts(), page())),
        (DEPLOYMENT_PAGE, operation("deploymentPage", "One deployment, as a page", &parts, page())),
        (ASSET, operation("asset", "Style, script and icon of pages", &[file], asset)),
        (
            route::FLEET_EVENTS,
            operation("events", "What is heard from hosts, as server-sent events", &[], news),
        ),
    ];
    let pages = found.iter_mut().filter(|(it, _)| ![ASSET, route::FLEET_EVENTS].contains(it));
    for answers in pages.filter_map(|(_, it)| it.get_mut("responses")?.as_object_mut()) {
        let led = json!({"description": "to /login, for who is no reader yet"});
        answers.insert("303".to_owned(), led);
    }
    found
}

/// What pages hold, as JSON.
pub(super) fn twins(schemas: &mut SchemaGenerator) -> [Read; 4] {
    let board = content(JSON, schemas.subschema_for::<Board>());
    let matrix = content(JSON, schemas.subschema_for::<Matrix>());
    let sheet = content(JSON, schemas.subschema_for::<Sheet>());
    let timeline = content(JSON, schemas.subschema_for::<Timeline>());
    let name = |name: &str| json!({"name": name, "in": "path", "required": true, "schema": text()});
    let parts = [name("host"), name("id"), parameter("key", text()), older()];
    [
        (route::BOARD_TWIN, operation("board", "All hosts", &board_filters(), board)),
        (route::MATRIX_TWIN, operation("matrix", "Commits and hosts", &cells(), matrix)),
        (HOST_TWIN, operation("sheet", "One host and its deployments", &host_parts(), sheet)),
        (
            DEPLOYMENT_TWIN,
            operation("timeline", "One deployment, record by record", &parts, timeline),
        ),
    ]
}

/// Where a deployment's older records begin.
fn older() -> Value {
    parameter("after", or_empty(place()))
}

fn board_filters() -> [Value; 8] {
    let choice = |words: &[&str]| or_empty(json!({"type": "string", "enum": words}));
    let outcomes: Vec<&str> = Outcome::ALL.map(Outcome::word).to_vec();
    [
        parameter("name", text()),
        parameter("outcome", choice(&outcomes)),
        parameter("environment", text()),
        parameter("health", choice(&["well", "unwell"])),
        parameter("alarms", choice(&["open"])),
        parameter("retired", choice(&["shown"])),
        parameter("after", text()),
        parameter("limit", or_empty(rows())),
    ]
}

/// Rows of a page.
fn rows() -> Value {
    json!({"type": "integer", "minimum": 1, "maximum": 500})
}

/// A form sends what was left empty as well.
fn or_empty(schema: impl Into<Value>) -> Value {
    let schema: Value = schema.into();
    json!({"anyOf": [schema, {"type": "string", "enum": [""]}]})
}

fn cells() -> [Value; 3] {
    let before = parameter("before", or_empty(place()));
    [parameter("after", text()), before, parameter("limit", or_empty(rows()))]
}

fn host_parts() -> [Value; 3] {
    let name = json!({"name": "name", "in": "path", "required": true, "schema": text()});
    let after = parameter("after", or_empty(place()));
    [name, after, parameter("limit", or_empty(rows()))]
}

pub(super) fn login() -> Value {
    let fields = json!({"type": "object", "properties": {"token": text(), "next": text()}});
    let page = content(MEDIA_TYPE, text());
    let next = [parameter("next", text())];
    json!({
        "get": operation("loginPage", "Asks a person for a reader's token", &next, page.clone()),
        "post": {
            "operationId": "login",
            "summary": "Gives a session for a reader's token",
            "requestBody": {
                "required": true,
                "content": {"application/x-www-form-urlencoded": {"schema": fields}},
            },
            "responses": {
                "303": {"description": "a cookie, and where to go on"},
                "400": page.clone(), "403": page.clone(), "429": page,
            },
        },
    })
}

pub(super) fn logout() -> Value {
    json!({
        "operationId": "logout",
        "summary": "Ends a session",
        "responses": {"303": {"description": "no session any more"}},
    })
}
