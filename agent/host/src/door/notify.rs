//! Speaks to the service manager that started this process: `sd_notify(3)`.
//!
//! **Invariant:** a message makes the agent wait for a moment at most, and one that does not arrive stops nothing.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// A manager that is busy has a full queue for a moment: a message that it is to hear, such as that the
/// agent is ready, is not thrown away for that.
const PATIENCE: Duration = Duration::from_secs(1);

/// The service manager's ear.
#[derive(Debug)]
pub struct Notifier {
    socket: UnixDatagram,
    manager: SocketAddr,
}

impl Notifier {
    /// Finds the service manager by what `$NOTIFY_SOCKET` says: a path, or `@` and an abstract name.
    pub fn at(address: &OsStr) -> io::Result<Self> {
        let manager = match address.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(address)?,
            _ => {
                let what = "neither a path nor an abstract name";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
            }
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket, manager })
    }

    /// Sends lines of `NAME=VALUE`.
    pub fn say(&self, lines: &str) -> io::Result<()> {
        self.socket.send_to_addr(lines.as_bytes(), &self.manager).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn heard(ear: &UnixDatagram) -> String {
        let mut bytes = [0; 256];
        let length = ear.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    #[test]
    fn a_manager_is_reached_by_path_and_by_abstract_name() {
        let scratch = Scratch::new();
        let path = scratch.path().join("n");
        let ear = UnixDatagram::bind(&path).unwrap();
        Notifier::at(path.as_os_str()).unwrap().say("READY=1").unwrap();
        assert_eq!(heard(&ear), "READY=1");
        let name = format!("bowline-notify-{}", std::process::id());
        let abstract_name = SocketAddr::from_abstract_name(&name).unwrap();
        let ear = UnixDatagram::bind_addr(&abstract_name).unwrap();
        Notifier::at(OsStr::new(&format!("@{name}"))).unwrap().say("STATUS=a\nREADY=1").unwrap();
        assert_eq!(heard(&ear), "STATUS=a\nREADY=1");
    }

    #[test]
    fn what_is_no_address_is_refused_and_nobody_there_is_told() {
        for bad in ["", "run/notify", "vsock:2:1"] {
            assert!(Notifier::at(OsStr::new(bad)).is_err(), "{bad:?}");
        }
        let scratch = Scratch::new();
        let nobody = Notifier::at(scratch.path().join("n").as_os_str()).unwrap();
        assert!(nobody.say("READY=1").is_err());
    }
}
