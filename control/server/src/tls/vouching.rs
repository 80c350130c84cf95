//! Whose word on clients counts: the authorities of `clientCaFile`, each in its time.
//!
//! **Invariant:** an authority vouches for nobody before its certificate counts, nor after its end: the library
//! judges the dates of all certificates but an authority's own.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};

use super::validity::Validity;

/// An authority.
#[derive(Clone)]
pub(super) struct Authority {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) validity: Validity,
}

impl fmt::Debug for Authority {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.validity.fmt(to)
    }
}

/// Judges clients by the authorities that count at that moment.
#[derive(Debug)]
pub(super) struct Vouching {
    authorities: Vec<Authority>,
    /// The word of all of them: what is asked as long as each counts.
    all: Arc<dyn ClientCertVerifier>,
}

impl Vouching {
    pub(super) fn new(authorities: Vec<Authority>) -> Result<Self, VerifierBuilderError> {
        let all = verifier(&authorities)?;
        Ok(Self { authorities, all })
    }
}

/// Verifies certificates of clients; people's browsers have none, so none is no fault yet.
fn verifier<'a>(
    authorities: impl IntoIterator<Item = &'a Authority>,
) -> Result<Arc<dyn ClientCertVerifier>, VerifierBuilderError> {
    let mut roots = RootCertStore::empty();
    // Each was added once before: none is left out here.
    roots.add_parsable_certificates(authorities.into_iter().map(|it| it.certificate.clone()));
    let provider = Arc::new(ring::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()
}

impl ClientCertVerifier for Vouching {
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let counts = |it: &&Authority| it.validity.counts_at(seconds);
        if self.authorities.iter().all(|it| counts(&it)) {
            return self.all.verify_client_cert(end_entity, intermediates, now);
        }
        // None is left, or the library refuses those that are.
        let nobody = |_refused| Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let some = verifier(self.authorities.iter().filter(counts)).map_err(nobody)?;
        some.verify_client_cert(end_entity, intermediates, now)
    }

    fn offer_client_auth(&self) -> bool {
        self.all.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.all.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.all.root_hint_subjects()
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.all.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.all.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.all.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd,
    };

    use super::*;

    /// An authority with these years, and a client that it vouches for.
    fn authority(from: i32, until: i32) -> (Authority, CertificateDer<'static>) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params.not_before, params.not_after) =
            (date_time_ymd(from, 1, 1), date_time_ymd(until, 1, 1));
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let client = CertificateParams::new(vec!["web-1".to_owned()]).unwrap();
        let client = client.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
        let certificate = issuer.der().clone();
        let validity = Validity::of(&certificate).unwrap();
        (Authority { certificate, validity }, client.der().clone())
    }

    #[test]
    fn each_authority_vouches_in_its_time_and_no_longer() {
        let (old, of_old) = authority(2010, 2020);
        let (new, of_new) = authority(2019, 2030);
        let both = Vouching::new(vec![old.clone(), new]).unwrap();
        let alone = Vouching::new(vec![old]).unwrap();
        for (year, expected) in [
            (2009, [false, false, false]),
            (2015, [true, false, true]),
            (2019, [true, true, true]),
            (2025, [false, true, false]),
            (2035, [false, false, false]),
        ] {
            let seconds = date_time_ymd(year, 6, 1).unix_timestamp();
            let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds.try_into().unwrap()));
            let vouched = |who: &Vouching, client| who.verify_client_cert(client, &[], now).is_ok();
            let found =
                [vouched(&both, &of_old), vouched(&both, &of_new), vouched(&alone, &of_old)];
            assert_eq!(found, expected, "{year}");
        }
    }
}
