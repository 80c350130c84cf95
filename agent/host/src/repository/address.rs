//! What a remote's address means: a path, a web server, or a program behind SSH.
//!
//! **Invariant:** no part of an address can be taken for an option or for a command of a shell.
//! **Invariant:** an address holds no secret: one that does is refused, and shown without it.

use std::path::PathBuf;

use super::fetch_failure::FetchFailure;
use crate::http::{Address as WebAddress, BadAddress};

/// Longer than any host, user or path that a person writes.
const PART_MAX: usize = 1_024;

/// Where a remote is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// On this machine.
    Local(PathBuf),
    /// Behind SSH.
    Ssh(SshAddress),
    /// Behind a web server.
    Web(WebAddress),
}

/// A repository behind SSH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SshAddress {
    pub(super) user: Option<String>,
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) path: String,
}

impl Address {
    /// Takes an address apart.
    pub(super) fn of(url: &str) -> Result<Self, FetchFailure> {
        let wrong = |what| FetchFailure::Address { url: shown(url), what };
        match url.split_once("://") {
            None if looks_like_scp(url) => scp(url).map(Self::Ssh).map_err(wrong),
            None => Ok(Self::Local(PathBuf::from(url))),
            Some(("file", rest)) => {
                Ok(Self::Local(PathBuf::from(rest.strip_prefix("localhost").unwrap_or(rest))))
            }
            Some(("ssh", rest)) => ssh(rest).map(Self::Ssh).map_err(wrong),
            Some(("https" | "http", rest)) => web(url, rest).map(Self::Web).map_err(wrong),
            Some(_) => Err(FetchFailure::Unsupported { url: shown(url) }),
        }
    }
}

impl SshAddress {
    /// What is run there: the path is one word for whatever shell the account has.
    pub(super) fn command(&self) -> String {
        let quoted = self.path.replace('\'', r"'\''").replace('!', r"'\!'");
        format!("git-upload-pack '{quoted}'")
    }
}

/// `user@host:path`.
fn scp(url: &str) -> Result<SshAddress, &'static str> {
    // An IPv6 address stands in brackets, which hold colons of their own.
    let after = url.find(']').unwrap_or_default();
    let colon = url.get(after..).and_then(|it| it.find(':')).ok_or("it has no path")? + after;
    let (account, path) = url.split_at(colon);
    if path.starts_with("::") {
        return Err("it names a helper program, and none is run");
    }
    let (user, host) = account_of(account)?;
    whole(SshAddress { user, host, port: None, path: path.replacen(':', "", 1) })
}

/// `user@host:port/path`, after its scheme.
fn ssh(rest: &str) -> Result<SshAddress, &'static str> {
    let (authority, path) = rest.split_at(rest.find('/').ok_or("it has no path")?);
    let (account, port) = match authority.rsplit_once(':') {
        Some((account, port)) if !port.ends_with(']') && !account.is_empty() => {
            (account, Some(port.parse().map_err(|_| "its port is no number from 1 to 65535")?))
        }
        _ => (authority, None),
    };
    let (user, host) = account_of(account)?;
    // `/~user` is what Git understands as that account's home.
    let path = if path.starts_with("/~") { path.trim_start_matches('/') } else { path };
    whole(SshAddress { user, host, port, path: path.to_owned() })
}

fn account_of(account: &str) -> Result<(Option<String>, String), &'static str> {
    let (user, host) = match account.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, account),
    };
    if user.is_some_and(|it| it.contains(':')) {
        return Err("it holds a password: use a key instead");
    }
    let host = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
    Ok((user.map(str::to_owned), host.to_owned()))
}

fn whole(address: SshAddress) -> Result<SshAddress, &'static str> {
    let is_word = |it: &str| {
        !it.is_empty() && it.len() <= PART_MAX && it.chars().all(|it| it.is_ascii_graphic())
    };
    let named = |it: &str| is_word(it) && it.chars().all(|it| !"'\"\\`$;&|<>()*?@/ ".contains(it));
    if !named(&address.host) || address.user.as_deref().is_some_and(|it| !named(it)) {
        return Err("its host or user is none");
    }
    if address.path.is_empty() || address.path.len() > PART_MAX {
        return Err("its path is empty or too long");
    }
    if address.path.contains(|it: char| it.is_control()) {
        return Err("its path holds a control character");
    }
    let user = address.user.iter().map(String::as_str);
    if user.chain([address.host.as_str(), address.path.as_str()]).any(|it| it.starts_with('-')) {
        return Err("its host, user or path begins with '-', which is an option");
    }
    if address.port == Some(0) {
        return Err("its port is no number from 1 to 65535");
    }
    Ok(address)
}

/// What can be said of a web address before it is used.
fn web(url: &str, rest: &str) -> Result<WebAddress, &'static str> {
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(
            "it holds a user or password, which settings show to everybody: name a tokenFile or netrcFile",
        );
    }
    if authority.is_empty() || path.len() > PART_MAX {
        return Err("its host or path is empty or too long");
    }
    if rest.contains(['?', '#']) {
        return Err("it has a query or fragment");
    }
    if !rest.chars().all(|it| it.is_ascii_graphic()) {
        return Err("it holds a character that must be written with %");
    }
    WebAddress::parse(url).map_err(|BadAddress(why)| why)
}

/// `host:path`, as SSH has it; a path with a colon begins with `/` or `.`.
fn looks_like_scp(url: &str) -> bool {
    let host = url.split_once(':').map(|(host, _)| host);
    host.is_some_and(|it| !it.is_empty() && !it.contains('/') && !it.starts_with('.'))
}

/// An address without the user and password that may stand in it.
pub(crate) fn shown(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            // What stands behind a question mark may be a token.
            let path = path.split(['?', '#']).next().unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        None if looks_like_scp(url) => {
            url.rsplit_once('@').map_or(url, |(_, rest)| rest).to_owned()
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(user: &str, host: &str, port: Option<u16>, path: &str) -> Address {
        let user = Some(user.to_owned()).filter(|it| !it.is_empty());
        Address::Ssh(SshAddress { user, host: host.to_owned(), port, path: path.to_owned() })
    }

    fn on_the_web(url: &str) -> Address {
        Address::Web(WebAddress::parse(url).unwrap())
    }

    #[test]
    fn every_form_of_an_address_is_understood() {
        for (url, address) in [
            ("/srv/a.git", Address::Local("/srv/a.git".into())),
            ("./odd:name", Address::Local("./odd:name".into())),
            ("file:///srv/a.git", Address::Local("/srv/a.git".into())),
            ("file://localhost/srv/a.git", Address::Local("/srv/a.git".into())),
            ("https://git.example/a.git", on_the_web("https://git.example/a.git")),
            ("http://[::1]:8080/a", on_the_web("http://[::1]:8080/a")),
            ("git@git.example:a.git", behind("git", "git.example", None, "a.git")),
            ("git.example:/srv/a b", behind("", "git.example", None, "/srv/a b")),
            ("git@[::1]:a:b", behind("git", "::1", None, "a:b")),
            (
                "ssh://git@git.example:2222/srv/a",
                behind("git", "git.example", Some(2222), "/srv/a"),
            ),
            ("ssh://[::1]:22/a", behind("", "::1", Some(22), "/a")),
            ("ssh://[::1]/a", behind("", "::1", None, "/a")),
            ("ssh://git.example/~alice/a", behind("", "git.example", None, "~alice/a")),
        ] {
            assert_eq!(Address::of(url).unwrap(), address, "{url}");
        }
    }

    #[test]
    fn what_could_be_an_option_a_command_or_a_secret_is_refused() {
        for url in [
            "ssh://-oProxyCommand=evil/a",
            "ssh://-l@git.example/a",
            "-oProxyCommand=evil:a",
            "git@-host:a",
            "git.example:--upload-pack=evil",
            "ssh://git.example",
            "ssh://git.example:0/a",
            "ssh://git.example:ssh/a",
            "ssh://git.example:99999/a",
            "ssh:///a",
            "ssh://git:secret@git.example/a",
            "git.example:",
            "git.example:a\nb",
            "ssh://git.exa$(mple)/a",
            "ssh://git.exa`mple/a",
            "https://me:secret@git.example/a.git",
            "https://secret@git.example/a.git",
            "https:///a.git",
            "https://git.example/a.git?token=secret",
            "https://git.example/a b",
            "git://git.example/a.git",
            "ext::sh -c evil",
        ] {
            match Address::of(url) {
                Err(failure) => {
                    assert!(!failure.to_string().contains("secret@"), "{failure}");
                    assert!(!failure.to_string().contains("=secret"), "{failure}");
                    assert!(!failure.hint().is_empty(), "{failure}");
                }
                Ok(address) => panic!("{url}: {address:?}"),
            }
        }
    }

    #[test]
    fn a_path_is_one_word_for_the_remote_shell() {
        let address = |path: &str| SshAddress {
            user: None,
            host: "a".to_owned(),
            port: None,
            path: path.to_owned(),
        };
        for (path, command) in [
            ("a b", "git-upload-pack 'a b'"),
            ("a'; rm -rf /'", r"git-upload-pack 'a'\''; rm -rf /'\'''"),
            ("$(evil)!", r"git-upload-pack '$(evil)'\!''"),
        ] {
            assert_eq!(address(path).command(), command);
        }
    }
}
