//! What a scalar without quotes means, where every YAML reader agrees.
//!
//! **Invariant:** a number is written in one way only; `0644`, `1.10`, `0x1F` or `+5` are refused,
//! because readers take them for different values.

use serde_yaml::{Number, Value};

/// Says what a plain scalar is, or why it can't be said: what is wrong, and what is expected.
pub(super) fn meaning(text: &str) -> Result<Value, (String, String)> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    // YAML 1.1 readers take these for booleans, YAML 1.2 readers for text.
    if ["yes", "no", "on", "off"].iter().any(|it| text.eq_ignore_ascii_case(it)) {
        let message = format!("`{text}` without quotes, which some readers take for a boolean");
        return Err((message, format!("true or false, or \"{text}\" in quotes")));
    }
    if let Some(number) = written_plainly(text) {
        return Ok(Value::Number(number));
    }
    if looks_like_number(text) {
        let message = format!("`{text}` without quotes, which readers take for different numbers");
        return Err((message, format!("\"{text}\" in quotes, or a plain decimal number")));
    }
    Ok(Value::String(text.to_owned()))
}

/// A number, when the text is exactly how that number is shown.
fn written_plainly(text: &str) -> Option<Number> {
    if let Ok(number) = text.parse::<u64>()
        && number.to_string() == text
    {
        return Some(number.into());
    }
    if let Ok(number) = text.parse::<i64>()
        && number.to_string() == text
    {
        return Some(number.into());
    }
    let number = text.parse::<f64>().ok().filter(|it| it.is_finite())?;
    // `{:?}` keeps the `.0` of whole floats, so that `80.0` is plain as well as `0.5`.
    (text.contains('.') && format!("{number:?}") == text).then(|| number.into())
}

/// Whether any reader of YAML 1.1 or 1.2 might see a number here.
fn looks_like_number(text: &str) -> bool {
    let bare = text.strip_prefix(['+', '-']).unwrap_or(text);
    let lower = bare.to_ascii_lowercase();
    if matches!(lower.as_str(), ".inf" | ".nan" | "inf" | "nan" | "infinity") {
        return lower != "infinity" && lower != "inf" && lower != "nan";
    }
    let digits = |rest: &str, radix: u32| {
        !rest.is_empty() && rest.chars().all(|it| it.is_digit(radix) || it == '_')
    };
    let radix = [("0x", 16), ("0o", 8), ("0b", 2)];
    if radix.iter().any(|(mark, base)| lower.strip_prefix(mark).is_some_and(|it| digits(it, *base)))
    {
        return true;
    }
    if !lower.starts_with(|it: char| it.is_ascii_digit() || it == '.') {
        return false;
    }
    digits(&lower, 10) || lower.replace('_', "").parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_numbers_texts_and_truths_are_what_they_look_like() {
        let table: [(&str, Value); 14] = [
            ("", Value::Null),
            ("~", Value::Null),
            ("true", true.into()),
            ("False", false.into()),
            ("0", 0u64.into()),
            ("644", 644u64.into()),
            ("-7", (-7i64).into()),
            ("0.5", 0.5.into()),
            ("80.0", 80.0.into()),
            ("4.7.0", "4.7.0".into()),
            ("5m", "5m".into()),
            ("12:30", "12:30".into()),
            ("2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z".into()),
            ("infinity", "infinity".into()),
        ];
        for (text, value) in table {
            assert_eq!(meaning(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_readers_disagree_on_is_refused() {
        for text in [
            "yes",
            "No",
            "ON",
            "off",
            "0644",
            "0o644",
            "0x1F",
            "0b11",
            "+5",
            "1.10",
            "1e3",
            ".5",
            "5.",
            "1_000",
            "-0",
            ".inf",
            "-.Inf",
            ".NaN",
            "18446744073709551616",
        ] {
            assert!(meaning(text).is_err(), "{text}");
        }
    }
}
