//! The application that is deployed: a shop that tells its version, and whether it is ready.
//!
//! **Invariant:** its configuration is read once, at start: a new one counts after a restart only.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// How long a client may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The first bytes of a question hold its path.
const QUESTION_BYTES: usize = 1024;

/// What the configuration says.
#[derive(Debug, PartialEq, Eq)]
struct Shop {
    version: String,
    workers: u32,
}

/// Serves until standard input ends: that is, until whoever started it is gone.
pub(crate) fn run(config: &Path, listen: SocketAddr) -> Result<()> {
    let text = fs::read_to_string(config).with_context(|| format!("read {}", config.display()))?;
    let shop =
        Shop::read(&text).with_context(|| format!("{} says too little", config.display()))?;
    let listener = TcpListener::bind(listen).with_context(|| format!("listen at {listen}"))?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away is no event of ours.
            drop(shop.answer(stream));
        }
    });
    std::io::stdin().read_to_end(&mut Vec::new()).context("wait for the end")?;
    Ok(())
}

impl Shop {
    fn read(text: &str) -> Option<Self> {
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key))?;
            Some(line.trim().strip_prefix('=')?.trim().trim_matches('"').to_owned())
        };
        Some(Self { version: value("version")?, workers: value("workers")?.parse().ok()? })
    }

    fn answer(&self, mut stream: TcpStream) -> Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut question = [0; QUESTION_BYTES];
        let length = stream.read(&mut question)?;
        let question = String::from_utf8_lossy(question.get(..length).unwrap_or_default());
        let path = question.split(' ').nth(1).unwrap_or_default();
        let (status, body) = self.say(path);
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        )?;
        Ok(())
    }

    fn say(&self, path: &str) -> (&'static str, String) {
        let Self { version, workers } = self;
        let version = format!("\"version\":\"{version}\"");
        match (path, workers) {
            ("/version", _) => ("200 OK", format!("{{{version}}}")),
            ("/readyz", 0) => ("503 Service Unavailable", format!("{{{version},\"workers\":0}}")),
            ("/readyz", some) => ("200 OK", format!("{{{version},\"workers\":{some}}}")),
            _ => ("404 Not Found", "{}".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shop_without_workers_is_not_ready() {
        for (text, path, expected) in [
            ("version = \"1.0.0\"\nworkers = 4\n", "/readyz", "200 OK"),
            ("version = \"1.0.0\"\nworkers = 0\n", "/readyz", "503 Service Unavailable"),
            ("version = \"1.0.0\"\nworkers = 0\n", "/version", "200 OK"),
            ("version = \"1.0.0\"\nworkers = 4\n", "/", "404 Not Found"),
        ] {
            assert_eq!(Shop::read(text).unwrap().say(path).0, expected, "{text} {path}");
        }
        assert_eq!(Shop::read("version = \"1.0.0\"\n"), None);
    }
}
