//! Opens a connection: name, address, proxy, TLS.
//!
//! **Invariant:** behind a proxy TLS is spoken with the server itself: the proxy sees host and port only.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::address::{Address, Scheme};
use super::failure::HttpFailure;
use super::patience::Patience;
use super::{Access, Proxy};
use crate::failure::chain;
use crate::secret_file::{self, BadSecret};

/// Addresses of one name that are tried: a name with more is a pool, of which some must answer.
const ADDRESSES_MAX: usize = 8;

/// A proxy's answer to CONNECT is a few lines.
const TUNNEL_BYTES_MAX: usize = 8 << 10;

/// An account and a password are one line.
const LOGIN_BYTES_MAX: u64 = 4 << 10;

/// A stream of bytes to a server, however it came to be.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// An open connection; it is closed when this value goes.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) to: Address,
    pub(super) sender: SendRequest<Full<Bytes>>,
    /// Moves the bytes.
    mover: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.mover.abort();
    }
}

/// Opens a connection to the server of an address.
pub(super) async fn open(
    access: &Access,
    to: &Address,
    patience: &Patience,
) -> Result<Connection, HttpFailure> {
    let peer = to.host_and_port();
    let limit = access.limits.connect;
    let proxy = access.proxy_for(to);
    let first = proxy.map_or(to, |proxy| &proxy.at);
    let mut stream = dial(first, access, patience).await?;
    let wire: Box<dyn Wire> = match to.scheme() {
        Scheme::Http => Box::new(stream),
        Scheme::Https => {
            if let Some(proxy) = proxy {
                let through = tunnel(&mut stream, to, proxy);
                let proxy = proxy.at.host_and_port();
                patience.wait(&proxy, "open a way through", limit, through).await??;
            }
            let config = access.trust.config();
            let config =
                config.map_err(|source| HttpFailure::Trust { peer: peer.clone(), source })?;
            let name = ServerName::try_from(to.host().to_owned()).map_err(|_invalid| {
                let why = "its name is none that a certificate could have".to_owned();
                HttpFailure::Tls { peer: peer.clone(), why }
            })?;
            let shaken = TlsConnector::from(config).connect(name, stream);
            let shaken = patience.wait(&peer, "finish the TLS handshake", limit, shaken).await?;
            Box::new(shaken.map_err(|error| HttpFailure::of_handshake(&peer, &error))?)
        }
    };
    let head_max = access.limits.head_bytes;
    let mut builder = http1::Builder::new();
    builder.max_buf_size(head_max);
    let begun = patience.wait(&peer, "begin", limit, builder.handshake(TokioIo::new(wire))).await?;
    let (sender, connection) =
        begun.map_err(|error| HttpFailure::of_hyper(&peer, head_max, &error))?;
    let mover = tokio::spawn(async move {
        // What ended it is told to whoever waits for an answer.
        drop(connection.await);
    });
    Ok(Connection { to: to.clone(), sender, mover })
}

/// Connects to the first of a name's addresses that answers. Each but the last has half of the time that
/// is left, so that one which swallows packets does not use up the others' time.
async fn dial(
    to: &Address,
    access: &Access,
    patience: &Patience,
) -> Result<TcpStream, HttpFailure> {
    let peer = to.host_and_port();
    let mut limit = access.limits.connect;
    let unknown = |source| HttpFailure::Resolve { host: to.host().to_owned(), source };
    let looked = lookup_host((to.host(), to.port()));
    let found = patience.wait(&peer, "have its name looked up", limit, looked).await?;
    let mut addresses: Vec<_> = found.map_err(unknown)?.take(ADDRESSES_MAX).collect();
    let Some(last) = addresses.pop() else {
        return Err(unknown(io::Error::from(io::ErrorKind::NotFound)));
    };
    for address in addresses {
        limit /= 2;
        let tried = patience.wait(&peer, "connect", limit, TcpStream::connect(address)).await;
        match tried {
            Ok(Ok(stream)) => return Ok(prompt(stream)),
            Err(stopped @ HttpFailure::Stopped { .. }) => return Err(stopped),
            Ok(Err(_)) | Err(_) => {}
        }
    }
    let tried = patience.wait(&peer, "connect", limit, TcpStream::connect(last)).await?;
    tried.map(prompt).map_err(|source| HttpFailure::Connect { peer, source })
}

/// A request is written at once: waiting to fill packets only delays it.
fn prompt(stream: TcpStream) -> TcpStream {
    // Without it requests are slower, not wrong.
    drop(stream.set_nodelay(true));
    stream
}

/// Asks a proxy for a way through to a server.
async fn tunnel(stream: &mut TcpStream, to: &Address, proxy: &Proxy) -> Result<(), HttpFailure> {
    let fail = |why: String| HttpFailure::Proxy {
        proxy: proxy.at.host_and_port(),
        peer: to.host_and_port(),
        why,
    };
    let place = to.host_and_port();
    let login = proxy.authorization().map_err(|error| fail(chain(&error)))?;
    let login = login.map(|it| format!("Proxy-Authorization: {it}\r\n")).unwrap_or_default();
    let request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{login}\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|error| fail(error.to_string()))?;
    let mut head = Vec::new();
    let mut piece = [0; 512];
    let end = loop {
        // A refusal has a body, which may never end: its first lines say enough.
        if let Some(at) = head.windows(4).position(|it| it == b"\r\n\r\n") {
            break at + 4;
        }
        let read = stream.read(&mut piece).await.map_err(|error| fail(error.to_string()))?;
        if read == 0 || head.len() > TUNNEL_BYTES_MAX {
            return Err(fail("its answer has no end".to_owned()));
        }
        head.extend_from_slice(piece.get(..read).unwrap_or_default());
    };
    let line = String::from_utf8_lossy(&head);
    let line = line.lines().next().unwrap_or_default();
    let status = line.strip_prefix("HTTP/1.").and_then(|it| it.get(2..5)).unwrap_or_default();
    match status.parse::<u16>() {
        // Nobody behind the proxy speaks before this side does.
        Ok(200..=299) if head.len() > end => Err(fail("it says more than it was asked".to_owned())),
        Ok(200..=299) => Ok(()),
        Ok(407) => Err(fail("it wants an account and a password (status 407)".to_owned())),
        Ok(status) => Err(fail(format!("status {status}"))),
        Err(_) => Err(fail("it does not answer in HTTP".to_owned())),
    }
}

impl Proxy {
    /// What it is told about who asks; the file is read anew for each connection.
    pub(super) fn authorization(&self) -> Result<Option<String>, BadSecret> {
        let Some(path) = &self.login else { return Ok(None) };
        let login = secret_file::read(path, LOGIN_BYTES_MAX)?;
        Ok(Some(format!("Basic {}", STANDARD.encode(login.trim_ascii()))))
    }
}
