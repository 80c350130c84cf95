//! Keys whose records were taken, remembered: a host sends with the same key for years.
//!
//! **Invariant:** a key that is remembered proves a signature only; whether its records are taken is
//! asked of the store in the transaction that would keep them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bowline_api::enrolment::KeyState;

use crate::store::HostKey;

/// Keys that are remembered: more hosts than one service has, in some 20 MiB.
const KEYS_MAX: usize = 100_000;

/// Enrolled keys by their fingerprints.
#[derive(Debug, Default)]
pub(super) struct Keyring {
    keys: Mutex<HashMap<String, HostKey>>,
}

impl Keyring {
    pub(super) fn find(&self, fingerprint: &str) -> Option<HostKey> {
        self.lock().get(fingerprint).cloned()
    }

    /// Remembers an enrolled key. A ring that is full begins anew: each key is found again in the store.
    pub(super) fn hang(&self, fingerprint: &str, key: &HostKey) {
        if key.state != KeyState::Enrolled {
            return;
        }
        let mut keys = self.lock();
        if keys.len() >= KEYS_MAX {
            keys.clear();
        }
        keys.insert(fingerprint.to_owned(), key.clone());
    }

    /// Forgets a key that the store did not take.
    pub(super) fn drop_key(&self, fingerprint: &str) {
        self.lock().remove(fingerprint);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, HostKey>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(state: KeyState) -> HostKey {
        HostKey { id: 1, host: "web-1".to_owned(), public: [7; 32], state }
    }

    #[test]
    fn only_enrolled_keys_are_remembered() {
        let ring = Keyring::default();
        for state in [KeyState::Pending, KeyState::Refused, KeyState::Retired] {
            ring.hang("SHA256:a", &key(state));
            assert_eq!(ring.find("SHA256:a"), None, "{state:?}");
        }
        ring.hang("SHA256:a", &key(KeyState::Enrolled));
        assert_eq!(ring.find("SHA256:a"), Some(key(KeyState::Enrolled)));
        ring.drop_key("SHA256:a");
        assert_eq!(ring.find("SHA256:a"), None);
    }
}
