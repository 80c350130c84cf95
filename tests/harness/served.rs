//! Real servers of a workshop's repository: what they need, how they begin and how they end.
//!
//! **Invariant:** a server listens on loopback only, writes below its workshop, and ends with its value.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::agent::until;

/// Where servers are that no ordinary account calls.
const FOLDERS: [&str; 5] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/bin"];

/// Finds programs that a test needs. Without them it says so and gives `None`; where everything must
/// run, it fails.
pub fn programs(names: &[&str]) -> Option<Vec<PathBuf>> {
    let found =
        |name: &str| FOLDERS.iter().map(|it| Path::new(it).join(name)).find(|it| it.is_file());
    match names.iter().map(|it| found(it).ok_or(*it)).collect() {
        Ok(paths) => Some(paths),
        Err(name) => {
            assert!(std::env::var_os("BOWLINE_CI").is_none(), "{name} is not installed");
            println!("this test needs {name}, which is not installed");
            None
        }
    }
}

/// A port of loopback that nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    child: Child,
}

impl Server {
    /// Starts a server that stays in the foreground, and waits until it listens.
    pub fn start(mut command: Command, port: u16) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut server = Self { child: command.spawn().unwrap() };
        until("the server listens", || {
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none(), "the server ended: {ended:?}");
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Asked, not killed: nginx and sshd end their children themselves.
        let id = self.child.id().to_string();
        drop(Command::new("kill").args(["-TERM", &id]).status());
        drop(self.child.wait());
    }
}
