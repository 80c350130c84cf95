//! Who is connected, by address.
//!
//! **Invariant:** no address has more connections than its share: a stranger's leave room for everybody else's.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bits of an IPv6 address that one customer of a network is given at least, to use as they like.
const NETWORK_BITS: u32 = 64;

/// Where a request comes from: the address at the other end, of IPv6 its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Peer(pub(super) IpAddr);

impl Peer {
    pub(super) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            // Loopback is a network of its own.
            IpAddr::V6(it) if !it.is_loopback() => {
                IpAddr::V6(Ipv6Addr::from_bits(it.to_bits() >> NETWORK_BITS << NETWORK_BITS))
            }
            other => other,
        })
    }
}

/// How many connections each has.
#[derive(Debug)]
pub(super) struct Peers {
    open: Mutex<HashMap<Peer, usize>>,
    most: usize,
}

impl Peers {
    /// No peer has more than `most`.
    pub(super) fn new(most: usize) -> Self {
        Self { open: Mutex::default(), most }
    }

    /// One connection more; `None` when that is one too many.
    pub(super) fn enter(self: &Arc<Self>, peer: Peer) -> Option<Visit> {
        let mut open = self.lock();
        let number = open.entry(peer).or_default();
        if *number >= self.most {
            return None;
        }
        *number += 1;
        drop(open);
        Some(Visit { peers: Arc::clone(self), peer })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Peer, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that counts as long as it is here.
#[derive(Debug)]
pub(super) struct Visit {
    peers: Arc<Peers>,
    pub(super) peer: Peer,
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut open = self.peers.lock();
        if let Some(number) = open.get_mut(&self.peer) {
            *number = number.saturating_sub(1);
            if *number == 0 {
                open.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> Peer {
        Peer::of(text.parse().unwrap())
    }

    #[test]
    fn a_customers_addresses_are_one_peer() {
        assert_eq!(peer("2001:db8:1:2::1"), peer("2001:db8:1:2:ffff::9"));
        assert_ne!(peer("2001:db8:1:2::1"), peer("2001:db8:1:3::1"));
        assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
        assert_eq!(peer("::1").0, "::1".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn each_has_a_share_and_leaves_nothing_behind() {
        let peers = Arc::new(Peers::new(2));
        let visits: Vec<_> = (0..3).map(|_| peers.enter(peer("192.0.2.1"))).collect();
        assert_eq!(visits.iter().filter(|it| it.is_some()).count(), 2);
        assert!(peers.enter(peer("192.0.2.2")).is_some());
        drop(visits);
        assert!(peers.lock().is_empty());
    }
}
