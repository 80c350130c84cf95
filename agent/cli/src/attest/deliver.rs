//! Evidence on its way out: signed, and written where it was asked for.
//!
//! **Invariant:** nothing is written that a host would refuse for its size.

use std::path::Path;

use anyhow::anyhow;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bowline_host::door::files::replace_cheaply;
use bowline_host::evidence_notes::{self, NotesFailure};
use bowline_model::digest::Sha256;
use bowline_model::envelope::Envelope;
use bowline_trust::{STATEMENT_TYPE, dsse};
use serde_json::{Value, json};

use super::arguments::{Common, Delivery, Format};
use super::case::Case;
use crate::failure::Failure;
use crate::screen::Screen;

/// What a host reads at most, by `limits.envelopeBytes` of its trust file as it is without one.
const EVIDENCE_BYTES_MAX: usize = 1 << 20;

/// What a bundle says it is.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// Evidence that was handed over.
#[derive(Debug)]
pub(super) struct Delivered {
    /// The digest of its line.
    pub(super) sha256: Sha256,
    /// Where it is.
    pub(super) places: Vec<String>,
    /// Whether the output holds it.
    pub(super) is_on_stdout: bool,
}

/// Signs a statement and writes it where it was asked for.
pub(super) fn deliver(
    case: &Case,
    given: &Common,
    statement: &Value,
    screen: &mut Screen<'_>,
) -> Result<Delivered, Failure> {
    let payload = serde_json::to_vec(statement).map_err(Failure::failed)?;
    let envelope = case.key.sign(STATEMENT_TYPE, payload)?;
    let line = match given.format {
        Format::Dsse => dsse::write(&envelope),
        Format::Bundle => bundle(&envelope, case.key.spki()),
    };
    if line.len() > EVIDENCE_BYTES_MAX {
        let what = anyhow!("the evidence has {} bytes, hosts read 1 MiB", line.len());
        return Err(Failure::failed(what).hint("attest parts apart, each with a gate of its own"));
    }
    let is_on_stdout = given.delivery.out.as_deref() == Some(Path::new("-"));
    let mut places = Vec::new();
    match &given.delivery.out {
        Some(_) if is_on_stdout => screen.text(&line)?,
        Some(file) => {
            replace_cheaply(file, &line, 0o644).map_err(Failure::failed)?;
            places.push(file.display().to_string());
        }
        None => {}
    }
    places.extend(note(case, given, &line)?);
    Ok(Delivered { sha256: Sha256::of(&line), places, is_on_stdout })
}

/// Adds the line to the notes and pushes them, as far as asked for. Says where it is then.
fn note(case: &Case, given: &Common, line: &[u8]) -> Result<Option<String>, Failure> {
    let Delivery { note, push, .. } = &given.delivery;
    if !note && push.is_none() {
        return Ok(None);
    }
    let repo = Path::new(&given.repo);
    evidence_notes::add(repo, &[case.commit, case.tree], line).map_err(failed_notes)?;
    let Some(remote) = push else { return Ok(Some("notes".to_owned())) };
    let pushed = evidence_notes::push(repo, remote).map_err(failed_notes)?;
    Ok(Some(format!("notes on {}", pushed.remote)))
}

/// Notes that could not be made, and what to do about it.
pub(super) fn failed_notes(failure: NotesFailure) -> Failure {
    let hint = match &failure {
        NotesFailure::Refused { .. } | NotesFailure::Git(_) => {
            "see that git is there and that this job may push refs/notes/attestations"
        }
        NotesFailure::Outrun { .. } | NotesFailure::Busy { .. } => "try again",
        NotesFailure::Os(_) => "",
    };
    Failure::failed(failure).hint(hint)
}

/// The envelope in a Sigstore bundle, with cosign's hint at the key.
fn bundle(envelope: &Envelope, spki: &[u8]) -> Vec<u8> {
    let signatures: Vec<_> =
        envelope.signatures.iter().map(|it| json!({"sig": STANDARD.encode(&it.sig)})).collect();
    let hint = STANDARD.encode(Sha256::of(spki).as_bytes());
    let value = json!({
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": hint}},
        "dsseEnvelope": {
            "payload": STANDARD.encode(&envelope.payload),
            "payloadType": envelope.payload_type,
            "signatures": signatures,
        },
    });
    let mut line = value.to_string().into_bytes();
    line.push(b'\n');
    line
}
