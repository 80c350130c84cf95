//! The remotes of the settings, in the order in which they are tried, and by what means.
//!
//! **Invariant:** nothing is asked of a remote before it is fetched from.

use std::cell::{Cell, OnceCell, RefCell};
use std::time::Duration;

use git2::Oid;

use super::address::{Address, shown};
use super::credentials::{Credentials, TokenIsFor};
use super::fetch_failure::FetchFailure;
use crate::door::clock;
use crate::http::tls::Trust;
use crate::http::{Address as WebAddress, HttpFailure, Scheme};
use crate::settings::{Access, Settings};

/// What stands beside the branch and could not be brought is tried again after this: each try may cost a
/// whole pack.
const AGAIN: Duration = Duration::from_mins(10);

/// What could not be brought, and when.
#[derive(Debug, Clone, Copy)]
struct Left {
    tip: Oid,
    at: Duration,
}

impl Left {
    fn now(tip: Oid) -> Self {
        Self { tip, at: clock::since_boot() }
    }

    /// Whether it is still this, and not long ago.
    fn holds(&self, tip: Oid) -> bool {
        self.tip == tip && clock::since_boot() < self.at.saturating_add(AGAIN)
    }
}

/// Whether certificates are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needed {
    /// For the first request.
    AtOnce,
    /// Where a redirect leads to TLS.
    Perhaps,
}

/// The remotes.
#[derive(Debug)]
pub struct Remotes {
    urls: Vec<String>,
    access: Access,
    /// Whom to believe over TLS: at home, and where redirects lead to. Read once.
    trusts: OnceCell<[Trust; 2]>,
    /// Notes that could not be brought.
    notes: Cell<Option<Left>>,
    /// The branch to try out that could not be brought, and why.
    testing: RefCell<Option<(Left, String)>>,
    /// Bytes of answers that nobody has asked about yet.
    received: Cell<u64>,
}

impl Remotes {
    /// The remotes of some settings.
    pub fn of(settings: &Settings) -> Self {
        Self::by(settings.remotes.clone(), settings.access.clone())
    }

    /// Remotes that are reached by some means.
    pub fn by(urls: Vec<String>, access: Access) -> Self {
        Self {
            urls,
            access,
            trusts: OnceCell::new(),
            notes: Cell::new(None),
            testing: RefCell::new(None),
            received: Cell::new(0),
        }
    }

    /// Whether they can be fetched from, whatever is there now. Gives the first that cannot.
    pub fn check(&self) -> Result<(), FetchFailure> {
        self.urls.iter().try_for_each(|url| match Address::of(url)? {
            Address::Web(address) => {
                self.credentials(&address, &shown(url))?;
                self.check_trust(url, &address)
            }
            Address::Local(_) | Address::Ssh(_) => Ok(()),
        })
    }

    /// Whether certificates can be used, where TLS is spoken.
    fn check_trust(&self, url: &str, address: &WebAddress) -> Result<(), FetchFailure> {
        let [home, _] = self.trusts(Needed::Perhaps);
        match (address.scheme(), home.config()) {
            (Scheme::Https, Err(source)) => {
                let peer = address.host_and_port();
                let source = Box::new(HttpFailure::Trust { peer, source });
                Err(FetchFailure::Http { url: shown(url), source })
            }
            _ => Ok(()),
        }
    }

    /// As they were named, in their order.
    pub(super) fn urls(&self) -> &[String] {
        &self.urls
    }

    /// By what means they are reached.
    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    /// Whom to believe over TLS: at home with the client's certificate, elsewhere without.
    pub(super) fn trusts(&self, is_needed: Needed) -> [Trust; 2] {
        let access = &self.access;
        let trusts = self.trusts.get_or_init(|| {
            [access.identity.clone(), None].map(|it| Trust::of(access.ca.clone(), it))
        });
        if is_needed == Needed::AtOnce {
            // Read before the copy, so that the next fetch need not read it again. What fails here
            // fails once more when a server is asked, and is told with its name.
            let [home, _] = trusts;
            drop(home.config());
        }
        trusts.clone()
    }

    /// What the settings have to show to a server.
    pub(super) fn credentials(
        &self,
        home: &WebAddress,
        url: &str,
    ) -> Result<Credentials, FetchFailure> {
        Credentials::find(&self.access, self.token_is_for(home), (home, url))
    }

    /// Whom the token is for: the origin of the list's first that may hear it.
    fn token_is_for(&self, address: &WebAddress) -> TokenIsFor {
        match self.home_of_token() {
            Some(home) if home.is_of_origin(address) => TokenIsFor::This,
            Some(_) => TokenIsFor::Another,
            None => TokenIsFor::Nobody,
        }
    }

    fn home_of_token(&self) -> Option<WebAddress> {
        self.urls.iter().find_map(|url| match Address::of(url) {
            Ok(Address::Web(address)) if address.is_protected() => Some(address),
            _ => None,
        })
    }

    /// Counts bytes that were received.
    pub(super) fn count(&self, bytes: u64) {
        self.received.set(self.received.get().saturating_add(bytes));
    }

    /// How many bytes came since this was last asked: objects and lists, without the heads of HTTP.
    pub fn take_received(&self) -> u64 {
        self.received.take()
    }

    /// Whether it is worth while to bring these notes.
    pub(super) fn wants_notes(&self, tip: Oid) -> bool {
        self.notes.get().is_none_or(|it| !it.holds(tip))
    }

    /// Remembers notes that could not be brought.
    pub(super) fn leave_notes(&self, tip: Oid) {
        self.notes.set(Some(Left::now(tip)));
    }

    /// Whether it is worth while to bring this branch to try out. What was said of an earlier one is
    /// forgotten then.
    pub(super) fn wants_testing(&self, tip: Oid) -> bool {
        let mut left = self.testing.borrow_mut();
        if left.as_ref().is_some_and(|(it, _)| it.holds(tip)) {
            return false;
        }
        *left = None;
        true
    }

    /// Remembers a branch to try out that could not be brought.
    pub(super) fn leave_testing(&self, tip: Oid, why: String) {
        *self.testing.borrow_mut() = Some((Left::now(tip), why));
    }

    /// Nothing is offered to be tried out.
    pub(super) fn forget_testing(&self) {
        *self.testing.borrow_mut() = None;
    }

    /// Why the branch that is offered is not tried out.
    pub fn untried(&self) -> Option<String> {
        self.testing.borrow().as_ref().map(|(_, why)| why.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn the_token_is_for_the_first_address_that_may_hear_it() {
        let cases: [(&[&str], Option<&str>); 5] = [
            (&["http://mirror/a", "https://origin/a"], Some("https://origin/x")),
            (&["https://one/a", "https://two/a"], Some("https://one/a")),
            (&["/srv/a", "git@host:a", "https://one/a"], Some("https://one/a")),
            (&["http://mirror/a", "http://[::1]:80/a"], Some("http://[::1]/a")),
            (&["http://mirror/a"], None),
        ];
        for (urls, home) in cases {
            let urls: Vec<String> = urls.iter().map(|it| (*it).to_owned()).collect();
            let remotes = Remotes::by(urls.clone(), Access::default());
            for address in home.iter().map(|it| WebAddress::parse(it).unwrap()) {
                assert_eq!(remotes.token_is_for(&address), TokenIsFor::This, "{urls:?}");
            }
            let mirror = WebAddress::parse("http://mirror/a").unwrap();
            let others = if home.is_some() { TokenIsFor::Another } else { TokenIsFor::Nobody };
            assert_eq!(remotes.token_is_for(&mirror), others, "{urls:?}");
        }
    }

    #[test]
    fn a_mirror_in_the_clear_is_asked_without_credentials() {
        let scratch = Scratch::new();
        let token = scratch.path().join("token");
        std::fs::write(&token, "me:secret").unwrap();
        std::fs::set_permissions(&token, Permissions::from_mode(0o600)).unwrap();
        let access = Access { token: Some(token), ..Access::default() };
        let [mirror, origin] = ["http://mirror/a", "https://origin/a"];
        let words = |urls: &[&str], url: &str| {
            let urls = urls.iter().map(|it| (*it).to_owned()).collect();
            let remotes = Remotes::by(urls, access.clone());
            let home = WebAddress::parse(url).unwrap();
            remotes.credentials(&home, url).map(|it| it.words().is_some())
        };
        assert!(!words(&[mirror, origin], mirror).unwrap());
        assert!(words(&[mirror, origin], origin).unwrap());
        assert_eq!(words(&[mirror], mirror).unwrap_err().code(), "remote-credentials");
    }
}
