//! For which host a judgement is made, as `verify` and `gate` are told.
//!
//! **Invariant:** without a word every gate is asked for.

use bowline_model::policy::Policy;
use bowline_trust::{Here, Who};
use clap::Args;

/// For which host.
#[derive(Debug, Args)]
pub struct Place {
    /// Judges for a host of this environment [default: asks for the gates of every environment]
    #[arg(long, value_name = "NAME")]
    pub environment: Option<String>,
    /// The folder of the repository that holds bowline.yaml, as `path` in the agent's settings
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub folder: String,
}

impl Place {
    /// Who asks.
    pub(crate) fn here(&self) -> Here<'_> {
        let who = self.environment.as_deref().map_or(Who::Anybody, Who::Environment);
        Here { who, folder: &self.folder }
    }

    /// What to say of an environment that no gate names: mostly it is misspelt.
    pub(crate) fn unknown(&self, policy: &Policy) -> Option<String> {
        let name = self.environment.as_ref()?;
        let is_known = policy.gates.iter().any(|it| it.environments.contains(name));
        let why = "only those for all hosts were asked for";
        (!is_known).then(|| format!("no gate is for hosts of the environment {name:?}: {why}"))
    }
}
