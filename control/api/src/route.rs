//! Paths of the local API, and of the control service.
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

/// The control service: takes a host's key.
pub const ENROL: &str = "/agent/v1/enrol";
/// The control service: takes a host's records.
pub const RECORDS: &str = "/agent/v1/records";
/// The control service: all hosts; this, a slash and a name: one of them.
pub const FLEET_HOSTS: &str = "/api/v1/hosts";
/// The control service: deployments on all hosts, newest first.
pub const FLEET_DEPLOYMENTS: &str = "/api/v1/deployments";
/// The control service: commits, newest first.
pub const FLEET_COMMITS: &str = "/api/v1/commits";
/// The control service: where a commit is.
pub const FLEET_WHERE: &str = "/api/v1/where";
/// The control service: figures for Prometheus.
pub const METRICS: &str = "/metrics";
/// The control service: its own description.
pub const OPENAPI: &str = "/openapi.json";
