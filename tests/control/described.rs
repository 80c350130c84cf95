//! The service's own description says what it does: every path is asked, every answer compared.

use bowline_api::outcome::Outcome;
use serde_json::Value;

use crate::host::Host;
use crate::http::{Answer, try_ask};
use crate::service::Service;

/// What a schema says about a value; the places where it does not fit. A field that the schema does not
/// name is one of them: nothing is sent that is not described.
fn misfits(document: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let target = document.pointer(name.strip_prefix('#').unwrap()).expect(name);
        return misfits(document, target, value, at, found);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let fits = |it: &Value| {
            let mut inner = Vec::new();
            misfits(document, it, value, at, &mut inner);
            inner.is_empty()
        };
        if !any.iter().any(fits) {
            found.push(format!("{at}: none of several"));
        }
        return;
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !kinds.is_empty() && !kinds.contains(&kind) {
        found.push(format!("{at}: {kind} is none of {kinds:?}"));
    }
    if let Some(items) = value.as_array() {
        for (index, item) in items.iter().enumerate() {
            misfits(document, &schema["items"], item, &format!("{at}[{index}]"), found);
        }
    }
    let (Some(fields), Some(properties)) = (value.as_object(), schema["properties"].as_object())
    else {
        return;
    };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            found.push(format!("{at}: {name} is missing"));
        }
    }
    for (name, value) in fields {
        match properties.get(name) {
            Some(schema) => misfits(document, schema, value, &format!("{at}.{name}"), found),
            None => found.push(format!("{at}: {name} is not described")),
        }
    }
}

/// Compares an answer with what an operation says about its status.
#[track_caller]
fn check(document: &Value, operation: &Value, answer: &Answer) {
    let answers = operation["responses"].as_object().unwrap();
    let described = answers.get(&answer.status.to_string()).unwrap_or(&answers["default"]);
    let kind = answer.kind.as_str();
    let bare = kind.split(';').next().unwrap();
    let described = &described["content"];
    let named = if described[kind].is_object() { kind } else { bare };
    let schema = &described[named]["schema"];
    assert!(schema.is_object(), "{kind} is not described: {answer:?}");
    if kind.ends_with("json") {
        let mut found = Vec::new();
        misfits(document, schema, &answer.json(), "$", &mut found);
        assert!(found.is_empty(), "{found:#?}\n{answer:?}");
    }
}

#[test]
fn every_path_that_is_described_answers_as_described() {
    let service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    host.tell(&"a1".repeat(20), None, Outcome::Committed);
    let mut twin = host.copy();
    host.tell(&"b2".repeat(20), Some(&"a1".repeat(20)), Outcome::Reverted);
    twin.tell(&"c3".repeat(20), None, Outcome::Committed);
    assert_eq!((service.send(&host.all()).status, service.send(&twin.all()).status), (200, 409));
    let request = Host::new("web-1").request(&service.token("web-1", &[]));
    let document = service.get("/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    service.send(&host.all());
    let told = service.get("/deployments/web-1/@1.json").json()["records"][0].clone();
    let (_, query) = told["envelope"].as_str().unwrap().split_once('?').unwrap();
    let envelope = format!("?{query}");
    let mut walked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            walked += 1;
            let method = method.to_uppercase();
            if path == "/api/v1/events" {
                // It has no end: what it says is asked in the pages' tests.
                continue;
            }
            let asked = path
                .replace("{name}", "web-1")
                .replace("{host}", "web-1")
                .replace("faults/{id}", "faults/1")
                .replace("{id}", "@1")
                .replace("{file}", "style.css");
            let ask = |query: &str, body: &[u8]| {
                let path = format!("{asked}{query}");
                try_ask(service.address, &method, &path, None, body).unwrap()
            };
            let (query, body) = match path.as_str() {
                "/api/v1/where" => ("?commit=a1a1a1a", Vec::new()),
                "/api/v1/envelope" => (envelope.as_str(), Vec::new()),
                "/agent/v1/enrol" => ("", request.clone()),
                "/agent/v1/records" => ("", host.all().join("\n").into_bytes()),
                _ => ("", Vec::new()),
            };
            let answer = ask(query, &body);
            let expected = match (method.as_str(), path.as_str()) {
                ("POST", "/login") => 403..404,
                ("POST", "/logout") => 303..304,
                _ => 200..300,
            };
            assert!(expected.contains(&answer.status), "{method} {path}: {answer:?}");
            if answer.status != 303 {
                check(&document, operation, &answer);
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap();
                if parameter["in"] == "query" {
                    // A name that the path does not take would be refused by its name.
                    let answer = ask(&format!("?{name}="), b"");
                    assert!(!answer.body.contains("unknown field"), "{path} {name}: {answer:?}");
                    check(&document, operation, &answer);
                }
            }
            let wrong = try_ask(service.address, "PATCH", &asked, None, b"").unwrap();
            wrong.problem(405);
        }
    }
    assert_eq!(walked, 26);
    let operation = &document["paths"]["/agent/v1/records"]["post"];
    check(&document, operation, &service.send(&[]));
    host.tell_many(2);
    let gap = service.send(&host.after(3, 1));
    assert_eq!(gap.status, 409);
    check(&document, operation, &gap);
}

#[test]
fn every_path_that_answers_is_described() {
    let service = Service::new();
    let document = service.get("/openapi.json").json();
    let described: Vec<&str> =
        document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let source = include_str!("../../control/server/src/http/table.rs");
    // Each path of the table has one pair: itself, and its methods, of which the first is named so.
    let paths = source.matches(", get(").count() + source.matches(", post(").count();
    // A host's and a deployment's twin have a path of their own for whoever asks, not for the table.
    let twins = described.iter().filter(|it| it.ends_with("}.json")).count();
    assert_eq!(twins, 2);
    assert_eq!(paths, described.len() - twins);
    use bowline_api::route;
    for path in [
        route::HEALTHZ,
        route::METRICS,
        route::OPENAPI,
        route::ENROL,
        route::RECORDS,
        route::FLEET_HOSTS,
        route::FLEET_DEPLOYMENTS,
        route::FLEET_COMMITS,
        route::FLEET_WHERE,
        route::FLEET_ENVELOPE,
        route::FLEET_EVENTS,
        route::BOARD,
        route::BOARD_TWIN,
        route::MATRIX,
        route::MATRIX_TWIN,
        route::LOGIN,
        route::LOGOUT,
    ] {
        assert!(described.contains(&path), "{path} in {described:?}");
    }
}
