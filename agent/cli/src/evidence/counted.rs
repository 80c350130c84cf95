//! What counted for each commit: its envelopes, and which of them for what.
//!
//! **Invariant:** whatever counted for a commit is named under it; what it is about stands in what was signed.

use std::fmt::Write as _;

use bowline_model::byte_size::ByteSize;
use bowline_model::counted::Counted;
use bowline_model::digest::Sha256;
use bowline_model::envelope::Envelope;
use bowline_trust::dsse;
use bowline_trust::receipt::Claim;
use bowline_trust::ssh_key::SshKey;
use serde_json::Value;

use super::laws::{Laws, plain};
use super::pem;
use super::roots::Roots;
use super::tar::Files;

/// What a walk gathers at most is more than any host lets a single envelope have.
const ENVELOPE_BYTES_MAX: ByteSize = ByteSize::from_mib(32);

/// Adds the envelopes that counted for a commit, a list of what for, and its adoption. Gives how many there are.
pub(super) fn add(counted: &Counted, (laws, roots): (&Laws, &Roots), files: &mut Files) -> usize {
    let mut count = 0;
    for (number, line) in (1..).zip(&counted.envelopes) {
        let Ok(envelope) = dsse::read_any(line.as_bytes(), ENVELOPE_BYTES_MAX) else { continue };
        // One statement in several envelopes is one folder, with the signatures of all.
        let folder = format!("envelopes/{}", Sha256::of(&envelope.payload));
        files.add(format!("{folder}/envelope.{number}.json"), line.as_bytes());
        files.add(format!("{folder}/pae"), envelope.pae());
        laws.attribute(&envelope, &folder, files);
        add_receipt(line, &envelope, &folder, files);
        files.add(format!("{folder}/payload.json"), envelope.payload);
        count += 1;
    }
    let list = list(counted);
    if !list.is_empty() {
        files.add(format!("counted/{}", counted.commit), list);
    }
    if let Some(line) = &counted.adoption {
        roots.add_adoption(&counted.commit.to_string(), line, files);
        count += 1;
    }
    count
}

/// Adds the key that another host's receipt names, and its signature. No policy knows it: manifests do.
fn add_receipt(line: &str, envelope: &Envelope, folder: &str, files: &mut Files) {
    let Some(claim) = Claim::read(line.as_bytes(), ENVELOPE_BYTES_MAX) else { return };
    let (Some(key), [signature]) = (&claim.record().host_key, envelope.signatures.as_slice())
    else {
        return;
    };
    let wire = SshKey::from_line(key).map(|it| it.as_wire().to_vec()).unwrap_or_default();
    files.add(format!("{folder}/host/key.pub"), format!("{key}\n"));
    files.add(format!("{folder}/host/key.pem"), pem(wire.get(19..).unwrap_or_default()));
    files.add(format!("{folder}/host/sig"), signature.sig.as_slice());
}

/// A line for each use of an envelope: `approval DIGEST NAME`, `gate DIGEST ID`, or `skipped DIGEST ID`.
fn list(counted: &Counted) -> String {
    let mut list = String::new();
    // Writing to a text in memory does not fail.
    for it in &counted.approvals {
        writeln!(list, "approval {} {}", it.sha256, plain(&it.principal)).unwrap_or_default();
    }
    for gate in &counted.gates {
        let id = gate["id"].as_str().unwrap_or_default();
        let met = gate["evidence"].as_array().filter(|_| gate["met"] == true);
        let skipped = gate.pointer("/skipped/evidence").and_then(Value::as_array);
        for (what, evidence) in [("gate", met), ("skipped", skipped)] {
            for digest in evidence.into_iter().flatten().filter_map(Value::as_str) {
                writeln!(list, "{what} {digest} {id}").unwrap_or_default();
            }
        }
    }
    list
}
