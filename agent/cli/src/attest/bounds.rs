//! The bounds of a measured number, and who sets them.
//!
//! **Invariant:** bounds come from one place: a gate, or the command line.

use std::fmt;

use anyhow::anyhow;
use bowline_model::policy::Rule;

use super::arguments::Common;
use super::case::Case;
use crate::failure::Failure;

/// The bounds of a number.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Bounds {
    /// The least value.
    pub(super) min: Option<f64>,
    /// The greatest value.
    pub(super) max: Option<f64>,
    /// The field of the attribute that they are on.
    pub(super) field: String,
    /// The gate that sets them.
    pub(super) gate: Option<String>,
}

impl Bounds {
    /// The bounds that a gate sets on one of these fields of an attribute.
    pub(super) fn of_gate(
        case: &Case,
        given: &Common,
        attribute: &str,
        fields: &[&str],
        what: &str,
    ) -> Result<Self, Failure> {
        let fits = |rule: &Rule| {
            matches!(rule, Rule::Attribute { attribute: it, field, .. }
                if it == attribute && fields.contains(&field.as_str()))
        };
        match case.gate(given, fits, what)?.map(|it| (&it.rule, &it.id)) {
            Some((Rule::Attribute { field, min, max, .. }, id)) => {
                Ok(Self { min: *min, max: *max, field: field.clone(), gate: Some(id.clone()) })
            }
            _ => Err(Failure::usage(anyhow!("there is no policy, and no limit was given"))
                .hint(format!("give {what}, or a policy with --policy FILE"))),
        }
    }

    /// Whether a number keeps within them. What is no number does not.
    pub(super) fn hold(&self, number: f64) -> bool {
        self.min.is_none_or(|min| number >= min) && self.max.is_none_or(|max| number <= max)
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.min, self.max) {
            (Some(min), Some(max)) => write!(f, "{} from {min} to {max}", self.field),
            (Some(min), None) => write!(f, "{} at least {min}", self.field),
            (None, Some(max)) => write!(f, "{} at most {max}", self.field),
            (None, None) => write!(f, "{} without bounds", self.field),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_include_their_ends_and_nothing_beyond() {
        for (min, max, number, holds, text) in [
            (Some(80.0), None, 80.0, true, "x at least 80"),
            (Some(80.0), None, 79.99, false, "x at least 80"),
            (None, Some(0.0), 0.0, true, "x at most 0"),
            (None, Some(0.0), 1.0, false, "x at most 0"),
            (Some(1.0), Some(2.5), 2.6, false, "x from 1 to 2.5"),
            (Some(0.0), None, f64::NAN, false, "x at least 0"),
        ] {
            let bounds = Bounds { min, max, field: "x".to_owned(), gate: None };
            assert_eq!((bounds.hold(number), bounds.to_string().as_str()), (holds, text));
        }
    }
}
