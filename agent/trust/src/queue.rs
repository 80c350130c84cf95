//! Which commit is deployed: the newest whose own gates are met.
//!
//! **Invariant:** nothing older than what met its gates before is chosen, however evidence ages.
//! **Invariant:** what is waited for is bounded: of many, the newest are remembered.

use std::rc::Rc;
use std::sync::Arc;

use bowline_model::bundle::{Bundle, CommitEvidence, RawManifests};
use bowline_model::digest::Sha256;
use bowline_model::high_water::{HighWater, Spent, Waiting};
use bowline_model::object_id::ObjectId;
use bowline_model::policy::Policy;
use bowline_model::trust_root::TrustRoot;
use jiff::Timestamp;

use crate::attested::{self, Attested, Bench};
use crate::authority::Authorised;
use crate::commit::Commit;
use crate::demands::{Wait, lacking};
use crate::emergency::{self, Urgent};
use crate::gates::{self, Case, GateVerdict};
use crate::here::{Here, Who};
use crate::manifested::{Found, Reader};
use crate::policy_change::{Governing, admit};
use crate::receipt::{self, Receipt, Revision};
use crate::roll::revokes;
use crate::roots::Roots;
use crate::start::Judged;
use crate::verdict::{Code, Deployable};

/// Merges of a busy day; whoever waits for an older one has stopped waiting.
const WAITING_MAX: usize = 64;

/// Environments that a host goes through by reverts alone; of more, the first are remembered.
const ENVIRONMENTS_MAX: usize = 64;

/// A commit that may be deployed once its gates are met.
struct Candidate<'a> {
    /// Root keys let it in, and no merger.
    is_adopted: bool,
    id: ObjectId,
    raw_sha256: Sha256,
    tree: ObjectId,
    governing: Arc<Governing>,
    evidence: Option<&'a CommitEvidence>,
}

/// The commits in question, newest first.
pub(crate) struct Queue<'a> {
    candidates: Vec<Candidate<'a>>,
    /// The one that met its gates before.
    cleared: Option<ObjectId>,
    /// The environments by which it did.
    before: &'a [String],
    /// Trees that this host committed in good health.
    healthy: &'a [ObjectId],
    here: &'a Here<'a>,
    reader: Reader<'a>,
}

/// What is found of one commit.
#[derive(Default)]
struct Findings {
    /// What it waits for.
    wait: Option<Wait>,
    gates: Vec<GateVerdict>,
    /// What is used up by it, if it is let through.
    used: Vec<Spent>,
    /// What people should hear of it.
    notice: Option<String>,
    /// What this host is by its manifests, where the policy asks for that.
    environments: Vec<String>,
}

/// What is chosen, and what goes on waiting.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) deployable: Option<Deployable>,
    /// What the newest commit waits for.
    pub(crate) wait: Option<Wait>,
    /// What each gate says of the newest commit.
    pub(crate) gates: Vec<GateVerdict>,
    /// What each gate says of the one that is chosen.
    pub(crate) opened: Vec<GateVerdict>,
    pub(crate) cleared: Option<ObjectId>,
    /// The environments by which that one met its gates.
    pub(crate) environments: Vec<String>,
    /// Oldest first.
    pub(crate) waiting: Vec<Waiting>,
    /// What was used up by the one that is chosen.
    pub(crate) used: Vec<Spent>,
    /// What people should hear of the one that is chosen.
    pub(crate) notice: Option<String>,
}

impl<'a> Queue<'a> {
    /// Lines up what was walked, what waited before, and the start.
    pub(crate) fn of(
        root: &TrustRoot,
        marks: Option<&'a HighWater>,
        (bundle, here): (&'a Bundle, &'a Here<'a>),
        (start, passed): (&Judged, &[Authorised]),
    ) -> Self {
        let found = |id: &ObjectId| {
            bundle
                .waiting
                .iter()
                .chain(&bundle.commits)
                .chain(&bundle.start)
                .find(|it| it.id == *id)
        };
        let known = marks.map(|it| it.adopted.as_slice()).unwrap_or_default();
        let was_adopted = |id: ObjectId| known.iter().any(|it| it.commit == id);
        let of = |it: &Judged, is_adopted: bool| Candidate {
            is_adopted,
            id: it.id,
            raw_sha256: it.raw_sha256,
            tree: it.tree,
            governing: Arc::clone(&it.governing),
            evidence: found(&it.id),
        };
        let mut candidates: Vec<_> =
            (passed.iter().rev()).map(|it| of(&it.judged, it.adopted.is_some())).collect();
        candidates.push(of(start, was_adopted(start.id)));
        for it in marks.iter().flat_map(|it| it.waiting.iter().rev()) {
            let is_known = candidates.iter().any(|known| known.id == it.commit);
            let evidence = found(&it.commit).filter(|found| {
                // The marks pin it: what was verified once is not verified again.
                !is_known && Sha256::of(&found.raw) == it.commit_sha256
            });
            let Some(evidence) = evidence else { continue };
            // A policy in its tree that cannot be in force names no gates to be met.
            let Ok(commit) = Commit::parse(&evidence.raw, bundle.format) else { continue };
            let Some(governing) = governing_of(root, start, evidence) else { continue };
            candidates.push(Candidate {
                is_adopted: was_adopted(it.commit),
                id: it.commit,
                raw_sha256: it.commit_sha256,
                tree: commit.tree,
                governing,
                evidence: Some(evidence),
            });
        }
        Self {
            candidates,
            cleared: marks.and_then(|it| it.cleared),
            before: marks.map(|it| it.environments.as_slice()).unwrap_or_default(),
            here,
            reader: Reader::of(here.folder),
            healthy: marks.map(|it| it.healthy.as_slice()).unwrap_or_default(),
        }
    }

    /// Chooses the newest that none of these policies revokes and that meets its own gates; nothing new where it
    /// `holds`. `spent` is what was used up before.
    pub(crate) fn choose(
        self,
        root: &TrustRoot,
        (laws, holds): (&[&Governing], bool),
        (spent, now): (&[Spent], Timestamp),
    ) -> Chosen {
        let mut waiting = Vec::new();
        let (mut wait, mut gates, mut notice) = (None, Vec::new(), None);
        let (mut deployable, mut chosen) = (None, Findings::default());
        for (place, it) in self.candidates.iter().enumerate() {
            let is_cleared = self.cleared == Some(it.id);
            let found = if is_cleared {
                Findings::default()
            } else if self.healthy.contains(&it.tree) && !it.is_adopted {
                self.known(it, laws, now)
            } else {
                self.findings(it, root, laws, (spent, now))
            };
            let is_revoked = laws.iter().any(|law| is_revoked(&law.policy, it));
            let is_met = found.wait.is_none() && !is_revoked && !holds;
            if place == 0 {
                (wait, gates) = (found.wait.clone(), found.gates.clone());
                notice.clone_from(&found.notice);
            }
            if is_met {
                chosen = found;
                deployable = Some(Deployable { commit: it.id, tree: it.tree });
            }
            if is_met || is_cleared {
                break;
            }
            waiting.push(Waiting { commit: it.id, commit_sha256: it.raw_sha256 });
        }
        waiting.truncate(WAITING_MAX);
        waiting.reverse();
        let cleared = deployable.map(|it| it.commit).or(self.cleared);
        // What met its gates before is asked nothing, and nothing about it changes.
        let is_new = deployable.is_some_and(|it| self.cleared != Some(it.commit));
        let environments = if is_new { chosen.environments } else { self.before.to_vec() };
        let Findings { gates: opened, used, notice: of_chosen, .. } = chosen;
        let notice = of_chosen.or(notice);
        Chosen { deployable, wait, gates, opened, cleared, environments, waiting, used, notice }
    }
}

impl Queue<'_> {
    /// What is found of a commit that goes back to what this host committed in good health: its gates were met.
    fn known(&self, it: &Candidate<'_>, laws: &[&Governing], now: Timestamp) -> Findings {
        let wait = ended(laws, now);
        let asks = it.governing.policy.asks();
        let notice = (asks.gates || asks.approvals).then(|| {
            let why = "stood here in good health before, so a merger's signature is enough";
            format!("the tree of {} {why}", it.id.short())
        });
        // It brings back what the host was then, and takes it out of nothing: no gate was asked.
        let mut environments = self.before.to_vec();
        let own = self.environment(&self.manifested(it));
        let is_new =
            |it: &String| !self.before.contains(it) && self.before.len() < ENVIRONMENTS_MAX;
        environments.extend(own.filter(is_new));
        Findings { wait, notice, environments, ..Findings::default() }
    }

    /// What its own policy asks for and is not there, and what each gate says.
    fn findings(
        &self,
        candidate: &Candidate<'_>,
        root: &TrustRoot,
        laws: &[&Governing],
        (spent, now): (&[Spent], Timestamp),
    ) -> Findings {
        let policy = &candidate.governing.policy;
        let evidence = candidate.attested(root, laws, now);
        let manifested = self.manifested(candidate);
        let case = Case {
            commit: Some(candidate.id),
            tree: candidate.tree,
            repo_uri: &root.repo.uri,
            ref_name: &root.repo.ref_name,
            now,
            manifested: &manifested,
            scope: &self.here.scope(&manifested, self.before),
            receipts: &candidate.receipts(root, laws),
        };
        let mut gates = gates::judge_all(policy, &case, &evidence);
        let change = candidate.evidence.and_then(|it| it.beside.change);
        let urgent = Urgent { commit: candidate.id, change, repo: &root.repo, spent, now };
        let called = emergency::hear(policy, &evidence, &urgent);
        let too_few = called.as_ref().filter(|it| !it.is_enough).map(|it| {
            let (asked, id) =
                (policy.emergency.as_ref().map_or(0, |it| it.threshold), candidate.id.short());
            format!(
                "{id}: of {asked} people on call only {} say that it must not be held up",
                it.by()
            )
        });
        let called = called.filter(|it| it.is_enough && it.skip(policy, &mut gates));
        let skipped = gates.iter().find_map(|it| it.skipped.as_ref());
        let notice = skipped.map(|it| {
            let (by, id) = (it.by.join(", "), candidate.id.short());
            format!("{id}: gates were skipped in an emergency by {by} ({}): review it", it.reason)
        });
        let notice = notice.or(too_few);
        let wait = ended(laws, now).or_else(|| lacking(&gates));
        let used = called.map(|it| it.used).unwrap_or_default();
        let environments = self.environment(&manifested).into_iter().collect();
        Findings { wait, gates, used, notice, environments }
    }

    /// What a commit's manifests say, where its policy asks.
    fn manifested(&self, it: &Candidate<'_>) -> Rc<Found> {
        let raw = it.evidence.map(|it| &it.beside.manifests);
        let asked = raw.filter(|_| it.governing.policy.reads_manifests());
        self.reader.read(asked.unwrap_or(&RawManifests::Unasked))
    }

    /// What this host is by manifests.
    fn environment(&self, manifested: &Found) -> Option<String> {
        let Who::Host(key) = self.here.who else { return None };
        manifested.as_ref().ok()?.environment_of(key).map(str::to_owned)
    }
}

impl Candidate<'_> {
    /// What counts by its own policy, without signers whose key the newest policy revoked or ended.
    fn attested(&self, root: &TrustRoot, laws: &[&Governing], now: Timestamp) -> Vec<Attested> {
        let Governing { policy, roll, .. } = &*self.governing;
        let bench = Bench { policy, roll, at: Some(now), largest: root.limits.envelope_bytes };
        let lines = self.evidence.map(|it| it.beside.attestations.as_slice()).unwrap_or_default();
        let mut attested: Vec<_> =
            lines.iter().filter_map(|line| attested::read(line, &bench)).collect();
        for it in &mut attested {
            it.signers.retain(|_, signer| {
                laws.iter().all(|law| {
                    let known = law.roll.by_fingerprint(&signer.fingerprint);
                    !revokes(&law.policy, &signer.fingerprint)
                        && known.is_none_or(|holder| holder.counts_at(now))
                })
            });
        }
        attested.retain(|it| !it.signers.is_empty());
        attested
    }

    /// What hosts signed of it, without those whose key its own policy or a newer one revokes.
    fn receipts(&self, root: &TrustRoot, laws: &[&Governing]) -> Vec<Receipt> {
        let lines = self.evidence.map(|it| it.beside.attestations.as_slice()).unwrap_or_default();
        let revision =
            Revision { commit: Some(self.id), commit_sha256: self.raw_sha256, tree: self.tree };
        let repo = (root.repo.uri.as_str(), root.repo.ref_name.as_str());
        let mut receipts = receipt::read_all(lines, &revision, (repo, root.limits.envelope_bytes));
        let laws = laws.iter().map(|it| &it.policy).chain([&self.governing.policy]);
        receipts.retain(|it| laws.clone().all(|law| !revokes(law, &it.fingerprint)));
        receipts
    }
}

/// The policy of a commit that waited; mostly it is the same as that of the newest.
fn governing_of(
    root: &TrustRoot,
    start: &Judged,
    evidence: &CommitEvidence,
) -> Option<Arc<Governing>> {
    if start.governing.is_unchanged(evidence) {
        return Some(Arc::clone(&start.governing));
    }
    let roots = Roots::of(root, evidence).ok()?;
    admit(root, &roots.all(), evidence).ok().map(Arc::new)
}

/// A policy that ended lets nothing new through, whenever it was merged.
fn ended(laws: &[&Governing], now: Timestamp) -> Option<Wait> {
    let expires = laws.iter().map(|law| law.policy.expires).min()?;
    (expires <= now).then(|| Wait {
        code: Code::PolicyExpired,
        detail: format!("the policy in force expired {expires}"),
    })
}

fn is_revoked(policy: &Policy, it: &Candidate<'_>) -> bool {
    policy.revoked.commits.contains(&it.id) || policy.revoked.trees.contains(&it.tree)
}
