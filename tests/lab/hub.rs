//! The hub: the host on which the repository is served and hosts' records are kept.
//!
//! **Invariant:** hosts reach it over the network only; the lab reaches it as its operator would.

use std::fs;

use anyhow::{Context as _, Result};

use crate::host::{Ground, Host};
use crate::manual;

/// Its number on the bridge.
const NUMBER: u8 = 2;

/// Git over HTTPS and HTTP by Git's own backend, and the control service behind a proxy that ends TLS.
const NGINX: &str = r"server {
    listen 80;
    listen 443 ssl;
    ssl_certificate /etc/ssl/hub.pem;
    ssl_certificate_key /etc/ssl/hub.key;
    # What hosts send at once is 1 MiB at most.
    client_max_body_size 2m;
    location ~ ^/git(/.*)$ {
        include fastcgi_params;
        fastcgi_param SCRIPT_FILENAME /usr/lib/git-core/git-http-backend;
        fastcgi_param GIT_PROJECT_ROOT /srv/git;
        fastcgi_param GIT_HTTP_EXPORT_ALL 1;
        fastcgi_param PATH_INFO $1;
        fastcgi_pass unix:/run/fcgiwrap.socket;
    }
    location / {
        proxy_pass http://127.0.0.1:9480;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        # Pages are told of news as they come.
        proxy_buffering off;
    }
}
";

/// What its operator types. A certificate of a private authority, an account that may only fetch, and the
/// control service as its manual says.
const INSTALL: &str = r#"
useradd --system --create-home --shell /usr/bin/git-shell git
install -d -o git -m 700 /home/git/.ssh
git config --system safe.directory '*'
cd /etc/ssl
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=lab' -keyout ca.key -out ca.pem
openssl req -newkey rsa:2048 -nodes -subj /CN=hub.lab -keyout hub.key -out hub.csr
printf 'subjectAltName=DNS:hub.lab,IP:10.77.0.2\n' > hub.ext
openssl x509 -req -in hub.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile hub.ext -out hub.pem
rm /etc/nginx/sites-enabled/default
systemctl enable --now --quiet fcgiwrap.socket
systemctl reload nginx
"#;

/// Behind a proxy whoever reads shows a token, of which the settings hold the digest.
const NAME_READER: &str = r#"
TOKEN=$(openssl rand -hex 32)
printf %s "$TOKEN" > /root/board.token
DIGEST=$(printf %s "$TOKEN" | sha256sum | cut -d' ' -f1)
sed -i "s/^tokenSha256 = \[\]/tokenSha256 = [\"$DIGEST\"]/" /etc/bowline/control.toml
systemctl restart bowline-control
"#;

/// Makes the hub, boots it and installs what it serves.
pub(crate) fn raise(ground: &Ground<'_>) -> Result<Host> {
    let mut hub = Host::make(ground, "hub", NUMBER)?;
    hub.start()?;
    hub.await_boot()?;
    fs::write(hub.on_disk("/etc/nginx/conf.d/hub.conf"), NGINX).context("furnish the hub")?;
    hub.run(INSTALL).context("install the hub")?;
    manual::follow(&hub, "control/README.md", "Start")?;
    hub.run(NAME_READER).context("name who may read")?;
    Ok(hub)
}

/// The token that readers show.
pub(crate) fn reader(hub: &Host) -> Result<String> {
    fs::read_to_string(hub.on_disk("/root/board.token")).context("read the readers' token")
}

/// The line of a head that shows it.
pub(crate) fn shown(hub: &Host) -> Result<String> {
    Ok(format!("Authorization: Bearer {}\r\n", reader(hub)?))
}

/// The certificate of the authority that hosts must trust.
pub(crate) fn authority(hub: &Host) -> Result<String> {
    fs::read_to_string(hub.on_disk("/etc/ssl/ca.pem")).context("read the hub's authority")
}
