//! A real nginx with `git http-backend` before a workshop's repository.
//!
//! **Invariant:** its configuration, its sockets and its logs are in the workshop; it listens on loopback.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::agent::until;
use crate::served::{Server, free_port, programs};
use crate::workshop::Workshop;

/// What of a request and its answer is logged.
const LOG: &str = "$request_method $uri $status $request_length $bytes_sent";

/// A running nginx, and the program that runs Git for it.
#[derive(Debug)]
pub struct Nginx {
    port: u16,
    scheme: &'static str,
    log: PathBuf,
    _server: Server,
    wrap: Child,
}

/// One request, as nginx logged it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Method and path.
    pub what: String,
    /// The answer's status.
    pub status: u16,
    /// Bytes of the request and of its answer, heads included.
    pub bytes: u64,
}

impl Nginx {
    /// Starts one with further lines for the server; `None` where a part of it is missing.
    pub fn start(shop: &Workshop, more: &str) -> Option<Self> {
        Self::begin(shop, "http", more, "")
    }

    /// The same, and Git is not told that the client speaks more than version 0.
    pub fn start_old(shop: &Workshop) -> Option<Self> {
        Self::begin(shop, "http", "", "fastcgi_param HTTP_GIT_PROTOCOL '';")
    }

    /// The same over TLS, with `server.cert.pem` and `server.key.pem`.
    pub fn start_secure(shop: &Workshop, more: &str) -> Option<Self> {
        let folder = shop.folder().display();
        let tls = format!(
            "ssl_certificate {folder}/server.cert.pem;\nssl_certificate_key {folder}/server.key.pem;\n{more}"
        );
        Self::begin(shop, "https", &tls, "")
    }

    fn begin(shop: &Workshop, scheme: &'static str, server: &str, place: &str) -> Option<Self> {
        let [nginx, fcgiwrap]: [_; 2] = programs(&["nginx", "fcgiwrap"])?.try_into().unwrap();
        let port = free_port();
        let folder = shop.folder().join(format!("nginx-{port}"));
        fs::create_dir(&folder).unwrap();
        let socket = folder.join("git.sock");
        let mut wrap = Command::new(fcgiwrap);
        wrap.arg("-s").arg(format!("unix:{}", socket.display()));
        // Git must not meet the account's own configuration.
        wrap.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        wrap.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        wrap.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let wrap = wrap.spawn().unwrap();
        until("fcgiwrap listens", || UnixStream::connect(&socket).is_ok());
        let settings = folder.join("nginx.conf");
        let tls = if scheme == "https" { " ssl" } else { "" };
        let listen = format!("listen 127.0.0.1:{port}{tls};\n{server}");
        let place = format!("{}\n{place}", git(shop, &folder));
        fs::write(&settings, configuration(&folder, &listen, &place)).unwrap();
        let mut command = Command::new(nginx);
        command.arg("-c").arg(&settings).arg("-p").arg(&folder).arg("-e").arg("stderr");
        command.stderr(Stdio::null());
        let server = Server::start(command, port);
        Some(Self { port, scheme, log: folder.join("access.log"), _server: server, wrap })
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.scheme, self.port)
    }

    /// Lets the agent fetch the workshop's repository from here, with further keys of `[source]`.
    pub fn become_source(&self, shop: &Workshop, more: &str) {
        shop.fetch_from(&format!("\"{}\"", self.url("/repo")), more);
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        fs::write(&self.log, "").unwrap();
    }

    /// The requests since then.
    pub fn requests(&self) -> Vec<Request> {
        let text = fs::read_to_string(&self.log).unwrap();
        let one = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            let number = |at: usize| words[at].parse::<u64>().unwrap();
            Request {
                what: words[..2].join(" "),
                status: number(2).try_into().unwrap(),
                bytes: number(3) + number(4),
            }
        };
        text.lines().map(one).collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It serves one request after the other, and holds nothing that it should save.
        drop(self.wrap.kill());
        drop(self.wrap.wait());
    }
}

/// What nginx hands to Git.
fn git(shop: &Workshop, folder: &Path) -> String {
    let backend = Command::new("git").arg("--exec-path").output().unwrap().stdout;
    let backend = String::from_utf8(backend).unwrap();
    format!(
        "fastcgi_param SCRIPT_FILENAME {}/git-http-backend;\nfastcgi_param GIT_PROJECT_ROOT {};\n\
         fastcgi_param GIT_HTTP_EXPORT_ALL 1;\nfastcgi_param PATH_INFO $uri;\n\
         fastcgi_param QUERY_STRING $query_string;\nfastcgi_param REQUEST_METHOD $request_method;\n\
         fastcgi_param CONTENT_TYPE $content_type;\nfastcgi_param CONTENT_LENGTH $content_length;\n\
         fastcgi_pass unix:{}/git.sock;",
        backend.trim(),
        shop.folder().display(),
        folder.display()
    )
}

fn configuration(folder: &Path, server: &str, place: &str) -> String {
    let folder = folder.display();
    let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let places: String =
        places.iter().map(|it| format!("{it}_temp_path {folder}/{it};\n")).collect();
    // As root its workers would change to an account that may not read the workshop.
    let is_root = fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0);
    let user = if is_root { "user root;\n" } else { "" };
    format!(
        "daemon off;\nworker_processes 1;\npid {folder}/nginx.pid;\nerror_log stderr crit;\n{user}\
         events {{}}\nhttp {{\n{places}log_format plain '{LOG}';\naccess_log {folder}/access.log plain;\n\
         server {{\n{server}\nlocation / {{\n{place}\n}}\n}}\n}}\n"
    )
}
