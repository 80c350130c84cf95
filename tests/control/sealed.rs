//! The service with a certificate of its own, and real clients of it.
//!
//! **Invariant:** every client here believes the service's own authority, and no other.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bowline_model::digest::Sha256;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tests::authority::Authority;
use tests::served::programs;

use crate::service::{Folder, Service};

/// The reader's token of services here.
pub(crate) const TOKEN: &str = "let me in";

/// A private connection.
pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

/// The service, and who vouches for it.
pub(crate) struct Sealed {
    pub(crate) service: Service,
    pub(crate) authority: Authority,
}

impl Sealed {
    pub(crate) fn with(settings: &str) -> Self {
        Self::within(Folder::new(), settings)
    }

    /// One that answers hosts only with a certificate, and who vouches for hosts.
    pub(crate) fn for_known_hosts(settings: &str) -> (Self, Authority) {
        let folder = Folder::new();
        let hosts = Authority::new(folder.path(), "hosts");
        (Self::for_hosts_of(folder, settings), hosts)
    }

    /// The same in a folder where the authority for hosts is written.
    pub(crate) fn for_hosts_of(folder: Folder, settings: &str) -> Self {
        let settings = format!("tls.clientCaFile = \"hosts.ca.pem\"\n{settings}");
        Self::within(folder, &settings)
    }

    fn within(folder: Folder, settings: &str) -> Self {
        let authority = Authority::new(folder.path(), "own");
        authority.issue("server", "127.0.0.1");
        let trust = trust(&folder.path().join("own.ca.pem"));
        let files = "tls.certFile = \"server.cert.pem\"\ntls.keyFile = \"server.key.pem\"\n";
        let mut service = Service::under(folder, &[], &format!("{files}{settings}"));
        service.trust = Some(trust);
        Self { service, authority }
    }

    /// The setting by which readers need the token.
    pub(crate) fn readers() -> String {
        format!("read.tokenSha256 = [\"{}\"]\n", Sha256::of(TOKEN.as_bytes()))
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.service.folder.path().join(name)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.service.address)
    }

    /// Asks by curl, which believes the service's authority; `None` where there is no curl.
    pub(crate) fn curl(&self, path: &str, more: &[&str]) -> Option<Curled> {
        let mut command = Command::new(programs(&["curl"])?.remove(0));
        command.current_dir(self.service.folder.path());
        command.args(["-q", "-sS", "-i", "--max-time", "60", "--cacert", "own.ca.pem"]);
        Some(Curled::of(command.args(more).arg(self.url(path)).output().unwrap()))
    }

    /// Shakes hands by `openssl s_client`, and says nothing; gives what that tells.
    pub(crate) fn shake(&self, more: &[&str]) -> Option<(bool, String)> {
        let mut command = Command::new(programs(&["openssl"])?.remove(0));
        command.current_dir(self.service.folder.path());
        command.args(["s_client", "-CAfile", "own.ca.pem", "-verify_return_error", "-connect"]);
        command.arg(self.service.address.to_string()).args(more).stdin(Stdio::null());
        let Output { status, stdout, stderr } = command.output().unwrap();
        Some((status.success(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned()))
    }

    /// A connection that stays open.
    pub(crate) fn connect(&self) -> Stream {
        connect(self.service.address, self.service.trust.as_ref().unwrap())
    }

    /// The certificate that a new connection is shown.
    pub(crate) fn shown(&self) -> Vec<u8> {
        let mut stream = self.connect();
        stream.conn.complete_io(&mut stream.sock).unwrap();
        stream.conn.peer_certificates().unwrap()[0].to_vec()
    }

    /// The certificate in a file.
    pub(crate) fn written(&self, name: &str) -> Vec<u8> {
        CertificateDer::from_pem_file(self.file(name)).unwrap().to_vec()
    }

    /// Puts another certificate and key in place of the service's.
    pub(crate) fn put(&self, name: &str) {
        for kind in ["cert", "key"] {
            let to = self.file(&format!("server.{kind}.pem"));
            fs::rename(self.file(&format!("{name}.{kind}.pem")), to).unwrap();
        }
    }
}

/// What curl says.
#[derive(Debug)]
pub(crate) struct Curled {
    pub(crate) code: Option<i32>,
    /// 0: there was no answer.
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Curled {
    fn of(output: Output) -> Self {
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let status = text.strip_prefix("HTTP/1.1 ").and_then(|it| it.get(..3)?.parse().ok());
        Self { code: output.status.code(), status: status.unwrap_or_default(), text }
    }
}

fn trust(authority: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

/// A connection to a service whose authority is believed.
pub(crate) fn connect(address: SocketAddr, trust: &Arc<ClientConfig>) -> Stream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let name = address.ip().into();
    StreamOwned::new(ClientConnection::new(Arc::clone(trust), name).unwrap(), stream)
}
