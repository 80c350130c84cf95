//! The client against real servers on loopback.
//!
//! **Invariant:** each server answers one way, so that an answer is known from its address.

mod plain;
mod proxy;
mod secure;
mod servers;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::tls::Trust;
use super::{Access, Address, BlockingClient, Call, Client, HttpFailure, Limits, Proxy};

/// Longer than any of these answers takes.
const LONG: Duration = Duration::from_secs(20);

/// Shorter than a server that never answers.
const SHORT: Duration = Duration::from_millis(200);

fn limits() -> Limits {
    Limits { connect: LONG, silence: LONG, total: LONG, head_bytes: 16 << 10, body_bytes: 1 << 20 }
}

fn access(trust: Trust, proxy: Option<&str>) -> Access {
    let proxy = proxy.map(|it| Proxy::of(it, None).unwrap());
    Access { trust, proxy, limits: limits(), stop: Arc::new(AtomicBool::new(false)) }
}

fn client(access: Access) -> BlockingClient {
    BlockingClient::new(Client::new(access)).unwrap()
}

fn plain_client() -> BlockingClient {
    client(access(Trust::default(), None))
}

fn fetch(client: &BlockingClient, url: &str) -> Result<(u16, Vec<u8>), HttpFailure> {
    let mut reply = client.send(&Call::fetch(Address::parse(url).unwrap()))?;
    Ok((reply.status(), reply.whole()?))
}
