//! Fetches an archive into a file, and digests it on its way.
//!
//! **Invariant:** no server hears a credential; a redirect is followed a few times, and never away from TLS.
//! **Invariant:** size and time are limited; what has another digest than was asked for is not kept.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bowline_model::digest::Sha256Stream;
use bowline_model::host_path::HostPath;
use bowline_model::release::Wanted;

use super::failure::ArtifactFailure;
use crate::door::root::Root;
use crate::door::{clock, files};
use crate::failure::OsFailure;
use crate::http::tls::Trust;
use crate::http::{
    Access, Address, BlockingClient, BlockingReply, Call, Client, HttpFailure, Limits, Redirect,
    Scheme,
};
use crate::settings;

/// A server farther away than this is down.
const CONNECT: Duration = Duration::from_secs(10);

/// A store may fetch a release from a slower one before it says a word.
const SILENCE: Duration = Duration::from_secs(30);

/// Heads of answers; addresses that are signed for a while are long.
const HEAD_BYTES: usize = 32 << 10;

/// A release server sends to its store, and that to one near by; more is a loop.
const REDIRECTS_MAX: usize = 5;

/// Bytes of a file that are moved at once.
const PIECE: usize = 64 << 10;

/// By what means, how much and how long.
#[derive(Debug, Clone)]
pub(super) struct Means {
    pub(super) access: settings::Access,
    pub(super) bytes: u64,
    pub(super) time: Duration,
    pub(super) stop: Arc<AtomicBool>,
    /// Bytes of answers so far.
    pub(super) received: Arc<AtomicU64>,
}

/// Fetches an archive into a file that did not count before.
pub(super) fn download(
    root: &Root,
    wanted: &Wanted,
    into: &Path,
    means: &Means,
) -> Result<(), ArtifactFailure> {
    let url = wanted.url.shown().to_owned();
    let keep = |source| ArtifactFailure::Os { url: url.clone(), source };
    let file = files::create(into, 0o600).map_err(keep)?;
    let mut taken =
        Taken { url: url.clone(), file, into, digest: Sha256Stream::new(), left: means.bytes };
    match wanted.url.file() {
        Some(path) => copy(root, &path, &mut taken, means)?,
        None => ask(wanted, &mut taken, means)?,
    }
    let (found, expected) = (taken.digest.finish(), wanted.archive.sha256);
    if found != expected {
        return Err(ArtifactFailure::Digest { url, found, expected });
    }
    Ok(())
}

/// What has come so far.
struct Taken<'a> {
    url: String,
    file: File,
    into: &'a Path,
    digest: Sha256Stream,
    left: u64,
}

impl Taken<'_> {
    fn add(&mut self, bytes: &[u8], means: &Means) -> Result<(), ArtifactFailure> {
        let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
            return Err(ArtifactFailure::TooLarge { url: self.url.clone(), limit: means.bytes });
        };
        self.left = left;
        self.digest.update(bytes);
        files::write_all(&self.file, self.into, bytes)
            .map_err(|source| ArtifactFailure::Os { url: self.url.clone(), source })
    }

    fn heard(&self, source: HttpFailure, means: &Means) -> ArtifactFailure {
        let url = self.url.clone();
        match source {
            HttpFailure::TooLarge { what: "body", .. } => {
                ArtifactFailure::TooLarge { url, limit: means.bytes }
            }
            source => ArtifactFailure::Http { url, source: Box::new(source) },
        }
    }
}

/// A file of this host.
fn copy(
    root: &Root,
    path: &HostPath,
    taken: &mut Taken<'_>,
    means: &Means,
) -> Result<(), ArtifactFailure> {
    let url = taken.url.clone();
    let at = root.outside(path.as_str());
    let failed = |source| ArtifactFailure::Os { url: url.clone(), source };
    let file = files::look(&at).map_err(failed)?;
    let is_file = |it: &File| it.metadata().is_ok_and(|it| it.is_file());
    let Some(mut file) = file.filter(is_file) else {
        return Err(ArtifactFailure::Missing { url });
    };
    let mut piece = vec![0; PIECE];
    let until = clock::monotonic() + means.time;
    loop {
        // The disk may be another machine's, which answers when it likes.
        if means.stop.load(Ordering::Relaxed) {
            return Err(ArtifactFailure::Stopped { url });
        }
        if clock::monotonic() >= until {
            return Err(ArtifactFailure::Late { url, seconds: means.time.as_secs() });
        }
        let read = file.read(&mut piece).map_err(|it| failed(OsFailure::new("read", &at, it)))?;
        if read == 0 {
            return Ok(());
        }
        taken.add(piece.get(..read).unwrap_or_default(), means)?;
    }
}

/// A file of a server.
fn ask(wanted: &Wanted, taken: &mut Taken<'_>, means: &Means) -> Result<(), ArtifactFailure> {
    let mut to = address(wanted.url.as_str(), taken)?;
    let access = Access {
        // No certificate of the host's own: that one is for the repository's server.
        trust: Trust::of(means.access.ca.clone(), None),
        proxy: means.access.proxy.clone(),
        limits: Limits {
            connect: CONNECT.min(means.time),
            silence: SILENCE.min(means.time),
            total: means.time,
            head_bytes: HEAD_BYTES,
            body_bytes: means.bytes,
        },
        stop: Arc::clone(&means.stop),
    };
    let client = BlockingClient::new(Client::new(access)).map_err(|source| {
        let source = OsFailure::new("prepare to ask", &taken.url, source);
        ArtifactFailure::Os { url: taken.url.clone(), source }
    })?;
    let until = clock::monotonic() + means.time;
    for _ in 0..=REDIRECTS_MAX {
        let left = until.saturating_sub(clock::monotonic());
        let reply = client.send_within(&Call::fetch(to.clone()), left);
        let mut reply = reply.map_err(|it| taken.heard(it, means))?;
        let target = reply.redirect_target().map_err(|it| taken.heard(it, means))?;
        let refused = |why| ArtifactFailure::Redirect { url: taken.url.clone(), why };
        to = match target {
            None => return receive(&mut reply, taken, means),
            Some(Redirect::Within(to)) => to,
            Some(Redirect::Unprotected(to)) => {
                return Err(refused(format!("it leads away from TLS, to {to}")));
            }
            Some(Redirect::Elsewhere(to)) if to.scheme() == Scheme::Http && !to.is_loopback() => {
                return Err(refused(format!("it leads to another machine in the clear, to {to}")));
            }
            Some(Redirect::Elsewhere(to)) => to,
        };
    }
    let why = format!("does so more than {REDIRECTS_MAX} times");
    Err(ArtifactFailure::Redirect { url: taken.url.clone(), why })
}

fn address(url: &str, taken: &Taken<'_>) -> Result<Address, ArtifactFailure> {
    Address::parse(url).map_err(|source| {
        let source = Box::new(HttpFailure::Location { peer: taken.url.clone(), source });
        ArtifactFailure::Http { url: taken.url.clone(), source }
    })
}

fn receive(
    reply: &mut BlockingReply,
    taken: &mut Taken<'_>,
    means: &Means,
) -> Result<(), ArtifactFailure> {
    if reply.status() != 200 {
        return Err(ArtifactFailure::Status { url: taken.url.clone(), status: reply.status() });
    }
    while let Some(bytes) = reply.chunk().map_err(|it| taken.heard(it, means))? {
        means.received.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        taken.add(&bytes, means)?;
    }
    Ok(())
}
