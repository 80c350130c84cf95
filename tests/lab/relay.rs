//! Carries connections between an address of this machine and one inside the lab's network, by way of a socket
//! in a folder that both see.
//!
//! **Invariant:** a connection ends when one side of it does; there are never more than a browser's few.

use std::io::{Read, Write, copy};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context as _, Result};

/// What the socket is called in the lab's folder.
pub(crate) const SOCKET: &str = "board.sock";

/// Some browsers with six connections each.
const CONNECTIONS_MAX: usize = 64;

/// Listens at an address of this machine; gives the address.
pub(crate) fn outside(listen: SocketAddr, socket: &Path) -> Result<SocketAddr> {
    let listener = TcpListener::bind(listen).with_context(|| {
        format!("listen at {listen}\nhint: --listen 127.0.0.1:0 takes any port that is free")
    })?;
    let address = listener.local_addr()?;
    let socket = socket.to_owned();
    let count = Arc::default();
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let socket: PathBuf = socket.clone();
            carry(&count, move || Ok((near, UnixStream::connect(socket)?)));
        }
    });
    Ok(address)
}

/// Listens at the socket, and carries what comes to an address inside.
pub(crate) fn inside(socket: &Path, target: SocketAddr) -> Result<()> {
    let listener =
        UnixListener::bind(socket).with_context(|| format!("listen at {}", socket.display()))?;
    let count = Arc::default();
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            carry(&count, move || Ok((TcpStream::connect(target)?, near)));
        }
    });
    Ok(())
}

/// Joins two ends in threads of their own. A connection that cannot be made, or is one too many, is closed.
fn carry(
    count: &Arc<AtomicUsize>,
    ends: impl FnOnce() -> std::io::Result<(TcpStream, UnixStream)> + Send + 'static,
) {
    let count = Arc::clone(count);
    if count.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX {
        count.fetch_sub(1, Ordering::Relaxed);
        return;
    }
    thread::spawn(move || {
        // Whoever asked sees a connection that was closed; there is nobody else to tell.
        drop(ends().and_then(|(tcp, unix)| join(&tcp, &unix)));
        count.fetch_sub(1, Ordering::Relaxed);
    });
}

fn join(tcp: &TcpStream, unix: &UnixStream) -> std::io::Result<()> {
    let (mut tcp_in, mut unix_in) = (tcp.try_clone()?, unix.try_clone()?);
    let (mut tcp_out, mut unix_out) = (tcp.try_clone()?, unix.try_clone()?);
    thread::scope(|scope| {
        scope.spawn(move || {
            pour(&mut tcp_in, &mut unix_out);
            drop(unix_out.shutdown(Shutdown::Write));
        });
        pour(&mut unix_in, &mut tcp_out);
        drop(tcp_out.shutdown(Shutdown::Write));
    });
    Ok(())
}

/// A side that breaks off is a side that has ended.
fn pour(from: &mut impl Read, into: &mut impl Write) {
    drop(copy(from, into));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_on_one_side_is_heard_on_the_other() {
        let folder = std::env::temp_dir().join(format!("bowline-relay-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let socket = folder.join("relay.sock");
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        inside(&socket, server.local_addr().unwrap()).unwrap();
        let entrance = outside("127.0.0.1:0".parse().unwrap(), &socket).unwrap();
        let mut client = TcpStream::connect(entrance).unwrap();
        client.write_all(b"question").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let (mut served, _) = server.accept().unwrap();
        let mut heard = String::new();
        served.read_to_string(&mut heard).unwrap();
        served.write_all(b"answer").unwrap();
        drop(served);
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!((heard.as_str(), answer.as_str()), ("question", "answer"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
