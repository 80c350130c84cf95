//! How a deployment ended: the eight words used in exit codes, records, metrics and pages alike.
//!
//! **Invariant:** a reverted deployment is never success: its exit code is not zero.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The end of one deployment or one cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The host already is what the revision asks for.
    Unchanged,
    /// The host runs the revision.
    Committed,
    /// The revision was applied and its effect taken back.
    Reverted,
    /// The revision may never be applied.
    Refused,
    /// Evidence is missing; it may come.
    Pending,
    /// Something other than evidence holds the revision: a quarantine, a brake, a window.
    Held,
    /// It could not be tried, or was interrupted; it is tried again.
    Failed,
    /// The host is in a state that the agent does not touch: a person is needed.
    Stranded,
}

impl Outcome {
    /// Every outcome, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Unchanged,
        Self::Committed,
        Self::Reverted,
        Self::Refused,
        Self::Pending,
        Self::Held,
        Self::Failed,
        Self::Stranded,
    ];

    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Committed => "committed",
            Self::Reverted => "reverted",
            Self::Refused => "refused",
            Self::Pending => "pending",
            Self::Held => "held",
            Self::Failed => "failed",
            Self::Stranded => "stranded",
        }
    }

    /// The exit code of a program whose work ended so.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Unchanged | Self::Committed => 0,
            Self::Reverted | Self::Refused | Self::Pending | Self::Held | Self::Failed => 1,
            Self::Stranded => 3,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_the_wire_form() {
        for outcome in Outcome::ALL {
            let wire = serde_json::to_string(&outcome).unwrap();
            assert_eq!(wire, format!("\"{outcome}\""));
            assert_eq!(serde_json::from_str::<Outcome>(&wire).unwrap(), outcome);
        }
    }

    #[test]
    fn only_success_exits_with_zero() {
        let zero: Vec<_> = Outcome::ALL.into_iter().filter(|it| it.exit_code() == 0).collect();
        assert_eq!(zero, [Outcome::Unchanged, Outcome::Committed]);
    }
}
