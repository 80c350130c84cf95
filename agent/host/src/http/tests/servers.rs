//! Servers that answer one way, in the clear or over TLS, until the test's process ends.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// A connection, whatever it goes over.
pub(super) trait Line: Read + Write {}
impl<T: Read + Write> Line for T {}

/// Attends to a connection: hears each request's head and body, and whether to go on is its answer.
type Attend = dyn Fn(&str, &mut dyn Line) -> bool + Send + Sync;

/// Reads a request's head; `None` at the end of the connection.
fn head(line: &mut dyn Line) -> Option<String> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        if line.read(&mut byte).ok()? == 0 {
            return None;
        }
        request.push(byte[0]);
    }
    let text = String::from_utf8(request).unwrap();
    let length = text.lines().find_map(|it| it.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |it| it.parse().unwrap())];
    line.read_exact(&mut body).ok()?;
    Some(text + &String::from_utf8_lossy(&body))
}

fn converse(mut line: impl Line, attend: &Attend) {
    while let Some(request) = head(&mut line) {
        if !attend(&request, &mut line) {
            return;
        }
    }
}

fn listen(each: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let each = Arc::new(each);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let each = Arc::clone(&each);
            std::thread::spawn(move || each(stream.unwrap()));
        }
    });
    port
}

/// Serves in the clear; gives the port.
pub(super) fn serve(attend: impl Fn(&str, &mut dyn Line) -> bool + Send + Sync + 'static) -> u16 {
    listen(move |stream| converse(stream, &attend))
}

/// Answers every request with these bytes, and keeps the connection.
pub(super) fn always(answer: &'static str) -> u16 {
    serve(move |_, line| line.write_all(answer.as_bytes()).is_ok())
}

/// Passes bytes on between two connections.
pub(super) fn join(mut near: TcpStream, mut far: TcpStream) {
    let (mut back, mut forth) = (far.try_clone().unwrap(), near.try_clone().unwrap());
    std::thread::spawn(move || drop(std::io::copy(&mut back, &mut forth)));
    drop(std::io::copy(&mut near, &mut far));
}

/// A connection by which bytes are passed on.
pub(super) fn listen_raw(each: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    listen(each)
}

/// An authority of its own, its server's and its client's certificates.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub(super) struct Issued {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    pub(super) fn issue(&self, name: &str) -> Issued {
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Issued { certificate, key }
    }

    pub(super) fn write(&self, path: &Path) {
        std::fs::write(path, self.0.pem()).unwrap();
    }
}

impl Issued {
    pub(super) fn write(&self, certificate: &Path, key: &Path) {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::write(certificate, self.certificate.pem()).unwrap();
        std::fs::write(key, self.key.serialize_pem()).unwrap();
        std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Serves over TLS with this certificate. `clients`: who vouches for clients, which must show theirs.
    pub(super) fn serve(&self, clients: Option<&Authority>, answer: &'static str) -> u16 {
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.0.der().clone()).unwrap();
                let provider = Arc::new(default_provider());
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let chain = vec![self.certificate.der().clone()];
        let config = Arc::new(builder.with_single_cert(chain, key).unwrap());
        listen(move |stream| {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let line = StreamOwned::new(connection, stream);
            converse(line, &|_: &str, line: &mut dyn Line| {
                line.write_all(answer.as_bytes()).is_ok()
            });
        })
    }
}
