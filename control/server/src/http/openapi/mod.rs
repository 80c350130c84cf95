//! `GET /openapi.json`: the service's own description, `OpenAPI` 3.1.
//!
//! **Invariant:** schemas are made from the types that are sent.

mod pages;

use axum::http::StatusCode;
use axum::response::Response;
use bowline_api::enrolment::Answer;
use bowline_api::fleet::{Commit, Deployment, Evidence, Fault, Host, HostDetail, Page, Where};
use bowline_api::intake::{self, Acked, Broken, NotTaken};
use bowline_api::outcome::Outcome;
use bowline_api::problem::{self, Problem};
use bowline_api::route;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::answer;
use super::pages::MEDIA_TYPE;
use super::table::{ASSET, FAULT, FAULTS, HOST};

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
        "security": [{"reader": []}, {"session": []}, {}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": schemes(),
        },
    })
}

/// How a reader is known, where the settings name a token.
fn schemes() -> Value {
    let cookie = "what POST /login gives; on this machine, where it goes over plain HTTP, its name is `bowline`";
    json!({
        "reader": {
            "type": "http", "scheme": "bearer",
            "description": "a token named in [read] tokenSha256; needed when one is named",
        },
        "session": {
            "type": "apiKey", "in": "cookie", "name": "__Host-bowline", "description": cookie,
        },
    })
}

fn paths(schemas: &mut SchemaGenerator) -> Map<String, Value> {
    let mut paths = Map::new();
    let operations = system().into_iter().chain(fleet(schemas)).chain([commit(schemas)]);
    let operations = operations.chain(faults(schemas)).chain([sealed()]);
    let operations = operations.chain(pages::shown()).chain(pages::twins(schemas));
    for (path, operation) in operations {
        paths.insert(path.to_owned(), json!({"get": operation}));
    }
    paths.insert(route::ENROL.to_owned(), json!({"post": enrol(schemas)}));
    paths.insert(route::RECORDS.to_owned(), json!({"post": records(schemas)}));
    paths.insert(route::LOGIN.to_owned(), pages::login());
    paths.insert(route::LOGOUT.to_owned(), json!({"post": pages::logout()}));
    for path in OPEN {
        let operations = paths.get_mut(path).and_then(Value::as_object_mut);
        let operations = operations.into_iter().flat_map(|it| it.values_mut());
        for operation in operations.filter_map(Value::as_object_mut) {
            operation.insert("security".to_owned(), json!([]));
        }
    }
    with_problems(&mut paths, schemas);
    paths
}

/// Whoever can connect may ask for these: hosts prove themselves by their signatures.
const OPEN: [&str; 7] = [
    route::HEALTHZ,
    route::OPENAPI,
    route::ENROL,
    route::RECORDS,
    route::LOGIN,
    route::LOGOUT,
    ASSET,
];

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

fn faults(schemas: &mut SchemaGenerator) -> [Read; 2] {
    let faults = content(JSON, schemas.subschema_for::<Page<Fault>>());
    let evidence = content(JSON, schemas.subschema_for::<Evidence>());
    let name = json!({"name": "name", "in": "path", "required": true, "schema": text()});
    let id = json!({"name": "id", "in": "path", "required": true, "schema": place()});
    let otherwise = "A record that was not taken because another was, as it came";
    [
        (
            FAULTS,
            operation(
                "faults",
                "A host's gaps and forks, newest first",
                &[name.clone(), number_after()],
                faults,
            ),
        ),
        (FAULT, operation("fault", otherwise, &[name, id], evidence)),
    ]
}

fn commit(schemas: &mut SchemaGenerator) -> Read {
    let answer = content(JSON, schemas.subschema_for::<Where>());
    let commit = json!({"name": "commit", "in": "query", "required": true,
        "schema": {"type": "string", "pattern": "^[0-9a-f]{7,64}$"}});
    let parameters = [commit, limit(1000), parameter("after", text())];
    (route::FLEET_WHERE, operation("where", "Where a commit is", &parameters, answer))
}

/// A record's envelope.
fn sealed() -> Read {
    let key = json!({"name": "key", "in": "query", "required": true,
        "schema": {"type": "string", "pattern": "^SHA256:"}});
    let seq = json!({"name": "seq", "in": "query", "required": true,
        "schema": {"type": "integer", "minimum": 1, "maximum": i64::MAX}});
    let summary = "One record as its host wrote it; its SHA-256 is the record's digest";
    let answer = content(JSON, envelope());
    (route::FLEET_ENVELOPE, operation("envelope", summary, &[key, seq], answer))
}

fn enrol(schemas: &mut SchemaGenerator) -> Value {
    let answer = schemas.subschema_for::<Answer>();
    let not_taken = schemas.subschema_for::<NotTaken>();
    json!({
        "operationId": "enrol",
        "summary": "Makes a host's key known, or lets it wait for a person",
        "requestBody": {"required": true, "content": {(JSON): {"schema": envelope()}}},
        "responses": {
            "200": content(JSON, answer.clone()),
            "202": content(JSON, answer),
            "403": content(problem::MEDIA_TYPE, not_taken),
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
            "400": content(problem::MEDIA_TYPE, not_taken.clone()),
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
                kinds.insert(MEDIA_TYPE.to_owned(), json!({"schema": text()}));
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

/// A place in a list of numbered things.
fn place() -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": i64::MAX})
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
