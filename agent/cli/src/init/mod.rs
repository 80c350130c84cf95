//! `bowline init`: a signed repository, and what its first host needs.
//!
//! **Invariant:** everything is signed and judged in memory before anything is written: what is
//! written is what a host accepts.
//! **Invariant:** nothing that exists is overwritten.

mod files;
mod objects;
mod place;
mod store;

use bowline_host::door::clock;
use bowline_model::bundle::{Beside, Bundle, CommitEvidence, PathEvidence};
use bowline_model::digest::Sha256;
use bowline_model::object_id::ObjectFormat;
use bowline_model::policy::{POLICY_ENVELOPE_PATH, POLICY_PATH};
use bowline_model::trust_root::{RepoUri, TrustRoot};
use bowline_trust::commit::object_id;
use bowline_trust::policy_sign::{assemble, bytes_to_sign};
use bowline_trust::verdict::{Code, Verdict};
use bowline_trust::{POLICY_NAMESPACE, verify};
use jiff::Timestamp;

use crate::arguments::Init;
use crate::failure::Failure;
use crate::keys::{self, RootKey};
use crate::screen::Screen;
use objects::Objects;
use place::Place;
use store::Author;

/// A policy has to be looked at again once a year.
const POLICY_LASTS_SECONDS: i64 = 365 * 24 * 60 * 60;

/// One person who is away, or one key that is lost, is no reason to make a policy alone.
const THRESHOLD_MOST: usize = 2;

/// Signatures over commits are made for this.
const GIT_NAMESPACE: &str = "git";

/// What is known before anything is made.
struct Plan {
    place: Place,
    uri: RepoUri,
    keys: Vec<RootKey>,
    threshold: usize,
    author: Author,
    now: i64,
}

/// What is to be written.
struct Founded {
    objects: Objects,
    commit: CommitEvidence,
    trust: String,
}

/// Makes a signed repository, and a trust file and settings beside it.
pub fn init(given: &Init, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let place = Place::settle(given)?;
    let uri = given.uri.clone().unwrap_or_else(|| place.default_uri());
    let uri = RepoUri::try_from(uri).map_err(|what| Failure::usage(anyhow::anyhow!(what)))?;
    let keys = keys::read(&given.keys)?;
    let plan = Plan {
        uri,
        threshold: keys.len().min(THRESHOLD_MOST),
        keys,
        author: Author::find(),
        now: clock::wall(),
        place,
    };
    let founded = plan.found(screen)?;
    store::write(&plan.place, &founded.objects, &founded.commit, &plan.keys, &plan.author)?;
    plan.place.write_beside(&founded.trust, &files::settings(&plan.place))?;
    plan.tell(&founded, screen)?;
    Ok(0)
}

impl Plan {
    /// Signs policy and commit, and has them judged as a host would.
    fn found(&self, screen: &mut Screen<'_>) -> Result<Founded, Failure> {
        let expires = Timestamp::from_second(self.now + POLICY_LASTS_SECONDS)
            .map_err(|source| Failure::failed(source).of("this machine's clock is wrong"))?;
        let policy = files::policy(&self.uri, &self.place.ref_name, &self.keys, expires);
        let message = bytes_to_sign(policy.as_bytes());
        let mut signatures = Vec::new();
        for key in &self.keys {
            signatures.push(key.sign(POLICY_NAMESPACE, &message, screen)?);
        }
        let envelope = assemble(policy.as_bytes(), &signatures).map_err(Failure::failed)?;
        let mut tree = files::content(&self.place);
        tree.insert(POLICY_PATH.to_owned(), policy.clone().into_bytes());
        tree.insert(POLICY_ENVELOPE_PATH.to_owned(), envelope.clone());
        let mut objects = Objects::of(&tree);
        let raw = self.commit(&objects, screen)?;
        let commit = CommitEvidence {
            id: objects.add("commit", raw.as_bytes()),
            raw: raw.into_bytes().into(),
            policy: blob(policy.as_bytes()),
            policy_envelope: blob(&envelope),
            roots: PathEvidence::Missing,
            outside_policy_unchanged: false,
            beside: Beside::default(),
        };
        let trust =
            files::trust(&self.uri, &self.place.ref_name, &commit, &self.keys, self.threshold);
        judge(&trust, &commit, self.now)?;
        Ok(Founded { objects, commit, trust })
    }

    /// The raw commit, signed by the first key as Git would have it signed.
    fn commit(&self, objects: &Objects, screen: &mut Screen<'_>) -> Result<String, Failure> {
        let first = self.keys.first().ok_or_else(|| {
            Failure::usage(anyhow::anyhow!("no key was given, and the first commit must be signed"))
        })?;
        let (tree, author, now) = (objects.root(), &self.author, self.now);
        let head =
            format!("tree {tree}\nauthor {author} {now} +0000\ncommitter {author} {now} +0000\n");
        let payload = format!("{head}\n{}", files::MESSAGE);
        let signature = first.sign(GIT_NAMESPACE, payload.as_bytes(), screen)?;
        // A header's further lines begin with a blank.
        let folded = signature.trim_end().replace('\n', "\n ");
        Ok(format!("{head}gpgsig {folded}\n\n{}", files::MESSAGE))
    }

    fn tell(&self, founded: &Founded, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let place = &self.place;
        let names: Vec<_> = self.keys.iter().map(|key| key.name.as_str()).collect();
        screen.table(&[
            ("repository", place.folder.display().to_string()),
            ("branch", place.ref_name.as_str().to_owned()),
            ("commit", founded.commit.id.to_string()),
            (
                "root keys",
                format!("{}, {} of them sign a policy", names.join(", "), self.threshold),
            ),
            ("trust file", place.trust.display().to_string()),
            ("settings", place.agent.display().to_string()),
        ])?;
        if !self.author.is_known {
            screen.note(format_args!(
                "note: Git does not know your name: commits in this repository say {} until you set \
                 user.name and user.email in it",
                self.author
            ))?;
        }
        screen.line("\nNext:")?;
        for command in place.next_commands() {
            screen.line(format_args!("  {command}"))?;
        }
        Ok(())
    }
}

fn blob(bytes: &[u8]) -> PathEvidence {
    PathEvidence::Blob { id: object_id(ObjectFormat::Sha1, "blob", bytes), bytes: bytes.into() }
}

/// What a host with this trust file would say.
fn judge(trust: &str, commit: &CommitEvidence, now: i64) -> Result<(), Failure> {
    let root = TrustRoot::parse("trust.yaml", trust.as_bytes())
        .map_err(|faults| Failure::failed(faults).of("make the trust file"))?;
    let bundle = Bundle {
        format: ObjectFormat::Sha1,
        tip: commit.id,
        start: Some(commit.clone()),
        commits: Vec::new(),
        cut_short: false,
        waiting: Vec::new(),
    };
    let now = Timestamp::from_second(now).map_err(Failure::failed)?;
    match verify(&root, Sha256::of(trust.as_bytes()), None, &bundle, now) {
        Verdict::Accepted { .. } => Ok(()),
        Verdict::Stale { detail, .. } => {
            Err(Failure::failed(anyhow::anyhow!("stale: {detail}")).hint(Code::Stale.hint()))
        }
        Verdict::Pending { code, detail, .. } => {
            Err(Failure::failed(anyhow::anyhow!("{code}: {detail}")).hint(code.hint()))
        }
        Verdict::Refused(it) | Verdict::Tampered(it) => {
            Err(Failure::failed(anyhow::anyhow!("{it}")).hint(it.code.hint()))
        }
    }
    .map_err(|failure| failure.of("what was made is not what a host accepts; nothing was written"))
}
