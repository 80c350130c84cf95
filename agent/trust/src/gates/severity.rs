//! How bad a finding is, as a score from 0 to 10.
//!
//! **Invariant:** what is not understood is the worst.

use serde_json::Value;

/// The top of CVSS's scale; also what counts where a severity is unknown.
pub(super) const WORST: f64 = 10.0;

/// Words that scanners use, each with the top of its band in CVSS v3.
const WORDS: [(&str, f64); 8] = [
    ("none", 0.0),
    ("negligible", 3.9),
    ("low", 3.9),
    ("medium", 6.9),
    ("moderate", 6.9),
    ("high", 8.9),
    ("important", 8.9),
    ("critical", WORST),
];

/// Something that a scanner found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finding {
    pub(super) id: String,
    pub(super) score: f64,
}

impl Finding {
    /// A finding that is as bad as the worst of what is said of it.
    pub(super) fn of<'v>(
        id: Option<&Value>,
        severities: impl IntoIterator<Item = Option<&'v Value>>,
    ) -> Self {
        let scores = severities.into_iter().map(|it| it.map_or(WORST, score_of));
        Self {
            id: id.and_then(Value::as_str).unwrap_or_default().to_owned(),
            score: scores.reduce(f64::max).unwrap_or(WORST),
        }
    }
}

/// A score as number, as text that is one, or as one of the known words.
fn score_of(value: &Value) -> f64 {
    let score = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => read_text(text),
        _ => None,
    };
    score.filter(|it| (0.0..=WORST).contains(it)).unwrap_or(WORST)
}

fn read_text(text: &str) -> Option<f64> {
    let is_decimal = text.bytes().all(|it| it.is_ascii_digit() || it == b'.');
    if is_decimal {
        return text.parse().ok();
    }
    let word = WORDS.iter().find(|(word, _)| text.eq_ignore_ascii_case(word));
    word.map(|(_, score)| *score)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_understood_is_the_worst() {
        for (severity, score) in [
            (json!("7.5"), 7.5),
            (json!(7.5), 7.5),
            (json!("0"), 0.0),
            (json!("10"), 10.0),
            (json!("Medium"), 6.9),
            (json!("LOW"), 3.9),
            (json!("Negligible"), 3.9),
            (json!("UNKNOWN"), 10.0),
            (json!(""), 10.0),
            (json!("NaN"), 10.0),
            (json!("inf"), 10.0),
            (json!("-1"), 10.0),
            (json!(-1), 10.0),
            (json!("1e0"), 10.0),
            (json!("11"), 10.0),
            (json!("CVSS:3.1/AV:N/AC:L"), 10.0),
            (json!(null), 10.0),
            (json!(["1.0"]), 10.0),
        ] {
            assert!((score_of(&severity) - score).abs() < 1e-9, "{severity}");
        }
    }

    #[test]
    fn the_worst_of_what_is_said_counts_and_saying_nothing_is_the_worst() {
        let (low, high) = (json!("2.0"), json!("high"));
        let score = |all: Vec<Option<&Value>>| Finding::of(None, all).score;
        assert!((score(vec![Some(&low), Some(&high)]) - 8.9).abs() < 1e-9);
        assert!((score(vec![Some(&low), None]) - WORST).abs() < 1e-9);
        assert!((score(Vec::new()) - WORST).abs() < 1e-9);
    }
}
