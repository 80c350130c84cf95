//! What a policy asks for beyond signatures, and this version cannot judge yet.
//!
//! **Invariant:** a demand is never passed over in silence: whoever makes one waits.

use bowline_model::policy::{Kind, Policy};

use crate::roll::Holder;
use crate::verdict::Code;

/// Why a commit has to wait.
#[derive(Debug, Clone)]
pub(crate) struct Wait {
    pub(crate) code: Code,
    pub(crate) detail: String,
}

/// Why no revision may be deployed under this policy, if so.
pub(crate) fn unmet(policy: &Policy) -> Option<Wait> {
    let gates = policy.gates.iter().map(|gate| format!("gate {:?}", gate.id));
    let others = [
        ("approvals", policy.merge.approvals.principals > 0),
        ("freshness", policy.freshness.is_some()),
        ("emergency", policy.emergency.is_some()),
    ];
    let others = others.into_iter().filter(|(_, is_asked)| *is_asked);
    let names: Vec<_> = gates.chain(others.map(|(name, _)| name.to_owned())).collect();
    if names.is_empty() {
        return None;
    }
    Some(Wait {
        code: Code::GateUnsupported,
        detail: format!("the policy asks for what cannot be judged yet: {}", names.join(", ")),
    })
}

/// Why a merge by this holder needs approvals that cannot be judged yet, if so.
pub(crate) fn unapproved(policy: &Policy, merger: &Holder) -> Option<Wait> {
    let asked = policy.merge.approvals.principals;
    if asked > 0 {
        return Some(Wait {
            code: Code::GateUnsupported,
            detail: format!("the policy asks for {asked} approvals, which cannot be judged yet"),
        });
    }
    // A forge's key signs every web edit and every program's commit alike, so it approves nothing.
    if merger.kind == Kind::Human {
        return None;
    }
    Some(Wait {
        code: Code::ApprovalMissing,
        detail: format!(
            "{:?} is a {}: its signature on a merge is no approval",
            merger.principal, merger.kind
        ),
    })
}
