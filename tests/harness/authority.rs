//! A private certificate authority, and what it vouches for.
//!
//! **Invariant:** keys that it makes for others exist in its own folder only.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};

/// An authority whose certificate is in a folder.
pub struct Authority {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// Makes one, and writes its certificate to `NAME.ca.pem`.
    pub fn new(folder: &Path, name: &str) -> Self {
        Self::with(folder, name, CertificateParams::new(Vec::new()).unwrap())
    }

    /// The same of one whose own time is over.
    pub fn expired(folder: &Path, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        (params.not_before, params.not_after) =
            (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        Self::with(folder, name, params)
    }

    fn with(folder: &Path, name: &str, mut params: CertificateParams) -> Self {
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(folder.join(format!("{name}.ca.pem")), issuer.pem()).unwrap();
        Self { folder: folder.to_owned(), issuer }
    }

    /// Vouches for somebody: `NAME.cert.pem` and `NAME.key.pem`.
    pub fn issue(&self, name: &str, address: &str) {
        self.sign(name, CertificateParams::new(vec![address.to_owned()]).unwrap());
    }

    /// The same for a time that is over.
    pub fn issue_expired(&self, name: &str, address: &str) {
        let mut params = CertificateParams::new(vec![address.to_owned()]).unwrap();
        (params.not_before, params.not_after) =
            (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        self.sign(name, params);
    }

    fn sign(&self, name: &str, mut params: CertificateParams) {
        // One that bears its authority's name is taken for self-signed by OpenSSL.
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let path = |kind: &str| self.folder.join(format!("{name}.{kind}.pem"));
        fs::write(path("cert"), certificate.pem()).unwrap();
        fs::write(path("key"), key.serialize_pem()).unwrap();
        fs::set_permissions(path("key"), fs::Permissions::from_mode(0o600)).unwrap();
    }
}
