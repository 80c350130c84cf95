//! Waiting: always for something named, never without a limit, and never against Ctrl-C.
//!
//! **Invariant:** a signal only raises a flag; whoever waits sees it and ends in order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

/// Between two looks: short beside every phase worth showing, long beside the look itself.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// How often somebody who waits for Ctrl-C looks up.
const LOOK_UP: Duration = Duration::from_millis(100);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Listens for Ctrl-C and its relatives from now on.
pub fn listen() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .context("listen for signals")?;
    // Handlers stand before anything is started that would have to be ended.
    let (mut interrupt, mut terminate, mut hang_up) = {
        let _inside = runtime.enter();
        let open = |kind| signal(kind).context("listen for signals");
        (
            open(SignalKind::interrupt())?,
            open(SignalKind::terminate())?,
            open(SignalKind::hangup())?,
        )
    };
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
            INTERRUPTED.store(true, Ordering::Relaxed);
            // The handlers stay: a second Ctrl-C must not cut the tidying short.
            std::future::pending::<()>().await;
        });
    });
    Ok(())
}

/// Whether this program was asked to end.
pub fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Fails once this program was asked to end.
pub fn check() -> Result<()> {
    if is_interrupted() {
        bail!("interrupted");
    }
    Ok(())
}

/// Looks until there is something, for a limited time.
pub fn until<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    until_even_if_interrupted(what, limit, || match look()? {
        Some(found) => Ok(Some(found)),
        None => check().map(|()| None),
    })
}

/// The same for tidying up, which Ctrl-C must not cut short.
pub fn until_even_if_interrupted<T>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if began.elapsed() > limit {
            bail!("waited {} s for {what}, in vain", limit.as_secs());
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// Waits for Ctrl-C, and fails when what should stay up does not.
pub fn until_interrupted(mut still_well: impl FnMut() -> Result<()>) -> Result<()> {
    while !is_interrupted() {
        still_well()?;
        thread::sleep(LOOK_UP);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_come_is_named() {
        let failure = until("rain", Duration::ZERO, || Ok(None::<()>)).unwrap_err();
        assert_eq!(failure.to_string(), "waited 0 s for rain, in vain");
        assert_eq!(until("rain", Duration::ZERO, || Ok(Some(1))).unwrap(), 1);
    }
}
