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
/// Whether what an earlier process left is ended, and no person is needed.
pub const READYZ: &str = "/readyz";
/// What a cycle would do now: [`PlanView`](crate::cycle::PlanView).
pub const PLAN: &str = "/v1/plan";
/// What happens, as it happens: server-sent events.
pub const EVENTS: &str = "/v1/events";
/// Holds deployments and repairs.
pub const PAUSE: &str = "/v1/pause";
/// Ends a pause.
pub const RESUME: &str = "/v1/resume";
/// Goes back to the generation before.
pub const REVERT: &str = "/v1/revert";
/// Tries once more what failed.
pub const RETRY: &str = "/v1/retry";
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
/// The control service: one record as its host wrote it.
pub const FLEET_ENVELOPE: &str = "/api/v1/envelope";
/// The control service: what is heard from hosts, as it comes.
pub const FLEET_EVENTS: &str = "/api/v1/events";
/// Figures for Prometheus, of the agent and of the control service.
pub const METRICS: &str = "/metrics";
/// The control service: its own description.
pub const OPENAPI: &str = "/openapi.json";

/// The control service's pages: the board of all hosts.
pub const BOARD: &str = "/";
/// The board as JSON.
pub const BOARD_TWIN: &str = "/board.json";
/// Commits and hosts.
pub const MATRIX: &str = "/matrix";
/// The same as JSON.
pub const MATRIX_TWIN: &str = "/matrix.json";
/// One host: this, a slash and its name; its JSON behind `.json`.
pub const HOST_PAGES: &str = "/hosts";
/// One deployment: this, a slash, its host, a slash and its id; its JSON behind `.json`.
pub const DEPLOYMENT_PAGES: &str = "/deployments";
/// Where a person becomes a reader.
pub const LOGIN: &str = "/login";
/// Where a person stops being one.
pub const LOGOUT: &str = "/logout";
