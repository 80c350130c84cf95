//! The certificates that are in force, read anew when their files change.
//!
//! **Invariant:** files are looked at before they are read: what is written meanwhile is seen at the next look.
//! **Invariant:** files that cannot be used are told of once for each change, and change nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_api::cause::chain;
use rustls::ServerConfig;
use tokio::signal::unix::Signal;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::{BadCertificates, Files, certificates};
use crate::door::Stamp;

/// Certificates are renewed weeks before they end; a person who tries one out waits for this.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What new connections are taken with.
#[derive(Debug)]
pub struct Certificates {
    files: Files,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    config: Arc<ServerConfig>,
    /// The files as they were before they were read last, whether they could be used or not.
    seen: [Option<Stamp>; 3],
}

/// Why files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// It is time to.
    Time,
    /// Somebody wants it.
    Asked,
}

/// What a look showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looked {
    /// Nothing that is new.
    Same,
    /// Certificates that are in force now.
    Renewed,
    /// Some that cannot be used: those before are in force.
    Kept,
}

impl Certificates {
    /// Reads them for the first time.
    pub fn read(files: &Files) -> Result<Self, BadCertificates> {
        let seen = files.stamps();
        let config = certificates::read(files)?;
        Ok(Self { files: files.clone(), state: Mutex::new(State { config, seen }) })
    }

    /// What the next connection is taken with.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.lock().config)
    }

    /// Whether hosts have to show a certificate.
    pub fn asks_hosts(&self) -> bool {
        self.files.client_ca.is_some()
    }

    /// Looks at the files, and reads them if they changed or somebody asked; gives what came of it.
    fn look(&self, why: Why) -> Looked {
        let seen = self.files.stamps();
        if why == Why::Time && seen == self.lock().seen {
            return Looked::Same;
        }
        let read = certificates::read(&self.files);
        let certificate = self.files.certificate.display();
        let mut state = self.lock();
        state.seen = seen;
        match read {
            Ok(config) => {
                state.config = config;
                tracing::info!(%certificate, "certificates were read anew: connections get them from now on");
                Looked::Renewed
            }
            Err(bad) => {
                let (error, hint) = (chain(&bad), bad.hint());
                tracing::warn!(
                    error,
                    hint,
                    "certificates cannot be used, those before stay in force"
                );
                Looked::Kept
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps certificates current as long as the process runs. `asked` is heard without any, too: by itself that
/// signal would end the service.
pub async fn keep_current(certificates: Option<Arc<Certificates>>, mut asked: Signal) {
    let mut time = interval(LOOK_EVERY);
    time.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let why = tokio::select! {
            _ = time.tick() => Why::Time,
            heard = asked.recv() => match heard {
                Some(()) => Why::Asked,
                None => return,
            },
        };
        match &certificates {
            Some(certificates) => {
                let certificates = Arc::clone(certificates);
                // A disk that hangs keeps nobody from being served. One that panicked is tried again.
                drop(spawn_blocking(move || certificates.look(why)).await);
            }
            None if why == Why::Asked => {
                tracing::info!("nothing is read anew: settings are in force from a restart on");
            }
            None => {}
        }
    }
}
