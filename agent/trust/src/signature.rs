//! The signature of a commit: which kind it is, and which key made it.
//!
//! **Invariant:** "unsigned", "not supported" and "bad" are told apart, and none of them is good.

use crate::armor;
pub use crate::bad_signature::BadSignature;
use crate::commit::Commit;
use crate::openpgp::{self, Certificate};
use crate::signer_key::SignerKey;
use crate::sshsig::{self, Proved};

/// The namespace that Git signs in.
pub const GIT_NAMESPACE: &str = "git";

/// The kinds of signature that Git knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenSSH's.
    Ssh,
    /// `OpenPGP`'s.
    OpenPgp,
    /// X.509 (CMS): gitsign, S/MIME.
    X509,
    /// None of them.
    Unknown,
}

impl Format {
    /// Tells the kind by the first line.
    pub fn of(signature: &[u8]) -> Self {
        let begins = |line: &str| signature.starts_with(line.as_bytes());
        if begins(armor::BEGIN) {
            Self::Ssh
        } else if begins("-----BEGIN PGP SIGNATURE-----") || begins("-----BEGIN PGP MESSAGE-----") {
            Self::OpenPgp
        } else if begins("-----BEGIN SIGNED MESSAGE-----") {
            Self::X509
        } else {
            Self::Unknown
        }
    }

    /// Why a signature of this kind does not count, where nobody here can verify it.
    pub(crate) fn unsupported(self) -> BadSignature {
        BadSignature::Unsupported(match self {
            Self::Unknown => "unknown kind of signature".to_owned(),
            other => format!("{} signatures are not supported", other.as_str()),
        })
    }

    /// The stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ssh => "ssh",
            Self::OpenPgp => "openpgp",
            Self::X509 => "x509",
            Self::Unknown => "unknown",
        }
    }
}

/// Verifies a commit's signature and yields the key that made it: an SSH key, which the signature carries, or one of
/// these certificates.
///
/// # Errors
/// When there is none, or it does not verify.
pub(crate) fn verify_commit<'a>(
    commit: &Commit,
    certificates: impl IntoIterator<Item = &'a Certificate>,
) -> Result<SignerKey, BadSignature> {
    let signature = commit.signature.as_deref().ok_or(BadSignature::Missing)?;
    match Format::of(signature) {
        Format::Ssh => Ok(match sshsig::prove(signature, GIT_NAMESPACE, &commit.payload)? {
            Proved::Key(key) => SignerKey::Ssh(key),
            Proved::Certified(certificate) => SignerKey::Certified(certificate),
        }),
        Format::OpenPgp => {
            let made = openpgp::verify_armored(signature, &commit.payload, certificates)?;
            let (primary, signing) = (made.certificate.fingerprint, made.key.fingerprint());
            Ok(SignerKey::OpenPgp { primary, signing, at: made.at })
        }
        other => Err(other.unsupported()),
    }
}
