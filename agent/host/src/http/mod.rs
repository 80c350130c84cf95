//! The agent's one HTTP/1.1 client: for the control service, remotes and probes.
//!
//! **Invariant:** every wait, size and count has a limit; the agent's end ends a request.
//! **Invariant:** what a server sends elsewhere is told to the caller, and never followed here.

mod address;
mod blocking;
mod connect;
mod failure;
mod patience;
mod reply;
pub mod tls;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::Full;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, Request};

pub use address::{Address, BadAddress, Login, Scheme};
pub use blocking::{BlockingClient, BlockingReply};
pub use failure::HttpFailure;
pub use hyper::Method;
pub use hyper::body::Bytes;
pub use reply::{Redirect, Reply};

use connect::Connection;
use patience::Patience;
use reply::Way;
use tls::Trust;

use crate::failure::chain;

/// How much and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// For each of name, connection, proxy and TLS handshake.
    pub connect: Duration,
    /// For the head of an answer, and between two pieces of its body.
    pub silence: Duration,
    /// For all of a request, to the end of its answer.
    pub total: Duration,
    /// For the head of an answer; hyper wants 8192 at least.
    pub head_bytes: usize,
    /// For the body of an answer.
    pub body_bytes: u64,
}

/// A proxy that is asked to pass requests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    at: Address,
    /// The file that holds `ACCOUNT:PASSWORD`.
    login: Option<PathBuf>,
}

impl Proxy {
    /// A proxy by its address, `http://HOST[:PORT]`, and by the file with the account that it wants.
    pub fn of(text: &str, login: Option<PathBuf>) -> Result<Self, BadAddress> {
        let at = Address::parse(text)?;
        match (at.scheme(), at.login()) {
            (Scheme::Https, _) => Err(BadAddress("a proxy is asked over http only")),
            (Scheme::Http, Some(_)) => Err(BadAddress(
                "it holds an account, which settings show to everybody: name a proxyLoginFile",
            )),
            (Scheme::Http, None) => Ok(Self { at, login }),
        }
    }
}

/// By what means servers are asked.
#[derive(Debug, Clone)]
pub struct Access {
    /// Whom to believe.
    pub trust: Trust,
    /// By whom to go.
    pub proxy: Option<Proxy>,
    /// How much and how long.
    pub limits: Limits,
    /// Set when the agent is ending.
    pub stop: Arc<AtomicBool>,
}

impl Access {
    /// By whom to go to an address. This machine's own are nobody else's business: what is sent there in
    /// the clear stays here, and a proxy's loopback is another one.
    fn proxy_for(&self, to: &Address) -> Option<&Proxy> {
        self.proxy.as_ref().filter(|_| !to.is_loopback())
    }
}

/// One request. It may be sent twice: a kept connection may turn out to be dead after it was written.
#[derive(Debug, Clone)]
pub struct Call {
    method: Method,
    to: Address,
    headers: HeaderMap,
    body: Bytes,
}

impl Call {
    /// A request without a body.
    pub fn of(method: Method, to: Address) -> Self {
        let mut headers = HeaderMap::new();
        let agent = HeaderValue::from_static(concat!("bowline/", env!("CARGO_PKG_VERSION")));
        headers.insert(header::USER_AGENT, agent);
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        Self { method, to, headers, body: Bytes::new() }
    }

    /// Asks for what is there.
    pub fn fetch(to: Address) -> Self {
        Self::of(Method::GET, to)
    }

    /// Sends a body of a media type.
    pub fn post(to: Address, kind: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self { body, ..Self::of(Method::POST, to) }
            .with(header::CONTENT_TYPE, HeaderValue::from_static(kind))
    }

    /// The same with a header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The same without a header: where requests are many, each byte counts.
    #[must_use]
    pub fn without(mut self, name: &HeaderName) -> Self {
        self.headers.remove(name);
        self
    }
}

/// The connection that waits for another request.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Option<Connection>>>);

impl Kept {
    fn put(&self, connection: Connection) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
    }

    /// Takes what goes to the server of an address. One that goes elsewhere is closed.
    fn take(&self, to: &Address) -> Option<Connection> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        kept.filter(|it| it.to.is_of_origin(to) && !it.sender.is_closed())
    }
}

/// A client. It keeps one connection for the next request to the same server.
#[derive(Debug, Clone)]
pub struct Client {
    access: Arc<Access>,
    kept: Kept,
}

impl Client {
    /// A client that has no connection yet.
    pub fn new(access: Access) -> Self {
        Self { access: Arc::new(access), kept: Kept::default() }
    }

    /// Sends a request, and gives the answer once its head is there.
    pub async fn send(&self, call: &Call) -> Result<Reply, HttpFailure> {
        self.send_within(call, self.access.limits.total).await
    }

    /// The same, for a request that has less time than others.
    pub async fn send_within(&self, call: &Call, time: Duration) -> Result<Reply, HttpFailure> {
        let total = time.min(self.access.limits.total);
        let patience = Patience::begin(total, &self.access.stop);
        if let Some(kept) = self.kept.take(&call.to) {
            match self.ask(kept, call, &patience).await {
                // The server closed it meanwhile: that is no failure of the server.
                Err(HttpFailure::Broken { .. }) => {}
                done => return done,
            }
        }
        let fresh = connect::open(&self.access, &call.to, &patience).await?;
        self.ask(fresh, call, &patience).await
    }

    /// Closes the connection that is kept.
    pub fn hang_up(&self) {
        drop(self.kept.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    async fn ask(
        &self,
        mut connection: Connection,
        call: &Call,
        patience: &Patience,
    ) -> Result<Reply, HttpFailure> {
        let limits = &self.access.limits;
        let peer = call.to.host_and_port();
        let broken = |error| HttpFailure::of_hyper(&peer, limits.head_bytes, &error);
        let request = self.request(call)?;
        let answer = async {
            connection.sender.ready().await?;
            connection.sender.send_request(request).await
        };
        let answer = patience.wait(&peer, "answer", limits.silence, answer).await?;
        let answer = answer.map_err(broken)?;
        let way = Way {
            from: call.to.clone(),
            connection: Some(connection),
            kept: self.kept.clone(),
            limits: limits.clone(),
            patience: patience.clone(),
        };
        Reply::new(answer, way)
    }

    fn request(&self, call: &Call) -> Result<Request<Full<Bytes>>, HttpFailure> {
        let to = &call.to;
        let proxy = self.access.proxy_for(to).filter(|_| to.scheme() == Scheme::Http);
        let target = match proxy {
            Some(_) => format!("http://{}{}", to.authority(), to.path()),
            None => to.path().to_owned(),
        };
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(target)
            .header(header::HOST, to.authority());
        let login = proxy.map_or(Ok(None), Proxy::authorization);
        let login = login.map_err(|error| HttpFailure::Proxy {
            proxy: proxy.map(|it| it.at.host_and_port()).unwrap_or_default(),
            peer: to.host_and_port(),
            why: chain(&error),
        })?;
        if let Some(login) = login {
            request = request.header(header::PROXY_AUTHORIZATION, login);
        }
        let odd = |error: hyper::http::Error| HttpFailure::Malformed {
            peer: to.host_and_port(),
            why: format!("the request has no form: {error}"),
        };
        let mut request = request.body(Full::new(call.body.clone())).map_err(odd)?;
        for (name, value) in &call.headers {
            request.headers_mut().insert(name, value.clone());
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests;
