//! `bowline verify`: would a host with this trust file accept this repository?
//!
//! **Invariant:** the judgement is the agent's own; nothing is written, neither here nor there.

use std::path::Path;

use bowline_host::door::clock;
use bowline_host::repository::evidence::Gathering;
use bowline_host::repository::fetch::FetchFailure;
use bowline_host::repository::{NOTES, Repository, view};
use bowline_host::state::State;
use bowline_model::adopted::Adopted;
use bowline_model::bundle::Bundle;
use bowline_model::digest::Sha256;
use bowline_model::high_water::HighWater;
use bowline_model::object_id::{ObjectFormat, ObjectId};
use bowline_model::policy::Policy;
use bowline_model::revision::Revision;
use bowline_model::trust_root::TrustRoot;
use bowline_trust::root_statement::CheckpointSeen;
use bowline_trust::verdict::{Code, Verdict, Walked};
use bowline_trust::{ApprovalSeen, GateVerdict, Purpose, marks_apply};
use jiff::Timestamp;
use serde::Serialize;

use crate::arguments::Verify;
use crate::failure::{Failure, read_given};
use crate::gates;
use crate::screen::Screen;

/// Files of trust and marks are text of some kilobytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What `--json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// accepted, pending, stale, refused or tampered.
    pub verdict: &'static str,
    /// The stable code; empty when accepted.
    pub code: String,
    /// Why, for people.
    pub detail: String,
    /// The newest commit.
    pub revision: String,
    /// The commit that is to blame, when it is one.
    pub commit: Option<String>,
    /// The newest commit that may be deployed.
    pub deployable: Option<String>,
    /// What each gate says of the newest commit; none where it met them before.
    pub gates: Vec<GateVerdict>,
    /// Approvals that were looked at, and whether they count.
    pub approvals: Vec<ApprovalSeen>,
    /// When it was last proved that the newest commit is the newest.
    pub proved: Option<Timestamp>,
    /// Commits that are on the branch by adoption, above the newest that met its gates before.
    pub adopted: Vec<Adopted>,
    /// The checkpoint at which the walk began, if at one.
    pub checkpoint: Option<CheckpointSeen>,
    /// The version of the root in force there; `None` where the walk did not pass.
    pub root_version: Option<u64>,
    /// What people should hear of although it stopped nothing.
    pub warnings: Vec<String>,
}

/// A trust file that was read.
#[derive(Debug)]
pub(crate) struct Trusted {
    pub(crate) root: TrustRoot,
    pub(crate) sha256: Sha256,
}

/// Judges a repository.
pub fn verify(given: &Verify, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let trusted = read_trust(&given.trust)?;
    let marks = given.state.as_deref().map(read_marks).transpose()?.flatten();
    let here = given.place.here();
    let bundle = bring((&given.repo, here.folder), &trusted, marks.as_ref())?;
    let now = now_or(given.at);
    let (purpose, root) = (Purpose::Everybody, (&trusted.root, trusted.sha256));
    let verdict = bowline_trust::verify_for((purpose, here), root, marks.as_ref(), &bundle, now);
    let mut report = Report::of(&verdict, &trusted.root, &bundle.tip);
    report.warnings.extend(walked(&verdict).and_then(|it| given.place.unknown(&it.policy)));
    report.warnings.extend(without_notes(&given.repo, &verdict));
    if given.json {
        screen.json(&report)?;
    } else {
        report.show(screen)?;
        if let Some(code) = verdict.code() {
            screen.note(format_args!("hint: {}", code.hint()))?;
        }
    }
    Ok(exit_code(&verdict))
}

/// How far the walk came, where it passed.
fn walked(verdict: &Verdict) -> Option<&Walked> {
    match verdict {
        Verdict::Accepted { walked, .. }
        | Verdict::Pending { walked, .. }
        | Verdict::Stale { walked, .. } => Some(walked),
        Verdict::Refused(_) | Verdict::Tampered(_) => None,
    }
}

/// The followed branch as a clone has it from its origin.
fn branch_of_origin(policy: &Policy) -> String {
    policy.ref_name.as_str().replacen("refs/heads/", "refs/remotes/origin/", 1)
}

/// What to do where evidence is asked for and a clone did not bring it: Git fetches notes only when told to.
fn without_notes(repo: &str, verdict: &Verdict) -> Option<String> {
    let walked = walked(verdict)?;
    let asks = walked.policy.asks();
    let is_asked = asks.approvals || asks.gates;
    // Where nothing was cloned there is nobody to fetch them from.
    let is_clone = view::tip_of(repo, "refs/remotes/origin/HEAD").is_ok()
        || view::tip_of(repo, &branch_of_origin(&walked.policy)).is_ok();
    (is_asked && is_clone && view::tip_of(repo, NOTES).is_err()).then(|| {
        format!(
            "{NOTES} is not in {repo}, and approvals and statements for gates lie there: git -C {repo} fetch origin \
             {NOTES}:{NOTES}"
        )
    })
}

/// The time that was given, or the clock's.
pub(crate) fn now_or(given: Option<Timestamp>) -> Timestamp {
    given.unwrap_or_else(|| {
        // The clock's seconds are in range for some thousand years.
        Timestamp::from_second(clock::wall()).unwrap_or(Timestamp::MAX)
    })
}

/// Reads a trust file.
pub(crate) fn read_trust(path: &Path) -> Result<Trusted, Failure> {
    let bytes = read_given(path, "trust file", FILE_BYTES_MAX)?;
    let root = TrustRoot::parse(&path.display().to_string(), &bytes)
        .map_err(|faults| Failure::usage(faults).of("the trust file cannot be used"))?;
    Ok(Trusted { root, sha256: Sha256::of(&bytes) })
}

/// Reads how far a host has verified; `None` when it has not yet.
pub(crate) fn read_marks(state: &Path) -> Result<Option<HighWater>, Failure> {
    if !state.is_dir() {
        let what = anyhow::anyhow!("there is no state folder {}", state.display());
        return Err(Failure::usage(what));
    }
    Ok(State::view(state).high_water()?)
}

/// The history that a fetch would bring, read where it lies.
pub(crate) fn bring(
    (url, folder): (&str, &str),
    trusted: &Trusted,
    marks: Option<&HighWater>,
) -> Result<Bundle, Failure> {
    let tip = view::tip_of(url, trusted.root.repo.ref_name.as_str()).map_err(unreachable)?;
    let marks = marks.filter(|it| marks_apply(it, trusted.sha256));
    let repository = Repository::view(url).map_err(unreachable)?;
    history((url, folder), &repository, &tip, (&trusted.root, marks))
}

/// First-parent history from where this host stands to a commit, with what it can show for itself. `marks`
/// are those that apply.
pub(crate) fn history(
    (url, folder): (&str, &str),
    repository: &Repository,
    tip: &ObjectId,
    (root, marks): (&TrustRoot, Option<&HighWater>),
) -> Result<Bundle, Failure> {
    let from = marks.map_or(root.anchor.commit, |it| it.head);
    let most = usize::try_from(root.limits.commits_per_walk).unwrap_or(usize::MAX);
    let mut bundle = repository.history(tip, &from, most).map_err(Failure::failed)?;
    // Most repositories have no notes.
    let notes = view::tip_of(url, NOTES).ok();
    let waiting = marks.map_or_else(|| vec![from], HighWater::in_question);
    let fresh = marks.and_then(|it| it.fresh);
    let (notes, waiting) = (notes.as_ref(), waiting.as_slice());
    let (root, limits) = (Some(root), &root.limits);
    let gathering = Gathering { notes, waiting, fresh, root, folder, limits };
    repository.gather(&mut bundle, &gathering).map_err(Failure::failed)?;
    Ok(bundle)
}

/// A repository that cannot be read: a mistake in its name, or in what it holds.
pub(crate) fn unreachable(failure: FetchFailure) -> Failure {
    let hint = match &failure {
        // The hint of a fetch is for whoever writes the agent's settings.
        FetchFailure::NotARepository { .. } => "name a folder that holds a Git repository",
        FetchFailure::MissingRef { .. } => {
            "the branch is the one that repo.ref in the trust file names"
        }
        other => other.hint(),
    };
    match failure {
        FetchFailure::NotARepository { .. }
        | FetchFailure::Unsupported { .. }
        | FetchFailure::Address { .. }
        | FetchFailure::Elsewhere { .. } => Failure::usage(failure).hint(hint),
        other => Failure::failed(other).hint(hint),
    }
}

/// 0 for accepted, 3 where the host's own state or anchor disagrees, else 1.
fn exit_code(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Accepted { .. } => 0,
        Verdict::Pending { .. } | Verdict::Stale { .. } | Verdict::Refused(_) => 1,
        Verdict::Tampered(_) => 3,
    }
}

impl Report {
    /// Puts a verdict into words.
    pub fn of(verdict: &Verdict, trust: &TrustRoot, tip: &ObjectId) -> Self {
        let branch = Revision::branch_of(trust.repo.ref_name.as_str());
        let walked = walked(verdict);
        let (deployable, warnings, commit, detail) = match verdict {
            Verdict::Accepted { walked, deployable } => {
                (Some(deployable.commit), &walked.warnings[..], None, "")
            }
            Verdict::Pending { walked, deployable, commit, detail, .. } => {
                let deployable = deployable.map(|it| it.commit);
                // Where the newest waits, `revision` names it already.
                let below = Some(*commit).filter(|it| it != tip);
                (deployable, &walked.warnings[..], below, detail.as_str())
            }
            Verdict::Stale { walked, deployable, detail } => {
                let deployable = deployable.map(|it| it.commit);
                (deployable, &walked.warnings[..], None, detail.as_str())
            }
            Verdict::Refused(it) | Verdict::Tampered(it) => {
                (None, &[][..], it.commit, it.detail.as_str())
            }
        };
        Self {
            verdict: verdict.word(),
            code: verdict.code().map(Code::as_str).unwrap_or_default().to_owned(),
            detail: detail.to_owned(),
            revision: shown(branch, tip),
            commit: commit.map(|it| it.to_string()),
            deployable: deployable.map(|it| shown(branch, &it)),
            gates: walked.map(|it| it.gates.clone()).unwrap_or_default(),
            approvals: walked.map(|it| it.approvals.clone()).unwrap_or_default(),
            proved: proved_at(walked),
            adopted: walked.map(|it| it.adopted.clone()).unwrap_or_default(),
            checkpoint: walked.and_then(|it| it.checkpoint.clone()),
            root_version: walked.and_then(|it| it.high_water.root_version),
            warnings: warnings.to_vec(),
        }
    }

    fn show(&self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        screen.table(&[
            ("verdict", self.verdict.to_owned()),
            ("code", self.code.clone()),
            ("detail", self.detail.clone()),
            ("commit", self.commit.clone().unwrap_or_default()),
            ("revision", self.revision.clone()),
            ("deployable", self.deployable.clone().unwrap_or_default()),
            ("proved", self.proved.map(|it| it.to_string()).unwrap_or_default()),
            ("root", self.root_version.filter(|it| *it > 1).map(version).unwrap_or_default()),
            ("checkpoint", self.checkpoint.as_ref().map(checkpoint).unwrap_or_default()),
        ])?;
        for it in &self.adopted {
            let (commit, signers) = (it.commit.short(), it.signers.join(", "));
            let Adopted { code, reason, issued, approvals_waived, .. } = it;
            let waived = approvals_waived.map(|it| format!(", approvals waived: {it}"));
            let how = format!("{signers}, {issued}{}", waived.unwrap_or_default());
            screen.line(format_args!("adopted {commit} ({code}) by {how}: {reason}"))?;
        }
        for it in &self.approvals {
            let worth = if it.counts { "counts" } else { it.reason.as_str() };
            screen.line(format_args!("approval by {}: {worth}", it.principal))?;
        }
        gates::show(&self.gates, screen)?;
        for warning in &self.warnings {
            screen.note(format_args!("warning: {warning}"))?;
        }
        Ok(())
    }
}

fn proved_at(walked: Option<&Walked>) -> Option<Timestamp> {
    Timestamp::from_second(walked?.high_water.fresh?).ok()
}

fn version(root: u64) -> String {
    format!("version {root}")
}

fn checkpoint(seen: &CheckpointSeen) -> String {
    let CheckpointSeen { commit, policy_version, signers, .. } = seen;
    format!("{commit}, policy version {policy_version}, by {}", signers.join(", "))
}

/// A commit on a branch, as every other word of the agent shows it.
fn shown(branch: &str, commit: &ObjectId) -> String {
    let format = match commit.format() {
        ObjectFormat::Sha1 => "sha1",
        ObjectFormat::Sha256 => "sha256",
    };
    format!("{branch}@{format}:{commit}")
}
