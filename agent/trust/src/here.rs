//! For whom a judgement is made: gates may hold for single environments.
//!
//! **Invariant:** whoever is not known meets every gate.

use bowline_model::policy::Gate;

use crate::manifested::Found;

/// Who asks, and where the repository keeps its manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Here<'a> {
    /// Who asks.
    pub who: Who<'a>,
    /// The folder of the repository in which `bowline.yaml` lies; empty for its root.
    pub folder: &'a str,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Who<'a> {
    /// Nobody in particular: each gate is asked for.
    #[default]
    Anybody,
    /// The host whose key has this fingerprint, `SHA256:…`. Its environment is what the revision's own manifests
    /// say, whatever the host or control call it.
    Host(&'a str),
    /// A host of this environment, for whoever wants to know beforehand.
    Environment(&'a str),
}

/// The environments whose gates are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Every one.
    All,
    /// These.
    Of(Vec<String>),
}

impl Here<'_> {
    /// The environments whose gates a revision with these manifests has to meet here; `before` are those in which
    /// this host was when what it stands by met its gates.
    pub(crate) fn scope(&self, manifested: &Found, before: &[String]) -> Scope {
        let own = match self.who {
            Who::Anybody => None,
            Who::Environment(name) => return Scope::Of(vec![name.to_owned()]),
            Who::Host(key) => manifested.as_ref().ok().and_then(|it| it.environment_of(key)),
        };
        let Some(own) = own else { return Scope::All };
        let others = before.iter().filter(|it| *it != own).cloned();
        Scope::Of([own.to_owned()].into_iter().chain(others).collect())
    }
}

impl Scope {
    /// Whether a gate is asked for.
    pub(crate) fn asks_for(&self, gate: &Gate) -> bool {
        match self {
            Self::All => true,
            Self::Of(names) => {
                gate.environments.is_empty()
                    || gate.environments.iter().any(|it| names.contains(it))
            }
        }
    }
}
