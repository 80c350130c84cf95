//! What an HTTP probe asks, and which answer passes.
//!
//! **Invariant:** a probe says which answer it wants; that something answers is never enough.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::compose::Wrongs;
use crate::host_path::HostPath;
use crate::word::word;

word!(
    /// An `http` or `https` address, without user and password.
    HttpUrl,
    "an address such as http://127.0.0.1:8080/readyz",
    "^https?://[^\\s/@]+(/[^\\s]*)?$",
    |text| {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let Some(rest) = rest else {
            return Err("begins with neither http:// nor https://");
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        match text {
            _ if text.len() > 2_048 => Err("is longer than 2048 bytes"),
            _ if text.contains(|it: char| it.is_whitespace() || it.is_control()) => {
                Err("holds white space or control characters")
            }
            _ if text.contains('#') => Err("has a fragment, which no server sees"),
            _ if authority.contains('@') => Err("has a user or password in it"),
            _ => check_authority(authority),
        }
    }
);

word!(
    /// Host and port: `127.0.0.1:5432`, `[::1]:5432`, `db.example:5432`.
    Address,
    "a host and a port such as 127.0.0.1:5432",
    "^(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+):[0-9]{1,5}$",
    |text| match text.rsplit_once(':') {
        Some((_, port)) if !port.is_empty() && !port.contains(']') => check_authority(text),
        _ => Err("has no port"),
    }
);

/// Checks `host`, `host:port` or `[v6]:port`.
pub(super) fn check_authority(text: &str) -> Result<(), &'static str> {
    let (host, port) = match text.strip_prefix('[').and_then(|it| it.split_once(']')) {
        Some((host, rest)) => {
            if host.parse::<std::net::Ipv6Addr>().is_err() {
                return Err("has brackets around what is no IPv6 address");
            }
            match rest {
                "" => ("v6", None),
                _ => ("v6", Some(rest.strip_prefix(':').unwrap_or_default())),
            }
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let within = |it: u8| it.is_ascii_alphanumeric() || b"._-".contains(&it);
    if host.is_empty() || host.len() > 253 || !host.bytes().all(within) {
        return Err("has no well-formed host");
    }
    match port.map(|it| it.parse::<u16>().ok().filter(|port| port.to_string() == it)) {
        None => Ok(()),
        Some(Some(port)) if port > 0 => Ok(()),
        Some(_) => Err("has no port from 1 to 65535"),
    }
}

/// A probe that asks over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a map with url")]
pub struct HttpProbe {
    /// What is asked for.
    pub url: HttpUrl,
    /// How.
    #[serde(default)]
    pub method: Method,
    /// The answer that passes.
    #[serde(default)]
    pub expect: Expect,
    /// Certificates to trust instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<HostPath>,
    /// Ask over TLS without checking the certificate.
    #[serde(default)]
    pub insecure: bool,
}

/// How an HTTP probe asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// For the content.
    #[default]
    Get,
    /// For the head alone.
    Head,
    /// With an empty body.
    Post,
}

/// The answer that passes; everything named must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default, expecting = "a map")]
pub struct Expect {
    /// The status code.
    #[schemars(range(min = 100, max = 599))]
    pub status: u16,
    /// A text that the body must contain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_contains: Option<String>,
    /// Values that the body, a JSON document, must hold: by top-level key, or by JSON Pointer
    /// (`/build/version`).
    pub json: BTreeMap<String, Value>,
}

impl Default for Expect {
    fn default() -> Self {
        Self { status: 200, body_contains: None, json: BTreeMap::new() }
    }
}

impl HttpProbe {
    pub(super) fn check(&self, wrongs: &mut Wrongs) {
        if !(100..=599).contains(&self.expect.status) {
            let message = format!("the status {}", self.expect.status);
            wrongs.add("http.expect.status", &message, "a status from 100 to 599");
        }
        let wants_body = self.expect.body_contains.is_some() || !self.expect.json.is_empty();
        if self.method == Method::Head && wants_body {
            wrongs.add("http.method", "HEAD, whose answer has no body", "GET");
        }
        if self.expect.body_contains.as_deref() == Some("") {
            let message = "an empty text, which every body contains";
            wrongs.add("http.expect.bodyContains", message, "a text");
        }
        let plain = self.url.as_str().starts_with("http://");
        if plain && self.insecure {
            wrongs.add("http.insecure", "insecure without TLS", "an https address, or no insecure");
        }
        if plain && self.ca_file.is_some() {
            wrongs.add("http.caFile", "caFile without TLS", "an https address, or no caFile");
        }
        if self.insecure && self.ca_file.is_some() {
            wrongs.add("http.insecure", "insecure beside caFile", "one of them");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_a_host_and_hide_no_password() {
        for (text, good) in [
            ("http://127.0.0.1:8080/readyz", true),
            ("https://shop.example", true),
            ("http://[::1]:80/?a=b", true),
            ("ftp://a", false),
            ("http://", false),
            ("http://:80/", false),
            ("http://a:0/", false),
            ("http://a:99999/", false),
            ("http://user:pw@a/", false),
            ("http://a/ b", false),
            ("http://a/#top", false),
            ("http://[::1/", false),
        ] {
            assert_eq!(text.parse::<HttpUrl>().is_ok(), good, "{text}");
        }
        for (text, good) in [
            ("127.0.0.1:5432", true),
            ("[::1]:5432", true),
            ("db.example:1", true),
            ("db.example", false),
            ("[::1]", false),
            ("::1:80", false),
            (":80", false),
            ("a:080", false),
        ] {
            assert_eq!(text.parse::<Address>().is_ok(), good, "{text}");
        }
    }
}
