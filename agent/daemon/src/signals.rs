//! What the agent is told by signals, from its first moment on.
//!
//! **Invariant:** once they are heard, none of them ends the process by itself.

use std::io;
use std::thread;

use thiserror::Error;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals cannot be heard, or nothing can be run beside the loop.
#[derive(Debug, Error)]
#[error("start the agent's runtime")]
pub struct NoRuntime(#[from] io::Error);

/// The signals, and what runs beside the loop.
#[derive(Debug)]
pub struct Signals {
    pub(crate) runtime: Runtime,
    pub(crate) terminate: Signal,
    pub(crate) interrupt: Signal,
    pub(crate) hang_up: Signal,
}

impl Signals {
    /// Hears signals from now on: until then each would end the process as if it had failed.
    pub fn hear() -> Result<Self, NoRuntime> {
        let runtime = runtime()?;
        let inside = runtime.enter();
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        let hang_up = signal(SignalKind::hangup())?;
        drop(inside);
        Ok(Self { runtime, terminate, interrupt, hang_up })
    }

    /// Waits for the end on a thread of its own: in a single cycle nothing else runs beside the loop.
    pub(crate) fn await_end(self, end: impl FnOnce() + Send + 'static) -> Result<(), NoRuntime> {
        let Self { runtime, mut terminate, mut interrupt, mut hang_up } = self;
        let listen = move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = terminate.recv() => break,
                        _ = interrupt.recv() => break,
                        // The settings of this one cycle were just read.
                        _ = hang_up.recv() => {}
                    }
                }
            });
            end();
        };
        thread::Builder::new().name("signals".to_owned()).spawn(listen)?;
        Ok(())
    }
}

/// What runs beside the loop.
pub(crate) fn runtime() -> Result<Runtime, NoRuntime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
