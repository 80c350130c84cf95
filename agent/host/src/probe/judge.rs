//! Judges an HTTP answer by what its probe expects.
//!
//! **Invariant:** everything that is named must hold; the first thing that does not is told.

use bowline_model::manifest::http::Expect;
use serde_json::Value;

/// A value is shown up to this many letters.
const SHOWN_LETTERS_MAX: usize = 60;

/// Says what the answer was, or what of it is not as expected.
pub(super) fn judge(expect: &Expect, status: u16, body: &[u8]) -> Result<String, String> {
    if status != expect.status {
        return Err(format!("status {status}, expected {}", expect.status));
    }
    if let Some(text) = &expect.body_contains {
        let holds = body.windows(text.len().max(1)).any(|it| it == text.as_bytes());
        if !holds {
            return Err(format!("status {status}, but the body does not contain {:?}", cut(text)));
        }
    }
    if !expect.json.is_empty() {
        let document: Value = serde_json::from_slice(body)
            .map_err(|error| format!("status {status}, but the body is not JSON: {error}"))?;
        for (key, wanted) in &expect.json {
            let found = find(&document, key);
            if found != Some(wanted) {
                let found = found.map_or_else(|| "nothing".to_owned(), |it| cut(&it.to_string()));
                return Err(format!("{key} is {found}, expected {}", cut(&wanted.to_string())));
            }
        }
    }
    Ok(format!("status {status}"))
}

/// A value by JSON Pointer, or by top-level key.
fn find<'d>(document: &'d Value, key: &str) -> Option<&'d Value> {
    if key.starts_with('/') { document.pointer(key) } else { document.get(key) }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= SHOWN_LETTERS_MAX {
        return text.to_owned();
    }
    text.chars().take(SHOWN_LETTERS_MAX).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_does_not_hold_is_told() {
        let body = br#"{"version":"1.4.2","build":{"n":7},"tags":["a"]}"#;
        let json = |pairs: &[(&str, Value)]| Expect {
            json: pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
            ..Expect::default()
        };
        let contains =
            |text: &str| Expect { body_contains: Some(text.to_owned()), ..Expect::default() };
        for (expect, status, expected) in [
            (Expect::default(), 200, Ok("status 200")),
            (Expect::default(), 500, Err("status 500, expected 200")),
            (contains("1.4.2"), 200, Ok("status 200")),
            (contains("1.4.3"), 200, Err("status 200, but the body does not contain \"1.4.3\"")),
            (json(&[("version", json!("1.4.2"))]), 200, Ok("status 200")),
            (json(&[("/build/n", json!(7))]), 200, Ok("status 200")),
            (json(&[("/tags/0", json!("a"))]), 200, Ok("status 200")),
            (json(&[("/build/n", json!("7"))]), 200, Err("/build/n is 7, expected \"7\"")),
            (json(&[("nope", json!(1))]), 200, Err("nope is nothing, expected 1")),
        ] {
            let found = judge(&expect, status, body);
            let found = found.as_deref().map_err(String::as_str);
            assert_eq!(found, expected, "{expect:?}");
        }
        let failure = judge(&json(&[("a", json!(1))]), 200, b"<html>").unwrap_err();
        assert!(failure.starts_with("status 200, but the body is not JSON"), "{failure}");
    }
}
