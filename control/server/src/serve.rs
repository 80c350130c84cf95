//! Runs the service until it is told to stop, or its disk fails.
//!
//! **Invariant:** the store is closed after the last request, so nothing that was taken is left behind.

use std::net::SocketAddr;
use std::sync::Arc;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::http::{self, Service};
use crate::settings::Settings;
use crate::store::sqlite::Sqlite;
use crate::store::{Store, StoreFailure};

/// Why the service ended before its time.
#[derive(Debug, Error)]
pub enum Fell {
    /// Its store.
    #[error("keep the service's records")]
    Store(#[from] StoreFailure),
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
            Self::Listen { .. } | Self::Runtime(_) => 1,
        }
    }

    /// What a person can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Store(it) => it.hint(),
            Self::Listen { .. } | Self::Runtime(_) => "",
        }
    }
}

/// The exit code of a store's failure: a person, configuration, or anything else.
pub fn exit_code(failure: &StoreFailure) -> u8 {
    match failure {
        StoreFailure::SyncFailed | StoreFailure::Damaged { .. } => 3,
        StoreFailure::NotOurs { .. } | StoreFailure::Newer { .. } => 2,
        StoreFailure::Full { .. }
        | StoreFailure::Locked { .. }
        | StoreFailure::Closed
        | StoreFailure::Open { .. }
        | StoreFailure::Other { .. } => 1,
    }
}

/// Serves.
pub fn serve(settings: &Settings) -> Result<(), Fell> {
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(&settings.store)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(Fell::Runtime)?;
    let served = runtime.block_on(until_stopped(settings, Arc::clone(&store)));
    // Whatever was cut off lets go of the store here; then its writer ends.
    runtime.shutdown_timeout(settings.limits.stop_time);
    drop(store);
    served
}

async fn until_stopped(settings: &Settings, store: Arc<dyn Store>) -> Result<(), Fell> {
    let address = settings.address;
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|source| Fell::Listen { address, source })?;
    let bound = listener.local_addr().map_err(|source| Fell::Listen { address, source })?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Fell::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Fell::Runtime)?;
    let service = Arc::new(Service::new(store, settings));
    let mut ended = Ok(());
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("asked to stop"),
            _ = interrupt.recv() => tracing::info!("asked to stop"),
            () = service.fell() => ended = Err(Fell::Store(StoreFailure::SyncFailed)),
        }
        service.close_feeds();
    };
    tracing::info!("listens at {bound}");
    http::serve(listener, http::router(Arc::clone(&service)), settings.limits, stop).await;
    ended
}
