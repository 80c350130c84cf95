//! A web server that answers as a test wants it to, however wrong that is.
//!
//! **Invariant:** it listens on loopback, remembers what it was asked, and ends with its value.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

/// A server of one test.
#[derive(Debug)]
pub struct Villain {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// One request that is being answered.
#[derive(Debug)]
pub struct Asked {
    /// The request, head and body.
    pub words: String,
    /// Over which it came.
    pub stream: TcpStream,
    ends: Arc<AtomicBool>,
}

impl Asked {
    /// Whether packs are asked for, and not references.
    pub fn is_for_pack(&self) -> bool {
        self.words.contains("command=fetch")
    }

    /// Answers, and closes the connection.
    pub fn answer(&mut self, status: &str, kind: &str, body: &[u8]) {
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        self.say(head.as_bytes());
        self.say(body);
    }

    /// Answers as Git's service does.
    pub fn serve(&mut self, body: &[u8]) {
        self.answer("200 OK", "application/x-git-upload-pack-result", body);
    }

    /// Begins an answer of Git's service that has no length.
    pub fn begin(&mut self) {
        self.say(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-result\r\n\r\n");
    }

    /// Says something. Gives whether anybody may still hear.
    pub fn say(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok() && !self.ends.load(Ordering::Relaxed)
    }

    /// Says nothing for a moment, or longer, while anybody waits.
    pub fn hold(&mut self, moment: Duration) -> bool {
        let _ = self.stream.set_read_timeout(Some(moment));
        let gone = matches!(self.stream.read(&mut [0; 64]), Ok(0));
        !gone && !self.ends.load(Ordering::Relaxed)
    }
}

impl Villain {
    /// Starts one; `answer` is called for each request.
    pub fn start(mut answer: impl FnMut(&mut Asked) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heard, ends) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let (memory, end) = (Arc::clone(&heard), Arc::clone(&ends));
        let thread = spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let (stream, ends) = (stream, Arc::clone(&end));
                let mut asked = Asked { words: String::new(), stream, ends };
                asked.words = hear(&mut asked.stream);
                let memory: &Mutex<Vec<String>> = &memory;
                memory.lock().unwrap().push(asked.words.clone());
                answer(&mut asked);
            }
        });
        Self { port, heard, ends, thread: Some(thread) }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Everything that it was asked.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for Villain {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        // It waits for a connection, and looks then.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Reads a request: its head, and as much of a body as the head announces.
fn hear(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        if let Some(head) = text.find("\r\n\r\n") {
            let length = text.split("content-length: ").nth(1).unwrap_or("0");
            let length: usize =
                length.lines().next().unwrap_or_default().trim().parse().unwrap_or(0);
            if bytes.len() >= head + 4 + length {
                return text;
            }
        }
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return text,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
        }
    }
}
