//! The key that signed a commit, whichever kind it is of.
//!
//! **Invariant:** it is what a signature proved, not what it names; who holds it is the roll's affair.

use bowline_model::digest::hex;
use bowline_model::policy::{self, Policy};
use jiff::Timestamp;

use crate::openpgp::Fingerprint;
use crate::ssh_certificate::SshCertificate;
use crate::ssh_key::SshKey;

/// A key that made a signature which verifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SignerKey {
    /// OpenSSH's.
    Ssh(SshKey),
    /// OpenSSH's, in a certificate.
    Certified(Box<SshCertificate>),
    /// `OpenPGP`'s.
    OpenPgp {
        /// The certificate's name.
        primary: Fingerprint,
        /// The key of it that signed: the primary itself, or a subkey.
        signing: Fingerprint,
        /// When it signed, by the signature's own word.
        at: i64,
    },
}

impl SignerKey {
    /// The fingerprint that policies know it by.
    pub(crate) fn fingerprint(&self) -> String {
        match self {
            Self::Ssh(key) => key.fingerprint(),
            Self::Certified(it) => it.key.fingerprint(),
            Self::OpenPgp { primary, .. } => shown(primary),
        }
    }

    /// Whether what vouches for it counts at an instant; a key without a certificate needs nobody's word.
    pub(crate) fn counts_at(&self, instant: Timestamp) -> bool {
        match self {
            Self::Certified(it) => it.counts_at(instant),
            Self::Ssh(_) | Self::OpenPgp { .. } => true,
        }
    }

    /// Whether a policy revokes it by any of its names.
    pub(crate) fn is_revoked_by(&self, policy: &Policy) -> bool {
        let names = match self {
            Self::Ssh(key) => vec![key.fingerprint()],
            Self::Certified(it) => vec![it.key.fingerprint(), it.authority.fingerprint()],
            Self::OpenPgp { primary, signing, .. } => vec![shown(primary), shown(signing)],
        };
        let revoked = |it: &policy::Fingerprint| names.iter().any(|name| name == it.as_str());
        policy.revoked.keys.iter().any(revoked)
    }
}

/// A fingerprint of `OpenPGP` as people compare it: forty upper-case letters of base 16.
pub(crate) fn shown(fingerprint: &Fingerprint) -> String {
    hex(fingerprint).to_uppercase()
}
