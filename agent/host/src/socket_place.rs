//! Where the local API's socket lies: for the agent that makes it and the command that seeks it.
//!
//! **Invariant:** the place depends on the settings and the account alone, so both find the same.

use std::path::{Path, PathBuf};

use bowline_model::digest::Sha256;
use nix::unistd::geteuid;

/// The longest path of a socket on Linux, with its NUL.
const SOCKET_PATH_MAX: usize = 108;

/// A path that the system takes for a socket: the wanted one, or one in the runtime folder.
pub fn short_enough(wanted: &Path) -> PathBuf {
    if wanted.as_os_str().len() < SOCKET_PATH_MAX {
        return wanted.to_owned();
    }
    let digest = Sha256::of(wanted.as_os_str().as_encoded_bytes());
    let short: String = digest.to_string().chars().take(16).collect();
    let folder = if geteuid().is_root() {
        PathBuf::from("/run/bowline")
    } else {
        PathBuf::from(format!("/run/user/{}", geteuid()))
    };
    folder.join(format!("bowline-{short}.sock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_too_long_is_replaced_by_one_that_is_not() {
        let short = Path::new("/run/bowline/agent.sock");
        assert_eq!(short_enough(short), short);
        let long = PathBuf::from(format!("/{}/agent.sock", "a".repeat(200)));
        let placed = short_enough(&long);
        assert!(placed.as_os_str().len() < SOCKET_PATH_MAX, "{placed:?}");
        assert_eq!(placed, short_enough(&long));
    }
}
