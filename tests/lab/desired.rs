//! What the lab's operator merges: hosts, and a shop with a unit of its own behind nginx.
//!
//! **Invariant:** whatever is served says its version, so that an old shop is never taken for a new one.

/// Where nginx answers with the site's version.
pub(crate) const SITE: &str = "http://127.0.0.1:8080/version.json";

/// Where nginx passes the question on to the shop itself.
pub(crate) const APP: &str = "http://127.0.0.1:8080/app.json";

/// Pages of the shop: a revert of ten files and a unit is what is measured.
const PAGES: usize = 10;

/// Where the shop's program stands.
const PROGRAM: &str = "/usr/local/bin/shop";

/// A program that is not there: its unit's start job fails, and with `Restart=always` the unit never reads
/// failed.
const NO_PROGRAM: &str = "/usr/local/bin/no-such-shop";

const MANIFESTS: &str = r#"apiVersion: bowline/v1
kind: Directory
metadata: {name: shop-settings}
target: {matchLabels: {role: shop}}
spec: {path: /etc/shop}
---
# The shop reads it at its start only.
apiVersion: bowline/v1
kind: File
metadata: {name: shop-version}
target: {matchLabels: {role: shop}}
notify: [{unit: shop.service, action: restart}]
spec: {path: /etc/shop/version, content: "VERSION\n"}
---
apiVersion: bowline/v1
kind: File
metadata: {name: shop-program}
target: {matchLabels: {role: shop}}
spec: {path: PROGRAM, mode: "0755", contentFrom: {file: apps/shop/files/shop.pl}}
---
apiVersion: bowline/v1
kind: Unit
metadata: {name: shop.service}
target: {matchLabels: {role: shop}}
dependsOn: [File/shop-program, File/shop-version]
spec:
  enabled: true
  contents: |
    [Unit]
    Description=Shop VERSION
    [Service]
    Type=exec
    ExecStart=START
    Restart=always
    DynamicUser=yes
    [Install]
    WantedBy=multi-user.target
---
# A whole folder of the repository, as one resource.
apiVersion: bowline/v1
kind: Directory
metadata: {name: shop-pages}
target: {matchLabels: {role: shop}}
spec: {path: /srv/shop, source: apps/shop/files/pages}
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
kind: Unit
metadata: {name: nginx.service}
target: {matchLabels: {role: shop}}
spec: {enabled: true}
---
apiVersion: bowline/v1
kind: Probe
metadata: {name: site-answers}
target: {matchLabels: {role: shop}}
spec:
  http: {url: "SITE", expect: {status: 200, json: {version: "EXPECTED"}}}
  interval: 200ms
  timeout: 1s
  successThreshold: 2
  deadline: DEADLINE
  soak: SOAK
---
apiVersion: bowline/v1
kind: Probe
metadata: {name: shop-answers}
target: {matchLabels: {role: shop}}
spec:
  http: {url: "APP", expect: {status: 200, json: {version: "EXPECTED"}}}
  interval: 200ms
  timeout: 1s
  successThreshold: 2
  deadline: DEADLINE
  soak: SOAK
"#;

const NGINX: &str = r#"server {
    listen 8080;
    root /srv/shop;
    location = /version.json { return 200 '{"version":"{{ version }}"}'; }
    location = /app.json { proxy_pass http://127.0.0.1:9000; }
}
"#;

/// The shop itself, in the one language that every Debian has.
const SHOP: &str = r#"#!/usr/bin/perl
# The shop: reads its version once, and answers every question with it.
use strict;
use IO::Socket::INET;

open my $file, '<', '/etc/shop/version' or die "read the version: $!";
chomp(my $version = <$file>);
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1:9000', Listen => 16, ReuseAddr => 1)
    or die "listen: $!";
while (my $client = $listener->accept) {
    while (<$client>) { last if /^\r?$/ }
    print $client "HTTP/1.0 200 OK\r\n\r\n{\"version\":\"$version\"}";
    close $client;
}
"#;

/// One version of the shop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shop<'s> {
    /// What it says it is.
    pub(crate) version: &'s str,
    /// What its probes want it to say.
    pub(crate) expected: &'s str,
    /// How long they wait for that.
    pub(crate) deadline: &'s str,
    /// For how long they watch.
    pub(crate) soak: &'s str,
    /// What its unit starts.
    pub(crate) start: &'s str,
}

impl<'s> Shop<'s> {
    /// A shop that is well.
    pub(crate) fn well(version: &'s str) -> Self {
        Self { version, expected: version, deadline: "5s", soak: "1s", start: PROGRAM }
    }

    /// A shop whose unit cannot start.
    pub(crate) fn that_cannot_start(version: &'s str) -> Self {
        Self { start: NO_PROGRAM, ..Self::well(version) }
    }

    /// Its files in the repository.
    pub(crate) fn files(&self) -> Vec<(String, String)> {
        let manifests = MANIFESTS
            .replace("VERSION", self.version)
            .replace("EXPECTED", self.expected)
            .replace("PROGRAM", PROGRAM)
            .replace("START", self.start)
            .replace("SITE", SITE)
            .replace("APP", APP)
            .replace("DEADLINE", self.deadline)
            .replace("SOAK", self.soak);
        let page = |number: usize| {
            let path = format!("apps/shop/files/pages/page-{number}.html");
            (path, format!("<p>Shop {}, page {number}</p>\n", self.version))
        };
        let mut files: Vec<_> = (1..=PAGES).map(page).collect();
        files.extend(
            [
                ("apps/shop/shop.yaml", manifests.as_str()),
                ("apps/shop/templates/shop.conf.j2", NGINX),
                ("apps/shop/files/shop.pl", SHOP),
            ]
            .map(|(path, text)| (path.to_owned(), text.to_owned())),
        );
        files
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
        let fingerprint = "SHA256:3kgZw1rVUMN0sUWuD7sBnZsXGgY2gs2b8zLoP9lYd4U";
        for shop in [Shop::well("1.0.0"), Shop::that_cannot_start("1.0.0")] {
            let mut files = shop.files();
            files.push(host("web-1", fingerprint, "shop"));
            for (path, text) in files.iter().filter(|it| it.0.ends_with(".yaml")) {
                let (manifests, faults) = bowline_model::read::manifests(path, text.as_bytes());
                assert!(faults.is_empty(), "{faults}");
                assert!(!manifests.is_empty(), "{path}");
            }
        }
    }
}
