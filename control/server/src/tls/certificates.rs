//! Makes of PEM files what connections are taken with.
//!
//! **Invariant:** a private key that others may read is not used.
//! **Invariant:** a failure names the file, never what stands in it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use thiserror::Error;

use super::Files;
use super::validity::Validity;
use super::vouching::{Authority, Vouching};
use crate::door;

/// A chain of certificates, or a key, has some KiB; a bundle of all public authorities 200.
const FILE_BYTES_MAX: usize = 1 << 20;

/// Bits of a mode by which others than its owner reach a file.
const OTHERS: u32 = 0o077;

/// The one protocol that is spoken here.
const PROTOCOL: &[u8] = b"http/1.1";

/// Certificates that cannot be used.
#[derive(Debug, Error)]
pub enum BadCertificates {
    /// The system refused.
    #[error("read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The key is not its owner's alone.
    #[error("{} holds a private key and has mode {mode:04o}: others may read or change it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// How it is protected.
        mode: u32,
    },
    /// It holds something else.
    #[error("{} {why}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// They are no pair.
    #[error("the first certificate in {} does not go with the key in {}", certificate.display(), key.display())]
    Pair {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// What the library says.
        #[source]
        source: rustls::Error,
    },
    /// The authorities for clients cannot be used.
    #[error("use the authorities in {}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What the library says.
        #[source]
        source: VerifierBuilderError,
    },
    /// The library refuses its own settings.
    #[error("set TLS up")]
    Setup(#[source] rustls::Error),
}

impl BadCertificates {
    /// What a person can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => {
                "let [tls] name PEM files that the service's account may read"
            }
            Self::Exposed { .. } => {
                "let the service's account own the key, with mode 0600: chmod 600"
            }
            Self::Content { .. } | Self::Authorities { .. } => {
                "let [tls] name files in PEM; the key is not encrypted"
            }
            Self::Pair { .. } => {
                "put the service's own certificate first in certFile, its authority's behind it, and its key \
                 into keyFile"
            }
            Self::Setup(_) => "",
        }
    }
}

/// What the files hold.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) config: Arc<ServerConfig>,
    /// When each certificate counts that stands in them: the service's own, and those of authorities.
    pub(super) dates: Vec<(PathBuf, Validity)>,
}

/// Reads the files.
pub(super) fn read(files: &Files) -> Result<Content, BadCertificates> {
    let provider = Arc::new(ring::default_provider());
    let chain = certificates(&files.certificate)?;
    let key = private_key(&files.key)?;
    let mut dates = Vec::new();
    for certificate in &chain {
        dates.push((files.certificate.clone(), validity(certificate, &files.certificate)?));
    }
    let clients = match &files.client_ca {
        None => WebPkiClientVerifier::no_client_auth(),
        Some(path) => {
            let authorities = authorities(path)?;
            dates.extend(authorities.iter().map(|it| (path.clone(), it.validity)));
            vouching(authorities, path)?
        }
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(BadCertificates::Setup)?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)
        .map_err(|source| BadCertificates::Pair {
            certificate: files.certificate.clone(),
            key: files.key.clone(),
            source,
        })?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    // What is resumed is not verified again, and would be held for each client.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Content { config: Arc::new(config), dates })
}

/// The authorities of a file; each must be one that the library takes.
fn authorities(path: &Path) -> Result<Vec<Authority>, BadCertificates> {
    let mut authorities = Vec::new();
    for certificate in certificates(path)? {
        let added = RootCertStore::empty().add(certificate.clone());
        added
            .map_err(|error| unusable(path, &format!("holds an unusable certificate: {error}")))?;
        let validity = validity(&certificate, path)?;
        authorities.push(Authority { certificate, validity });
    }
    Ok(authorities)
}

fn vouching(
    authorities: Vec<Authority>,
    path: &Path,
) -> Result<Arc<dyn ClientCertVerifier>, BadCertificates> {
    match Vouching::new(authorities) {
        Ok(vouching) => Ok(Arc::new(vouching)),
        Err(source) => Err(BadCertificates::Authorities { path: path.to_owned(), source }),
    }
}

fn validity(certificate: &CertificateDer<'_>, path: &Path) -> Result<Validity, BadCertificates> {
    let found = Validity::of(certificate);
    found.ok_or_else(|| unusable(path, "holds a certificate whose dates cannot be read"))
}

/// The certificates of a file; each must be one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, BadCertificates> {
    let (bytes, _) = content(path)?;
    let found = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| unusable(path, &format!("is no PEM: {error}")))?;
    if found.is_empty() {
        return Err(unusable(path, "holds no certificate in PEM"));
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, BadCertificates> {
    let (bytes, mode) = content(path)?;
    if mode & OTHERS != 0 {
        return Err(BadCertificates::Exposed { path: path.to_owned(), mode });
    }
    PrivateKeyDer::from_pem_slice(&bytes)
        .map_err(|error| unusable(path, &format!("holds no plain private key in PEM: {error}")))
}

fn content(path: &Path) -> Result<(Vec<u8>, u32), BadCertificates> {
    door::read_with_mode(path, FILE_BYTES_MAX)
        .map_err(|source| BadCertificates::Unreadable { path: path.to_owned(), source })
}

fn unusable(path: &Path, why: &str) -> BadCertificates {
    BadCertificates::Content { path: path.to_owned(), why: why.to_owned() }
}
