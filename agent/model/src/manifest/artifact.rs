//! Kind Artifact: a release that is fetched, unpacked into a folder of its own, and linked to.
//!
//! **Invariant:** what is fetched is named by its digest; where it comes from is never trusted.
//! **Invariant:** nobody is asked in the clear, but this machine; an address holds no password.

use std::net::Ipv4Addr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::compose::{Written, Wrongs};
use super::file::State;
use super::http::check_authority;
use super::{Claim, Reach};
use crate::digest::Sha256;
use crate::host_path::{HostPath, RepoPath};
use crate::release::{Archive, Extract};
use crate::word::word;

/// Longest address: servers refuse longer ones.
const URL_LENGTH: usize = 2_048;

/// Longest part of a release folder's name that comes from the address.
const STEM_LENGTH: usize = 100;

/// Digits of the digest in a release folder's name: enough that two releases of one artifact differ.
const DIGITS: usize = 12;

/// Fewest releases that are kept: the one that runs, and the one to go back to without waiting.
const KEEP_MIN: u8 = 2;

/// Most releases that are kept: each is looked after by nobody, and takes room.
const KEEP_MAX: u8 = 20;

/// What stands in for a name that an address does not have.
const NAMELESS: &str = "release";

word!(
    /// Where an artifact is fetched from.
    ArtifactUrl,
    "https://HOST/PATH, file:///PATH, or http:// to this machine itself",
    "^(https://[^/@\\s]+/|http://(localhost|127\\.[0-9.]+|\\[::1\\])(:[0-9]+)?/|file:///)[^\\s#]+$",
    check_url
);

fn check_url(text: &str) -> Result<(), &'static str> {
    if text.len() > URL_LENGTH {
        return Err("is too long");
    }
    if !text.bytes().all(|it| it.is_ascii_graphic()) || text.contains('#') {
        return Err("holds a letter that no such address has");
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        let is_layout = text.starts_with("oci:");
        return Err(if is_layout { OCI } else { "does not begin with https:// or file:///" });
    };
    match scheme {
        "https" => check_server(rest).map(drop),
        "http" if is_this_machine(check_server(rest)?) => Ok(()),
        "http" => Err("goes to another machine in the clear"),
        "file" if rest.contains(['?', '%']) => Err("has a `?` or `%`, which mean nothing here"),
        "file" => rest.parse::<HostPath>().map(drop).map_err(|_misspelt| "names no absolute path"),
        "oci" => Err(OCI),
        _ => Err("has a scheme that this version does not fetch from"),
    }
}

/// What is said of the one source of the language that is not built yet.
const OCI: &str = "is an OCI layout, which this version does not read";

/// The host and port of an address, if it has a path as well.
fn check_server(rest: &str) -> Result<&str, &'static str> {
    match rest.split_once('/') {
        Some((server, _)) if server.contains('@') => {
            Err("holds an account, which anybody may read")
        }
        Some(("", _)) => Err("names no server"),
        Some((_, "")) | None => Err("names no file on its server"),
        Some((server, _)) => check_authority(server).map(|()| server),
    }
}

/// Only says yes to a host and port that passed.
fn is_this_machine(server: &str) -> bool {
    if server == "[::1]" || server.starts_with("[::1]:") {
        return true;
    }
    let host = server.split(':').next().unwrap_or_default();
    host == "localhost" || host.parse().is_ok_and(|it: Ipv4Addr| it.is_loopback())
}

impl ArtifactUrl {
    /// The file on this machine that it names, if it names one.
    pub fn file(&self) -> Option<HostPath> {
        self.as_str().strip_prefix("file://")?.parse().ok()
    }

    /// The last part of its path.
    fn last(&self) -> &str {
        let path = self.as_str().split('?').next().unwrap_or_default();
        path.rsplit('/').next().unwrap_or_default()
    }

    /// Without what a server may want to know as a password: for people and logs.
    pub fn shown(&self) -> &str {
        self.as_str().split('?').next().unwrap_or_default()
    }
}

/// A release, and how it is made known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "ArtifactFields")]
pub struct ArtifactSpec {
    /// Where it is fetched from.
    pub url: ArtifactUrl,
    /// What it must be, and what is done with it.
    pub archive: Archive,
    /// The folder that holds its releases.
    pub releases_dir: HostPath,
    /// The link to the one that counts.
    pub link: HostPath,
    /// How many releases stay on the host.
    pub keep: u8,
    folder: HostPath,
}

/// What may be written in an Artifact's spec.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a map")]
pub struct ArtifactFields {
    /// Where it is fetched from: https, a file of this machine, or http to this machine itself.
    url: ArtifactUrl,
    /// SHA-256 of what is fetched.
    #[schemars(schema_with = "digest")]
    sha256: Sha256,
    /// What is done with it; by default, what the end of the address says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    extract: Option<Extract>,
    /// The folder that holds releases, each in a folder of its own.
    releases_dir: HostPath,
    /// The link to the release that counts.
    link: HostPath,
    /// How many releases stay on the host, the newest included.
    #[serde(default = "three")]
    #[schemars(range(min = 2, max = 20))]
    keep: u8,
}

const fn three() -> u8 {
    3
}

fn digest(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": "^[0-9a-f]{64}$"})
}

impl Written for ArtifactFields {
    type Spec = ArtifactSpec;

    fn resolve(self, wrongs: &mut Wrongs) -> Option<ArtifactSpec> {
        let Self { url, sha256, releases_dir, link, keep, .. } = self;
        let last = url.last();
        let ending = Extract::ENDINGS.iter().find(|(ending, _)| last.ends_with(ending));
        let extract = self.extract.or(ending.map(|(_, meant)| *meant));
        if extract.is_none() {
            let message = format!("an address whose end `{last}` does not say how to extract it");
            wrongs.add("extract", &message, "tar.gz, tar.zst, zip or none");
        }
        if !(KEEP_MIN..=KEEP_MAX).contains(&keep) {
            let expected = format!("{KEEP_MIN} to {KEEP_MAX}");
            wrongs.add("keep", &format!("{keep} releases"), &expected);
        }
        if link.is_within(&releases_dir) || releases_dir.is_within(&link) {
            wrongs.add("link", "a link in the way of the releases", "a path beside releasesDir");
        }
        let name: Option<RepoPath> = plain(last).parse().ok();
        let stem = ending.and_then(|(ending, _)| last.strip_suffix(ending)).unwrap_or(last);
        let digits = sha256.to_string();
        let stem: String = plain(stem).chars().take(STEM_LENGTH).collect();
        let folder = format!("{releases_dir}/{stem}-{}", digits.get(..DIGITS).unwrap_or(&digits));
        let folder: Option<HostPath> = folder.parse().ok();
        if folder.is_none() {
            wrongs.add("releasesDir", "a path too long to hold releases", "a shorter path");
        }
        let archive = Archive { sha256, extract: extract?, name: name? };
        Some(ArtifactSpec { url, archive, releases_dir, link, keep, folder: folder? })
    }
}

/// A name that means nothing to anybody but a filesystem.
fn plain(text: &str) -> &str {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"._+-".contains(&it);
    let is_name = text.len() <= STEM_LENGTH * 2 && !text.starts_with(['.', '-']);
    if !text.is_empty() && is_name && text.bytes().all(is_plain) { text } else { NAMELESS }
}

impl ArtifactSpec {
    /// The folder of the release.
    pub fn folder(&self) -> &HostPath {
        &self.folder
    }

    /// What the link says: the way from its own folder, which is the same whatever lies above. Both paths
    /// as they are on the host: a link among the folders above would lead the way astray.
    pub fn link_text(&self, resolve: impl Fn(&HostPath) -> HostPath) -> String {
        let split = |path: &HostPath| -> Vec<String> {
            path.as_str().split('/').skip(1).map(str::to_owned).collect()
        };
        let mut from = split(&resolve(&self.link));
        from.pop();
        let to = split(&resolve(&self.folder));
        let shared = from.iter().zip(&to).take_while(|(one, two)| one == two).count();
        let up = from.iter().skip(shared).map(|_| "..");
        let down = to.iter().skip(shared).map(String::as_str);
        up.chain(down).collect::<Vec<_>>().join("/")
    }

    /// The paths that it claims.
    pub(super) fn claims(&self) -> [Claim<'_>; 2] {
        let state = State::Present;
        [
            Claim {
                path: &self.releases_dir,
                field: "spec.releasesDir",
                reach: Reach::Tree,
                state,
            },
            Claim { path: &self.link, field: "spec.link", reach: Reach::Leaf, state },
        ]
    }
}

impl From<ArtifactSpec> for ArtifactFields {
    fn from(spec: ArtifactSpec) -> Self {
        Self {
            url: spec.url,
            sha256: spec.archive.sha256,
            extract: Some(spec.archive.extract),
            releases_dir: spec.releases_dir,
            link: spec.link,
            keep: spec.keep,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_that_can_be_fetched_from() {
        for text in [
            "https://a/b.tar.gz",
            "https://a:8443/b/c?token=x",
            "http://localhost:8080/b.zip",
            "http://127.0.0.1/b.zip",
            "http://[::1]:1/b",
            "file:///srv/b.tar.zst",
        ] {
            assert!(text.parse::<ArtifactUrl>().is_ok(), "{text}");
        }
        for (text, why) in [
            ("http://a/b.zip", "in the clear"),
            ("http://127.0.0.1.evil/b.zip", "in the clear"),
            ("https://me:secret@a/b.zip", "account"),
            ("https://a", "no file"),
            ("https://a/", "no file"),
            ("https:///b", "no server"),
            ("https://a:99999/b", "no port"),
            ("https://a:0/b", "no port"),
            ("https://a:/b", "no port"),
            ("http://localhost:x.evil.com/b", "no port"),
            ("https://a?x/b", "host"),
            ("https://a b/c", "letter"),
            ("https://[::g]/b", "IPv6"),
            ("https://[::1/b", "host"),
            ("http://[::1]80/b", "no port"),
            ("file://srv/b", "no absolute path"),
            ("file:///srv/../b", "no absolute path"),
            ("file:///srv/b%20", "mean nothing"),
            ("oci:///srv/layout", "OCI"),
            ("oci:layout", "OCI"),
            ("ftp://a/b", "scheme"),
            ("/srv/b.zip", "does not begin"),
            ("https://a/b c", "letter"),
        ] {
            let refused = text.parse::<ArtifactUrl>().unwrap_err().to_string();
            assert!(refused.contains(why), "{text}: {refused}");
        }
    }

    fn spec(url: &str, link: &str) -> Result<ArtifactSpec, Wrongs> {
        let fields = ArtifactFields {
            url: url.parse().unwrap(),
            sha256: Sha256::of(b"a"),
            extract: None,
            releases_dir: "/opt/shop/releases".parse().unwrap(),
            link: link.parse().unwrap(),
            keep: 3,
        };
        let mut wrongs = Wrongs::default();
        fields.resolve(&mut wrongs).filter(|_| wrongs.is_empty()).ok_or(wrongs)
    }

    #[test]
    fn a_release_is_called_by_its_file_and_digest() {
        for (url, extract, folder, name) in [
            ("https://a/shop-4.7.0.tar.zst", Extract::TarZst, "shop-4.7.0", "shop-4.7.0.tar.zst"),
            ("https://a/shop.tgz?x=y/z", Extract::TarGz, "shop", "shop.tgz"),
            ("https://a/.zip", Extract::Zip, "release", "release"),
            ("https://a/%2e%2e.zip", Extract::Zip, "release", "release"),
        ] {
            let spec = spec(url, "/opt/shop/current").unwrap();
            assert_eq!(spec.archive.extract, extract);
            assert_eq!(spec.folder().as_str(), format!("/opt/shop/releases/{folder}-ca978112ca1b"));
            assert_eq!(spec.archive.name.as_str(), name);
        }
    }

    #[test]
    fn a_link_says_the_way_from_where_it_stands() {
        for (link, text) in [
            ("/opt/shop/current", "releases/x-ca978112ca1b"),
            ("/opt/current", "shop/releases/x-ca978112ca1b"),
            ("/usr/bin/shop", "../../opt/shop/releases/x-ca978112ca1b"),
            ("/current", "opt/shop/releases/x-ca978112ca1b"),
        ] {
            assert_eq!(spec("https://a/x.zip", link).unwrap().link_text(HostPath::clone), text);
        }
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        assert!(spec("https://a/shop", "/opt/shop/current").is_err());
        assert!(spec("https://a/shop.zip", "/opt/shop/releases/current").is_err());
        assert!(spec("https://a/shop.zip", "/opt/shop").is_err());
    }

    #[test]
    fn a_link_below_another_link_leads_where_the_release_stands() {
        let merged = |path: &HostPath| {
            let text = path.as_str();
            let below = ["/bin/", "/lib/"].iter().any(|it| text.starts_with(it));
            if below { format!("/usr{text}").parse().unwrap() } else { path.clone() }
        };
        for (link, text) in [
            ("/bin/x", "../../opt/shop/releases/x-ca978112ca1b"),
            ("/usr/bin/x", "../../opt/shop/releases/x-ca978112ca1b"),
            ("/lib/x/y", "../../../opt/shop/releases/x-ca978112ca1b"),
            ("/opt/x", "shop/releases/x-ca978112ca1b"),
        ] {
            assert_eq!(spec("https://a/x.zip", link).unwrap().link_text(merged), text, "{link}");
        }
    }
}
