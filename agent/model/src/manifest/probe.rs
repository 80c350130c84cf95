//! Kind Probe: a check that the change works, and the patience it is given.
//!
//! **Invariant:** a probe has exactly one means, and can pass before its deadline.

use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::argv::Argv;
use super::compose::{Written, Wrongs};
use super::http::{Address, HttpProbe};
use crate::duration::Span;
use crate::name::UnitName;

/// Shortest and longest pause between two tries: neither a storm nor a sleep.
const INTERVAL: (Duration, Duration) = (Duration::from_millis(100), Duration::from_hours(1));

/// Longest deadline and soak: a deployment that is open for longer blocks everything behind it.
const LONGEST: Duration = Duration::from_hours(24);

/// What a probe looks at.
const ONE_OF: &str = "exactly one of http, tcp, exec, unit";

/// Most tries in a row that may be asked for.
const MAX_THRESHOLD: u32 = 1_000;

/// A check that the change works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "ProbeFields", try_from = "ProbeFields")]
pub struct ProbeSpec {
    /// How it looks.
    pub means: ProbeMeans,
    /// Pause between two tries.
    pub interval: Span,
    /// How long one try may take.
    pub timeout: Span,
    /// Successes in a row that make it pass.
    pub success_threshold: NonZeroU32,
    /// Failures in a row, after it has passed, that make it fail.
    pub failure_threshold: NonZeroU32,
    /// How long it may take to pass.
    pub deadline: Span,
    /// How long it must hold after it passed.
    pub soak: Span,
    /// Whether it must have passed before the change as well.
    pub baseline: bool,
}

/// How a probe looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeMeans {
    /// Asks over HTTP.
    Http(HttpProbe),
    /// Opens a TCP connection.
    Tcp(TcpProbe),
    /// Runs a command that must succeed.
    Exec(ExecProbe),
    /// Asks the service manager whether a unit runs.
    Unit(UnitProbe),
}

/// A probe that opens a TCP connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a map with address")]
pub struct TcpProbe {
    /// Host and port.
    pub address: Address,
}

/// A probe that runs a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a map with argv")]
pub struct ExecProbe {
    /// The program's absolute path and its arguments; no shell.
    pub argv: Argv,
}

/// A probe that asks whether a unit runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a map with name")]
pub struct UnitProbe {
    /// The unit's full name; a service passes while it is active and running, another unit while it is
    /// active.
    pub name: UnitName,
}

/// What may be written in a Probe's spec.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default, expecting = "a map")]
pub struct ProbeFields {
    /// Ask over HTTP; exactly one of http, tcp, exec, unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<HttpProbe>,
    /// Open a TCP connection; exactly one of http, tcp, exec, unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<TcpProbe>,
    /// Run a command that must succeed; exactly one of http, tcp, exec, unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    exec: Option<ExecProbe>,
    /// Ask the service manager whether a unit runs; exactly one of http, tcp, exec, unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<UnitProbe>,
    /// Pause between two tries.
    interval: Span,
    /// How long one try may take.
    timeout: Span,
    /// Successes in a row that make it pass.
    success_threshold: NonZeroU32,
    /// Failures in a row, after it has passed, that make it fail.
    failure_threshold: NonZeroU32,
    /// How long it may take to pass.
    deadline: Span,
    /// How long it must hold after it passed.
    soak: Span,
    /// It must have passed before the change as well.
    baseline: bool,
}

impl Default for ProbeFields {
    fn default() -> Self {
        const THREE: NonZeroU32 = NonZeroU32::MIN.saturating_add(2);
        Self {
            http: None,
            tcp: None,
            exec: None,
            unit: None,
            interval: Span::from_secs(5),
            timeout: Span::from_secs(3),
            success_threshold: THREE,
            failure_threshold: THREE,
            deadline: Span::from_secs(5 * 60),
            soak: Span::from_secs(60),
            baseline: false,
        }
    }
}

impl ProbeFields {
    fn check_times(&self, wrongs: &mut Wrongs) {
        let (shortest, longest) = INTERVAL;
        let mut within = |field: &str, span: Span, from: Duration, to: Duration, expected: &str| {
            if span.as_duration() < from || span.as_duration() > to {
                wrongs.add(field, &format!("{field} of {span}"), expected);
            }
        };
        let least = Duration::from_millis(1);
        within("interval", self.interval, shortest, longest, "100ms to 1h");
        within("timeout", self.timeout, least, longest, "1ms to 1h");
        within("deadline", self.deadline, least, LONGEST, "1ms to 24h");
        within("soak", self.soak, Duration::ZERO, LONGEST, "at most 24h");
        let thresholds = [
            ("successThreshold", self.success_threshold),
            ("failureThreshold", self.failure_threshold),
        ];
        for (field, threshold) in thresholds {
            if threshold.get() > MAX_THRESHOLD {
                wrongs.add(field, &format!("{field} of {threshold}"), "1 to 1000");
            }
        }
    }
}

impl Written for ProbeFields {
    type Spec = ProbeSpec;

    fn resolve(self, wrongs: &mut Wrongs) -> Option<ProbeSpec> {
        self.check_times(wrongs);
        if let Some(http) = &self.http {
            http.check(wrongs);
        }
        let means = [
            self.http.map(|it| ("http", ProbeMeans::Http(it))),
            self.tcp.map(|it| ("tcp", ProbeMeans::Tcp(it))),
            self.exec.map(|it| ("exec", ProbeMeans::Exec(it))),
            self.unit.map(|it| ("unit", ProbeMeans::Unit(it))),
        ];
        let mut means = means.into_iter().flatten();
        let first = means.next();
        if first.is_none() {
            wrongs.add("", "a probe that looks at nothing", ONE_OF);
        }
        for (field, _) in means {
            wrongs.add(field, "more than one means", ONE_OF);
        }
        Some(ProbeSpec {
            means: first?.1,
            interval: self.interval,
            timeout: self.timeout,
            success_threshold: self.success_threshold,
            failure_threshold: self.failure_threshold,
            deadline: self.deadline,
            soak: self.soak,
            baseline: self.baseline,
        })
    }
}

impl TryFrom<ProbeFields> for ProbeSpec {
    type Error = &'static str;

    fn try_from(fields: ProbeFields) -> Result<Self, Self::Error> {
        let mut wrongs = Wrongs::default();
        let spec = fields.resolve(&mut wrongs).filter(|_| wrongs.is_empty());
        spec.ok_or("not a probe that a manifest could declare")
    }
}

impl From<ProbeSpec> for ProbeFields {
    fn from(spec: ProbeSpec) -> Self {
        let (http, tcp, exec, unit) = match spec.means {
            ProbeMeans::Http(it) => (Some(it), None, None, None),
            ProbeMeans::Tcp(it) => (None, Some(it), None, None),
            ProbeMeans::Exec(it) => (None, None, Some(it), None),
            ProbeMeans::Unit(it) => (None, None, None, Some(it)),
        };
        Self {
            http,
            tcp,
            exec,
            unit,
            interval: spec.interval,
            timeout: spec.timeout,
            success_threshold: spec.success_threshold,
            failure_threshold: spec.failure_threshold,
            deadline: spec.deadline,
            soak: spec.soak,
            baseline: spec.baseline,
        }
    }
}
