//! What a policy asks for beyond signatures, and this version cannot judge yet.
//!
//! **Invariant:** a demand is never passed over in silence: whoever makes one waits.

use bowline_model::policy::Policy;

use crate::gates::GateVerdict;
use crate::verdict::Code;

/// Why a commit has to wait.
#[derive(Debug, Clone)]
pub(crate) struct Wait {
    pub(crate) code: Code,
    pub(crate) detail: String,
}

/// What a revision still lacks under its policy: what nobody can judge, else its first closed gate.
pub(crate) fn lacking(policy: &Policy, gates: &[GateVerdict]) -> Option<Wait> {
    let closed = gates.iter().find_map(|it| {
        it.code.map(|code| Wait { code, detail: format!("gate {:?}: {}", it.id, it.detail) })
    });
    unmet(policy).or(closed)
}

/// Why no revision may be deployed under this policy, if so.
pub(crate) fn unmet(policy: &Policy) -> Option<Wait> {
    let asked =
        [("freshness", policy.freshness.is_some()), ("emergency", policy.emergency.is_some())];
    let names: Vec<_> =
        asked.into_iter().filter(|(_, is_asked)| *is_asked).map(|(name, _)| name).collect();
    if names.is_empty() {
        return None;
    }
    Some(Wait {
        code: Code::GateUnsupported,
        detail: format!("the policy asks for what cannot be judged yet: {}", names.join(", ")),
    })
}
