//! Loads the host's root of trust.
//!
//! **Invariant:** a trust file that somebody else than root or the agent could write is not loaded.

use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bowline_model::digest::Sha256;
use bowline_model::read::Faults;
use bowline_model::trust_root::TrustRoot;
use nix::sys::stat::fstat;
use nix::unistd::geteuid;
use thiserror::Error;

use crate::door::files;
use crate::failure::OsFailure;
use crate::settings::Settings;

/// Largest trust file: some tens of keys.
const TRUST_BYTES_MAX: u64 = 1 << 20;

/// A loaded root of trust.
#[derive(Debug, Clone)]
pub struct TrustFile {
    /// What it says.
    pub root: Arc<TrustRoot>,
    /// SHA-256 of its bytes.
    pub sha256: Sha256,
}

/// A trust file that cannot be used.
#[derive(Debug, Error)]
pub enum NoTrust {
    /// It is not there.
    #[error("there is no trust file {}; `bowline init` makes one", path.display())]
    Missing {
        /// Where it was sought.
        path: PathBuf,
    },
    /// Somebody else could write it.
    #[error("the trust file {} {why}", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Who.
        why: String,
    },
    /// It vouches for another branch than the one that is followed.
    #[error("source.ref in {} is {wanted}, and the trust file vouches for {trusted}", file.display())]
    OtherRef {
        /// The settings file.
        file: PathBuf,
        /// What it follows.
        wanted: String,
        /// What the trust file vouches for.
        trusted: String,
    },
    /// The system refused.
    #[error("read the trust file")]
    Os(#[from] OsFailure),
    /// It is not a trust file.
    #[error("the trust file is not valid")]
    Malformed(#[source] Faults),
}

/// Loads the trust file that settings name, for the branch that they follow.
pub fn load_for(settings: &Settings) -> Result<TrustFile, NoTrust> {
    let trust = load(&settings.trust)?;
    let trusted = trust.root.repo.ref_name.as_str();
    if trusted == settings.ref_name {
        return Ok(trust);
    }
    let (file, wanted) = (settings.file.clone(), settings.ref_name.clone());
    Err(NoTrust::OtherRef { file, wanted, trusted: trusted.to_owned() })
}

/// Loads a trust file.
pub fn load(path: &Path) -> Result<TrustFile, NoTrust> {
    let missing = || NoTrust::Missing { path: path.to_owned() };
    let file = files::look(path)?.ok_or_else(missing)?;
    let stat = fstat(file.as_fd()).map_err(|errno| OsFailure::new("look at", path, errno))?;
    let exposed = |why: String| Err(NoTrust::Exposed { path: path.to_owned(), why });
    if stat.st_uid != 0 && stat.st_uid != geteuid().as_raw() {
        return exposed(format!("belongs to user {}, not to root or the agent", stat.st_uid));
    }
    if stat.st_mode & 0o022 != 0 {
        return exposed(format!("may be written by others (mode {:04o})", stat.st_mode & 0o7777));
    }
    let bytes = files::read(path, TRUST_BYTES_MAX)?.ok_or_else(missing)?;
    let root = TrustRoot::parse(&path.display().to_string(), &bytes).map_err(NoTrust::Malformed)?;
    Ok(TrustFile { root: Arc::new(root), sha256: Sha256::of(&bytes) })
}
