//! The address by which browsers reach the service, as its operator names it.
//!
//! **Invariant:** beyond this machine it is https: a session's cookie never travels in the clear.

use std::net::IpAddr;

use hyper::Uri;

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    is_secure: bool,
    is_local: bool,
}

impl PublicUrl {
    /// Reads one; else says what it should be.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let form = "it is https://HOST or https://HOST:PORT, without a path";
        let uri: Uri = text.parse().map_err(|_misspelt| form)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(form);
        };
        if uri.path() != "/" || uri.query().is_some() || authority.as_str().contains('@') {
            return Err(form);
        }
        let host = authority.host().to_ascii_lowercase();
        let (is_local, is_secure) = (names_this_machine(&host), scheme == "https");
        if !(is_secure || is_local && scheme == "http") {
            return Err("it is https: over http everybody on the way could read the token");
        }
        // Browsers leave the usual port out when they say where a form comes from.
        let usual = if is_secure { 443 } else { 80 };
        let port = authority.port_u16().filter(|it| *it != usual);
        let port = port.map(|it| format!(":{it}")).unwrap_or_default();
        Ok(Self { origin: format!("{scheme}://{host}{port}"), is_secure, is_local })
    }

    /// As a browser names it in `Origin`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether it is reached over TLS.
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Whether it is a name of this machine itself.
    pub fn is_local(&self) -> bool {
        self.is_local
    }
}

/// Whether a name or address is this machine's own, whoever asks.
pub fn names_this_machine(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
    let is_address = bare.parse::<IpAddr>().is_ok_and(|it| it.is_loopback());
    bare.eq_ignore_ascii_case("localhost") || is_address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_browsers_send() {
        for (text, origin) in [
            ("https://Control.example", "https://control.example"),
            ("https://control.example:443/", "https://control.example"),
            ("https://control.example:8443", "https://control.example:8443"),
            ("http://localhost:80", "http://localhost"),
            ("http://[::1]:9480", "http://[::1]:9480"),
        ] {
            assert_eq!(
                PublicUrl::parse(text).map(|it| it.origin().to_owned()),
                Ok(origin.to_owned())
            );
        }
        for bad in [
            "",
            "control.example",
            "http://control.example",
            "ftp://localhost",
            "https://control.example/bowline",
            "https://control.example/?a",
            "https://me@control.example",
        ] {
            assert!(PublicUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
