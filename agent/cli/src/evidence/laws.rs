//! Policies and the keys in them, in the forms that public tools read.
//!
//! **Invariant:** a key is written as it stands in the policy; nothing is added to what the policy says.

use std::collections::BTreeMap;

use bowline_model::byte_size::ByteSize;
use bowline_model::digest::Sha256;
use bowline_model::envelope::{Envelope, pae};
use bowline_model::policy::{KeyMaterial, POLICY_PATH, Policy};
use bowline_trust::spki::SpkiKey;
use bowline_trust::{APPROVAL_NAMESPACE, POLICY_NAMESPACE, POLICY_TYPE, dsse};

use super::roots::Roots;
use super::tar::Files;

/// As large as the file in a tree may be.
const ENVELOPE_BYTES_MAX: ByteSize = ByteSize::from_mib(1);

/// The policies of an archive, by the digests of their files.
#[derive(Debug, Default)]
pub(super) struct Laws(BTreeMap<String, Law>);

/// Keys of one policy.
#[derive(Debug, Default)]
struct Law {
    /// Keys in the policy's words, with whose they are.
    people: Vec<(String, String)>,
    /// Keys of machines, with the name of their file.
    machines: Vec<(String, SpkiKey)>,
}

/// A key as `ssh-keygen` reads it, on one line; what stands behind a key is a comment.
pub(super) fn signer(name: &str, spaces: &str, key: &str) -> String {
    let key: Vec<_> = key.split_whitespace().take(2).collect();
    format!("{} namespaces=\"{spaces}\" {}\n", plain(name), key.join(" "))
}

/// A name as a word in a line, and of a file.
pub(super) fn plain(name: &str) -> String {
    let is_plain = |it: &char| it.is_ascii_alphanumeric() || "@._+-".contains(*it);
    name.chars().map(|it| if is_plain(&it) { it } else { '_' }).collect()
}

impl Laws {
    /// Adds a policy and what root keys signed of it, once.
    pub(super) fn add(&mut self, policy: &[u8], envelope: &[u8], roots: &Roots, files: &mut Files) {
        let digest = Sha256::of(policy).to_string();
        if self.0.contains_key(&digest) {
            return;
        }
        let folder = format!("policies/{digest}");
        files.add(format!("{folder}/policy.yaml"), policy);
        let pae = pae(POLICY_TYPE, policy);
        let signed = dsse::read(envelope, ENVELOPE_BYTES_MAX).ok();
        let signatures = signed.iter().flat_map(|it| &it.signatures);
        let signatures = signatures.filter(|it| roots.is_by_root(&it.sig, POLICY_NAMESPACE, &pae));
        for (number, it) in (1..).zip(signatures) {
            files.add(format!("{folder}/{number}.sig"), it.sig.as_slice());
        }
        files.add(format!("{folder}/pae"), pae);
        let law = match Policy::parse(POLICY_PATH, policy) {
            Ok(policy) => Law::of(&policy, &folder, files),
            Err(_) => Law::default(),
        };
        self.0.insert(digest, law);
    }

    /// Adds the signatures of an envelope, below each policy that knows whose they are.
    pub(super) fn attribute(&self, envelope: &Envelope, folder: &str, files: &mut Files) {
        let pae = envelope.pae();
        for (digest, law) in &self.0 {
            for it in &envelope.signatures {
                for (name, content) in law.made(&it.sig, &pae) {
                    files.add(format!("{folder}/{digest}/{name}"), content);
                }
            }
        }
    }
}

impl Law {
    fn of(policy: &Policy, folder: &str, files: &mut Files) -> Self {
        let mut law = Self::default();
        let mut signers = String::new();
        let spaces = format!("git,{APPROVAL_NAMESPACE}");
        for (principal, it) in &policy.principals {
            for (number, key) in (1..).zip(&it.keys) {
                let name = format!("{}.{number}", plain(principal));
                match &key.material {
                    KeyMaterial::Ssh { line } => {
                        signers += &signer(principal, &spaces, line);
                        law.people.push((plain(principal), line.clone()));
                    }
                    KeyMaterial::SshAuthority { line, names } => {
                        let key: Vec<_> = line.split_whitespace().take(2).collect();
                        let names = names.join(",");
                        let key = key.join(" ");
                        let options = "cert-authority,namespaces=\"git\"";
                        signers += &[
                            &names, " ", options, " ", &key, "
",
                        ]
                        .concat();
                    }
                    KeyMaterial::OpenPgp { text, .. } => {
                        files.add(format!("{folder}/{name}.asc"), text.as_bytes());
                    }
                    KeyMaterial::Spki { pem } => {
                        files.add(format!("{folder}/{name}.pem"), format!("{}\n", pem.trim()));
                        law.machines.extend(SpkiKey::from_pem(pem).ok().map(|it| (name, it)));
                    }
                }
            }
        }
        files.add(format!("{folder}/allowed_signers"), signers);
        law
    }

    /// A signature as a file for the tool that verifies it, for each key that made it.
    fn made(&self, sig: &[u8], pae: &[u8]) -> Vec<(String, Vec<u8>)> {
        if let Ok(key) = bowline_trust::sshsig::verify_armored(sig, APPROVAL_NAMESPACE, pae) {
            let is_it = |line: &str| {
                bowline_trust::ssh_key::SshKey::from_line(line).is_ok_and(|it| it == key)
            };
            let holders = self.people.iter().filter(|(_, line)| is_it(line));
            return holders.map(|(name, _)| (format!("{name}.ssh"), sig.to_vec())).collect();
        }
        let made = self.machines.iter().filter(|(_, key)| key.made(sig, pae));
        made.map(|(name, key)| match key.hash() {
            None => (format!("{name}.ed25519"), sig.to_vec()),
            Some(hash) => (format!("{name}.{hash}"), in_der(sig, key, pae)),
        })
        .collect()
    }
}

/// An ECDSA signature as openssl reads it, also where the envelope has two bare numbers.
fn in_der(sig: &[u8], key: &SpkiKey, pae: &[u8]) -> Vec<u8> {
    let (r, s) = sig.split_at(sig.len() / 2);
    let body = [integer(r), integer(s)].concat();
    let der = match u8::try_from(body.len()) {
        Ok(length @ 0..=127) => [&[0x30, length], body.as_slice()].concat(),
        _ => Vec::new(),
    };
    if key.made(&der, pae) { der } else { sig.to_vec() }
}

fn integer(bytes: &[u8]) -> Vec<u8> {
    let first = bytes.iter().position(|it| *it != 0).unwrap_or(bytes.len().saturating_sub(1));
    let number = bytes.get(first..).unwrap_or_default();
    // A number whose first bit is set would be a negative one.
    let sign: &[u8] = if number.first().is_some_and(|it| *it > 127) { &[0] } else { &[] };
    let length = u8::try_from(sign.len() + number.len()).unwrap_or_default();
    [&[2, length], sign, number].concat()
}
