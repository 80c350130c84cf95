//! What root keys say of the commits of one walk.
//!
//! **Invariant:** only roots of a commit that was let in speak: what the tip carries vouches neither for itself nor
//! for what lies below it.
//! **Invariant:** where nothing was said nothing is read, and the walk is as it is without.

use bowline_model::adopted::Adopted;
use bowline_model::bundle::{Bundle, CommitEvidence};
use bowline_model::trust_root::TrustRoot;
use jiff::Timestamp;

use crate::root_statement::{
    ADOPTION_TYPE, Adoption, Checkpoint, Foundling, Named, RootStatement, adoption, checkpoint,
};
use crate::roots::Roots;
use crate::verdict::{Code, Refusal};
use crate::walk::Link;

/// What is wrong with whoever signed or approved a commit, or when: a root may say that it stays all the same.
const OF_THE_SIGNER: [Code; 10] = [
    Code::Unsigned,
    Code::BadSignature,
    Code::UnsupportedSignature,
    Code::UnknownKey,
    Code::KeyExpired,
    Code::KeyRevoked,
    Code::NotAMerger,
    Code::FutureDated,
    Code::BeforeParent,
    Code::ApprovalMissing,
];

/// Statements by a root of the branch.
#[derive(Debug, Default)]
pub(crate) struct Rulings {
    statements: Vec<RootStatement>,
    /// The roots that speak.
    newest: Option<Roots>,
}

impl Rulings {
    /// Reads what was found beside the commits of a walk, and holds it against the roots at one of them.
    pub(crate) fn of(trust: &TrustRoot, bundle: &Bundle, at: Option<&CommitEvidence>) -> Self {
        let lines = bundle.commits.iter().flat_map(|it| &it.beside.root_statements);
        let mut lines = lines.take(trust.limits.envelopes as usize).peekable();
        let at = at.filter(|_| lines.peek().is_some());
        // Roots that cannot be read say nothing, and the walk is refused where it comes to them.
        let Some(newest) = at.and_then(|it| Roots::of(trust, it).ok()) else {
            return Self::default();
        };
        let largest = trust.limits.envelope_bytes;
        let statements =
            lines.filter_map(|line| RootStatement::read(line, &newest, largest)).collect();
        Self { statements, newest: Some(newest) }
    }

    /// Lets a commit in that was refused for its signer, if it is adopted; else gives the refusal back.
    pub(crate) fn adopt(
        &self,
        (trust, now): (&TrustRoot, Timestamp),
        (parent, link): (&Roots, &Link<'_>),
        is_known: bool,
        mut refusal: Refusal,
    ) -> Result<Adopted, Refusal> {
        let Some(newest) = &self.newest else { return Err(refusal) };
        if !OF_THE_SIGNER.contains(&refusal.code) {
            return Err(refusal);
        }
        // Whoever brings a new root is not let in by it.
        let newest = if parent.are_in(link.evidence) { newest } else { parent };
        let named = Named::of(link.evidence.id, &link.evidence.raw);
        let foundling = Foundling { named, is_known, repo: &trust.repo, now };
        match adoption::look(&self.statements, (parent, newest), &foundling, refusal.code) {
            Ok(adopted) => Ok(adopted),
            Err(objection) => {
                if let Some(why) = objection {
                    refusal.detail = format!("{}; its adoption {why}", refusal.detail);
                }
                Err(refusal)
            }
        }
    }

    /// The envelope of an adoption that let a commit in, as a line.
    pub(crate) fn words(&self, adopted: &Adopted) -> Option<String> {
        let newest = self.newest.as_ref()?;
        let it = self.statements.iter().find(|it| {
            let says = it.predicate::<Adoption>(ADOPTION_TYPE);
            let is_it = says.is_some_and(|says| {
                (says.reason == adopted.reason) && (says.issued == adopted.issued)
            });
            is_it && it.names_commit(&adopted.commit) && it.is_signed_by(newest, &adopted.signers)
        })?;
        String::from_utf8(it.line()).ok()
    }

    /// Checkpoints on a commit that its place and time speak for.
    pub(crate) fn checkpoint(
        &self,
        trust: &TrustRoot,
        link: &Link<'_>,
        now: Timestamp,
    ) -> Option<(Checkpoint, Vec<String>)> {
        let named = Named::of(link.evidence.id, &link.evidence.raw);
        checkpoint::look(&self.statements, self.newest.as_ref()?, (named, trust), now)
    }

    /// Whether the branch's newest roots follow on those at a commit.
    pub(crate) fn follow(&self, roots: &Roots) -> bool {
        self.newest.as_ref().is_some_and(|it| it.follows(roots))
    }

    /// Whether the roots that speak are later ones than those at a commit.
    pub(crate) fn are_ahead_of(&self, roots: &Roots) -> bool {
        self.newest.as_ref().is_some_and(|it| it.version() > roots.version())
    }

    /// Whether nothing was said.
    pub(crate) fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }
}
