//! Whom the agent believes over TLS, and by what it is known itself.
//!
//! **Invariant:** a certificate is always checked, against the system's authorities or those of one file.
//! **Invariant:** a private key that others may read is not used.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use thiserror::Error;

use crate::door::files;
use crate::failure::OsFailure;
use crate::secret_file::{self, BadSecret};

/// A bundle of all public authorities has some 200 KiB.
pub(crate) const CA_BYTES_MAX: u64 = 4 << 20;

/// A chain of certificates, or a key, has some KiB.
const IDENTITY_BYTES_MAX: u64 = 256 << 10;

/// By what a server knows this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate and those between it and its authority (PEM).
    pub certificate: PathBuf,
    /// Its private key (PEM).
    pub key: PathBuf,
}

/// Whom to believe and who to be; files are read when they are first needed.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    ca_file: Option<PathBuf>,
    identity: Option<Identity>,
    ready: OnceLock<Arc<ClientConfig>>,
}

/// Files for TLS that cannot be used.
#[derive(Debug, Error)]
pub enum BadTrust {
    /// The system has none.
    #[error("the system has no certificate authorities; name a caFile")]
    NoAuthorities,
    /// The system refused.
    #[error("read certificates")]
    Os(#[from] OsFailure),
    /// The key cannot be used.
    #[error("read the private key")]
    Secret(#[from] BadSecret),
    /// It holds something else.
    #[error("{} {why}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The library refuses its own settings.
    #[error("set TLS up")]
    Setup(#[source] rustls::Error),
}

impl Trust {
    /// Believes the authorities of a file, else the system's; `identity` is shown to servers that ask.
    pub fn of(ca_file: Option<PathBuf>, identity: Option<Identity>) -> Self {
        Self { ca_file, identity, ready: OnceLock::new() }
    }

    /// Settings that were made elsewhere.
    pub(crate) fn made(config: Arc<ClientConfig>) -> Self {
        Self { ready: OnceLock::from(config), ..Self::default() }
    }

    /// The settings for connections. Certificates and key are read once.
    pub fn config(&self) -> Result<Arc<ClientConfig>, BadTrust> {
        if let Some(config) = self.ready.get() {
            return Ok(Arc::clone(config));
        }
        let roots = match &self.ca_file {
            Some(path) => named_roots(path)?,
            None => system_roots()?,
        };
        let wanting = builder()?.with_root_certificates(roots);
        let mut config = match &self.identity {
            None => wanting.with_no_client_auth(),
            Some(identity) => {
                let (chain, key) = read_identity(identity)?;
                let refused = |error: rustls::Error| BadTrust::Content {
                    path: identity.certificate.clone(),
                    why: format!("does not go with {}: {error}", identity.key.display()),
                };
                wanting.with_client_auth_cert(chain, key).map_err(refused)?
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::clone(self.ready.get_or_init(|| Arc::new(config))))
    }
}

/// Settings without a word on whom to believe yet.
pub(crate) fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, BadTrust> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(BadTrust::Setup)
}

/// The system's certificate authorities.
pub(crate) fn system_roots() -> Result<RootCertStore, BadTrust> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(BadTrust::NoAuthorities) } else { Ok(roots) }
}

fn named_roots(path: &Path) -> Result<RootCertStore, BadTrust> {
    let bytes = files::read(path, CA_BYTES_MAX)?.ok_or_else(|| wrong(path, "is not there"))?;
    roots_in(&bytes).map_err(|why| wrong(path, &why))
}

/// The certificates of a PEM file; each of them must be one.
pub(crate) fn roots_in(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let unusable = |error: &dyn std::error::Error| format!("is not usable: {error}");
        let certificate = certificate.map_err(|error| unusable(&error))?;
        roots.add(certificate).map_err(|error| unusable(&error))?;
    }
    if roots.is_empty() { Err("holds no certificate".to_owned()) } else { Ok(roots) }
}

type Known = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn read_identity(identity: &Identity) -> Result<Known, BadTrust> {
    let path = &identity.certificate;
    let bytes =
        files::read(path, IDENTITY_BYTES_MAX)?.ok_or_else(|| wrong(path, "is not there"))?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(path, &format!("is not usable: {error}")))?;
    if chain.is_empty() {
        return Err(wrong(path, "holds no certificate"));
    }
    let secret = secret_file::read(&identity.key, IDENTITY_BYTES_MAX)?;
    let key = PrivateKeyDer::from_pem_slice(&secret)
        .map_err(|error| wrong(&identity.key, &format!("holds no private key: {error}")))?;
    Ok((chain, key))
}

fn wrong(path: &Path, why: &str) -> BadTrust {
    BadTrust::Content { path: path.to_owned(), why: why.to_owned() }
}
