//! Probes over TLS, against a server with a certificate of its own making.
//!
//! **Invariant:** the certificate names 127.0.0.1 and localhost, and only its own file vouches for it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

use super::{LONG, http};
use crate::door::root::Root;
use crate::probe::Prober;
use crate::scratch::Scratch;
use crate::service::ServiceManager;

const CERTIFICATE: &str = include_str!("loopback.crt.pem");
const KEY: &str = include_str!("loopback.key.pem");

/// A server that answers every request with 200. Gives its port.
fn serve() -> u16 {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            if stream.read(&mut [0; 4_096]).is_ok() {
                drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
            }
        }
    });
    port
}

#[test]
fn a_certificate_counts_only_when_somebody_vouches_for_it() {
    let scratch = Scratch::new();
    std::fs::write(scratch.path().join("ca.pem"), CERTIFICATE).unwrap();
    std::fs::write(scratch.path().join("empty.pem"), "no certificate").unwrap();
    let root = Root::open(scratch.path()).unwrap();
    let port = serve();
    let mut prober = Prober::new();
    for (host, more, passed, detail) in [
        ("127.0.0.1", json!({"caFile": "/ca.pem"}), true, "status 200"),
        ("localhost", json!({"caFile": "/ca.pem"}), true, "status 200"),
        ("127.0.0.1", json!({"insecure": true}), true, "status 200"),
        ("127.0.0.2", json!({"insecure": true}), false, "connect to 127.0.0.2:"),
        ("127.0.0.1", json!({}), false, ""),
        ("127.0.0.1", json!({"caFile": "/empty.pem"}), false, "the caFile /empty.pem holds no"),
    ] {
        let mut fields = more.clone();
        fields["url"] = json!(format!("https://{host}:{port}/"));
        let answer = prober
            .probe_all(&root, &ServiceManager::None, &[("p", &http(&fields), LONG)])
            .remove(0);
        assert_eq!(answer.passed, passed, "{host} {more}: {}", answer.detail);
        assert!(answer.detail.starts_with(detail), "{host} {more}: {}", answer.detail);
    }
}

#[test]
fn a_certificate_of_another_name_does_not_pass() {
    let scratch = Scratch::new();
    std::fs::write(scratch.path().join("ca.pem"), CERTIFICATE).unwrap();
    let root = Root::open(scratch.path()).unwrap();
    // Every address that begins with 127 is this machine, and the server listens on one of them.
    let listener = TcpListener::bind("127.0.0.9:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let upstream = serve();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut near = stream.unwrap();
            let mut far = std::net::TcpStream::connect(("127.0.0.1", upstream)).unwrap();
            let (mut back, mut forth) = (far.try_clone().unwrap(), near.try_clone().unwrap());
            std::thread::spawn(move || drop(std::io::copy(&mut back, &mut forth)));
            drop(std::io::copy(&mut near, &mut far));
        }
    });
    let probe = http(&json!({"url": format!("https://127.0.0.9:{port}/"), "caFile": "/ca.pem"}));
    let answer =
        Prober::new().probe_all(&root, &ServiceManager::None, &[("p", &probe, LONG)]).remove(0);
    assert!(!answer.passed);
    assert!(answer.detail.starts_with("TLS with 127.0.0.9"), "{}", answer.detail);
}
