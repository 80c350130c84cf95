//! Stands for systemd: the demo keeps one unit, the shop, and restarts it when the agent asks.
//!
//! The agent calls `PROGRAM ACTION UNIT`; the program is a script of one line that runs this same
//! binary, which passes the request on to the demo that listens at a socket.
//!
//! **Invariant:** the shop is a child of the demo, and ends with it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::place::Place;

/// The one unit.
pub(crate) const SHOP: &str = "shop.service";

/// Starting a program takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// A request is two words.
const REQUEST_BYTES_MAX: u64 = 256;

/// What a request that was carried out is answered with.
const DONE: &str = "done";

/// The unit, and where requests come in.
#[derive(Debug)]
pub(crate) struct Units {
    shop: Arc<Shop>,
}

#[derive(Debug)]
struct Shop {
    config: PathBuf,
    listen: SocketAddr,
    running: Mutex<Option<Child>>,
}

impl Units {
    /// Begins to take requests; the shop does not run yet.
    pub(crate) fn serve(place: &Place, listen: SocketAddr) -> Result<Self> {
        let config = place.host.join("etc/shop/shop.toml");
        let shop = Arc::new(Shop { config, listen, running: Mutex::new(None) });
        let listener =
            UnixListener::bind(&place.units).context("listen for the agent's requests")?;
        let served = Arc::clone(&shop);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // The agent hears of a request that fails; one that was broken off is its affair.
                drop(served.attend(stream));
            }
        });
        Ok(Self { shop })
    }

    /// The shop's process, while it runs.
    pub(crate) fn shop_pid(&self) -> Option<u32> {
        let mut running = self.shop.running.lock().unwrap_or_else(PoisonError::into_inner);
        let child = running.as_mut()?;
        child.try_wait().ok()?.is_none().then(|| child.id())
    }
}

impl Drop for Units {
    fn drop(&mut self) {
        // It can fail only for a process that has ended.
        drop(self.shop.stop());
    }
}

impl Shop {
    fn attend(&self, mut stream: UnixStream) -> Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut request = String::new();
        BufReader::new((&stream).take(REQUEST_BYTES_MAX)).read_line(&mut request)?;
        let answer = match self.act(request.trim()) {
            Ok(()) => DONE.to_owned(),
            Err(error) => format!("{error:#}"),
        };
        stream.write_all(answer.as_bytes())?;
        Ok(())
    }

    fn act(&self, request: &str) -> Result<()> {
        match request.split_once(' ') {
            Some(("start" | "restart", SHOP)) => self.restart(),
            Some(("stop", SHOP)) => self.stop(),
            Some((action, SHOP)) => bail!("the shop does not understand {action:?}"),
            _ => bail!("there is no such unit: {request:?}"),
        }
    }

    fn restart(&self) -> Result<()> {
        self.stop()?;
        let demo = std::env::current_exe().context("find the demo's own program")?;
        // Its input ends when the demo does, and then so does the shop.
        let child = Command::new(demo)
            .args(["app", "--listen", &self.listen.to_string(), "--config"])
            .arg(&self.config)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("start the shop")?;
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        Ok(())
    }

    fn stop(&self) -> Result<()> {
        let child = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut child) = child {
            child.kill().context("stop the shop")?;
            child.wait().context("wait for the shop's end")?;
        }
        Ok(())
    }
}

/// Passes a request of the agent on to the demo.
pub(crate) fn ask(socket: &Path, action: &str, unit: &str) -> Result<()> {
    let mut stream = UnixStream::connect(socket).context("reach the demo")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    writeln!(stream, "{action} {unit}").context("ask the demo")?;
    let mut answer = String::new();
    stream.take(REQUEST_BYTES_MAX).read_to_string(&mut answer).context("hear the demo's answer")?;
    if answer == DONE {
        return Ok(());
    }
    bail!("{action} {unit}: {answer}")
}
