//! One request to the agent on this host: over its socket, or over loopback.
//!
//! **Invariant:** one request, one answer; both are limited in time and size.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;
use bowline_host::settings::{self, Settings};
use bowline_host::socket_place::short_enough;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1::handshake;
use hyper::header::{ACCEPT, AUTHORIZATION, HOST};
use hyper::{Method, Response, Uri};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::arguments::Local;
use crate::failure::Failure;

/// The agent answers from memory; beyond this it is not there.
const PATIENCE: Duration = Duration::from_secs(10);

/// A long history with many probes is smaller.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// Where the agent listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// On a socket.
    Socket(PathBuf),
    /// At an address, `host:port`.
    Address(String),
}

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// To see something, or to have it done.
    pub(super) method: Method,
    /// Where.
    pub(super) path: String,
    /// What is said with it.
    pub(super) body: Bytes,
    /// The secret that lets a changing call in at an address.
    pub(super) token: Option<String>,
    /// How long the answer may take.
    pub(super) patience: Duration,
}

impl Request {
    /// A look at something.
    pub(super) fn get(path: &str) -> Self {
        Self {
            method: Method::GET,
            path: path.to_owned(),
            body: Bytes::new(),
            token: None,
            patience: PATIENCE,
        }
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

/// The agent did not answer.
#[derive(Debug, Error)]
pub(super) enum NoAnswer {
    /// Nobody listens there.
    #[error("reach the agent at {at}")]
    Unreachable {
        /// Where.
        at: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It took too long.
    #[error("the agent at {at} did not answer within {} s", patience.as_secs())]
    TimedOut {
        /// Where.
        at: String,
        /// How long it was waited for.
        patience: Duration,
    },
    /// What came back is no answer.
    #[error("speak with the agent at {at}")]
    Broken {
        /// Where.
        at: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Place {
    /// Where the arguments say, else where settings say, else where the default settings say.
    pub(super) fn of(given: &Local) -> Result<Self, Failure> {
        match (&given.url, &given.socket, &given.config) {
            (Some(url), _, _) => Self::of_url(url),
            (None, Some(socket), _) => Ok(Self::Socket(socket.clone())),
            (None, None, Some(config)) => {
                let settings = settings::load(config, &given.root).map_err(|failure| {
                    Failure::usage(failure).hint("packaging/default.toml documents every key")
                })?;
                Self::of_settings(&settings)
            }
            (None, None, None) => {
                Self::of_settings(&settings::default_of_this_machine().map_err(Failure::failed)?)
            }
        }
    }

    /// Where an agent with these settings listens.
    fn of_settings(settings: &Settings) -> Result<Self, Failure> {
        if let Some(socket) = &settings.socket {
            return Ok(Self::Socket(short_enough(socket)));
        }
        let address = settings.listen.clone().map(Self::Address);
        address.ok_or_else(|| {
            let file = settings.file.display();
            Failure::usage(anyhow!("{file} has the agent listen nowhere"))
                .hint("set [api] socket or listen")
        })
    }

    fn of_url(url: &str) -> Result<Self, Failure> {
        let wrong = || {
            Failure::usage(anyhow!("{url:?} is not the address of an agent"))
                .hint("write it as http://127.0.0.1:9470; the local API has no encryption")
        };
        let uri: Uri = url.parse().map_err(|_malformed| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        let is_bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        if uri.scheme_str() != Some("http") || !is_bare || authority.as_str().contains('@') {
            return Err(wrong());
        }
        let port = authority.port_u16().unwrap_or(80);
        Ok(Self::Address(format!("{}:{port}", authority.host())))
    }

    /// What a person can do when nobody answers there.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Socket(_) => {
                "is bowline-agent running? name its settings with --config, or its socket with --socket"
            }
            Self::Address(_) => {
                "is bowline-agent running, and does [api] listen name this address?"
            }
        }
    }

    pub(super) fn shown(&self) -> String {
        match self {
            Self::Socket(path) => path.display().to_string(),
            Self::Address(address) => format!("http://{address}"),
        }
    }
}

/// Asks, and waits for the answer.
pub(super) fn ask(place: &Place, request: &Request) -> Result<Answer, NoAnswer> {
    runtime(place)?.block_on(async {
        let answer = async {
            let response = send(place, request).await?;
            let status = response.status().as_u16();
            let body = collect(response.into_body()).await;
            let body = body.map_err(|source| NoAnswer::Broken { at: place.shown(), source })?;
            Ok(Answer { status, body })
        };
        let patience = request.patience;
        match timeout(patience, answer).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(NoAnswer::TimedOut { at: place.shown(), patience }),
        }
    })
}

/// What connections are driven by.
pub(super) fn runtime(place: &Place) -> Result<Runtime, NoAnswer> {
    let built = Builder::new_current_thread().enable_io().enable_time().build();
    built.map_err(|source| NoAnswer::Unreachable { at: place.shown(), source })
}

/// Sends a request over a connection of its own; the body of the answer is still to come.
pub(super) async fn send(place: &Place, request: &Request) -> Result<Response<Incoming>, NoAnswer> {
    let unreachable = |source| NoAnswer::Unreachable { at: place.shown(), source };
    let sent = match place {
        Place::Socket(socket) => {
            let stream = UnixStream::connect(socket).await.map_err(unreachable)?;
            send_over(stream, "localhost", request).await
        }
        Place::Address(address) => {
            let stream = TcpStream::connect(address.as_str()).await.map_err(unreachable)?;
            send_over(stream, address, request).await
        }
    };
    sent.map_err(|source| NoAnswer::Broken { at: place.shown(), source })
}

async fn send_over<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    host: &str,
    request: &Request,
) -> Result<Response<Incoming>, Box<dyn std::error::Error + Send + Sync>> {
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    // The connection has to be driven while the answer is waited for; it ends with the runtime.
    drop(tokio::spawn(connection));
    let mut built = hyper::Request::builder()
        .method(&request.method)
        .uri(&request.path)
        .header(HOST, host)
        .header(ACCEPT, "application/json, text/event-stream");
    if let Some(token) = &request.token {
        built = built.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let body = Full::new(request.body.clone());
    Ok(sender.send_request(built.body(body)?).await?)
}

async fn collect<B>(body: B) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    Ok(Limited::new(body, ANSWER_BYTES_MAX).collect().await?.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    /// Answers one request with these bytes, and gives what was asked.
    fn serve(answer: &'static [u8]) -> (Place, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = Place::Address(listener.local_addr().unwrap().to_string());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut piece = [0; 1024];
            while !asked.ends_with(b"\r\n\r\n") {
                let length = stream.read(&mut piece).unwrap();
                asked.extend_from_slice(&piece[..length]);
            }
            stream.write_all(answer).unwrap();
            String::from_utf8(asked).unwrap()
        });
        (place, server)
    }

    #[test]
    fn a_request_is_asked_once_and_its_answer_read() {
        let (place, server) = serve(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
        let answer =
            ask(&place, &Request { method: Method::POST, ..Request::get("/v1/sync") }).unwrap();
        assert_eq!((answer.status, &answer.body[..]), (200, &b"{}"[..]));
        let asked = server.join().unwrap();
        assert!(asked.starts_with("POST /v1/sync HTTP/1.1\r\n"), "{asked}");
    }

    #[test]
    fn what_is_no_http_is_said_to_be_none() {
        let (place, server) = serve(b"hello\r\n\r\n");
        let failure = ask(&place, &Request::get("/v1/status")).unwrap_err();
        assert!(matches!(failure, NoAnswer::Broken { .. }), "{failure}");
        server.join().unwrap();
    }

    #[test]
    fn nobody_at_the_socket_is_unreachable() {
        let place = Place::Socket(PathBuf::from("/nonexistent/agent.sock"));
        let failure = ask(&place, &Request::get("/v1/status")).unwrap_err();
        assert!(matches!(failure, NoAnswer::Unreachable { .. }), "{failure}");
    }

    #[test]
    fn only_plain_addresses_are_taken() {
        for (url, address) in [
            ("http://127.0.0.1:9470", Some("127.0.0.1:9470")),
            ("http://127.0.0.1:9470/", Some("127.0.0.1:9470")),
            ("http://[::1]:9470", Some("[::1]:9470")),
            ("http://localhost", Some("localhost:80")),
            ("https://127.0.0.1:9470", None),
            ("http://127.0.0.1:9470/v1", None),
            ("http://user@127.0.0.1:9470", None),
            ("127.0.0.1:9470", None),
            ("", None),
        ] {
            let expected = address.map(|it| Place::Address(it.to_owned()));
            assert_eq!(Place::of_url(url).ok(), expected, "{url}");
        }
    }

    #[test]
    fn the_default_place_is_that_of_the_default_settings() {
        let given = Local { root: "/".into(), ..Local::default() };
        let expected = Place::Socket(PathBuf::from("/run/bowline/agent.sock"));
        assert_eq!(Place::of(&given).unwrap(), expected);
    }
}
