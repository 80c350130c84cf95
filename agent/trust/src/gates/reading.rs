//! What one statement says on a gate.
//!
//! **Invariant:** what a statement says is shown as it is, shortened and without characters that hide.

use bowline_model::shown;
use jiff::Timestamp;
use serde_json::Value;

use crate::verdict::Code;

/// More of somebody's words than this fits no line of a report.
const SHOWN_MAX: usize = 64;

/// How near a statement comes to opening the gate, from the farthest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// About another revision.
    AnotherSubject,
    /// Signed by nobody whose word counts here.
    AnotherSigner,
    /// Silent on what the gate asks for.
    AnotherMatter,
    /// Not of the form its predicate demands.
    Malformed,
    /// Dated in the future.
    FutureDated,
    /// It says no.
    Failed,
    /// It says less than is asked for.
    Below,
    /// It says enough, too long ago or without saying when.
    Stale,
    /// It opens the gate.
    Met,
}

impl Standing {
    /// Whether the statement is its signer's word on the gate, good or bad.
    pub(super) fn speaks(self) -> bool {
        self >= Self::Failed
    }

    pub(super) fn code(self) -> Option<Code> {
        match self {
            Self::AnotherSubject | Self::AnotherSigner | Self::AnotherMatter => {
                Some(Code::EvidenceMissing)
            }
            Self::Malformed => Some(Code::EvidenceMalformed),
            Self::Failed => Some(Code::EvidenceFailed),
            Self::Below => Some(Code::EvidenceBelow),
            Self::FutureDated | Self::Stale => Some(Code::EvidenceStale),
            Self::Met => None,
        }
    }
}

/// What one statement says on a gate.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) standing: Standing,
    /// What was measured, in words.
    pub(super) measured: Option<String>,
    /// The time that was signed with it.
    pub(super) at: Option<Timestamp>,
    /// Why it does not open the gate.
    pub(super) detail: String,
}

impl Reading {
    pub(super) fn met(measured: String) -> Self {
        Self { standing: Standing::Met, measured: Some(measured), at: None, detail: String::new() }
    }

    /// A statement that is no word on this gate.
    pub(super) fn silent(standing: Standing, detail: impl Into<String>) -> Self {
        Self { standing, measured: None, at: None, detail: detail.into() }
    }

    pub(super) fn malformed(detail: impl Into<String>) -> Self {
        Self::silent(Standing::Malformed, detail)
    }

    /// The same, and not enough.
    pub(super) fn but(self, standing: Standing, detail: impl Into<String>) -> Self {
        Self { standing, detail: detail.into(), ..self }
    }

    /// The same, said at that time.
    pub(super) fn at(self, at: Option<Timestamp>) -> Self {
        Self { at, ..self }
    }
}

/// Somebody's words, fit for one line.
pub(super) fn quote(text: &str) -> String {
    format!("{:?}", shown::one_line(text, SHOWN_MAX))
}

/// A field that the predicate demands.
pub(super) fn demand<'v>(value: &'v Value, pointer: &str) -> Result<&'v Value, Reading> {
    value.pointer(pointer).ok_or_else(|| {
        let field = pointer.trim_start_matches('/').replace('/', ".");
        Reading::malformed(format!("{field} is missing"))
    })
}

/// A text that the predicate demands.
pub(super) fn demand_text<'v>(value: &'v Value, pointer: &str) -> Result<&'v str, Reading> {
    demand(value, pointer)?.as_str().ok_or_else(|| is_no(pointer, "text"))
}

/// A list that the predicate demands.
pub(super) fn demand_list<'v>(value: &'v Value, pointer: &str) -> Result<&'v [Value], Reading> {
    let list = demand(value, pointer)?.as_array();
    list.map(Vec::as_slice).ok_or_else(|| is_no(pointer, "list"))
}

/// A list that the predicate leaves to whoever writes it; without it there is nothing on it.
pub(super) fn optional_list<'v>(value: &'v Value, pointer: &str) -> Result<&'v [Value], Reading> {
    match value.pointer(pointer) {
        None => Ok(&[]),
        Some(_) => demand_list(value, pointer),
    }
}

fn is_no(pointer: &str, kind: &str) -> Reading {
    let field = pointer.trim_start_matches('/').replace('/', ".");
    Reading::malformed(format!("{field} is no {kind}"))
}
