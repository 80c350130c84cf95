//! `bowline gate`: what would a host say of a commit's gates, before it is merged?
//!
//! **Invariant:** the judgement is the agent's own; nothing is written.
//! **Invariant:** signatures on commits are not looked at here, and those on the policy by a trust file only:
//! `bowline verify` looks at all.

use bowline_host::repository::evidence::Gathering;
use bowline_host::repository::{NOTES, Repository, view};
use bowline_model::bundle::{Bundle, CommitEvidence};
use bowline_model::object_id::ObjectId;
use bowline_model::policy::Policy;
use bowline_model::trust_root::Limits;
use bowline_trust::GateVerdict;
use bowline_trust::preview::{Preview, Stage, policy_of, preview};
use bowline_trust::verdict::Refusal;
use serde::Serialize;

use crate::arguments::Gate;
use crate::failure::Failure;
use crate::gates;
use crate::revision;
use crate::screen::Screen;
use crate::verify::{now_or, read_trust, unreachable};

/// What `--json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    /// accepted or pending, as far as gates go; refused when there is no policy in force to judge by.
    verdict: &'static str,
    /// The stable code; empty when accepted.
    code: String,
    /// Why, for people.
    detail: String,
    /// The commit.
    revision: String,
    /// Its tree.
    tree: Option<String>,
    /// What each gate says.
    gates: Vec<GateVerdict>,
    /// Approvals are counted for a merge, and there is none yet.
    approvals: [(); 0],
}

/// Judges the gates of one commit.
pub fn gate(given: &Gate, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let commit = revision::find(&given.repo, &given.rev)?;
    let limits = Limits::default();
    let here = given.place.here();
    let trust = given.trust.as_deref().map(read_trust).transpose()?;
    let trust = trust.as_ref().map(|it| &it.root);
    let evidence = evidence_of((&given.repo, here.folder), &commit, &limits)?;
    let judged = policy_of(&evidence).and_then(|policy| {
        let stage = stage_of(&given.repo, &commit, &policy);
        let bounds = (trust, limits.envelope_bytes);
        let preview = preview(&evidence, (stage, &here), bounds, now_or(given.at))?;
        Ok((stage, policy, preview))
    });
    let (report, proposed_to) = match judged {
        Err(refusal) => (Report::refused(&commit, refusal), None),
        Ok((stage, policy, preview)) => {
            if policy.asks().approvals && !given.json && !given.markdown {
                screen.note(
                    "note: approvals are not counted here; bowline verify does, once it is merged",
                )?;
            }
            if let Some(warning) = given.place.unknown(&policy).filter(|_| !given.json) {
                screen.note(format_args!("warning: {warning}"))?;
            }
            let branch = (stage == Stage::Proposed).then_some(policy.ref_name);
            (Report::of(&commit, preview), branch)
        }
    };
    if given.json {
        screen.json(&report)?;
    } else if given.markdown {
        report.comment(screen)?;
    } else {
        report.show(screen)?;
        if let Some(branch) = proposed_to {
            screen.note(format_args!(
                "note: this is not the newest commit of {branch}; its merge will have the same tree at \
                 best, so only what is said of the tree counts"
            ))?;
        }
    }
    Ok(u8::from(!report.code.is_empty()))
}

/// One commit with what the notes say of it.
fn evidence_of(
    (repo, folder): (&str, &str),
    commit: &ObjectId,
    limits: &Limits,
) -> Result<CommitEvidence, Failure> {
    let repository = Repository::view(repo).map_err(unreachable)?;
    let mut bundle = Bundle {
        format: commit.format(),
        tip: *commit,
        start: None,
        commits: Vec::new(),
        cut_short: false,
        waiting: Vec::new(),
    };
    // Most repositories have no notes.
    let notes = view::tip_of(repo, NOTES).ok();
    let (notes, waiting) = (notes.as_ref(), &[*commit]);
    let gathering = Gathering { notes, waiting, fresh: None, root: None, folder, limits };
    repository.gather(&mut bundle, &gathering).map_err(Failure::failed)?;
    let found = bundle.waiting.pop();
    found.ok_or_else(|| Failure::failed(anyhow::anyhow!("{commit} was not read")))
}

/// What a host would deploy next is the newest commit of the branch; all else is still to be merged.
fn stage_of(repo: &str, commit: &ObjectId, policy: &Policy) -> Stage {
    match view::tip_of(repo, policy.ref_name.as_str()) {
        Ok(tip) if tip == *commit => Stage::Merged,
        _ => Stage::Proposed,
    }
}

impl Report {
    fn of(commit: &ObjectId, preview: Preview) -> Self {
        let Preview { tree, lacks, gates } = preview;
        let waits = |it: &Refusal| gates.iter().any(|gate| gate.code == Some(it.code));
        let verdict = match &lacks {
            None => "accepted",
            Some(it) if waits(it) => "pending",
            Some(_) => "refused",
        };
        let (code, detail) = lacks.map(|it| (it.code.as_str(), it.detail)).unwrap_or_default();
        Self {
            verdict,
            code: code.to_owned(),
            detail,
            revision: commit.to_string(),
            tree: Some(tree.to_string()),
            gates,
            approvals: [],
        }
    }

    fn refused(commit: &ObjectId, refusal: Refusal) -> Self {
        Self {
            verdict: "refused",
            code: refusal.code.as_str().to_owned(),
            detail: refusal.detail,
            revision: commit.to_string(),
            tree: None,
            gates: Vec::new(),
            approvals: [],
        }
    }

    /// The same as a comment on a proposal.
    fn comment(&self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let code = if self.code.is_empty() { String::new() } else { format!(" `{}`", self.code) };
        screen.line(format_args!("Gates of {}: **{}**{code}", self.revision, self.verdict))?;
        let is_refused = self.verdict == "refused";
        if (self.gates.is_empty() || is_refused) && !self.detail.is_empty() {
            screen.line("")?;
            screen.line(gates::escape(&self.detail))?;
        }
        gates::comment(&self.gates, screen)
    }

    fn show(&self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        screen.table(&[
            ("verdict", self.verdict.to_owned()),
            ("code", self.code.clone()),
            ("detail", self.detail.clone()),
            ("revision", self.revision.clone()),
            ("tree", self.tree.clone().unwrap_or_default()),
        ])?;
        gates::show(&self.gates, screen)
    }
}
