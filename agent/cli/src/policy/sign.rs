//! `bowline policy sign`: adds signatures of root keys to a policy, and says whose are missing.
//!
//! **Invariant:** only what can be read as a policy is signed, and signatures of others stay as long as
//! they fit it.
//! **Invariant:** two texts never bear one version: whoever signed the first would not know the second.

use anyhow::anyhow;
use bowline_host::door::files::{read, replace_cheaply};
use bowline_model::byte_size::ByteSize;
use bowline_model::policy::Policy;
use bowline_trust::policy_sign::{assemble, bytes_to_sign, extend, signatures_in, text_in};
use bowline_trust::root_in_force::Standing;
use bowline_trust::{POLICY_NAMESPACE, check_keys, dsse};
use jiff::Timestamp;
use serde::Serialize;

use super::arguments::Sign;
use super::source::{FILE_BYTES_MAX, Found};
use crate::failure::{Failure, read_given};
use crate::keys;
use crate::root_signatures;
use crate::screen::Screen;
use crate::verify::read_trust;

/// What `--json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    policy: String,
    version: u64,
    expires: Timestamp,
    /// Signatures in the envelope that fit the policy.
    signatures: usize,
    /// How far the root in force has signed it; nothing without a trust file.
    root: Option<Standing>,
    envelope: String,
}

/// Signs a policy with the given keys.
pub fn sign(given: &Sign, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let found = Found::in_file(&given.policy)?;
    let Found { bytes: text, policy, .. } = &found;
    check_keys(policy).map_err(|what| {
        Failure::failed(anyhow!(what)).of("hosts would refuse the policy, nothing is signed")
    })?;
    for name in policy.stuck_mergers() {
        screen.note(format_args!(
            "warning: a merge by {name:?} can never be approved under it: too few others are in \
             merge.approvals.from"
        ))?;
    }
    let path = given.policy.with_extension("dsse.json");
    let earlier = read(&path, FILE_BYTES_MAX).map_err(Failure::failed)?;
    demand_rise(given, &found, earlier.as_deref())?;
    // Before anybody is asked for a key, so that a touch is not in vain.
    let trusted = given.trust.as_deref().map(read_trust).transpose()?;
    let root = trusted.as_ref().map(|it| root_signatures::beside(&given.policy, it)).transpose()?;
    root.iter().try_for_each(|it| root_signatures::warn(it, screen))?;
    let mut signatures = Vec::new();
    for other in &given.merge {
        let envelope = read_given(other, "envelope", FILE_BYTES_MAX)?;
        let fitting = signatures_in(text, &envelope).map_err(|failure| {
            Failure::failed(failure).of(format!("take over signatures of {}", other.display()))
        })?;
        signatures.extend(fitting);
    }
    let message = bytes_to_sign(text);
    let keys = keys::read(&given.keys)?;
    root.iter().try_for_each(|it| root_signatures::warn_of_strangers(it, &keys, screen))?;
    for key in keys {
        signatures.push(key.sign(POLICY_NAMESPACE, &message, screen)?);
    }
    let envelope = match &earlier {
        Some(earlier) => extend(text, earlier, &signatures),
        None => assemble(text, &signatures),
    };
    let envelope = envelope.map_err(|failure| {
        Failure::failed(failure).of(format!("add signatures to {}", path.display()))
    })?;
    replace_cheaply(&path, &envelope, 0o644).map_err(Failure::failed)?;
    let limit = ByteSize::from_mib(1);
    let count = dsse::read(&envelope, limit).map_err(Failure::failed)?.signatures.len();
    let root = root.map(|it| it.standing_of_policy(text, Some(&envelope))).transpose();
    let report = Report {
        policy: given.policy.display().to_string(),
        version: policy.version,
        expires: policy.expires,
        signatures: count,
        root: root.map_err(Failure::failed)?,
        envelope: path.display().to_string(),
    };
    if given.json {
        screen.json(&report)?;
    } else {
        report.show(screen)?;
    }
    Ok(0)
}

impl Report {
    fn show(&self, screen: &mut Screen<'_>) -> Result<(), Failure> {
        screen.table(&[
            ("policy", format!("version {}, expires {}", self.version, self.expires)),
            ("signatures", self.signatures.to_string()),
            ("root", self.root.as_ref().map(root_signatures::line).unwrap_or_default()),
            ("envelope", self.envelope.clone()),
        ])
    }
}

/// Demands a higher version where the text is not the one that is merged, or was signed by others.
fn demand_rise(given: &Sign, found: &Found, earlier: Option<&[u8]>) -> Result<(), Failure> {
    let version = found.policy.version;
    let too_low = |of: &str, its: u64| {
        let what =
            anyhow!("the policy is not the one {of}, and has its version {its} or a lower one");
        Err(Failure::failed(what)
            .of("nothing is signed")
            .hint(format!("write version: {} and sign that", its.saturating_add(1))))
    };
    if let Some(merged) = Found::before(&given.policy, None)?
        && merged.bytes != found.bytes
        && version <= merged.policy.version
    {
        return too_low("at HEAD", merged.policy.version);
    }
    // An envelope that cannot be read is told of when it is written.
    let signed = earlier.and_then(|it| text_in(it).ok()).filter(|it| *it != found.bytes);
    let signed = signed.and_then(|it| Policy::parse("the signed policy", &it).ok());
    match signed {
        Some(signed) if version <= signed.version => too_low("in policy.dsse.json", signed.version),
        _ => Ok(()),
    }
}
