//! A root that takes another's place: what is signed, and the line that signatures make of it.
//!
//! **Invariant:** a field that is not known here is refused: it might be what the signers meant.
//! **Invariant:** a line that is put together here holds only signatures that verify.

use bowline_model::byte_size::ByteSize;
use bowline_model::envelope::{Envelope, EnvelopeSignature, pae};
use bowline_model::trust_root::{RefName, RepoIdentity, RepoUri, RootKey, RootKeys};
use serde::{Deserialize, Serialize};

use crate::root_keys::{ROOT_NAMESPACE, RootRing};
use crate::{dsse, json, sshsig};

/// The payload type of a new root.
pub const ROOT_TYPE: &str = "application/vnd.bowline.root+json";

/// The size up to which a line at hand is read.
const LARGEST: ByteSize = ByteSize::from_mib(1);

/// A root that takes the place of the one before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewRoot {
    /// One more than that of the root before it.
    pub version: u64,
    /// How many distinct keys must sign.
    pub threshold: usize,
    /// The keys.
    pub keys: Vec<RootKey>,
    /// The repository's name for itself.
    pub repo_uri: RepoUri,
    /// The branch: another one of the repository may have other keys.
    #[serde(rename = "ref")]
    pub ref_name: RefName,
}

impl NewRoot {
    /// The root of these keys for a repository and branch.
    pub fn of(keys: &RootKeys, repo: RepoIdentity) -> Self {
        let RootKeys { version, threshold, keys } = keys.clone();
        Self { version, threshold, keys, repo_uri: repo.uri, ref_name: repo.ref_name }
    }

    /// The bytes of it, which are signed as a payload of type [`ROOT_TYPE`].
    pub fn payload(&self) -> Vec<u8> {
        // Plain data always has a form in JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a payload, and whether it can be met.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn read(payload: &[u8]) -> Result<Self, String> {
        let value = json::read(payload).map_err(|bad| bad.to_string())?;
        let new: Self = serde_json::from_value(value).map_err(|bad| bad.to_string())?;
        let Self { version, threshold, keys, .. } = &new;
        let text = serde_json::json!({"version": version, "threshold": threshold, "keys": keys});
        let keys: RootKeys = serde_json::from_value(text).map_err(|bad| bad.to_string())?;
        RootRing::of(&keys.keys, keys.threshold)?;
        Ok(new)
    }
}

/// The bytes that a key signs for a new root, in the namespace `bowline-root`.
pub fn bytes_to_sign(payload: &[u8]) -> Vec<u8> {
    pae(ROOT_TYPE, payload)
}

/// Puts a file of roots and signatures of the newest together: `payload` becomes its last line, or its last line
/// gets more signatures where it says the same already.
///
/// # Errors
/// What is wrong with the file or a signature, for people.
pub fn extend(file: &[u8], payload: &[u8], armored: &[String]) -> Result<Vec<u8>, String> {
    let mut lines: Vec<Envelope> = Vec::new();
    for line in file.split(|it| *it == b'\n').filter(|it| !it.is_empty()) {
        lines.push(dsse::read(line, LARGEST).map_err(|bad| bad.to_string())?);
    }
    let version = NewRoot::read(payload)?.version;
    let mut newest = match lines.pop() {
        Some(last) if last.payload == payload && last.payload_type == ROOT_TYPE => last,
        last => {
            let before = last.as_ref().map(|it| NewRoot::read(&it.payload)).transpose()?;
            match before {
                Some(it) if it.version == version => {
                    return Err(format!("it holds another root {version} already"));
                }
                Some(it) if it.version.checked_add(1) != Some(version) => {
                    let last = it.version;
                    return Err(format!("root {version} does not follow on root {last}"));
                }
                _ => lines.extend(last),
            }
            let (payload_type, payload) = (ROOT_TYPE.to_owned(), payload.to_vec());
            Envelope { payload_type, payload, signatures: Vec::new() }
        }
    };
    add(&mut newest, armored)?;
    lines.push(newest);
    Ok(lines.iter().flat_map(dsse::write).collect())
}

/// Adds signatures in the namespace `bowline-root`; a key that signs anew replaces what it signed before.
pub(crate) fn add(envelope: &mut Envelope, armored: &[String]) -> Result<(), String> {
    let pae = envelope.pae();
    let who = |it: &EnvelopeSignature| sshsig::verify_armored(&it.sig, ROOT_NAMESPACE, &pae).ok();
    envelope.signatures.retain(|it| who(it).is_some());
    for text in armored {
        let key = sshsig::verify_armored(text.as_bytes(), ROOT_NAMESPACE, &pae)
            .map_err(|bad| format!("a signature does not fit: {bad}"))?;
        envelope.signatures.retain(|it| who(it).as_ref() != Some(&key));
        envelope.signatures.push(EnvelopeSignature {
            key_id: Some(key.fingerprint()),
            sig: text.clone().into_bytes(),
        });
    }
    Ok(())
}
