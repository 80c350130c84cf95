//! `GET /openapi.json`: the service's own description, `OpenAPI` 3.1.
//!
//! **Invariant:** schemas are made from the types that are sent.

use axum::http::StatusCode;
use axum::response::Response;
use bowline_api::enrolment::Answer;
use bowline_api::fleet::{Commit, Deployment, Host, HostDetail, Page, Where};
use bowline_api::intake::{self, Acked, Broken, NotTaken};
use bowline_api::outcome::Outcome;
use bowline_api::page::{Board, Matrix, Sheet, Timeline};
use bowline_api::problem::{self, Problem};
use bowline_api::route;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::answer;
use super::table::{ASSET, DEPLOYMENT_PAGE, HOST, HOST_PAGE};
use super::{events, pages};

/// The path of one host's twin.
const HOST_TWIN: &str = "/hosts/{name}.json";

/// The path of one deployment's twin.
const DEPLOYMENT_TWIN: &str = "/deployments/{host}/{id}.json";

/// The media type of answers, and of an enrolment's body: a DSSE envelope.
const JSON: &str = "application/json";

pub(super) async fn openapi() -> Response {
    answer::json(StatusCode::OK, &document())
}

/// The whole document.
fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|it| {
        it.definitions_path = "/components/schemas".into();
    });
    let mut schemas = settings.into_generator();
    let paths = paths(&mut schemas);
    let components = schemas.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "bowline-control",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What hosts said in signed records. It authorises nothing.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"reader": []}, {}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"reader": {
                "type": "http", "scheme": "bearer",
                "description": "a token named in [read] tokenSha256; needed when one is named",
            }},
        },
    })
}

fn paths(schemas: &mut SchemaGenerator) -> Map<String, Value> {
    let mut paths = Map::new();
    let operations = system().into_iter().chain(fleet(schemas)).chain([commit(schemas)]);
    let operations = operations.chain(shown()).chain(twins(schemas));
    for (path, operation) in operations {
        paths.insert(path.to_owned(), json!({"get": operation}));
    }
    paths.insert(route::ENROL.to_owned(), json!({"post": enrol(schemas)}));
    paths.insert(route::RECORDS.to_owned(), json!({"post": records(schemas)}));
    paths.insert(route::LOGIN.to_owned(), login());
    paths.insert(route::LOGOUT.to_owned(), json!({"post": logout()}));
    with_problems(&mut paths, schemas);
    paths
}

/// A path, and what reading it gives.
type Read = (&'static str, Value);

fn system() -> [Read; 3] {
    let this = content(JSON, json!({"type": "object"}));
    let figures = "Figures in Prometheus' text format";
    [
        (route::HEALTHZ, operation("healthz", "Whether it runs", &[], plain("ok"))),
        (route::OPENAPI, operation("openapi", "This document", &[], this)),
        (route::METRICS, operation("metrics", figures, &[], plain("the figures"))),
    ]
}

fn fleet(schemas: &mut SchemaGenerator) -> [Read; 4] {
    let hosts = content(JSON, schemas.subschema_for::<Page<Host>>());
    let host = content(JSON, schemas.subschema_for::<HostDetail>());
    let deployments = content(JSON, schemas.subschema_for::<Page<Deployment>>());
    let commits = content(JSON, schemas.subschema_for::<Page<Commit>>());
    let name = json!({"name": "name", "in": "path", "required": true, "schema": text()});
    let ended = parameter("outcome", schemas.subschema_for::<Outcome>());
    let filters = [parameter("host", text()), ended, limit(1000), number_after()];
    let part = [limit(1000), parameter("after", text())];
    let newest = [limit(100), number_after()];
    [
        (route::FLEET_HOSTS, operation("hosts", "Hosts, by name", &part, hosts)),
        (HOST, operation("host", "One host, its keys and faults", &[name], host)),
        (
            route::FLEET_DEPLOYMENTS,
            operation("deployments", "Deployments, newest first", &filters, deployments),
        ),
        (route::FLEET_COMMITS, operation("commits", "Commits, newest first", &newest, commits)),
    ]
}

/// Pages, and what they are made of.
fn shown() -> [Read; 6] {
    let page = || content(pages::MEDIA_TYPE, text());
    let name = |name: &str| json!({"name": name, "in": "path", "required": true, "schema": text()});
    let file = json!({"name": "file", "in": "path", "required": true,
        "schema": {"type": "string", "enum": ["style.css", "live.js", "icon.svg"]}});
    let asset = json!({"description": "the asset", "content": {
        "text/css": {"schema": text()}, "text/javascript": {"schema": text()},
        "image/svg+xml": {"schema": text()},
    }});
    let news = content(events::MEDIA_TYPE, text());
    let [host, id] = [name("host"), name("id")];
    [
        (route::BOARD, operation("boardPage", "All hosts, as a page", &board_filters(), page())),
        (route::MATRIX, operation("matrixPage", "Commits and hosts, as a page", &cells(), page())),
        (HOST_PAGE, operation("hostPage", "One host, as a page", &host_parts(), page())),
        (
            DEPLOYMENT_PAGE,
            operation("deploymentPage", "One deployment, as a page", &[host, id], page()),
        ),
        (ASSET, operation("asset", "Style, script and icon of pages", &[file], asset)),
        (
            route::FLEET_EVENTS,
            operation("events", "What is heard from hosts, as server-sent events", &[], news),
        ),
    ]
}

/// What pages hold, as JSON.
fn twins(schemas: &mut SchemaGenerator) -> [Read; 4] {
    let board = content(JSON, schemas.subschema_for::<Board>());
    let matrix = content(JSON, schemas.subschema_for::<Matrix>());
    let sheet = content(JSON, schemas.subschema_for::<Sheet>());
    let timeline = content(JSON, schemas.subschema_for::<Timeline>());
    let name = |name: &str| json!({"name": name, "in": "path", "required": true, "schema": text()});
    let parts = [name("host"), name("id")];
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

fn board_filters() -> [Value; 7] {
    let choice = |words: &[&str]| or_empty(json!({"type": "string", "enum": words}));
    let outcomes: Vec<&str> = Outcome::ALL.map(Outcome::word).to_vec();
    [
        parameter("name", text()),
        parameter("outcome", choice(&outcomes)),
        parameter("environment", text()),
        parameter("health", choice(&["well", "unwell"])),
        parameter("alarms", choice(&["open"])),
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

/// A place in a list of numbered things.
fn place() -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": i64::MAX})
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

fn login() -> Value {
    let fields = json!({"type": "object", "properties": {"token": text(), "next": text()}});
    let page = content(pages::MEDIA_TYPE, text());
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
            "responses": {"303": {"description": "a cookie, and where to go on"}, "403": page},
        },
    })
}

fn logout() -> Value {
    json!({
        "operationId": "logout",
        "summary": "Ends a session",
        "responses": {"303": {"description": "no session any more"}},
    })
}

fn commit(schemas: &mut SchemaGenerator) -> Read {
    let answer = content(JSON, schemas.subschema_for::<Where>());
    let commit = json!({"name": "commit", "in": "query", "required": true,
        "schema": {"type": "string", "pattern": "^[0-9a-f]{7,64}$"}});
    let parameters = [commit, limit(1000), parameter("after", text())];
    (route::FLEET_WHERE, operation("where", "Where a commit is", &parameters, answer))
}

fn enrol(schemas: &mut SchemaGenerator) -> Value {
    let answer = schemas.subschema_for::<Answer>();
    json!({
        "operationId": "enrol",
        "summary": "Makes a host's key known, or lets it wait for a person",
        "requestBody": {"required": true, "content": {(JSON): {"schema": envelope()}}},
        "responses": {
            "200": content(JSON, answer.clone()),
            "202": content(JSON, answer),
        },
    })
}

/// A DSSE envelope. That it is written as hosts write it, and signed, no schema can say.
fn envelope() -> Value {
    let signature = json!({
        "type": "object", "required": ["keyid", "sig"], "additionalProperties": false,
        "properties": {"keyid": text(), "sig": text()},
    });
    json!({
        "type": "object", "required": ["payload", "payloadType", "signatures"],
        "additionalProperties": false,
        "properties": {
            "payload": text(), "payloadType": text(),
            "signatures": {"type": "array", "minItems": 1, "maxItems": 1, "items": signature},
        },
    })
}

fn records(schemas: &mut SchemaGenerator) -> Value {
    let acked = schemas.subschema_for::<Acked>();
    let broken = schemas.subschema_for::<Broken>();
    let not_taken = schemas.subschema_for::<NotTaken>();
    json!({
        "operationId": "records",
        "summary": "Takes a host's records, one DSSE envelope a line",
        "requestBody": {
            "required": true,
            "content": {(intake::MEDIA_TYPE): {"schema": {"type": "string"}}},
        },
        "responses": {
            "200": content(JSON, acked),
            "403": content(problem::MEDIA_TYPE, not_taken),
            "409": content(problem::MEDIA_TYPE, broken),
        },
    })
}

/// Every operation may also answer with a problem.
fn with_problems(paths: &mut Map<String, Value>, schemas: &mut SchemaGenerator) {
    let problem = schemas.subschema_for::<Problem>();
    let operations = paths.values_mut().filter_map(Value::as_object_mut);
    for operation in operations.flat_map(|it| it.values_mut()) {
        if let Some(answers) = operation.get_mut("responses").and_then(Value::as_object_mut) {
            let mut other = content(problem::MEDIA_TYPE, problem.clone());
            // A page is refused by a page.
            if let Some(kinds) = other.get_mut("content").and_then(Value::as_object_mut) {
                kinds.insert(pages::MEDIA_TYPE.to_owned(), json!({"schema": text()}));
            }
            answers.insert("default".to_owned(), other);
        }
    }
}

fn operation(id: &str, summary: &str, parameters: &[Value], answer: impl Into<Value>) -> Value {
    let answer: Value = answer.into();
    json!({
        "operationId": id,
        "summary": summary,
        "parameters": parameters,
        "responses": {"200": answer},
    })
}

fn text() -> Value {
    json!({"type": "string"})
}

fn limit(most: u32) -> Value {
    parameter("limit", json!({"type": "integer", "minimum": 1, "maximum": most}))
}

fn number_after() -> Value {
    parameter("after", place())
}

fn parameter(name: &str, schema: impl Into<Value>) -> Value {
    let schema: Value = schema.into();
    json!({"name": name, "in": "query", "schema": schema})
}

fn content(kind: &str, schema: impl Into<Value>) -> Value {
    let schema: Value = schema.into();
    json!({"description": "the answer", "content": {(kind): {"schema": schema}}})
}

fn plain(what: &str) -> Value {
    json!({"description": what, "content": {"text/plain": {"schema": {"type": "string"}}}})
}
