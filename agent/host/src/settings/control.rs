//! What settings say of the control service, and of the records that wait for it.
//!
//! **Invariant:** an address that nothing could be sent to is found here, before anything runs.

use std::path::PathBuf;

use bowline_model::byte_size::ByteSize;

use super::{BadSettings, Place, fragment};
use crate::http::tls::{Identity, Trust};
use crate::http::{Address, BadAddress, Proxy, Scheme};

/// Room for two segments of the record log: one that is written, and one that is sent.
const SPOOL_BYTES_MIN: u64 = 8 << 20;

/// Records of some 40 million deployments: nobody sends more after an outage.
const SPOOL_BYTES_MAX: u64 = 64 << 30;

/// The control service, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Where it is.
    pub url: Address,
    /// A file with the token for enrolment.
    pub token_file: Option<PathBuf>,
    /// Whom to believe beside the system's authorities: only those of this file.
    pub ca_file: Option<PathBuf>,
    /// By what the service knows the host's connections.
    pub identity: Option<Identity>,
    /// By whom to go.
    pub proxy: Option<Proxy>,
}

impl Control {
    /// Whom to believe, and who to be.
    pub fn trust(&self) -> Trust {
        Trust::of(self.ca_file.clone(), self.identity.clone())
    }
}

impl Place<'_> {
    pub(super) fn control(
        &self,
        written: &fragment::Control,
    ) -> Result<Option<Control>, BadSettings> {
        let path = |it: &Option<String>| {
            it.as_deref().filter(|it| !it.is_empty()).map(|it| self.literal(it))
        };
        let Some(url) = written.url.as_deref().filter(|it| !it.is_empty()) else {
            return Ok(None);
        };
        let bad = |key| move |error: BadAddress| self.bad(key, error.to_string());
        let identity = match (path(&written.client_cert), path(&written.client_key)) {
            (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                let what = "clientCert and clientKey go together: name both or none".to_owned();
                return Err(self.bad("control.clientCert", what));
            }
        };
        let url = Address::parse(url).map_err(bad("control.url"))?;
        let token_file = path(&written.token_file);
        // Whoever hears the token before the service does may have the host's name.
        if token_file.is_some() && url.scheme() == Scheme::Http && !url.is_loopback() {
            let what = "the token would go over the network in the clear: use https".to_owned();
            return Err(self.bad("control.url", what));
        }
        Ok(Some(Control {
            url,
            token_file,
            ca_file: path(&written.ca_file),
            identity,
            proxy: self.proxy("control.proxy", (&written.proxy, &written.proxy_login_file))?,
        }))
    }

    pub(super) fn spool(&self, written: &str) -> Result<u64, BadSettings> {
        let size: ByteSize =
            written.parse().map_err(|error| self.bad("control.spool", format!("{error}")))?;
        if !(SPOOL_BYTES_MIN..=SPOOL_BYTES_MAX).contains(&size.as_bytes()) {
            let what = format!("{size} is not between 8MiB and 64GiB");
            return Err(self.bad("control.spool", what));
        }
        Ok(size.as_bytes())
    }
}
