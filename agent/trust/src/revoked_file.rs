//! Files of revoked keys: one key, or one fingerprint, in a line.
//!
//! **Invariant:** a line that is not understood is an error: it would revoke nothing, and nobody would hear of it.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ring::digest::{SHA256, digest};
use thiserror::Error;

use crate::ssh_certificate::SshCertificate;
use crate::wire::Reader;

/// Far above any real list; keeps reading it quick.
const LARGEST: usize = 1 << 20;

/// What OpenSSH's own binary form begins with.
const BINARY: &[u8] = b"SSHKRL\n\0";

/// Keys that were taken back, by their fingerprints.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revoked {
    names: BTreeSet<String>,
}

/// A list of revoked keys that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadRevoked {
    /// It is OpenSSH's own binary form.
    #[error("binary lists of OpenSSH (KRL) are not supported, list keys or fingerprints")]
    Binary,
    /// It is no text of moderate size.
    #[error("the list of revoked keys is not UTF-8 text of at most 1 MiB")]
    NotText,
    /// A line is wrong.
    #[error("line {line} of the list of revoked keys: {what}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl Revoked {
    /// Reads a list: lines of `.pub` files, `SHA256:…` fingerprints, or the 40 hex digits of an `OpenPGP` key.
    ///
    /// # Errors
    /// When any line is something else. A list without keys revokes nothing.
    pub fn read(bytes: &[u8]) -> Result<Self, BadRevoked> {
        if bytes.starts_with(BINARY) {
            return Err(BadRevoked::Binary);
        }
        let text = str::from_utf8(bytes).ok().filter(|it| it.len() <= LARGEST);
        let mut names = BTreeSet::new();
        for (place, line) in text.ok_or(BadRevoked::NotText)?.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                let wrong = |what| BadRevoked::Line { line: place + 1, what };
                names.insert(name_of(line).map_err(wrong)?);
            }
        }
        Ok(Self { names })
    }

    /// Whether one of these fingerprints is listed.
    pub(crate) fn holds_any(&self, fingerprints: &[String]) -> bool {
        fingerprints.iter().any(|it| self.names.contains(it))
    }
}

/// The fingerprint that a line names or stands for.
fn name_of(line: &str) -> Result<String, &'static str> {
    let words: Vec<_> = line.split_ascii_whitespace().collect();
    if let Some(rest) = line.strip_prefix("SHA256:") {
        let word = rest.split_ascii_whitespace().next().unwrap_or_default();
        let digest = STANDARD_NO_PAD.decode(word.trim_end_matches('=')).unwrap_or_default();
        // Written anew, so that there is one way to write it.
        return match digest.len() {
            32 => Ok(format!("SHA256:{}", STANDARD_NO_PAD.encode(digest))),
            _ => Err("not a fingerprint of SHA-256"),
        };
    }
    if let [only] = words[..] {
        let is_openpgp = only.len() == 40 && only.bytes().all(|it| it.is_ascii_hexdigit());
        return if is_openpgp {
            Ok(only.to_uppercase())
        } else {
            Err("neither key nor fingerprint")
        };
    }
    // Also of a kind that is not verified here: what is listed may be older than what is used.
    let [kind, letters, ..] = words[..] else { return Err("neither key nor fingerprint") };
    let wire = STANDARD.decode(letters).map_err(|_bad| "neither key nor fingerprint")?;
    match Reader::new(&wire).string() {
        Some(_) if SshCertificate::is_one(&wire) => {
            Err("a certificate: list the key in it, or its authority")
        }
        Some(name) if name == kind.as_bytes() => {
            Ok(format!("SHA256:{}", STANDARD_NO_PAD.encode(digest(&SHA256, &wire))))
        }
        _ => Err("neither key nor fingerprint"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Signer;
    use crate::sample::openpgp::Pgp;
    use crate::sample::ssh_certificate::CertificateDraft;

    #[test]
    fn keys_and_fingerprints_are_read() {
        let key = Signer::new(1);
        let fingerprint = key.key().fingerprint();
        let openpgp = Pgp::new(1).name();
        for (line, name) in [
            (key.line(), &fingerprint),
            (format!("{} alice at home", key.line()), &fingerprint),
            (fingerprint.clone(), &fingerprint),
            (format!("{fingerprint}= alice"), &fingerprint),
            (openpgp.clone(), &openpgp),
            (openpgp.to_lowercase(), &openpgp),
        ] {
            let list = Revoked::read(format!("# gone\n\n{line}\r\n").as_bytes()).unwrap();
            assert!(list.holds_any(&["x".to_owned(), name.clone()]), "{line}");
            assert!(!list.holds_any(&[Signer::new(2).key().fingerprint()]), "{line}");
        }
        let dsa = "ssh-dss AAAAB3NzaC1kc3M=";
        assert!(Revoked::read(dsa.as_bytes()).is_ok(), "of a kind that is not verified");
        assert_eq!(Revoked::read(b"").unwrap(), Revoked::default());
    }

    #[test]
    fn what_would_revoke_nothing_is_an_error() {
        let certificate = STANDARD.encode(CertificateDraft::new(1, 2).wire());
        let line = Signer::new(1).line();
        for (list, expected) in [
            ("SSHKRL\n\0\0\0".to_owned(), BadRevoked::Binary),
            ("x".repeat(LARGEST + 1), BadRevoked::NotText),
        ] {
            assert_eq!(Revoked::read(list.as_bytes()), Err(expected));
        }
        for bad in [
            "alice".to_owned(),
            "alice is gone".to_owned(),
            "SHA256:abc".to_owned(),
            "MD5:00:11".to_owned(),
            "968479A1AFF927E3".to_owned(),
            line.replace("ssh-ed25519", "ssh-rsa"),
            line.replace("ssh-ed25519 ", ""),
            format!("ssh-ed25519-cert-v01@openssh.com {certificate}"),
        ] {
            let list = format!("{line}\n{bad}\n");
            let found = Revoked::read(list.as_bytes());
            assert!(matches!(found, Err(BadRevoked::Line { line: 2, .. })), "{bad}: {found:?}");
        }
    }
}
