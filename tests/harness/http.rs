//! The little HTTP that the demo and the lab speak: one question, one answer, over any stream.
//!
//! **Invariant:** an answer is bounded; times are limited by whoever opened the stream.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Agent and shop answer from memory.
const PATIENCE: Duration = Duration::from_secs(10);

/// The largest answer: a history with some records.
const ANSWER_BYTES_MAX: u64 = 4 << 20;

/// An answer: status and body.
pub type Answer = (u16, Vec<u8>);

/// Asks at a socket.
pub fn get_at_socket(socket: &Path, path: &str) -> Result<Answer> {
    let stream =
        UnixStream::connect(socket).with_context(|| format!("connect to {}", socket.display()))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    get(stream, path, "")
}

/// Asks at an address.
pub fn get_at(address: SocketAddr, path: &str) -> Result<Answer> {
    get_at_as(address, path, "")
}

/// Asks at an address, with further lines of a head such as a token.
pub fn get_at_as(address: SocketAddr, path: &str, lines: &str) -> Result<Answer> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)
        .with_context(|| format!("connect to {address}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    get(stream, path, lines)
}

fn get(mut stream: impl Read + Write, path: &str, lines: &str) -> Result<Answer> {
    let asked =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{lines}\r\n");
    stream.write_all(asked.as_bytes()).with_context(|| format!("ask for {path}"))?;
    let mut bytes = Vec::new();
    let mut limited = stream.take(ANSWER_BYTES_MAX);
    limited.read_to_end(&mut bytes).with_context(|| format!("read the answer to {path}"))?;
    parse(&bytes).with_context(|| format!("the answer to {path} is not HTTP"))
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let at = bytes.windows(4).position(|it| it == b"\r\n\r\n")?;
    let (head, rest) = bytes.split_at(at);
    let head = String::from_utf8_lossy(head);
    let status = head.strip_prefix("HTTP/1.1 ")?.split(' ').next()?.parse().ok()?;
    Some((status, rest.get(4..)?.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_body_are_parted() {
        for (bytes, expected) in [
            (&b"HTTP/1.1 200 OK\r\na: b\r\n\r\n{}"[..], Some((200, b"{}".to_vec()))),
            (b"HTTP/1.1 503 No\r\n\r\n", Some((503, Vec::new()))),
            (b"HTTP/1.1 200 OK\r\na: b\r\n", None),
            (b"hello\r\n\r\n", None),
            (b"", None),
        ] {
            assert_eq!(parse(bytes), expected);
        }
    }
}
