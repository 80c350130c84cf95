//! Turns fetched history into a proof that one commit may be deployed, or says why not.
//!
//! **Invariant:** a [`Verified`] exists only where bowline-trust accepted the commit, in this process.

use std::sync::Arc;

use bowline_model::adopted::Adopted;
use bowline_model::bundle::{Bundle, CommitEvidence};
use bowline_model::digest::Sha256;
use bowline_model::high_water::HighWater;
use bowline_model::object_id::ObjectId;
use bowline_model::policy::Policy;
use bowline_model::revision::Revision;
use bowline_model::shown::one_line;
use bowline_trust::verdict::{Code, Deployable, Verdict, Walked};
use bowline_trust::{Here, Purpose, Who};
use jiff::Timestamp;
use serde_json::Value;

use crate::settings::Settings;
use crate::testing::branch_of;

/// Longer than anybody writes a subject, and short enough for every record to carry one.
const SUBJECT_CHARS_MAX: usize = 200;

/// A commit that may be deployed as far as signatures and policy go. Made only here.
#[derive(Debug, Clone)]
pub struct Verified {
    revision: Revision,
    policy: Arc<Policy>,
    subject: Option<String>,
    gates: Arc<[Value]>,
    adopted: Arc<[Adopted]>,
}

impl Verified {
    /// The commit.
    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    /// The same proof for the revision that this host committed under it earlier; `None` when the
    /// policy revokes that.
    pub(crate) fn instead(&self, revision: &Revision) -> Option<Self> {
        under(&self.policy, revision)
    }

    /// The first line of the commit's message, for people; `None` when it is not at hand.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// What each gate said of it when it was let through, as records have it; also where another process judged it.
    pub fn gates(&self) -> &[Value] {
        &self.gates
    }

    /// Commits at or below it that are on the branch by adoption, and that nothing before it came by.
    pub fn adopted(&self) -> &[Adopted] {
        &self.adopted
    }

    /// The policy in force.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }
}

/// What came of judging a bundle.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The verdict's word: accepted, pending, refused, tampered.
    pub word: &'static str,
    /// The stable code; empty when accepted.
    pub code: String,
    /// Why, for people.
    pub detail: String,
    /// The commit that is to blame, when it is one.
    pub commit: Option<ObjectId>,
    /// Marks to make durable, when the walk passed.
    pub walked: Option<Walked>,
    /// The newest commit that may be deployed.
    pub verified: Option<Verified>,
}

/// Judges a bundle.
pub fn verify(
    settings: &Settings,
    marks: Option<&HighWater>,
    bundle: &Bundle,
    wall: i64,
) -> Judged {
    judge(Purpose::Everybody, settings, marks, bundle, wall)
}

fn judge(
    purpose: Purpose<'_>,
    settings: &Settings,
    marks: Option<&HighWater>,
    bundle: &Bundle,
    wall: i64,
) -> Judged {
    let now = Timestamp::from_second(wall).unwrap_or(Timestamp::UNIX_EPOCH);
    let root = (&*settings.trust, settings.trust_sha256);
    let here = Here { who: Who::Host(&settings.fingerprint), folder: &settings.folder };
    let verdict = bowline_trust::verify_for((purpose, here), root, marks, bundle, now);
    let word = verdict.word();
    let proof =
        |walked: &Walked, deployable: &Deployable| prove(settings, bundle, walked, deployable);
    match verdict {
        Verdict::Accepted { walked, deployable } => Judged {
            word,
            code: String::new(),
            detail: String::new(),
            commit: None,
            verified: proof(&walked, &deployable),
            walked: Some(walked),
        },
        Verdict::Pending { walked, deployable, commit, code, detail } => Judged {
            word,
            code: code.to_string(),
            detail,
            commit: Some(commit).filter(|it| *it != bundle.tip),
            verified: deployable.and_then(|it| proof(&walked, &it)),
            walked: Some(walked),
        },
        Verdict::Stale { mut walked, deployable, detail } => {
            let verified = deployable.and_then(|it| proof(&walked, &it));
            // Where an alarm is enough it is one warning more, and on it goes.
            let goes_on = verified.is_some();
            walked.warnings.extend(goes_on.then(|| format!("stale: {detail}")));
            let of = |text: &str| if goes_on { String::new() } else { text.to_owned() };
            let (code, detail) = (of(Code::Stale.as_str()), of(&detail));
            Judged { word, code, detail, commit: None, verified, walked: Some(walked) }
        }
        Verdict::Refused(refusal) | Verdict::Tampered(refusal) => Judged {
            word,
            code: refusal.code.to_string(),
            detail: refusal.detail.clone(),
            commit: refusal.commit,
            walked: None,
            verified: None,
        },
    }
}

/// When it was last proved that the newest revision is the newest.
pub(crate) fn freshness_in_words(walked: &Walked) -> String {
    let asked = walked.policy.freshness.as_ref();
    let proved = walked.high_water.fresh.and_then(|it| Timestamp::from_second(it).ok());
    match (asked, proved) {
        (None, _) => "not proved: the policy names no signer".to_owned(),
        (Some(it), None) => format!("not proved: no word of {} yet", it.signer),
        (Some(it), Some(at)) => {
            format!("proved {at}; the policy asks for {} old at most", it.max_age)
        }
    }
}

/// Judges the branch that is tried out on one host, by the same walk from the verified head on.
///
/// Each of its commits was signed for this host's tests and for nothing else. Nothing of the walk is kept:
/// marks stay those of the branch. A policy binds every host, so it changes by a merge and never here.
pub(crate) fn on_top(
    settings: &Settings,
    walked: &Walked,
    (offered, host): (&Bundle, &str),
    wall: i64,
) -> Result<Verified, (String, String)> {
    let marks = Some(&walked.high_water);
    let judged = judge(Purpose::Tests(host), settings, marks, offered, wall);
    let Some(verified) = judged.verified.filter(|_| judged.code.is_empty()) else {
        let at = judged.commit.map(|it| format!("at {}: ", it.short())).unwrap_or_default();
        return Err((judged.code, format!("{at}{}", judged.detail)));
    };
    let policy = judged.walked.map(|it| it.high_water.policy_sha256);
    if policy != Some(walked.high_water.policy_sha256) {
        return Err(("testing-policy".to_owned(), "it changes the policy".to_owned()));
    }
    let revision = Revision { branch: branch_of(host), ..verified.revision };
    Ok(Verified { revision, ..verified })
}

fn prove(
    settings: &Settings,
    bundle: &Bundle,
    walked: &Walked,
    deployable: &Deployable,
) -> Option<Verified> {
    let evidence = evidence_of(bundle, &deployable.commit)?;
    let revision = Revision {
        branch: Revision::branch_of(settings.trust.repo.ref_name.as_str()).to_owned(),
        commit: deployable.commit,
        commit_sha256: Sha256::of(&evidence.raw),
        tree: deployable.tree,
    };
    let subject = subject_of(&evidence.raw);
    // The marks tell of it, who outlive the process that judged it.
    let marks = Some(&walked.high_water).filter(|it| it.cleared == Some(deployable.commit));
    let gates = marks.map(|it| it.opened.as_slice()).unwrap_or_default().into();
    let adopted = marks.map(|it| it.came_by.as_slice()).unwrap_or_default().into();
    let policy = Arc::clone(&walked.policy);
    Some(Verified { revision, policy, subject, gates, adopted })
}

/// The first line of a raw commit's message; it stands behind the first empty line.
fn subject_of(raw: &[u8]) -> Option<String> {
    let place = raw.windows(2).position(|it| it == b"\n\n")?;
    let message = String::from_utf8_lossy(raw.get(place..)?);
    let line = one_line(&message, SUBJECT_CHARS_MAX);
    (!line.is_empty()).then_some(line)
}

fn evidence_of<'a>(bundle: &'a Bundle, commit: &ObjectId) -> Option<&'a CommitEvidence> {
    bundle.commits.iter().chain(&bundle.waiting).chain(&bundle.start).find(|it| it.id == *commit)
}

/// The policy under which a host stands by what it committed, or goes back by order: that of the walk, else that
/// of the verified head, which the marks pin and which is judged anew.
pub(crate) fn policy_in_force(
    settings: &Settings,
    judged: Option<&Judged>,
    marks: Option<&HighWater>,
    bundle: &Bundle,
    wall: i64,
) -> Option<Arc<Policy>> {
    match judged.and_then(|it| it.walked.as_ref()) {
        Some(walked) => Some(Arc::clone(&walked.policy)),
        None => policy_at_head(settings, marks?, bundle, wall),
    }
}

/// The proof for a revision that this host committed earlier; `None` when the policy revokes it.
pub(crate) fn under(policy: &Arc<Policy>, revision: &Revision) -> Option<Verified> {
    let (policy, revision) = (Arc::clone(policy), revision.clone());
    let is_fine = !is_revoked(&policy, &revision);
    is_fine.then(|| Verified {
        revision,
        policy,
        subject: None,
        gates: Arc::new([]),
        adopted: Arc::new([]),
    })
}

fn policy_at_head(
    settings: &Settings,
    marks: &HighWater,
    bundle: &Bundle,
    wall: i64,
) -> Option<Arc<Policy>> {
    let start = bundle.start.clone().filter(|it| it.id == marks.head)?;
    let standing = Bundle {
        format: bundle.format,
        tip: start.id,
        start: Some(start),
        commits: Vec::new(),
        cut_short: false,
        waiting: Vec::new(),
    };
    Some(verify(settings, Some(marks), &standing, wall).walked?.policy)
}

fn is_revoked(policy: &Policy, revision: &Revision) -> bool {
    policy.revoked.commits.contains(&revision.commit)
        || policy.revoked.trees.contains(&revision.tree)
}
