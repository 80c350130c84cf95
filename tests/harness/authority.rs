//! A private certificate authority, and what it vouches for.
//!
//! **Invariant:** its keys exist in the workshop's folder only.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::workshop::Workshop;

/// An authority whose certificate is in the workshop.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// Makes one, and writes its certificate to `NAME.ca.pem`.
    pub fn new(shop: &Workshop, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let this =
            Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap());
        fs::write(shop.folder().join(format!("{name}.ca.pem")), this.0.pem()).unwrap();
        this
    }

    /// Vouches for somebody: `NAME.cert.pem` and `NAME.key.pem`.
    pub fn issue(&self, shop: &Workshop, name: &str, address: &str) {
        let mut params = CertificateParams::new(vec![address.to_owned()]).unwrap();
        // One that bears its authority's name is taken for self-signed by OpenSSL.
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let path = |kind: &str| shop.folder().join(format!("{name}.{kind}.pem"));
        fs::write(path("cert"), certificate.pem()).unwrap();
        fs::write(path("key"), key.serialize_pem()).unwrap();
        fs::set_permissions(path("key"), fs::Permissions::from_mode(0o600)).unwrap();
    }
}
