//! Decides whether a verified revision may be deployed on this host now.
//!
//! **Invariant:** a [`Cleared`] is made only here, out of a [`Verified`].
//! **Invariant:** what holds a revision has a code and says what to wait for.

use bowline_model::manifest::{Manifest, Spec};

use crate::settings::Settings;
use crate::verify::Verified;

/// A verified revision that may be deployed now. Made only here.
#[derive(Debug, Clone)]
pub struct Cleared(Verified);

impl Cleared {
    /// The verified revision.
    pub fn verified(&self) -> &Verified {
        &self.0
    }
}

/// What holds a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The stable code.
    pub code: &'static str,
    /// For people.
    pub detail: String,
}

/// Lets a revision through, or says what holds it.
///
/// Gates of the policy are judged with the signatures: a policy that asks for what this version cannot
/// judge never gives a [`Verified`].
pub fn clear(
    settings: &Settings,
    verified: Verified,
    repository: Option<&Manifest>,
) -> Result<Cleared, Hold> {
    let minimum = match repository.map(|it| &it.spec) {
        Some(Spec::Repository(spec)) => spec.minimum_agent.as_ref(),
        _ => None,
    };
    match minimum {
        Some(minimum) if minimum.numbers() > settings.version => {
            let (major, minor, patch) = settings.version;
            let detail = format!(
                "the repository asks for agent {} or newer, and this is {major}.{minor}.{patch}",
                minimum.as_str()
            );
            Err(Hold { code: "agent-too-old", detail })
        }
        _ => Ok(Cleared(verified)),
    }
}
