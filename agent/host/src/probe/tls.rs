//! Whom a probe believes when it asks over TLS.
//!
//! **Invariant:** a certificate goes unchecked only where the manifest says `insecure`.

use std::sync::{Arc, OnceLock};

use bowline_model::host_path::HostPath;
use bowline_model::manifest::HttpProbe;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::door::root::Root;
use crate::failure::chain;
use crate::http::tls;

/// Settings for connections; the system's authorities are read once.
#[derive(Debug, Default)]
pub(super) struct Trust {
    system: OnceLock<Arc<ClientConfig>>,
}

impl Trust {
    /// The settings by which a probe asks.
    pub(super) fn config(
        &self,
        probe: &HttpProbe,
        root: &Root,
    ) -> Result<Arc<ClientConfig>, String> {
        match (&probe.ca_file, probe.insecure) {
            (Some(path), _) => named(root, path),
            (None, true) => anyone(),
            (None, false) => {
                if let Some(config) = self.system.get() {
                    return Ok(Arc::clone(config));
                }
                let config = system()?;
                Ok(Arc::clone(self.system.get_or_init(|| config)))
            }
        }
    }
}

/// The system's certificate authorities.
fn system() -> Result<Arc<ClientConfig>, String> {
    build(tls::system_roots().map_err(|error| error.to_string())?)
}

/// The certificates of a file below the root, and no others.
fn named(root: &Root, path: &HostPath) -> Result<Arc<ClientConfig>, String> {
    let bytes = root.read(path.as_str(), tls::CA_BYTES_MAX).map_err(|failure| chain(&failure))?;
    let bytes = bytes.ok_or_else(|| format!("the caFile {path} is not there"))?;
    build(tls::roots_in(&bytes).map_err(|why| format!("the caFile {path} {why}"))?)
}

fn build(roots: RootCertStore) -> Result<Arc<ClientConfig>, String> {
    let builder = tls::builder().map_err(|error| chain(&error))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// Everybody: for a page whose certificate nobody here can check.
fn anyone() -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(ring::default_provider());
    let config = tls::builder()
        .map_err(|error| chain(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Believes every certificate; the other side must still hold its key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
