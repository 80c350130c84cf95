//! What a change of one value means for those whom a policy binds: more or less than before.
//!
//! **Invariant:** what is not known to be tighter is never called so.

use std::fmt;

use bowline_model::duration::Span;
use serde::Serialize;
use serde_json::Value;

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Effect {
    /// More is let through than before.
    Loosens,
    /// Less is.
    Tightens,
    /// Neither can be said.
    Changes,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loosens => "loosens",
            Self::Tightens => "tightens",
            Self::Changes => "changes",
        })
    }
}

impl Effect {
    /// What it means that something is there that was not, where more of it is looser.
    pub(super) const fn of_more(is_looser: bool) -> Self {
        if is_looser { Self::Loosens } else { Self::Tightens }
    }

    /// What the way back means.
    pub(super) const fn back(self) -> Self {
        match self {
            Self::Loosens => Self::Tightens,
            Self::Tightens => Self::Loosens,
            Self::Changes => Self::Changes,
        }
    }
}

/// Fields of which more is tighter.
const MORE_IS_TIGHTER: [&str; 7] =
    ["threshold", "min", "minPassed", "healthy", "for", "principals", "levels"];

/// Fields of which more is looser.
const MORE_IS_LOOSER: [&str; 9] = [
    "max",
    "maxScore",
    "maxAge",
    "maxDbAge",
    "allow",
    "result",
    "builders",
    "verifiers",
    "signers",
];

/// Fields that are tighter when true.
const TRUE_IS_TIGHTER: [&str; 3] = ["ticketRequired", "excludeAuthors", "excludeMergers"];

/// What more of a field means.
pub(super) fn of_growing(field: &str) -> Effect {
    if MORE_IS_TIGHTER.contains(&field) {
        Effect::Tightens
    } else if MORE_IS_LOOSER.contains(&field) {
        Effect::Loosens
    } else {
        Effect::Changes
    }
}

/// What it means that a field has another value. A limit that is missing lets everything through.
pub(super) fn of_change(field: &str, old: Option<&Value>, new: Option<&Value>) -> Effect {
    let is_limit = of_growing(field) != Effect::Changes;
    match (old, new) {
        (None, Some(_)) if is_limit => Effect::Tightens,
        (Some(_), None) if is_limit => Effect::Loosens,
        (Some(Value::Bool(old)), Some(Value::Bool(new)))
            if old != new && TRUE_IS_TIGHTER.contains(&field) =>
        {
            if *new {
                Effect::Tightens
            } else {
                Effect::Loosens
            }
        }
        (Some(old), Some(new)) => match (amount(old), amount(new)) {
            (Some(old), Some(new)) if new > old => of_growing(field),
            (Some(old), Some(new)) if new < old => of_growing(field).back(),
            _ => Effect::Changes,
        },
        _ => Effect::Changes,
    }
}

/// A number, a share or a time as a number of its own kind.
fn amount(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.strip_suffix('%') {
            Some(share) => share.parse().ok(),
            None => text.parse::<Span>().ok().map(|it| it.as_duration().as_secs_f64()),
        },
        _ => None,
    }
}

/// A value as people write it.
pub(super) fn shown(value: Option<&Value>) -> String {
    match value {
        None => "none".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn limits_are_compared_by_what_they_let_through() {
        for (field, old, new, expected) in [
            ("min", json!(80), json!(79.9), Effect::Loosens),
            ("min", json!(80), json!(90), Effect::Tightens),
            ("maxScore", json!(6.9), json!(8.9), Effect::Loosens),
            ("maxAge", json!("24h"), json!("2d"), Effect::Loosens),
            ("maxAge", json!("72h"), json!("2d"), Effect::Tightens),
            ("healthy", json!("60%"), json!("9%"), Effect::Loosens),
            ("threshold", json!(2), json!(1), Effect::Loosens),
            ("ticketRequired", json!(true), json!(false), Effect::Loosens),
            ("excludeAuthors", json!(false), json!(true), Effect::Tightens),
            ("predicate", json!("a"), json!("b"), Effect::Changes),
        ] {
            assert_eq!(of_change(field, Some(&old), Some(&new)), expected, "{field} {old} {new}");
        }
        assert_eq!(of_change("maxAge", Some(&json!("24h")), None), Effect::Loosens);
        assert_eq!(of_change("max", None, Some(&json!(3))), Effect::Tightens);
    }
}
