//! Asks over HTTP/1.1, once: no redirect is followed, no connection kept.
//!
//! **Invariant:** the body is bounded; what lies behind the bound is not read.

use std::sync::Arc;

use bowline_model::manifest::http::{Expect, HttpProbe, Method};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Sighting;
use super::judge::judge;
use super::tls::Trust;
use crate::door::root::Root;
use crate::failure::chain;

/// A health page is not larger.
const BODY_BYTES_MAX: usize = 1 << 20;

/// A question, ready to be asked.
pub(super) struct Asked {
    host: String,
    port: u16,
    authority: String,
    path: String,
    method: Method,
    expect: Expect,
    tls: Option<Arc<ClientConfig>>,
}

impl Asked {
    /// Takes the address apart; whom to believe is settled here, before any connection.
    pub(super) fn of(probe: &HttpProbe, root: &Root, trust: &Trust) -> Result<Self, String> {
        let url = probe.url.as_str();
        let (scheme, rest) = url.split_once("://").ok_or("the address has no scheme")?;
        let tls = match scheme {
            "https" => Some(trust.config(probe, root)?),
            _ => None,
        };
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let usual = if tls.is_some() { 443 } else { 80 };
        let (host, port) = split(authority, usual).ok_or("the address has no host")?;
        Ok(Self {
            host,
            port,
            authority: authority.to_owned(),
            path,
            method: probe.method,
            expect: probe.expect.clone(),
            tls,
        })
    }

    /// Connects, asks and judges. Whoever calls limits the time.
    pub(super) async fn look(self) -> Sighting {
        let refused = |error| format!("cannot connect to {}: {error}", self.authority);
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(refused)?;
        match &self.tls {
            None => self.ask(stream).await,
            Some(config) => {
                let name = ServerName::try_from(self.host.clone())
                    .map_err(|_| format!("{} is not a name for TLS", self.host))?;
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = connector
                    .connect(name, stream)
                    .await
                    .map_err(|error| format!("TLS with {}: {}", self.authority, chain(&error)))?;
                self.ask(stream).await
            }
        }
    }

    /// Asks over an open connection.
    async fn ask<S>(&self, stream: S) -> Sighting
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let broken = |error: hyper::Error| format!("no HTTP answer: {}", chain(&error));
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let request = Request::builder()
            .method(match self.method {
                Method::Get => hyper::Method::GET,
                Method::Head => hyper::Method::HEAD,
                Method::Post => hyper::Method::POST,
            })
            .uri(&self.path)
            .header(header::HOST, &self.authority)
            .header(header::USER_AGENT, "bowline")
            .header(header::ACCEPT, "*/*")
            .header(header::CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(|error| format!("the request is malformed: {error}"))?;
        let answered = async {
            let response = sender.send_request(request).await.map_err(broken)?;
            let status = response.status().as_u16();
            // The status alone may settle it, and then the body is not waited for.
            if status != self.expect.status {
                return judge(&self.expect, status, &[]);
            }
            let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect().await;
            match body {
                Ok(body) => judge(&self.expect, status, &body.to_bytes()),
                Err(error) if error.is::<LengthLimitError>() => {
                    Err(format!("status {status}, and more than {BODY_BYTES_MAX} bytes of body"))
                }
                Err(error) => Err(format!("status {status}, but the body broke off: {error}")),
            }
        };
        // Hyper's connection does nothing unless it is polled beside the request.
        tokio::pin!(answered);
        tokio::pin!(connection);
        tokio::select! {
            biased;
            answer = &mut answered => answer,
            // The connection may be over when the answer has already been read.
            _ = &mut connection => answered.await,
        }
    }
}

/// Host and port; brackets around an IPv6 address are taken off.
fn split(authority: &str, usual: u16) -> Option<(String, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, rest.strip_prefix(':'))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = port.map_or(Some(usual), |it| it.parse().ok())?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}
