//! `bowline trust sign-policy`: adds signatures of root keys to a policy.
//!
//! **Invariant:** only what can be read as a policy is signed, and signatures of others stay as long as
//! they fit it.

use anyhow::anyhow;
use bowline_host::door::files::{read, replace_cheaply};
use bowline_model::byte_size::ByteSize;
use bowline_model::policy::Policy;
use bowline_trust::policy_sign::{assemble, bytes_to_sign, extend};
use bowline_trust::{POLICY_NAMESPACE, check_keys, dsse};

use crate::arguments::SignPolicy;
use crate::failure::{Failure, read_given};
use crate::keys;
use crate::screen::Screen;

/// As much as a host reads.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Signs a policy with the given keys.
pub fn sign(given: &SignPolicy, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let text = read_given(&given.policy, "policy", FILE_BYTES_MAX)?;
    let policy = Policy::parse(&given.policy.display().to_string(), &text).map_err(|faults| {
        Failure::failed(faults).of("the policy cannot be used, nothing is signed")
    })?;
    check_keys(&policy).map_err(|what| {
        Failure::failed(anyhow!(what)).of("hosts would refuse the policy, nothing is signed")
    })?;
    for name in policy.stuck_mergers() {
        screen.note(format_args!(
            "warning: a merge by {name:?} can never be approved under it: too few others are in \
             merge.approvals.from"
        ))?;
    }
    let message = bytes_to_sign(&text);
    let mut signatures = Vec::new();
    for key in keys::read(&given.keys)? {
        signatures.push(key.sign(POLICY_NAMESPACE, &message, screen)?);
    }
    let path = given.policy.with_extension("dsse.json");
    let envelope = match read(&path, FILE_BYTES_MAX).map_err(Failure::failed)? {
        Some(earlier) => extend(&text, &earlier, &signatures),
        None => assemble(&text, &signatures),
    };
    let envelope = envelope.map_err(|failure| {
        Failure::failed(failure).of(format!("add signatures to {}", path.display()))
    })?;
    replace_cheaply(&path, &envelope, 0o644).map_err(Failure::failed)?;
    let limit = ByteSize::from_mib(1);
    let count = dsse::read(&envelope, limit).map_err(Failure::failed)?.signatures.len();
    screen.table(&[
        ("policy", format!("version {}, expires {}", policy.version, policy.expires)),
        ("signatures", count.to_string()),
        ("envelope", path.display().to_string()),
    ])?;
    Ok(0)
}
