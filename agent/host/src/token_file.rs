//! A secret that a file holds: the local API's token.
//!
//! **Invariant:** a file that others may read is not believed to hold a secret.

use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use nix::sys::stat::fstat;
use thiserror::Error;

use crate::door::files;
use crate::failure::OsFailure;

/// A token is one line.
const TOKEN_BYTES_MAX: u64 = 4 << 10;

/// Shorter ones can be guessed: this is what 96 bits take in base64.
const TOKEN_BYTES_MIN: usize = 16;

/// A token cannot be had.
#[derive(Debug, Error)]
pub enum NoToken {
    /// It is not there.
    #[error("there is no token file {}", path.display())]
    Missing {
        /// Where it was sought.
        path: PathBuf,
    },
    /// Others may read it.
    #[error("the token file {} may be read by others (mode {mode:04o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It holds none.
    #[error("the token in {} is shorter than {TOKEN_BYTES_MIN} letters", path.display())]
    TooShort {
        /// The file.
        path: PathBuf,
    },
    /// The system refused.
    #[error("read the token file")]
    Os(#[from] OsFailure),
}

/// Reads a token.
pub fn read(path: &Path) -> Result<String, NoToken> {
    let missing = || NoToken::Missing { path: path.to_owned() };
    let file = files::look(path)?.ok_or_else(missing)?;
    let stat = fstat(file.as_fd()).map_err(|errno| OsFailure::new("look at", path, errno))?;
    let mode = stat.st_mode & 0o7777;
    if mode & 0o077 != 0 {
        return Err(NoToken::Exposed { path: path.to_owned(), mode });
    }
    let bytes = files::read(path, TOKEN_BYTES_MAX)?.ok_or_else(missing)?;
    let token = String::from_utf8_lossy(&bytes).trim().to_owned();
    if token.len() < TOKEN_BYTES_MIN {
        return Err(NoToken::TooShort { path: path.to_owned() });
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn only_a_long_secret_is_a_token() {
        let scratch = Scratch::new();
        let path = scratch.path().join("token");
        for (text, mode, expected) in [
            ("0123456789abcdef\n", 0o600, Some("0123456789abcdef")),
            ("0123456789abcdef\n", 0o640, None),
            ("0123456789abcde\n", 0o600, None),
            ("", 0o400, None),
        ] {
            drop(std::fs::remove_file(&path));
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&path).ok().as_deref(), expected, "{text:?} {mode:o}");
        }
        assert!(matches!(read(&scratch.path().join("none")), Err(NoToken::Missing { .. })));
    }
}
