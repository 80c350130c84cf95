//! The shop in the repository: its configuration, its pages, and the probe that knows its version.
//!
//! **Invariant:** two versions differ in every page, so that a change of all is as large as the shop.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Pages of the shop: enough that applying them has a middle in which it can be cut short.
pub(super) const PAGES: usize = 2000;

/// Where they lie on the host, below its root.
const PAGES_FOLDER: &str = "srv/shop/pages";

const MANIFESTS: &str = r#"apiVersion: bowline/v1
kind: Directory
metadata: {name: etc-shop}
target: {matchLabels: {role: shop}}
spec: {path: /etc/shop}
---
apiVersion: bowline/v1
kind: Directory
metadata: {name: srv-shop}
target: {matchLabels: {role: shop}}
spec: {path: /srv/shop}
---
# A whole folder of the repository, as one resource.
apiVersion: bowline/v1
kind: Directory
metadata: {name: shop-pages}
target: {matchLabels: {role: shop}}
spec: {path: /srv/shop/pages, source: apps/shop/files/pages}
---
# The shop reads it at start only: a change without a restart would not count.
apiVersion: bowline/v1
kind: File
metadata: {name: shop-config}
target: {matchLabels: {role: shop}}
notify: [{unit: shop.service, action: restart}]
spec:
  path: /etc/shop/shop.toml
  content: |
    version = "VERSION"
    workers = WORKERS
---
# It asks for the version: otherwise the old shop answers, and the probe passes.
apiVersion: bowline/v1
kind: Probe
metadata: {name: shop-ready}
target: {matchLabels: {role: shop}}
spec:
  http: {url: "http://ADDRESS/readyz", expect: {status: 200, json: {version: "VERSION"}}}
  interval: 200ms
  timeout: 1s
  successThreshold: 2
  deadline: 5s
  soak: 1s
"#;

/// Manifests of a version.
pub(super) fn manifests(address: SocketAddr, version: &str, workers: u32) -> (String, String) {
    let text = MANIFESTS
        .replace("ADDRESS", &address.to_string())
        .replace("VERSION", version)
        .replace("WORKERS", &workers.to_string());
    ("apps/shop/shop.yaml".to_owned(), text)
}

/// The manifest by which a merge names a host; `role` decides what it takes.
pub(super) fn host(name: &str, fingerprint: &str, role: &str) -> (String, String) {
    let text = format!(
        "apiVersion: bowline/v1\nkind: Host\nmetadata: {{name: {name}}}\n\
         spec: {{keyFingerprint: \"{fingerprint}\", environment: demo, labels: {{role: {role}}}}}\n"
    );
    (format!("hosts/{name}.yaml"), text)
}

/// Pages of a version, all alike: the work is in their number.
pub(super) fn pages(version: &str) -> impl Iterator<Item = (String, String)> {
    (0..PAGES).map(move |number| {
        let path = format!("apps/shop/files/pages/{}", name(number));
        (path, format!("<p>Shop {version}</p>\n"))
    })
}

fn name(number: usize) -> String {
    format!("page-{number:04}.html")
}

/// Whether a page on the host is of this version.
pub(super) fn is_of(host: &Path, number: usize, version: &str) -> Result<bool> {
    let path = host.join(PAGES_FOLDER).join(name(number));
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    Ok(text.starts_with(&format!("<p>Shop {version}<")))
}

/// How many pages on the host are of this version.
pub(super) fn count(host: &Path, version: &str) -> Result<usize> {
    let mut found = 0;
    for number in 0..PAGES {
        found += usize::from(is_of(host, number, version)?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_merged_is_what_the_agent_reads() {
        let (_, text) = manifests("127.0.0.1:8080".parse().unwrap(), "1.0.0", 4);
        let (manifests, faults) = bowline_model::read::manifests("shop.yaml", text.as_bytes());
        assert!(faults.is_empty(), "{faults}");
        assert_eq!(manifests.len(), 5);
        assert_eq!(pages("1.0.0").count(), PAGES);
    }
}
