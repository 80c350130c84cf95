//! What is attested: a commit and its tree, under a policy, with a key, at a time.
//!
//! **Invariant:** the gate that is applied is one for which this key's word counts.

use std::path::Path;

use anyhow::anyhow;
use bowline_host::door::clock;
use bowline_host::repository::Repository;
use bowline_host::repository::tree::TreeFailure;
use bowline_model::digest::Sha256;
use bowline_model::object_id::ObjectId;
use bowline_model::policy::{Gate, KeyMaterial, POLICY_PATH, Policy, Rule};
use bowline_trust::commit::Commit;
use bowline_trust::spki::SpkiKey;
use jiff::Timestamp;

use super::arguments::Common;
use crate::failure::{Failure, read_given};
use crate::revision::{self, unknown};
use crate::signing_key::SigningKey;
use crate::verify::unreachable;

/// As much as a host reads.
const POLICY_BYTES_MAX: u64 = 1 << 20;

/// What is attested.
pub(super) struct Case {
    /// The commit.
    pub(super) commit: ObjectId,
    /// Its tree.
    pub(super) tree: ObjectId,
    /// The policy, where there is one.
    pub(super) policy: Option<Policy>,
    /// The digest of its text.
    pub(super) policy_sha256: Option<Sha256>,
    /// The key that signs.
    pub(super) key: SigningKey,
    /// When.
    pub(super) now: Timestamp,
}

impl Case {
    /// Looks up what is named on the command line.
    pub(super) fn open(given: &Common) -> Result<Self, Failure> {
        if given.json && given.delivery.out.as_deref() == Some(Path::new("-")) {
            let what = anyhow!("--json and --out - would both write to stdout");
            return Err(Failure::usage(what).hint("write the evidence to a file: --out FILE"));
        }
        let key = SigningKey::read(&given.key)?;
        let commit = revision::find(&given.repo, &given.rev)?;
        let repository = Repository::view(&given.repo).map_err(unreachable)?;
        let raw = repository.raw_commit(&commit).map_err(unknown)?;
        let parsed = Commit::parse(&raw, commit.format()).map_err(Failure::failed)?;
        let tree = parsed.tree;
        let text = match &given.policy {
            Some(file) => {
                Some((file.display().to_string(), read_given(file, "policy", POLICY_BYTES_MAX)?))
            }
            None => policy_of(&repository, &commit)?.map(|it| (POLICY_PATH.to_owned(), it)),
        };
        let policy = text.as_ref().map(|(name, bytes)| parse(name, bytes)).transpose()?;
        let policy_sha256 = text.as_ref().map(|(_, bytes)| Sha256::of(bytes));
        // The clock's seconds are in range for some thousand years.
        let now = Timestamp::from_second(clock::wall()).unwrap_or(Timestamp::MAX);
        Ok(Self { commit, tree, policy, policy_sha256, key, now })
    }

    /// The gate that sets the limit: the named one, or the only one of its kind that counts this key.
    ///
    /// `None` where there is no policy; `what` says what limits the command line could set instead.
    pub(super) fn gate(
        &self,
        given: &Common,
        fits: impl Fn(&Rule) -> bool,
        what: &str,
    ) -> Result<Option<&Gate>, Failure> {
        let Some(policy) = &self.policy else {
            return match &given.gate {
                None => Ok(None),
                Some(id) => {
                    Err(Failure::usage(anyhow!("there is no policy that has a gate {id:?}"))
                        .hint("name the policy with --policy"))
                }
            };
        };
        if let Some(id) = &given.gate {
            return self.named(policy, id, fits).map(Some);
        }
        let hint = format!("name a gate with --gate, or set limits yourself: {what}");
        let mut fitting =
            policy.gates.iter().filter(|it| fits(&it.rule) && self.counts(policy, it));
        match (fitting.next(), fitting.next()) {
            (Some(gate), None) => Ok(Some(gate)),
            (None, _) => {
                let id = self.key.id();
                let why = anyhow!("the policy has no gate of this kind for the key {id}");
                Err(Failure::usage(why).hint(hint))
            }
            (Some(one), Some(two)) => {
                let ids: Vec<_> = [one, two].into_iter().chain(fitting).map(|it| &*it.id).collect();
                let why = anyhow!("several gates fit: {}", ids.join(", "));
                Err(Failure::usage(why).hint(hint))
            }
        }
    }

    fn named<'p>(
        &self,
        policy: &'p Policy,
        id: &str,
        fits: impl Fn(&Rule) -> bool,
    ) -> Result<&'p Gate, Failure> {
        let ids: Vec<_> = policy.gates.iter().map(|it| &*it.id).collect();
        let refuse = |why: String| {
            Failure::usage(anyhow!(why)).hint(format!("the policy's gates: {}", ids.join(", ")))
        };
        let gate = policy.gates.iter().find(|it| it.id == id);
        let gate = gate.ok_or_else(|| refuse(format!("the policy has no gate {id:?}")))?;
        if !fits(&gate.rule) {
            return Err(refuse(format!("gate {id:?} asks for another kind of evidence")));
        }
        if !self.counts(policy, gate) {
            let key = self.key.id();
            return Err(refuse(format!("no signer of gate {id:?} has the key {key}")));
        }
        Ok(gate)
    }

    /// Whether a gate counts what this key signs now.
    fn counts(&self, policy: &Policy, gate: &Gate) -> bool {
        let keys = gate.signers.iter().filter_map(|it| policy.principals.get(it));
        let mut keys = keys.flat_map(|it| &it.keys).filter(|it| it.counts_at(self.now));
        let id = self.key.id();
        let is_revoked = policy.revoked.keys.iter().any(|it| it.as_str() == id);
        !is_revoked && keys.any(|it| is_same(&it.material, &id))
    }
}

/// Whether a policy's key is the one with this fingerprint.
fn is_same(material: &KeyMaterial, id: &str) -> bool {
    let KeyMaterial::Spki { pem } = material else { return false };
    SpkiKey::from_pem(pem).is_ok_and(|it| it.fingerprint() == id)
}

fn policy_of(repository: &Repository, commit: &ObjectId) -> Result<Option<Vec<u8>>, Failure> {
    match repository.contents(commit, &[POLICY_PATH.to_owned()]) {
        Ok(found) => Ok(found.get(POLICY_PATH).map(|it| it.to_vec())),
        Err(TreeFailure::NoFile { .. }) => Ok(None),
        Err(other) => Err(Failure::failed(other)),
    }
}

fn parse(name: &str, bytes: &[u8]) -> Result<Policy, Failure> {
    Policy::parse(name, bytes)
        .map_err(|faults| Failure::usage(faults).of("the policy cannot be used"))
}
