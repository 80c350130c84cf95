//! Asks over HTTP/1.1, once: no redirect is followed, no connection kept.
//!
//! **Invariant:** the body is bounded; what lies behind the bound is not read.

use std::time::Duration;

use bowline_model::manifest::http::{Expect, HttpProbe, Method};
use hyper::header::{CONNECTION, HeaderValue};

use super::Sighting;
use super::judge::judge;
use super::tls::Trust;
use crate::door::root::Root;
use crate::failure::chain;
use crate::http::{self, Access, Address, Call, Client, HttpFailure, Limits, Scheme};

/// A health page is not larger.
const BODY_BYTES_MAX: u64 = 1 << 20;

/// Nor is the head before it.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Longer than any probe may take: whoever calls limits the whole, and says so in its own words.
const TIME_MAX: Duration = Duration::from_hours(24);

/// A question, ready to be asked.
pub(super) struct Asked {
    call: Call,
    expect: Expect,
    client: Client,
}

impl Asked {
    /// Takes the address apart; whom to believe is settled here, before any connection.
    /// `limit` is what the probe has in all: of a name with several addresses each must have its part.
    pub(super) fn of(
        probe: &HttpProbe,
        root: &Root,
        trust: &Trust,
        limit: Duration,
    ) -> Result<Self, String> {
        let to = Address::parse(probe.url.as_str()).map_err(|error| error.to_string())?;
        let trust = match to.scheme() {
            Scheme::Https => http::tls::Trust::made(trust.config(probe, root)?),
            Scheme::Http => http::tls::Trust::default(),
        };
        let method = match probe.method {
            Method::Get => hyper::Method::GET,
            Method::Head => hyper::Method::HEAD,
            Method::Post => hyper::Method::POST,
        };
        let limits = Limits {
            connect: limit,
            silence: TIME_MAX,
            total: TIME_MAX,
            head_bytes: HEAD_BYTES_MAX,
            body_bytes: BODY_BYTES_MAX,
        };
        let call = Call::of(method, to).with(CONNECTION, HeaderValue::from_static("close"));
        let access = Access { trust, proxy: None, limits, stop: <_>::default() };
        Ok(Self { call, expect: probe.expect.clone(), client: Client::new(access) })
    }

    /// Connects, asks and judges. Whoever calls limits the time.
    pub(super) async fn look(self) -> Sighting {
        let sent = self.client.send(&self.call).await;
        let mut reply = sent.map_err(|failure| chain(&failure))?;
        let status = reply.status();
        // The status alone may settle it, and then the body is not waited for.
        if status != self.expect.status {
            return judge(&self.expect, status, &[]);
        }
        match reply.whole().await {
            Ok(body) => judge(&self.expect, status, &body),
            Err(HttpFailure::TooLarge { limit, .. }) => {
                Err(format!("status {status}, and more than {limit} bytes of body"))
            }
            Err(failure) => Err(format!("status {status}, but {}", chain(&failure))),
        }
    }
}
