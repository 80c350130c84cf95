//! Paths of the local API.
//!
//! **Invariant:** a path stands here once; server and client both read it from here.

/// Whether the process runs.
pub const HEALTHZ: &str = "/healthz";
/// [`Status`](crate::status::Status).
pub const STATUS: &str = "/v1/status";
/// The host's records, newest first.
pub const HISTORY: &str = "/v1/history";
/// One deployment's record: this, a slash, and its id.
pub const DEPLOYMENTS: &str = "/v1/deployments";
/// Asks for a cycle now.
pub const SYNC: &str = "/v1/sync";
