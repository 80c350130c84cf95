//! What a revision lacks under its policy.
//!
//! **Invariant:** a demand is never passed over in silence: whoever makes one waits.

use crate::gates::GateVerdict;
use crate::verdict::Code;

/// Why a commit has to wait.
#[derive(Debug, Clone)]
pub(crate) struct Wait {
    pub(crate) code: Code,
    pub(crate) detail: String,
}

/// The first gate that holds a revision up.
pub(crate) fn lacking(gates: &[GateVerdict]) -> Option<Wait> {
    gates.iter().filter(|it| it.skipped.is_none()).find_map(|it| {
        it.code.map(|code| Wait { code, detail: format!("gate {:?}: {}", it.id, it.detail) })
    })
}
