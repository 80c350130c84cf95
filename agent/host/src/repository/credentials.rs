//! By what a web server knows the agent: a token, or an account of a netrc file.
//!
//! **Invariant:** secrets are read anew for each fetch, from files that are not open to others.
//! **Invariant:** they go over TLS, or to this machine itself, and only to the origin they are for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;

use super::fetch_failure::FetchFailure;
use crate::http::Address;
use crate::secret_file;
use crate::settings::Access;

/// A token has some hundred letters, a netrc file some hundred lines.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Whom of the configured servers the token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenIsFor {
    /// The one that is asked.
    This,
    /// Another one.
    Another,
    /// None of them may hear it.
    Nobody,
}

/// What is shown to one origin.
#[derive(Debug)]
pub(super) struct Credentials {
    /// The repository as it is configured.
    home: Address,
    /// The header's value; its `Debug` shows nothing.
    words: Option<HeaderValue>,
}

impl Credentials {
    /// Finds what the settings have for a repository.
    pub(super) fn find(
        access: &Access,
        token_is_for: TokenIsFor,
        (home, url): (&Address, &str),
    ) -> Result<Self, FetchFailure> {
        let fail = |what: String| FetchFailure::Credentials { url: url.to_owned(), what };
        let mut found = None;
        if !home.is_protected() {
            // A mirror in the clear is asked as anybody asks it; what comes is judged by its signatures.
            if access.token.is_some() && token_is_for == TokenIsFor::Nobody {
                let what = "the token would go over the network in the clear: use https";
                return Err(fail(what.to_owned()));
            }
            return Ok(Self { home: home.clone(), words: None });
        }
        // A token is one server's: that of the first address that may hear it.
        if let Some(path) = access.token.as_ref().filter(|_| token_is_for == TokenIsFor::This) {
            let bytes = secret_file::read(path, SECRET_BYTES_MAX);
            let bytes = bytes.map_err(|source| secret(url, source))?;
            found =
                Some(of_token(&bytes).map_err(|why| fail(format!("{} {why}", path.display())))?);
        }
        if let (None, Some(path)) = (&found, &access.netrc) {
            let bytes = secret_file::read(path, SECRET_BYTES_MAX);
            let bytes = bytes.map_err(|source| secret(url, source))?;
            let entry = of_netrc(&bytes, home.host());
            found = entry.map_err(|why| fail(format!("{} {why}", path.display())))?;
        }
        let words = found.map(|it| HeaderValue::from_str(&it)).transpose();
        let mut words = words.map_err(|_invalid| fail("they hold an odd letter".to_owned()))?;
        if let Some(words) = &mut words {
            words.set_sensitive(true);
        }
        Ok(Self { home: home.clone(), words })
    }

    /// Whether an address is of the origin that they are for.
    pub(super) fn belong_to(&self, address: &Address) -> bool {
        self.home.is_of_origin(address)
    }

    /// The value of the header.
    pub(super) fn words(&self) -> Option<HeaderValue> {
        self.words.clone()
    }
}

fn secret(url: &str, source: secret_file::BadSecret) -> FetchFailure {
    FetchFailure::Secret { url: url.to_owned(), source: Box::new(source) }
}

/// `ACCOUNT:TOKEN` is an account's, anything else is a bearer's.
fn of_token(bytes: &[u8]) -> Result<String, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8")?.trim();
    if text.is_empty() || text.contains(|it: char| it.is_control() || it == ' ') {
        return Err("holds no token: one line, TOKEN or ACCOUNT:TOKEN");
    }
    Ok(match text.split_once(':') {
        Some(_) => basic(text),
        None => format!("Bearer {text}"),
    })
}

fn basic(account: &str) -> String {
    format!("Basic {}", STANDARD.encode(account))
}

/// What a netrc file has for a host. `default` is no host: it would be shown to everybody.
fn of_netrc(bytes: &[u8], host: &str) -> Result<Option<String>, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8")?;
    let lines = text.lines().map(str::trim).filter(|it| !it.starts_with('#'));
    let mut words = lines.flat_map(str::split_whitespace);
    let (mut is_meant, mut is_any) = (false, false);
    let (mut login, mut password) = (None, None);
    while let Some(word) = words.next() {
        match word {
            "machine" | "default" if is_meant => break,
            "machine" => {
                is_any = true;
                is_meant = words.next().ok_or("ends in the middle")?.eq_ignore_ascii_case(host);
            }
            "default" => is_any = true,
            "login" | "password" | "account" if is_any => {
                let value = words.next().ok_or("ends in the middle")?;
                match word {
                    "login" if is_meant => login = Some(value),
                    "password" if is_meant => password = Some(value),
                    _ => {}
                }
            }
            _ => return Err("is no netrc file: machine HOST login NAME password SECRET"),
        }
    }
    match (is_meant, login, password) {
        (false, _, _) => Ok(None),
        (true, Some(login), Some(password)) => Ok(Some(basic(&format!("{login}:{password}")))),
        (true, _, _) => Err("has no login and password for the host"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_bearers_or_an_accounts() {
        for (text, words) in [
            ("abc\n", Ok("Bearer abc")),
            ("me:abc", Ok("Basic bWU6YWJj")),
            ("", Err(())),
            ("two words", Err(())),
            ("two\nlines", Err(())),
        ] {
            let found = of_token(text.as_bytes());
            assert_eq!(found.as_deref().map_err(|_| ()), words, "{text:?}");
        }
        assert!(of_token(&[0xff]).is_err());
    }

    #[test]
    fn a_netrc_file_names_a_host_and_its_account() {
        let file = "# of the fleet\nmachine a login me password x\n\
                    machine git.example\n  login me\n  account z\n  password p#w\nmachine git.example login b password c\n\
                    default login any password any\n";
        for (host, words) in [
            ("a", Some("me:x")),
            ("git.example", Some("me:p#w")),
            ("GIT.example", Some("me:p#w")),
            ("other.example", None),
        ] {
            let found = of_netrc(file.as_bytes(), host).unwrap();
            assert_eq!(found, words.map(basic), "{host}");
        }
        for text in
            ["machine", "login me", "machine a login", "machine a login me", "macdef x", "<html>"]
        {
            assert!(of_netrc(text.as_bytes(), "a").is_err(), "{text}");
        }
        assert_eq!(of_netrc(b"", "a"), Ok(None));
    }
}
