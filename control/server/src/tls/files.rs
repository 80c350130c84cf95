//! Where the service's certificates lie, as settings name them.
//!
//! **Invariant:** a certificate has its key, and clients are asked for theirs only where the service has its own.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::door::{self, Stamp};

/// The files, all in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The service's certificate, and those between it and its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities that vouch for clients; `None`: clients are asked for nothing.
    pub client_ca: Option<PathBuf>,
}

impl Files {
    /// By what they are known to be the same as before.
    pub(super) fn stamps(&self) -> [Option<Stamp>; 3] {
        let client_ca = self.client_ca.as_deref();
        [door::stamp(&self.certificate), door::stamp(&self.key), client_ca.and_then(door::stamp)]
    }
}

/// The same as a settings file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    #[serde(rename = "certFile")]
    certificate: PathBuf,
    #[serde(rename = "keyFile")]
    key: PathBuf,
    #[serde(rename = "clientCaFile")]
    client_ca: PathBuf,
}

impl Written {
    /// The files as seen from a folder, or the key of one that makes no sense alone, and what would.
    pub(crate) fn files(
        &self,
        folder: &Path,
    ) -> Result<Option<Files>, (&'static str, &'static str)> {
        let path = |it: &Path| (!it.as_os_str().is_empty()).then(|| folder.join(it));
        let client_ca = path(&self.client_ca);
        match (path(&self.certificate), path(&self.key)) {
            (Some(certificate), Some(key)) => Ok(Some(Files { certificate, key, client_ca })),
            (Some(_), None) => Err(("tls.keyFile", "certFile has no key: name both or none")),
            (None, Some(_)) => {
                Err(("tls.certFile", "keyFile has no certificate: name both or none"))
            }
            (None, None) if client_ca.is_some() => Err((
                "tls.clientCaFile",
                "certificates of clients need TLS: name certFile and keyFile",
            )),
            (None, None) => Ok(None),
        }
    }
}
