//! Over TLS: who is believed, and who is not.

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::servers::{Authority, listen_raw};
use super::{access, client, fetch, plain_client};
use crate::http::tls::{Identity, Trust};
use crate::http::{Address, Call, HttpFailure, Redirect};
use crate::scratch::Scratch;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

struct World {
    scratch: Scratch,
    authority: Authority,
}

impl World {
    fn new() -> Self {
        let world = Self { scratch: Scratch::new(), authority: Authority::new() };
        world.authority.write(&world.path("ca.pem"));
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn ask(&self, port: u16, identity: Option<Identity>) -> Result<(u16, Vec<u8>), HttpFailure> {
        let trust = Trust::of(Some(self.path("ca.pem")), identity);
        let client = client(access(trust, None));
        let address = format!("https://127.0.0.1:{port}/");
        // The second one goes over the same connection.
        fetch(&client, &address)?;
        fetch(&client, &address)
    }

    fn identity(&self) -> Identity {
        Identity { certificate: self.path("client.pem"), key: self.path("client.key") }
    }
}

#[test]
fn an_authority_of_ones_own_is_believed_and_another_is_not() {
    let world = World::new();
    let good = world.authority.issue("127.0.0.1").serve(None, OK);
    assert_eq!(world.ask(good, None).unwrap(), (200, b"ok".to_vec()));
    let foreign = Authority::new().issue("127.0.0.1").serve(None, OK);
    let misnamed = world.authority.issue("elsewhere.example").serve(None, OK);
    let plain = listen_raw(|mut line| line.write_all(b"220 no TLS here\r\n").unwrap());
    for (port, said) in [
        (foreign, "invalid peer certificate"),
        (misnamed, "not valid for"),
        (plain, "corrupt message"),
    ] {
        let failure = world.ask(port, None).unwrap_err();
        let text = failure.to_string();
        assert_eq!(failure.code(), "tls", "{text}");
        assert!(text.contains(said) && text.contains(&port.to_string()), "{text}");
    }
    // The system's authorities do not know this one either.
    let failure = fetch(&plain_client(), &format!("https://127.0.0.1:{good}/")).unwrap_err();
    assert_eq!(failure.code(), "tls", "{failure}");
}

#[test]
fn a_server_may_demand_a_certificate_of_the_client() {
    let world = World::new();
    let clients = Authority::new();
    let port = world.authority.issue("127.0.0.1").serve(Some(&clients), OK);
    clients.issue("web-1").write(&world.path("client.pem"), &world.path("client.key"));
    assert_eq!(world.ask(port, Some(world.identity())).unwrap().0, 200);
    let failure = world.ask(port, None).unwrap_err();
    assert_eq!(failure.code(), "tls", "{failure}");
    assert!(failure.to_string().contains("CertificateRequired"), "{failure}");
    Authority::new().issue("web-1").write(&world.path("client.pem"), &world.path("client.key"));
    assert_eq!(world.ask(port, Some(world.identity())).unwrap_err().code(), "tls");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let world = World::new();
    let issued = world.authority.issue("web-1");
    let port = world.authority.issue("127.0.0.1").serve(None, OK);
    let refused = |said: &str| {
        let failure = world.ask(port, Some(world.identity())).unwrap_err();
        let text = crate::failure::chain(&failure);
        assert!(text.contains(said), "{said}: {text}");
        assert_eq!(failure.kind(), crate::failure::Kind::Broken);
    };
    refused("client.pem is not there");
    issued.write(&world.path("client.pem"), &world.path("client.key"));
    std::fs::set_permissions(world.path("client.key"), Permissions::from_mode(0o644)).unwrap();
    refused("client.key has mode 0644");
    world.authority.issue("web-2").write(&world.path("other.pem"), &world.path("client.key"));
    refused("client.pem does not go with");
    std::fs::write(world.path("client.key"), "no key").unwrap();
    refused("client.key holds no private key");
    std::fs::write(world.path("client.pem"), "").unwrap();
    refused("client.pem holds no certificate");
    std::fs::write(world.path("ca.pem"), "").unwrap();
    refused("ca.pem holds no certificate");
    std::fs::remove_file(world.path("ca.pem")).unwrap();
    refused("ca.pem is not there");
}

#[test]
fn a_redirect_from_tls_to_none_is_told_apart() {
    let world = World::new();
    let answer = "HTTP/1.1 301 x\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n";
    let port = world.authority.issue("127.0.0.1").serve(None, answer);
    let client = client(access(Trust::of(Some(world.path("ca.pem")), None), None));
    let to = Address::parse(&format!("https://127.0.0.1:{port}/")).unwrap();
    let target = client.send(&Call::fetch(to)).unwrap().redirect_target().unwrap();
    assert!(matches!(target, Some(Redirect::Unprotected(_))), "{target:?}");
}
