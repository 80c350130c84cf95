//! What a policy asks for beyond signatures, and this version cannot judge yet.
//!
//! **Invariant:** a demand is never passed over in silence: whoever makes one waits.

use bowline_model::policy::Policy;

use crate::verdict::Code;

/// Why a commit has to wait.
#[derive(Debug, Clone)]
pub(crate) struct Wait {
    pub(crate) code: Code,
    pub(crate) detail: String,
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
