//! `bowline head sign`: the word of a key apart that a branch names its newest commit now.
//!
//! **Invariant:** only what was verified is signed, and never what lies below an earlier signature: else the
//! word would help whoever freezes or rewinds the branch.

pub mod arguments;

use std::path::Path;
use std::slice;

use anyhow::anyhow;
use bowline_host::door::clock;
use bowline_host::door::files::{self, replace_cheaply};
use bowline_host::evidence_notes;
use bowline_host::state::State;
use bowline_model::envelope::{Envelope, EnvelopeSignature};
use bowline_model::object_id::ObjectId;
use bowline_model::policy::{KeyMaterial, Policy};
use bowline_model::trust_root::TrustRoot;
use bowline_trust::freshness::{Head, claimed};
use bowline_trust::spki::SpkiKey;
use bowline_trust::ssh_key::SshKey;
use bowline_trust::verdict::{Verdict, Walked};
use bowline_trust::{APPROVAL_NAMESPACE, STATEMENT_TYPE, attested, dsse};
use jiff::Timestamp;
use serde_json::json;

use crate::arguments::SignHead;
use crate::failure::Failure;
use crate::keys::{self, RootKey};
use crate::screen::Screen;
use crate::signing_key::SigningKey;
use crate::verify::{bring, read_trust};

/// A key has some hundred bytes, an RSA key some thousand.
const KEY_BYTES_MAX: u64 = 64 << 10;

/// Signs the head of the branch that a trust file names.
pub fn sign(given: &SignHead, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    if given.json && is_quiet(given) {
        let what = anyhow!("--json and --out - would both write to stdout");
        return Err(Failure::usage(what).hint("write the word to a file: --out FILE"));
    }
    let trusted = read_trust(&given.trust)?;
    let state = State::open(&given.state).map_err(Failure::failed)?;
    let marks = state.high_water()?;
    let key = Key::read(&given.key)?;
    let bundle = bring((&given.repo, ""), &trusted, marks.as_ref())?;
    // The clock's seconds are in range for some thousand years.
    let now = Timestamp::from_second(clock::wall()).unwrap_or(Timestamp::MAX);
    let verdict =
        bowline_trust::verify(&trusted.root, trusted.sha256, marks.as_ref(), &bundle, now);
    let walked = passed(verdict)?;
    if !may_vouch(&walked.policy, &key) {
        let what = anyhow!("{} is no key of the policy's freshness.signer", key.id());
        return Err(Failure::failed(what)
            .of("a word with this key would prove nothing")
            .hint("see freshness and principals in .bowline/policy.yaml"));
    }
    let head = Head {
        repo_uri: trusted.root.repo.uri.to_string(),
        target_ref: trusted.root.repo.ref_name.to_string(),
        issued: now,
    };
    let line = key.sign(&head.statement(bundle.tip), screen)?;
    // Whoever keeps the marks first may be cut off before anybody has the word, and says it again.
    state.keep_high_water(&walked.high_water)?;
    let pushed = deliver(given, (&bundle.tip, &line), &trusted.root, screen)?;
    if given.json {
        screen.json(&json!({
            "head": bundle.tip.to_string(),
            "ref": head.target_ref,
            "repoUri": head.repo_uri,
            "issued": head.issued,
            "written": given.out.as_ref().map(|it| it.display().to_string()),
            "pushed": pushed,
        }))?;
    } else if !is_quiet(given) {
        let pushed = pushed.map(|it| format!("refs/notes/attestations to {it}"));
        screen.table(&[("pushed", pushed.unwrap_or_default())])?;
        screen.table(&[
            ("head", bundle.tip.to_string()),
            ("of", head.target_ref.clone()),
            ("in", head.repo_uri.clone()),
            ("issued", head.issued.to_string()),
        ])?;
    }
    Ok(0)
}

/// Whether stdout is for the line alone.
fn is_quiet(given: &SignHead) -> bool {
    given.out.as_deref() == Some(Path::new("-"))
}

/// How far the walk came, where nothing was wrong with it; what is merely waited for is no hindrance.
fn passed(verdict: Verdict) -> Result<Walked, Failure> {
    match verdict {
        Verdict::Accepted { walked, .. }
        | Verdict::Pending { walked, .. }
        | Verdict::Stale { walked, .. } => Ok(walked),
        Verdict::Refused(it) | Verdict::Tampered(it) => {
            let hint = it.code.hint();
            Err(Failure::failed(anyhow!("{it}")).of("the head is not signed").hint(hint))
        }
    }
}

/// A key of either form.
enum Key {
    Bare(SigningKey),
    Ssh(RootKey),
}

impl Key {
    fn read(file: &Path) -> Result<Self, Failure> {
        let is_pem = files::read(file, KEY_BYTES_MAX)
            .ok()
            .flatten()
            .is_some_and(|it| it.windows(17).any(|it| it == b"BEGIN PRIVATE KEY"));
        if is_pem {
            return Ok(Self::Bare(SigningKey::read(file)?));
        }
        let key = keys::read(slice::from_ref(&file.to_owned()))?.pop();
        key.map(Self::Ssh).ok_or_else(|| Failure::usage(anyhow!("no key was named")))
    }

    fn id(&self) -> String {
        match self {
            Self::Bare(key) => key.id(),
            Self::Ssh(key) => key.key().fingerprint(),
        }
    }

    fn is(&self, material: &KeyMaterial) -> bool {
        match (self, material) {
            (Self::Bare(key), KeyMaterial::Spki { pem }) => {
                SpkiKey::from_pem(pem).is_ok_and(|it| it.fingerprint() == key.id())
            }
            (Self::Ssh(key), KeyMaterial::Ssh { line }) => {
                SshKey::from_line(line).is_ok_and(|it| it == *key.key())
            }
            _ => false,
        }
    }

    fn sign(&self, statement: &[u8], screen: &mut Screen<'_>) -> Result<Vec<u8>, Failure> {
        let envelope = match self {
            Self::Bare(key) => key.sign(STATEMENT_TYPE, statement.to_vec())?,
            Self::Ssh(key) => {
                let unsigned = attested::unsigned(statement);
                let sig = key.sign(APPROVAL_NAMESPACE, &unsigned.pae(), screen)?.into_bytes();
                let key_id = Some(key.key().fingerprint());
                Envelope { signatures: vec![EnvelopeSignature { key_id, sig }], ..unsigned }
            }
        };
        Ok(dsse::write(&envelope))
    }
}

fn may_vouch(policy: &Policy, key: &Key) -> bool {
    let signer = policy.freshness.as_ref().map(|it| it.signer.as_str());
    let principal = signer.and_then(|it| policy.principals.get(it));
    principal.is_some_and(|it| it.keys.iter().any(|entry| key.is(&entry.material)))
}

/// Hands it over, and gives the remote that has it. Older words on the same commit are dropped from its note: the newest
/// says all they said.
fn deliver(
    given: &SignHead,
    (commit, line): (&ObjectId, &[u8]),
    root: &TrustRoot,
    screen: &mut Screen<'_>,
) -> Result<Option<String>, Failure> {
    match given.out.as_deref() {
        Some(_) if is_quiet(given) => return screen.text(line).map(|()| None),
        Some(path) => {
            replace_cheaply(path, line, 0o644).map_err(Failure::failed)?;
            return Ok(None);
        }
        None => {}
    }
    let repo = Path::new(&given.repo);
    let largest = root.limits.envelope_bytes;
    let is_wanted = |line: &[u8]| claimed(line, largest).is_none();
    evidence_notes::put(repo, commit, line, &is_wanted).map_err(Failure::failed)?;
    let push = |remote: &String| evidence_notes::push(repo, remote).map_err(Failure::failed);
    Ok(given.push.as_ref().map(push).transpose()?.map(|it| it.remote))
}
