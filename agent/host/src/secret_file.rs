//! Files that hold a secret: a token, a private key for TLS.
//!
//! **Invariant:** a file that others than its owner's group may read, or anybody else may write, is not used.

use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use nix::sys::stat::fstat;
use nix::unistd::geteuid;
use thiserror::Error;

use crate::door::files;
use crate::failure::OsFailure;

/// Written by its owner only, and read by nobody but the owner and the group.
const TOO_OPEN: u32 = 0o027;

/// A secret that cannot be used.
#[derive(Debug, Error)]
pub enum BadSecret {
    /// There is none.
    #[error("there is no file {}", path.display())]
    Missing {
        /// Where it was sought.
        path: PathBuf,
    },
    /// Others may read or replace it.
    #[error("{} {why}; make it owned by the agent's account, with mode 0600", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Why it is not its owner's alone.
        why: String,
    },
    /// The system refused.
    #[error("read a secret")]
    Os(#[from] OsFailure),
}

/// Reads a secret of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, BadSecret> {
    let missing = || BadSecret::Missing { path: path.to_owned() };
    let file = files::look(path)?.ok_or_else(missing)?;
    let stat = fstat(file.as_fd()).map_err(|errno| OsFailure::new("look at", path, errno))?;
    let exposed = |why: String| Err(BadSecret::Exposed { path: path.to_owned(), why });
    if stat.st_mode & TOO_OPEN != 0 {
        return exposed(format!("has mode {:04o}", stat.st_mode & 0o7777));
    }
    if stat.st_uid != 0 && stat.st_uid != geteuid().as_raw() {
        return exposed(format!("belongs to the user {}", stat.st_uid));
    }
    Ok(files::read_open(file, path, limit)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_secret_that_others_may_read_or_write_is_not_used() {
        let scratch = Scratch::new();
        let path = scratch.path().join("token");
        assert!(matches!(read(&path, 10), Err(BadSecret::Missing { .. })));
        std::fs::write(&path, "secret").unwrap();
        for (mode, good) in
            [(0o600, true), (0o400, true), (0o640, true), (0o644, false), (0o620, false)]
        {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let found = read(&path, 10);
            assert_eq!(found.is_ok(), good, "{mode:o}: {found:?}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(read(&path, 5), Err(BadSecret::Os(_))));
    }
}
