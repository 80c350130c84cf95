//! The host's own key: Ed25519, made at the first start, never leaving the host.
//!
//! **Invariant:** a key that others can read is not used.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bowline_model::digest::Sha256;
use nix::errno::Errno;
use nix::sys::stat::lstat;
use nix::unistd::geteuid;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use thiserror::Error;

use crate::door::files;
use crate::failure::OsFailure;
use crate::openssh;

/// What stands before the 32 bytes of the seed in PKCS#8 version 1, which OpenSSL reads and writes.
const PKCS8_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A PEM file of one Ed25519 key has some 120 bytes.
const FILE_BYTES_MAX: u64 = 16 << 10;

/// The host's key.
pub struct HostKey {
    pair: Ed25519KeyPair,
    path: PathBuf,
}

/// The host's key cannot be used.
#[derive(Debug, Error)]
pub enum KeyFailure {
    /// The system refused.
    #[error("open the host's key")]
    Os(#[from] OsFailure),
    /// Others may read or replace it.
    #[error("the host's key {} {why}; make it owned by the agent's account, with mode 0600", path.display())]
    Exposed {
        /// The key.
        path: PathBuf,
        /// Why it is not its owner's alone.
        why: String,
    },
    /// It is no Ed25519 key.
    #[error(
        "the host's key {} is not an Ed25519 key without a passphrase, as PKCS#8 PEM or as `ssh-keygen -t \
         ed25519` writes it",
        path.display()
    )]
    Malformed {
        /// The key.
        path: PathBuf,
    },
    /// The system gives no random numbers.
    #[error("make the host's key: the system gives no random numbers")]
    NoRandomness,
}

impl HostKey {
    /// Opens the key, and makes it at the first start. Its public half is written beside it.
    pub fn open(path: &Path) -> Result<Self, KeyFailure> {
        let key = match Self::read(path)? {
            Some(key) => key,
            None => Self::make(path)?,
        };
        let public = key.public_file();
        let line = format!("{}\n", key.public_line());
        if files::read(&public, FILE_BYTES_MAX)?.as_deref() != Some(line.as_bytes()) {
            files::replace(&public, line.as_bytes(), 0o644)?;
        }
        Ok(key)
    }

    fn read(path: &Path) -> Result<Option<Self>, KeyFailure> {
        let stat = match lstat(path) {
            Ok(stat) => stat,
            Err(Errno::ENOENT) => return Ok(None),
            Err(errno) => return Err(OsFailure::new("look at", path, errno).into()),
        };
        let exposed = |why: String| KeyFailure::Exposed { path: path.to_owned(), why };
        if stat.st_mode & 0o077 != 0 {
            return Err(exposed(format!("has mode {:04o}", stat.st_mode & 0o7777)));
        }
        if stat.st_uid != 0 && stat.st_uid != geteuid().as_raw() {
            return Err(exposed(format!("belongs to the user {}", stat.st_uid)));
        }
        let Some(bytes) = files::read(path, FILE_BYTES_MAX)? else {
            return Ok(None);
        };
        let malformed = || KeyFailure::Malformed { path: path.to_owned() };
        if let Some(key) = openssh::read(&bytes) {
            let pair = Ed25519KeyPair::from_seed_and_public_key(&key.seed, &key.public);
            let pair = pair.map_err(|_| malformed())?;
            return Ok(Some(Self { pair, path: path.to_owned() }));
        }
        let der = unwrap_pem(&bytes).ok_or_else(malformed)?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| malformed())?;
        Ok(Some(Self { pair, path: path.to_owned() }))
    }

    /// Makes a key, durably, before anything is signed with it.
    fn make(path: &Path) -> Result<Self, KeyFailure> {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).map_err(|_| KeyFailure::NoRandomness)?;
        let malformed = |_| KeyFailure::Malformed { path: path.to_owned() };
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(malformed)?;
        let der = [PKCS8_HEAD.as_slice(), &seed].concat();
        let text = STANDARD.encode(der);
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
        if let Some(folder) = path.parent() {
            files::make_folder(folder)?;
        }
        files::replace(path, pem.as_bytes(), 0o600)?;
        Ok(Self { pair, path: path.to_owned() })
    }

    /// Signs bytes.
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.pair.sign(bytes).as_ref().to_vec()
    }

    /// The 32 bytes of the public key.
    pub fn public(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// The public key as OpenSSH writes it: `ssh-ed25519 AAAA…`.
    pub fn public_line(&self) -> String {
        format!("ssh-ed25519 {}", STANDARD.encode(ssh_wire(self.public())))
    }

    /// The fingerprint, as `ssh-keygen -lf` shows it: `SHA256:…`.
    pub fn fingerprint(&self) -> String {
        fingerprint(self.public())
    }

    /// `host.key.pub` beside `host.key`.
    fn public_file(&self) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".pub");
        self.path.with_file_name(name)
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostKey({})", self.fingerprint())
    }
}

/// The OpenSSH fingerprint of an Ed25519 public key.
pub fn fingerprint(public: &[u8]) -> String {
    let digest = Sha256::of(&ssh_wire(public));
    format!("SHA256:{}", STANDARD_NO_PAD.encode(digest.as_bytes()))
}

/// A public key as OpenSSH sends it: two texts, each behind its length.
fn ssh_wire(public: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    for part in [b"ssh-ed25519".as_slice(), public] {
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        wire.extend_from_slice(&length.to_be_bytes());
        wire.extend_from_slice(part);
    }
    wire
}

/// What stands between the two lines of a private key's PEM file.
fn unwrap_pem(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let body = text
        .strip_prefix("-----BEGIN PRIVATE KEY-----")?
        .strip_suffix("-----END PRIVATE KEY-----")?;
    let digits: String = body.split_whitespace().collect();
    STANDARD.decode(digits).ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    use ring::signature::{ED25519, UnparsedPublicKey};

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_key_is_made_once_and_then_found() {
        let scratch = Scratch::new();
        let path = scratch.path().join("etc/host.key");
        let made = HostKey::open(&path).unwrap();
        let found = HostKey::open(&path).unwrap();
        assert_eq!(made.fingerprint(), found.fingerprint());
        let bits = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(bits & 0o7777, 0o600);
        let signature = found.sign(b"x");
        let public = UnparsedPublicKey::new(&ED25519, made.public());
        public.verify(b"x", &signature).unwrap();
        assert!(public.verify(b"y", &signature).is_err());
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let scratch = Scratch::new();
        let path = scratch.path().join("host.key");
        HostKey::open(&path).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let failure = HostKey::open(&path).unwrap_err();
            assert!(matches!(failure, KeyFailure::Exposed { .. }), "{mode:o}");
        }
    }

    #[test]
    fn a_key_of_ssh_keygens_is_one_too() {
        let scratch = Scratch::new();
        let path = scratch.path().join("host.key");
        let make = |words: &[&str]| {
            drop(std::fs::remove_file(&path));
            let made =
                Command::new("ssh-keygen").args(["-q", "-f"]).arg(&path).args(words).status();
            assert!(made.unwrap().success());
        };
        make(&["-t", "ed25519", "-N", ""]);
        let public = std::fs::read_to_string(path.with_extension("key.pub")).unwrap();
        let key = HostKey::open(&path).unwrap();
        assert!(public.starts_with(&key.public_line()), "{public}");
        let its = UnparsedPublicKey::new(&ED25519, key.public());
        its.verify(b"x", &key.sign(b"x")).unwrap();
        for words in [&["-t", "ed25519", "-N", "secret"][..], &["-t", "ecdsa", "-N", ""]] {
            make(words);
            let failure = HostKey::open(&path).unwrap_err();
            assert!(matches!(failure, KeyFailure::Malformed { .. }), "{words:?}");
        }
    }

    #[test]
    fn something_else_than_a_key_is_refused_and_kept() {
        let scratch = Scratch::new();
        let path = scratch.path().join("host.key");
        std::fs::write(&path, "not a key").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(HostKey::open(&path), Err(KeyFailure::Malformed { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), b"not a key");
    }

    #[test]
    fn ssh_keygen_shows_the_same_fingerprint() {
        let scratch = Scratch::new();
        let path = scratch.path().join("host.key");
        let key = HostKey::open(&path).unwrap();
        let public = scratch.path().join("host.key.pub");
        let Ok(output) = Command::new("ssh-keygen").arg("-lf").arg(public).output() else {
            return;
        };
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(shown.contains(&key.fingerprint()), "{shown}");
    }

    #[test]
    fn the_fingerprint_is_the_published_one() {
        // RFC 8709, section 8's form, for the public key of RFC 8032's first test vector.
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let public: [u8; 32] = bowline_model::digest::unhex(public).unwrap();
        let wire = ssh_wire(&public);
        assert_eq!(wire.len(), 51);
        assert_eq!(wire.get(..19).unwrap(), b"\0\0\0\x0bssh-ed25519\0\0\0\x20");
    }
}
