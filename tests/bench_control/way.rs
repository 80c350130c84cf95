//! How clients come to the service: in the clear, or over TLS with certificates on both sides.
//!
//! **Invariant:** keys and certificates are made anew for each run, in the service's folder.

use std::fmt::{Display, Formatter};
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tests::authority::Authority;

/// What a client reads at once: answers here are small, and ten thousand clients are one process.
const READ_BYTES: usize = 512;

/// The ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Plain HTTP.
    Open,
    /// TLS, with a client's certificate.
    Sealed,
}

impl Display for Way {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Open => "plain HTTP",
            Self::Sealed => "TLS, client's certificate",
        })
    }
}

/// A connection, however it came to be.
pub(crate) trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// One that answers are read from.
pub(crate) type Stream = BufReader<Box<dyn Wire>>;

/// By what a client believes the service, and is known to it.
#[derive(Debug, Clone)]
pub(crate) struct Client(Option<Arc<ClientConfig>>);

impl Client {
    /// Makes what a way needs in the service's folder; gives the client, and the service's settings.
    pub(crate) fn prepare(way: Way, folder: &Path) -> Result<(Self, &'static str)> {
        if way == Way::Open {
            return Ok((Self(None), ""));
        }
        let authority = Authority::new(folder, "own");
        authority.issue("server", "127.0.0.1");
        authority.issue("client", "bench");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(folder.join("own.ca.pem"))?)?;
        let chain = vec![CertificateDer::from_pem_file(folder.join("client.cert.pem"))?];
        let key = PrivateKeyDer::from_pem_file(folder.join("client.key.pem"))?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)?;
        let settings = "[tls]\ncertFile = \"server.cert.pem\"\nkeyFile = \"server.key.pem\"\n\
                        clientCaFile = \"own.ca.pem\"\n";
        Ok((Self(Some(Arc::new(config))), settings))
    }

    /// A connection.
    pub(crate) fn connect(&self, address: SocketAddr) -> Result<Stream> {
        let stream = TcpStream::connect(address).context("connect")?;
        stream.set_nodelay(true)?;
        let wire: Box<dyn Wire> = match &self.0 {
            None => Box::new(stream),
            Some(config) => {
                let session = ClientConnection::new(Arc::clone(config), address.ip().into())?;
                Box::new(StreamOwned::new(session, stream))
            }
        };
        Ok(BufReader::with_capacity(READ_BYTES, wire))
    }
}
