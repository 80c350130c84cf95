//! Tells the service manager that started this process how it stands: `sd_notify(3)`.
//!
//! **Invariant:** a message makes the service wait for a moment at most, and one that does not arrive stops nothing.
#![allow(
    clippy::disallowed_methods,
    reason = "the one variable of the environment that is read: systemd says by it where it listens"
)]

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// A manager that is busy has a full queue for a moment.
const PATIENCE: Duration = Duration::from_secs(1);

/// Says that requests are answered from now on, and that the database is there for commands.
pub fn is_ready() {
    say("READY=1");
}

/// Says that what was begun is answered, and nothing more.
pub fn is_stopping() {
    say("STOPPING=1");
}

fn say(line: &str) {
    let Some(address) = std::env::var_os("NOTIFY_SOCKET").filter(|it| !it.is_empty()) else {
        return;
    };
    if let Err(error) = send(&address, line) {
        tracing::warn!(%error, "the service manager cannot be told {line}");
    }
}

fn send(address: &OsStr, line: &str) -> io::Result<()> {
    let manager = match address.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(address)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.send_to_addr(line.as_bytes(), &manager).map(drop)
}
