//! Files of public keys, whichever kind of key they hold.
//!
//! **Invariant:** a file holds keys of one kind, told by its first line; what is not understood is an error.

use bowline_model::shown::one_line;
use thiserror::Error;

use crate::bad_signature::BadSignature;
use crate::key_file::{self, BadKeyFile, ListedKey};
use crate::openpgp::{Certificate, armor};
use crate::revoked_file::Revoked;
use crate::signer_key::shown;

/// Far above any real list; keeps reading it quick.
const LARGEST: usize = 1 << 20;

/// What a look is made with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// OpenSSH's.
    pub ssh: Vec<ListedKey>,
    /// `OpenPGP`'s.
    pub openpgp: Vec<Certificate>,
    /// Those that were taken back, whichever list they stand in as well.
    pub revoked: Revoked,
}

/// A file that holds no keys that can be used.
#[derive(Debug, Error)]
pub enum BadKeys {
    /// It is a list of OpenSSH's keys, and wrong.
    #[error(transparent)]
    Ssh(#[from] BadKeyFile),
    /// It is a block of `OpenPGP` keys, and wrong.
    #[error("block {block} of OpenPGP keys cannot be used")]
    OpenPgp {
        /// Its number in the file, from 1.
        block: usize,
        /// Why.
        #[source]
        source: BadSignature,
    },
    /// A key stands there twice, and only one of them may say that it is revoked.
    #[error("the OpenPGP key {fingerprint} stands there twice: export it anew, merged")]
    Twice {
        /// Which.
        fingerprint: String,
    },
}

impl Keys {
    /// Reads a file: `.pub`, `authorized_keys`, `allowed_signers`, or armoured `OpenPGP` keys, one block or several.
    ///
    /// # Errors
    /// When a line or a block is not understood, or a certificate stands there twice: one copy may say "revoked".
    pub fn read(bytes: &[u8]) -> Result<Self, BadKeys> {
        let text = str::from_utf8(bytes).unwrap_or_default().trim_start();
        if !text.starts_with(armor::BEGIN_KEYS) {
            return Ok(Self { ssh: key_file::read(bytes)?, ..Self::default() });
        }
        if bytes.len() > LARGEST {
            return Err(BadKeyFile::NotText.into());
        }
        let mut openpgp = Vec::new();
        for (place, block) in text.split(armor::BEGIN_KEYS).skip(1).enumerate() {
            let block = format!("{}{block}", armor::BEGIN_KEYS);
            let read = Certificate::read_armored(block.as_bytes());
            openpgp.extend(read.map_err(|source| BadKeys::OpenPgp { block: place + 1, source })?);
        }
        let mut seen: Vec<_> = openpgp.iter().map(|it| it.fingerprint).collect();
        seen.sort_unstable();
        if let Some(twice) = seen.windows(2).find(|pair| pair.first() == pair.last()) {
            let fingerprint = twice.first().map(shown).unwrap_or_default();
            return Err(BadKeys::Twice { fingerprint });
        }
        Ok(Self { openpgp, ..Self::default() })
    }
}

impl Certificate {
    /// The fingerprint as people compare it: forty upper-case letters of base 16.
    pub fn fingerprint_text(&self) -> String {
        shown(&self.fingerprint)
    }

    /// Whose it says it is, on one line.
    pub fn shown(&self) -> String {
        one_line(&self.name, 200)
    }
}
