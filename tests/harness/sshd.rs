//! A real `sshd` before a workshop's repository.
//!
//! **Invariant:** its keys, its configuration and who may come in are the workshop's own.

use std::fs;
use std::process::{Command, Stdio};

use crate::served::{Server, free_port, programs};
use crate::workshop::Workshop;

/// Whether the server lets the client name the protocol's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// It does: Git speaks version 2.
    Passed,
    /// It does not, as Debian's: Git speaks version 0.
    Dropped,
}

/// A running `sshd`.
#[derive(Debug)]
pub struct Sshd {
    port: u16,
    user: String,
    _server: Server,
}

impl Sshd {
    /// Starts one; `None` where there is none.
    pub fn start(shop: &Workshop, version: Version) -> Option<Self> {
        let [sshd, _, _]: [_; 3] =
            programs(&["sshd", "ssh", "git-upload-pack"])?.try_into().unwrap();
        // Debian's `sshd` wants it to be there, and makes it only as a service.
        drop(fs::create_dir("/run/sshd"));
        for name in ["sshd-host", "deploy"] {
            if !shop.key(name).exists() {
                shop.make_key(name, &["-t", "ed25519"]);
            }
        }
        let (folder, port) = (shop.folder().display(), free_port());
        let accepted = match version {
            Version::Passed => "AcceptEnv GIT_PROTOCOL\n",
            Version::Dropped => "",
        };
        fs::copy(format!("{folder}/deploy.key.pub"), format!("{folder}/authorized")).unwrap();
        let text = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {folder}/sshd-host.key\nPidFile none\n\
             AuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n{accepted}"
        );
        let settings = shop.folder().join("sshd_config");
        fs::write(&settings, text).unwrap();
        let mut command = Command::new(sshd);
        command.arg("-D").arg("-f").arg(settings).stderr(Stdio::null());
        let server = Server::start(command, port);
        let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout);
        let this = Self { port, user: user.unwrap().trim().to_owned(), _server: server };
        let host = fs::read_to_string(shop.folder().join("sshd-host.key.pub")).unwrap();
        this.know(shop, &host);
        Some(this)
    }

    /// Writes which key the agent knows the server by.
    pub fn know(&self, shop: &Workshop, key: &str) {
        let line = format!("[127.0.0.1]:{} {key}", self.port);
        fs::write(shop.folder().join("known_hosts"), line).unwrap();
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("ssh://{}@127.0.0.1:{}{path}", self.user, self.port)
    }

    /// Lets the agent fetch a path of this server, with the key and the hosts that the workshop has.
    pub fn become_source(&self, shop: &Workshop, path: &str) {
        shop.fetch_from(
            &format!("\"{}\"", self.url(path)),
            "sshKeyFile = \"deploy.key\"\nknownHostsFile = \"known_hosts\"\n",
        );
    }
}
