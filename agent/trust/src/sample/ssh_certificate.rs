//! SSH certificates, good or twisted, all made from fixed seeds.
//!
//! **Invariant:** a draft as it stands by default is a good certificate for Alice.

use super::{BEGINNING, DAY, Signer};
use crate::wire::push_string;

/// A certificate to be.
#[derive(Clone)]
pub(crate) struct CertificateDraft {
    /// The seed of the key it is about.
    pub(crate) subject: u8,
    /// The seed of the authority that it names, and of the one that signs it.
    pub(crate) authority: u8,
    pub(crate) signer: u8,
    pub(crate) kind: u32,
    pub(crate) principals: Vec<&'static str>,
    pub(crate) window: (u64, u64),
    pub(crate) critical: Vec<u8>,
    pub(crate) extensions: Vec<u8>,
    pub(crate) after: &'static [u8],
}

impl CertificateDraft {
    /// A key of Alice's, vouched for by this authority, a month long.
    pub(crate) fn new(subject: u8, authority: u8) -> Self {
        let window = [BEGINNING, BEGINNING + 30 * DAY].map(|it| u64::try_from(it).unwrap());
        Self {
            subject,
            authority,
            signer: authority,
            kind: 1,
            principals: vec!["alice@ops"],
            window: window.into(),
            critical: Vec::new(),
            extensions: Vec::new(),
            after: b"",
        }
    }

    pub(crate) fn wire(&self) -> Vec<u8> {
        let mut wire = Vec::new();
        push_string(&mut wire, b"ssh-ed25519-cert-v01@openssh.com");
        push_string(&mut wire, b"nonce");
        // The plain encoding's name is eleven bytes behind four of its length.
        wire.extend(&Signer::new(self.subject).wire()[15..]);
        wire.extend(7_u64.to_be_bytes());
        wire.extend(self.kind.to_be_bytes());
        push_string(&mut wire, b"key id");
        let mut names = Vec::new();
        for name in &self.principals {
            push_string(&mut names, name.as_bytes());
        }
        push_string(&mut wire, &names);
        wire.extend(self.window.0.to_be_bytes());
        wire.extend(self.window.1.to_be_bytes());
        push_string(&mut wire, &self.critical);
        push_string(&mut wire, &self.extensions);
        push_string(&mut wire, b"");
        push_string(&mut wire, &Signer::new(self.authority).wire());
        let value = Signer::new(self.signer).value(&wire);
        push_string(&mut wire, &value);
        wire.extend(self.after);
        wire
    }
}

/// An option with a value, as certificates hold them.
pub(crate) fn option(name: &str, value: &str) -> Vec<u8> {
    let (mut option, mut inner) = (Vec::new(), Vec::new());
    push_string(&mut option, name.as_bytes());
    push_string(&mut inner, value.as_bytes());
    push_string(&mut option, &inner);
    option
}
