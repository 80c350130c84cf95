//! Runs the service until it is told to stop, or its disk fails.
//!
//! **Invariant:** the store is closed after the last request, so nothing that was taken is left behind.

use std::net::SocketAddr;
use std::sync::Arc;

use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};

use crate::door;
use crate::herald;
use crate::http::{self, Service};
use crate::settings::{Limits, Settings};
use crate::store::sqlite::Sqlite;
use crate::store::{Store, StoreFailure};
use crate::tls::{self, BadCertificates, Certificates};

/// Files beside connections: the store's, the listener's, the logs', and those that wait for a place.
const OTHER_FILES: u64 = 1500;

/// Why the service ended before its time.
#[derive(Debug, Error)]
pub enum Fell {
    /// Its store.
    #[error("keep the service's records")]
    Store(#[from] StoreFailure),
    /// Its certificates.
    #[error("prepare TLS")]
    Tls(#[from] BadCertificates),
    /// Its address.
    #[error("listen at {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The runtime.
    #[error("start the service's runtime")]
    Runtime(#[source] std::io::Error),
}

impl Fell {
    /// The exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Store(it) => exit_code(it),
            Self::Tls(_) => 2,
            Self::Listen { .. } | Self::Runtime(_) => 1,
        }
    }

    /// What a person can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Store(it) => it.hint(),
            Self::Tls(it) => it.hint(),
            Self::Listen { .. } | Self::Runtime(_) => "",
        }
    }
}

/// The exit code of a store's failure: a person, configuration, or anything else.
pub fn exit_code(failure: &StoreFailure) -> u8 {
    match failure {
        StoreFailure::SyncFailed | StoreFailure::Damaged { .. } => 3,
        StoreFailure::NotOurs { .. }
        | StoreFailure::Mixed { .. }
        | StoreFailure::Doubtful { .. }
        | StoreFailure::Newer { .. }
        | StoreFailure::Older { .. }
        | StoreFailure::Absent { .. } => 2,
        StoreFailure::Full { .. }
        | StoreFailure::NoRoom { .. }
        | StoreFailure::Locked { .. }
        | StoreFailure::Closed
        | StoreFailure::Busy
        | StoreFailure::NoSuchPlace { .. }
        | StoreFailure::Open { .. }
        | StoreFailure::Other { .. } => 1,
    }
}

/// Serves.
pub fn serve(settings: &Settings) -> Result<(), Fell> {
    let certificates = settings.tls.as_ref().map(Certificates::read).transpose()?.map(Arc::new);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(Fell::Runtime)?;
    // From here on nobody ends the service by telling it to read its files again.
    let asked = {
        let _inside = runtime.enter();
        signal(SignalKind::hangup()).map_err(Fell::Runtime)?
    };
    drop(runtime.spawn(tls::keep_current(certificates.clone(), asked)));
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(&settings.store)?);
    let served = runtime.block_on(until_stopped(settings, Arc::clone(&store), certificates));
    // Whatever was cut off lets go of the store here; then its writer ends.
    runtime.shutdown_timeout(settings.limits.stop_time);
    drop(store);
    served
}

/// The limits with no more connections than files may be open: an accept that fails for want of one would be
/// a refusal without a word.
fn within(limits: Limits, files: u64) -> Limits {
    let most = usize::try_from(files.saturating_sub(OTHER_FILES).max(files / 2));
    let connections = limits.connections.min(most.unwrap_or(usize::MAX));
    if connections < limits.connections {
        tracing::warn!(
            files,
            "at most {connections} connections are served: the system lets this process open no more files"
        );
    }
    Limits { connections, ..limits }
}

async fn until_stopped(
    settings: &Settings,
    store: Arc<dyn Store>,
    certificates: Option<Arc<Certificates>>,
) -> Result<(), Fell> {
    let address = settings.address;
    let listener = http::bind(address).map_err(|source| Fell::Listen { address, source })?;
    let bound = listener.local_addr().map_err(|source| Fell::Listen { address, source })?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Fell::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Fell::Runtime)?;
    let limits = within(settings.limits, door::open_files());
    let is_open = certificates.is_none() && !bound.ip().is_loopback();
    let service = Arc::new(Service::new(store, settings, certificates));
    let mut ended = Ok(());
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("asked to stop"),
            _ = interrupt.recv() => tracing::info!("asked to stop"),
            failure = service.fell() => ended = Err(Fell::Store(failure)),
        }
        herald::is_stopping();
        service.close_feeds();
    };
    tracing::info!("listens at {bound}");
    if is_open {
        tracing::warn!(
            "tokens travel in the clear: set [tls], or let a proxy that ends TLS stand in front"
        );
    }
    herald::is_ready();
    http::serve(listener, Arc::clone(&service), limits, stop).await;
    ended
}
