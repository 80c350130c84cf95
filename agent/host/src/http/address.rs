//! Where a request goes: an address of http or https, taken apart once.
//!
//! **Invariant:** what is shown of an address holds no credentials: they stand in logs and status pages.

use std::fmt;
use std::net::IpAddr;

use hyper::Uri;
use thiserror::Error;

/// Longer ones are no address of a repository or a service; servers refuse them too.
const LETTERS_MAX: usize = 8 << 10;

/// How an address is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// The word before `://`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn usual_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// An account and its secret, as they stand before the `@` of an address.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The account.
    pub user: String,
    /// Its secret; empty where none is written.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(..)")
    }
}

/// An address of http or https.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    scheme: Scheme,
    host: String,
    port: u16,
    path: String,
    login: Option<Login>,
}

/// What is no address of http or https. The address itself is not repeated: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("it is no address of http or https: {0}")]
pub struct BadAddress(pub(crate) &'static str);

impl Address {
    /// Takes an address apart.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        if text.len() > LETTERS_MAX {
            return Err(BadAddress("it is too long"));
        }
        let uri: Uri = text.parse().map_err(|_invalid| BadAddress("it is misspelt"))?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            Some(_) => return Err(BadAddress("its scheme is another")),
            None => return Err(BadAddress("it does not begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or(BadAddress("it names no host"))?;
        let (login, place) = match authority.as_str().rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority.as_str()),
        };
        let written = authority.host();
        let port = match (authority.port_u16(), place.strip_prefix(written)) {
            (Some(port), _) => port,
            (None, Some("" | ":")) => scheme.usual_port(),
            (None, _) => return Err(BadAddress("its port is no number up to 65535")),
        };
        let host = written.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        if host.is_empty() || port == 0 {
            return Err(BadAddress("it names no host or no port"));
        }
        let path = uri.path_and_query().map_or("/", |it| it.as_str());
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { scheme, host, port, path, login: login.map(login_of).transpose()? })
    }

    /// How it is spoken to.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query; it begins with a slash.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it is an address of this machine itself.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|it: IpAddr| it.is_loopback())
    }

    /// Whether nobody on the way can read along: over TLS, or to this machine, to which no proxy is asked.
    pub fn is_protected(&self) -> bool {
        self.scheme == Scheme::Https || self.is_loopback()
    }

    /// The credentials that are written in it.
    pub fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    /// Host and port as a `Host` header has them: a usual port is left out.
    pub fn authority(&self) -> String {
        if self.port == self.scheme.usual_port() {
            return self.bracketed().into_owned();
        }
        self.host_and_port()
    }

    /// Host and port, always both.
    pub fn host_and_port(&self) -> String {
        format!("{}:{}", self.bracketed(), self.port)
    }

    fn bracketed(&self) -> std::borrow::Cow<'_, str> {
        if self.host.contains(':') {
            format!("[{}]", self.host).into()
        } else {
            (&*self.host).into()
        }
    }

    /// Whether both go to the same scheme, host and port: what is secret to one is none to the other.
    pub fn is_of_origin(&self, other: &Self) -> bool {
        (self.scheme, &self.host, self.port) == (other.scheme, &other.host, other.port)
    }

    /// The same place with another path, or another query; it begins with a slash.
    #[must_use]
    pub fn with_path(&self, path: &str) -> Self {
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Self { path, ..self.clone() }
    }

    /// A path below this address, whatever slashes stand between.
    #[must_use]
    pub fn below(&self, path: &str) -> Self {
        let base = self.path.split('?').next().unwrap_or_default().trim_end_matches('/');
        self.with_path(&format!("{base}/{}", path.trim_start_matches('/')))
    }

    /// What a `Location` header means, seen from here. Credentials stay behind.
    pub(super) fn resolve(&self, location: &str) -> Result<Self, BadAddress> {
        let scheme = self.scheme.word();
        let place = format!("{scheme}://{}", self.authority());
        let path = self.path.split('?').next().unwrap_or("/");
        let whole = if has_scheme(location) {
            location.to_owned()
        } else if location.starts_with("//") {
            format!("{scheme}:{location}")
        } else if location.starts_with('/') {
            format!("{place}{location}")
        } else if location.starts_with('?') {
            format!("{place}{path}{location}")
        } else {
            let folder = path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or("/");
            format!("{place}{folder}{location}")
        };
        Ok(Self { login: None, ..Self::parse(&whole)? })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A query may hold a token.
        let path = self.path.split('?').next().unwrap_or_default();
        write!(f, "{}://{}{path}", self.scheme.word(), self.authority())
    }
}

/// Whether a reference begins with a scheme: anywhere else, in a query for example, `://` means nothing.
fn has_scheme(location: &str) -> bool {
    let is_scheme = |it: &str| {
        it.starts_with(|first: char| first.is_ascii_alphabetic())
            && it.bytes().all(|it| it.is_ascii_alphanumeric() || b"+-.".contains(&it))
    };
    location.split_once(':').is_some_and(|(before, _)| is_scheme(before))
}

fn login_of(text: &str) -> Result<Login, BadAddress> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let plain = |text| unescaped(text).ok_or(BadAddress("its account or password is misspelt"));
    Ok(Login { user: plain(user)?, password: plain(password)? })
}

/// Text without its percent escapes; `None` when one is broken.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |it: u8| char::from(it).to_digit(16);
            let value = digit(rest.next()?)? * 16 + digit(rest.next()?)?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        for (text, scheme, host, port, path, shown) in [
            ("http://a", Scheme::Http, "a", 80, "/", "http://a/"),
            ("HTTPS://A.b:443/c?d=e#f", Scheme::Https, "a.b", 443, "/c?d=e", "https://a.b/c"),
            ("https://a:8443/", Scheme::Https, "a", 8443, "/", "https://a:8443/"),
            ("http://[::1]:80?x", Scheme::Http, "::1", 80, "/?x", "http://[::1]/"),
            ("http://u:p@a/", Scheme::Http, "a", 80, "/", "http://a/"),
        ] {
            let found = Address::parse(text).unwrap();
            let parts = (found.scheme(), found.host(), found.port(), found.path());
            assert_eq!(parts, (scheme, host, port, path), "{text}");
            assert_eq!(found.to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("http://a/{}", "x".repeat(LETTERS_MAX));
        for text in [
            "",
            "a",
            "/a",
            "ftp://a",
            "http://",
            "http:///a",
            "http://a:0",
            "http://a:99999",
            "http://a b",
            "http://u:%4@a",
            &long,
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn credentials_are_read_and_never_shown() {
        let found = Address::parse("https://ci:a%3Ab%40c@host/x").unwrap();
        let login = found.login().unwrap();
        assert_eq!((login.user.as_str(), login.password.as_str()), ("ci", "a:b@c"));
        assert!(!format!("{found} {found:?}").contains("a:b"), "{found:?}");
        let bad = Address::parse("https://ci:secret@host:x/").unwrap_err();
        assert!(!format!("{bad} {bad:?}").contains("secret"));
    }

    #[test]
    fn a_location_is_understood_as_a_browser_does() {
        let from = Address::parse("https://u:p@a:8443/one/two?q").unwrap();
        for (location, to) in [
            ("/x?y", "https://a:8443/x?y"),
            ("x", "https://a:8443/one/x"),
            ("?z", "https://a:8443/one/two?z"),
            ("//b/x", "https://b/x"),
            ("http://a/", "http://a/"),
            ("HTTP://a/", "http://a/"),
            ("/dl?src=https://b/x", "https://a:8443/dl?src=https://b/x"),
            ("dl?src=https://b/x", "https://a:8443/one/dl?src=https://b/x"),
            ("?src=https://b/x", "https://a:8443/one/two?src=https://b/x"),
            ("//b/x?src=https://c", "https://b/x?src=https://c"),
        ] {
            let found = from.resolve(location).unwrap();
            assert_eq!(found, Address::parse(to).unwrap(), "{location}");
        }
        for elsewhere in ["mailto://x", "mailto:x", "ftp://a/"] {
            assert!(from.resolve(elsewhere).is_err(), "{elsewhere}");
        }
    }

    #[test]
    fn paths_are_joined_with_one_slash() {
        for base in ["http://a", "http://a/", "http://a/?q"] {
            assert_eq!(Address::parse(base).unwrap().below("/v1/x").path(), "/v1/x");
        }
        assert_eq!(Address::parse("http://a/b/").unwrap().below("c?d").path(), "/b/c?d");
    }

    #[test]
    fn secrets_go_over_tls_or_not_far() {
        for (url, good) in [
            ("https://git.example/a", true),
            ("http://git.example/a", false),
            ("http://127.0.0.1:80/a", true),
            ("http://[::1]/a", true),
            ("http://localhost/a", true),
            ("http://localhost.git.example/a", false),
        ] {
            assert_eq!(Address::parse(url).unwrap().is_protected(), good, "{url}");
        }
    }
}
