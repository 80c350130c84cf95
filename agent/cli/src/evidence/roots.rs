//! The roots of trust in the forms that public tools read: that of the trust file, and those that took its place.
//!
//! **Invariant:** roots are filed under their line in the file of roots, so that whoever has the commits can find each.
//! **Invariant:** nothing is judged here; what no tool could read is left to the objects, where it stands as it came.

use bowline_model::byte_size::ByteSize;
use bowline_model::envelope::Envelope;
use bowline_model::trust_root::{RootKey, TrustRoot};
use bowline_trust::new_root::NewRoot;
use bowline_trust::ssh_key::SshKey;
use bowline_trust::{POLICY_NAMESPACE, ROOT_NAMESPACE, dsse, sshsig};

use super::laws::signer;
use super::tar::Files;

/// As large as the file in a tree may be.
const FILE_BYTES_MAX: ByteSize = ByteSize::from_mib(1);

/// The roots of an archive.
#[derive(Debug, Default)]
pub(super) struct Roots {
    /// Keys of all of them, whoever signs with them.
    keys: Vec<SshKey>,
}

impl Roots {
    /// Adds the root of the trust file.
    pub(super) fn of(trust: &TrustRoot, files: &mut Files) -> Self {
        let mut roots = Self::default();
        roots.add_keys("trust", (&trust.root.keys, trust.root.threshold), files);
        roots
    }

    /// Adds the roots of a file that took the place of the trust file's.
    pub(super) fn add(&mut self, file: &[u8], trust: &TrustRoot, files: &mut Files) {
        files.add("root.jsonl", file);
        let lines = file.split(|it| *it == b'\n').filter(|it| !it.is_empty());
        for (number, line) in (1..).zip(lines) {
            let Ok(envelope) = dsse::read(line, FILE_BYTES_MAX) else { continue };
            let Ok(new) = NewRoot::read(&envelope.payload) else { continue };
            // Those up to the trust file's are not judged by anybody who has that.
            if new.version <= trust.root.version {
                continue;
            }
            let folder = format!("roots/{number:010}");
            self.add_keys(&folder, (&new.keys, new.threshold), files);
            self.add_signed(&envelope, ROOT_NAMESPACE, &folder, files);
        }
    }

    fn add_keys(
        &mut self,
        folder: &str,
        (keys, threshold): (&[RootKey], usize),
        files: &mut Files,
    ) {
        let spaces = format!("{POLICY_NAMESPACE},{ROOT_NAMESPACE},git");
        let lines: String = keys.iter().map(|it| signer(&it.id, &spaces, &it.key)).collect();
        files.add(format!("{folder}/allowed_signers"), lines);
        files.add(format!("{folder}/threshold"), format!("{threshold}\n"));
        self.keys.extend(keys.iter().filter_map(|it| SshKey::from_line(&it.key).ok()));
    }

    /// Adds what root keys signed: the payload, the bytes that are signed, and each signature by a key of a root.
    pub(super) fn add_signed(
        &self,
        envelope: &Envelope,
        namespace: &str,
        folder: &str,
        files: &mut Files,
    ) {
        let pae = envelope.pae();
        let signatures = envelope.signatures.iter();
        let signatures = signatures.filter(|it| self.is_by_root(&it.sig, namespace, &pae));
        for (number, it) in (1..).zip(signatures) {
            files.add(format!("{folder}/{number}.sig"), it.sig.as_slice());
        }
        files.add(format!("{folder}/payload.json"), envelope.payload.as_slice());
        files.add(format!("{folder}/pae"), pae);
    }

    /// Adds the words by which root keys adopted a commit.
    pub(super) fn add_adoption(&self, commit: &str, line: &str, files: &mut Files) {
        let Ok(mut envelope) = dsse::read(line.as_bytes(), FILE_BYTES_MAX) else { return };
        let pae = envelope.pae();
        envelope.signatures.retain(|it| self.is_by_root(&it.sig, ROOT_NAMESPACE, &pae));
        // What names a key is a hint that nobody signed.
        envelope.signatures.iter_mut().for_each(|it| it.key_id = None);
        let folder = format!("adoptions/{commit}");
        files.add(format!("{folder}/envelope.json"), dsse::write(&envelope));
        self.add_signed(&envelope, ROOT_NAMESPACE, &folder, files);
    }

    /// Whether a signature is by a key of one of them.
    pub(super) fn is_by_root(&self, sig: &[u8], namespace: &str, pae: &[u8]) -> bool {
        let key = sshsig::verify_armored(sig, namespace, pae);
        key.is_ok_and(|it| self.keys.contains(&it))
    }
}
