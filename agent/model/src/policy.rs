//! The policy that a repository carries: who may merge, and what a revision must pass.
//!
//! **Invariant:** every principal that a rule names exists, so no rule is empty by a slip of the pen.
//! **Invariant:** the list of what is revoked is always written out; a missing list is no policy.

mod gate;
pub mod predicate;
mod principal;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::duration::Span;
use crate::object_id::ObjectId;
use crate::read::{self, Faults, Slip};
use crate::trust_root::{RefName, RepoUri};

pub use gate::{Allowed, Gate, HostQuorum, Percent, Rule};
pub use principal::{Fingerprint, KeyEntry, KeyMaterial, Kind, Principal};

/// Where the policy stands in every tree.
pub const POLICY_PATH: &str = ".bowline/policy.yaml";

/// Where the signatures over the policy stand in every tree.
pub const POLICY_ENVELOPE_PATH: &str = ".bowline/policy.dsse.json";

/// Where the roots that took the place of the trust file's lie in a tree.
pub const ROOTS_PATH: &str = ".bowline/root.jsonl";

/// More gates than a revision could ever pass in time.
const MOST_GATES: usize = 64;

/// More principals than one policy file should name.
const MOST_PRINCIPALS: usize = 1_024;

/// Who may merge, and what a revision must pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "PolicyText")]
pub struct Policy {
    /// Rises with every change.
    pub version: u64,
    /// From then on it authorises nothing but its own renewal.
    pub expires: Timestamp,
    /// The repository it is meant for.
    pub repo_uri: RepoUri,
    /// The branch it is meant for.
    #[serde(rename = "ref")]
    pub ref_name: RefName,
    /// Whose labels count.
    pub labels: LabelSource,
    /// People, robots and forges by name.
    pub principals: BTreeMap<String, Principal>,
    /// Who may move the branch.
    pub merge: Merge,
    /// What a revision must pass.
    pub gates: Vec<Gate>,
    /// Who proves that the newest revision is the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freshness: Option<Freshness>,
    /// Who may skip gates in an emergency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emergency: Option<Emergency>,
    /// What counts no more.
    pub revoked: Revoked,
}

/// What a policy wants to be shown besides a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asks {
    /// Approvals, of some merges at least.
    pub approvals: bool,
    /// Who made what was merged.
    pub authors: bool,
    /// Attestations for gates.
    pub gates: bool,
}

/// Whose labels decide which manifests a host takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LabelSource {
    /// Those in the verified revision's `hosts/` folder.
    #[default]
    Repository,
    /// Those in the host's own settings.
    Local,
}

/// Who may move the branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Merge {
    /// Principals whose signature on a first-parent commit counts.
    pub mergers: Vec<String>,
    /// Approvals that a merge needs besides.
    #[serde(default)]
    pub approvals: Approvals,
}

/// Approvals that a merge needs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approvals {
    /// How many distinct principals; 0 asks for none.
    #[serde(default)]
    pub principals: u32,
    /// Whose approval counts.
    #[serde(default)]
    pub from: Vec<String>,
    /// What an approval is bound to.
    #[serde(default)]
    pub on: ApprovalBinding,
    /// An author's own approval does not count.
    #[serde(default)]
    pub exclude_authors: bool,
    /// The approval of whoever merges does not count.
    #[serde(default)]
    pub exclude_mergers: bool,
}

/// What an approval is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ApprovalBinding {
    /// The change between first parent and merge.
    #[default]
    Change,
    /// The whole resulting tree.
    Tree,
}

/// Who proves that the newest revision is the newest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Freshness {
    /// The principal that signs head statements.
    pub signer: String,
    /// How old the newest one may be; the shorter of this and the host's own limit counts.
    pub max_age: Span,
}

/// Who may skip gates in an emergency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Emergency {
    /// The principals on call.
    pub oncall: Vec<String>,
    /// How many of them it takes.
    pub threshold: u32,
    /// The gates that may be skipped; `windows` stands for the deployment windows.
    pub skips: Vec<String>,
}

/// What counts no more, whoever signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Revoked {
    /// Keys by fingerprint.
    pub keys: Vec<Fingerprint>,
    /// Commits that are never deployed.
    pub commits: Vec<ObjectId>,
    /// Trees that are never deployed.
    pub trees: Vec<ObjectId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PolicyText {
    version: u64,
    expires: Timestamp,
    repo_uri: RepoUri,
    #[serde(rename = "ref")]
    ref_name: RefName,
    #[serde(default)]
    labels: LabelSource,
    principals: BTreeMap<String, Principal>,
    merge: Merge,
    #[serde(default)]
    gates: Vec<Gate>,
    freshness: Option<Freshness>,
    emergency: Option<Emergency>,
    revoked: Revoked,
}

impl TryFrom<PolicyText> for Policy {
    type Error = String;

    fn try_from(text: PolicyText) -> Result<Self, String> {
        Self::made_of(text).map_err(|slips| {
            let slips: Vec<_> = slips.into_iter().map(|(_, what)| what).collect();
            slips.join("; ")
        })
    }
}

impl Policy {
    fn made_of(text: PolicyText) -> Result<Self, Vec<Slip>> {
        let policy = Self {
            version: text.version,
            expires: text.expires,
            repo_uri: text.repo_uri,
            ref_name: text.ref_name,
            labels: text.labels,
            principals: text.principals,
            merge: text.merge,
            gates: text.gates,
            freshness: text.freshness,
            emergency: text.emergency,
            revoked: text.revoked,
        };
        let whole = |what: String| vec![(String::new(), what)];
        policy.check_sizes().map_err(whole)?;
        let slips = policy.unknown_names();
        if !slips.is_empty() {
            return Err(slips);
        }
        policy.check_thresholds().map_err(whole)?;
        Ok(policy)
    }

    /// Reads the text of a policy file; `file` names it in errors.
    ///
    /// # Errors
    /// When the text is not YAML of this shape, or a rule could never be met.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, Faults> {
        read::one_of(file, bytes, Self::made_of)
    }

    /// What it wants to be shown besides a commit.
    pub fn asks(&self) -> Asks {
        let approvals = &self.merge.approvals;
        // Whoever is no person approves nothing by merging.
        let by_person =
            |name: &String| self.principals.get(name).is_some_and(|it| it.kind == Kind::Human);
        let asked = approvals.principals > 0 || !self.merge.mergers.iter().all(by_person);
        Asks {
            approvals: asked,
            authors: asked && approvals.exclude_authors,
            gates: !self.gates.is_empty(),
        }
    }

    /// Whether some gate cannot be judged without the revision's manifests.
    pub fn reads_manifests(&self) -> bool {
        self.gates.iter().any(Gate::reads_manifests)
    }

    /// People whose merges could never be approved: too few others are asked.
    pub fn stuck_mergers(&self) -> Vec<&str> {
        let asked = &self.merge.approvals;
        let needed = usize::try_from(asked.principals).unwrap_or(usize::MAX);
        let is_stuck = |merger: &&String| {
            let others: BTreeSet<_> = asked.from.iter().filter(|it| it != merger).collect();
            let is_person = self.principals.get(*merger).is_some_and(|it| it.kind == Kind::Human);
            is_person && others.len() < needed
        };
        if asked.from.is_empty() || !(asked.exclude_authors || asked.exclude_mergers) {
            return Vec::new();
        }
        self.merge.mergers.iter().filter(is_stuck).map(String::as_str).collect()
    }

    fn check_sizes(&self) -> Result<(), String> {
        if self.version == 0 {
            return Err("version is 0, write a number from 1".to_owned());
        }
        if self.principals.len() > MOST_PRINCIPALS || self.gates.len() > MOST_GATES {
            return Err(format!(
                "too much for one policy: {MOST_PRINCIPALS} principals and {MOST_GATES} gates at most"
            ));
        }
        for (place, gate) in self.gates.iter().enumerate() {
            if self.gates.iter().take(place).any(|other| other.id == gate.id) {
                return Err(format!("two gates have the id {:?}", gate.id));
            }
        }
        Ok(())
    }

    /// A name that nobody bears would make a rule that nobody meets, or worse, one that is skipped.
    fn unknown_names(&self) -> Vec<Slip> {
        let merge = &self.merge;
        let mut named = each("merge.mergers", &merge.mergers);
        named.extend(each("merge.approvals.from", &merge.approvals.from));
        for (place, gate) in self.gates.iter().enumerate() {
            named.extend(each(&format!("gates[{place}].signers"), &gate.signers));
        }
        if let Some(it) = &self.emergency {
            named.extend(each("emergency.oncall", &it.oncall));
        }
        if let Some(it) = &self.freshness {
            named.push(("freshness.signer".to_owned(), &it.signer));
        }
        named.retain(|(_, name)| !self.principals.contains_key(*name));
        let mut slips: Vec<_> = (named.into_iter())
            .map(|(field, name)| (field, format!("{name:?} is not among the principals")))
            .collect();
        let skipped = self.emergency.iter().flat_map(|it| each("emergency.skips", &it.skips));
        let is_gate = |name: &str| name == "windows" || self.gates.iter().any(|it| it.id == name);
        let unknown = skipped.filter(|(_, name)| !is_gate(name));
        slips.extend(unknown.map(|(field, name)| (field, format!("{name:?} is no gate"))));
        slips
    }

    fn check_thresholds(&self) -> Result<(), String> {
        if self.merge.mergers.is_empty() {
            return Err("merge.mergers is empty: nobody could ever change this policy".to_owned());
        }
        let approvals = &self.merge.approvals;
        within("merge.approvals.principals", approvals.principals, 0, &approvals.from)?;
        for gate in self.gates.iter().filter(|gate| !gate.signers.is_empty()) {
            within(&format!("threshold of gate {:?}", gate.id), gate.threshold, 1, &gate.signers)?;
        }
        match &self.emergency {
            Some(it) => within("emergency.threshold", it.threshold, 1, &it.oncall),
            None => Ok(()),
        }
    }
}

/// The entries of a list, each with the name of its place.
fn each<'a>(field: &str, names: &'a [String]) -> Vec<(String, &'a String)> {
    names.iter().enumerate().map(|(at, name)| (format!("{field}[{at}]"), name)).collect()
}

/// A number of distinct people that is asked for must be there to be had.
fn within(what: &str, asked: u32, least: u32, names: &[String]) -> Result<(), String> {
    let mut distinct: Vec<_> = names.iter().collect();
    distinct.sort();
    distinct.dedup();
    if asked < least || usize::try_from(asked).unwrap_or(usize::MAX) > distinct.len() {
        let most = distinct.len();
        return Err(format!("{what} is {asked}, write a number from {least} to {most}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
