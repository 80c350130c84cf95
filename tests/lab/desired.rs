//! What the lab's operator merges: hosts, and a shop behind nginx.
//!
//! **Invariant:** what is served says its version, so that an old shop is never taken for a new one.

/// Where a shop's page is asked for.
pub(crate) const PAGE: &str = "http://127.0.0.1:8080/version.json";

const SHOP: &str = r#"apiVersion: bowline/v1
kind: Directory
metadata: {name: shop-root}
target: {matchLabels: {role: shop}}
spec: {path: /srv/shop}
---
# nginx reads it when it is told to: until then the old site is served.
apiVersion: bowline/v1
kind: Template
metadata: {name: shop-site}
target: {matchLabels: {role: shop}}
notify: [{unit: nginx.service, action: reload}]
spec:
  path: /etc/nginx/conf.d/shop.conf
  source: apps/shop/templates/shop.conf.j2
  values: {version: "VERSION"}
  validate: [/usr/sbin/nginx, -t]
---
apiVersion: bowline/v1
kind: Probe
metadata: {name: shop-answers}
target: {matchLabels: {role: shop}}
spec:
  http: {url: "PAGE", expect: {status: 200, json: {version: "EXPECTED"}}}
  interval: 200ms
  timeout: 1s
  successThreshold: 2
  deadline: 5s
  soak: SOAK
"#;

const SITE: &str = r#"server {
    listen 8080;
    root /srv/shop;
    location = /version.json { return 200 '{"version":"{{ version }}"}'; }
}
"#;

/// One version of the shop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shop<'s> {
    /// What it says it is.
    pub(crate) version: &'s str,
    /// What its probe wants it to say.
    pub(crate) expected: &'s str,
    /// For how long the probe watches.
    pub(crate) soak: &'s str,
}

impl<'s> Shop<'s> {
    /// A shop that is well.
    pub(crate) fn well(version: &'s str) -> Self {
        Self { version, expected: version, soak: "1s" }
    }

    /// Its files in the repository.
    pub(crate) fn files(&self) -> Vec<(String, String)> {
        let manifests = SHOP
            .replace("VERSION", self.version)
            .replace("PAGE", PAGE)
            .replace("EXPECTED", self.expected)
            .replace("SOAK", self.soak);
        vec![
            ("apps/shop/shop.yaml".to_owned(), manifests),
            ("apps/shop/templates/shop.conf.j2".to_owned(), SITE.to_owned()),
        ]
    }
}

/// A host's place in the repository.
pub(crate) fn host(name: &str, fingerprint: &str, role: &str) -> (String, String) {
    let text = format!(
        "apiVersion: bowline/v1\nkind: Host\nmetadata: {{name: {name}}}\n\
         spec: {{keyFingerprint: \"{fingerprint}\", environment: production, labels: {{role: {role}}}}}\n"
    );
    (format!("hosts/{name}.yaml"), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_merged_is_what_the_agent_reads() {
        let mut files = Shop::well("1.0.0").files();
        files.push(host("web-1", "SHA256:3kgZw1rVUMN0sUWuD7sBnZsXGgY2gs2b8zLoP9lYd4U", "shop"));
        for (path, text) in files.iter().filter(|it| it.0.ends_with(".yaml")) {
            let (manifests, faults) = bowline_model::read::manifests(path, text.as_bytes());
            assert!(faults.is_empty(), "{faults}");
            assert!(!manifests.is_empty(), "{path}");
        }
    }
}
