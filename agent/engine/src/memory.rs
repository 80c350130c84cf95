//! What the engine knows beside the phase it is in.
//!
//! **Invariant:** everything here is either a setting, or was durable before it came here, or may be
//! lost and found again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bowline_api::cycle::PolicyStanding;
use bowline_model::facts::Facts;
use bowline_model::generation::{Generation, Ledger};
use bowline_model::high_water::HighWater;
use bowline_model::object_id::ObjectId;
use bowline_model::release::Archive;
use bowline_model::revision::Revision;
use bowline_model::steady::Steady;

use crate::compile::Compiled;
use crate::ending::Ending;
use crate::settings::Settings;
use crate::shortage::Shortage;
use crate::testing::{Retired, Untried};

/// What the engine remembers.
#[derive(Debug, Clone)]
pub struct Memory {
    /// The host's name.
    pub host: String,
    /// How often the repository is asked.
    pub interval: Duration,
    /// What it was told for its cycles; `None` while an earlier process's transaction is ended, for
    /// which neither root of trust nor key is needed.
    pub settings: Option<Arc<Settings>>,
    /// How far this host has verified.
    pub high_water: Option<HighWater>,
    /// What it last committed.
    pub generation: Option<Arc<Generation>>,
    /// What failed.
    pub ledger: Arc<Ledger>,
    /// Since when that stands in good health; `None` while nobody asks.
    pub(crate) steady: Option<Steady>,
    /// What the host tells of itself.
    pub facts: Arc<Facts>,
    /// The last revision that was compiled, for these facts.
    pub compiled: Option<Arc<Compiled>>,
    /// When every managed file was last read, since boot; `None`: not in this process.
    pub last_full: Option<Duration>,
    /// When every managed path was last looked at, since boot.
    pub last_look: Option<Duration>,
    /// A revision that cannot be deployed as things stand, and is not planned anew at every poll.
    pub parked: Option<Parked>,
    /// Archives that could not be had.
    pub(crate) shortage: Shortage,
    /// What the last look left for want of an archive.
    pub(crate) wait: Wait,
    /// Failures in a row.
    pub failures: u32,
    /// The number of the next deployment.
    pub next_deployment: u64,
    /// The refusal or wait that was last reported: one alarm for one cause.
    pub alarmed: Option<(String, String)>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// What each gate says of the newest revision that was judged.
    pub(crate) gates: Gated,
    /// When it was last proved that the newest revision is the newest, in words.
    pub(crate) freshness: String,
    /// Adopted commits that the revision to deploy came by.
    pub(crate) adopted: Gated,
    /// The policy in force, when it was judged last.
    pub(crate) policy: Option<PolicyStanding>,
    /// What the end of a test left to tell: warnings, and probes that fail since. The cycle after it tells them.
    pub(crate) carried: Carried,
    /// Why what is offered to be tried out is not.
    pub untried: Option<Untried>,
    /// The last test that its branch ended.
    pub retired: Option<Retired>,
    /// What is offered and was put off for a repair: that is done once at once, then as often as there are looks.
    pub(crate) preceded: Option<ObjectId>,
}

/// What is durable when the agent starts.
#[derive(Debug, Clone, Default)]
pub struct Durable {
    /// How far this host has verified.
    pub high_water: Option<HighWater>,
    /// What it last committed.
    pub generation: Option<Generation>,
    /// What failed.
    pub ledger: Ledger,
    /// Since when what it committed stands in good health; it may be lost.
    pub steady: Option<Steady>,
}

impl Memory {
    /// The memory of an agent that starts.
    pub fn at_start(host: String, interval: Duration, durable: Durable, facts: Facts) -> Self {
        Self {
            host,
            interval,
            settings: None,
            high_water: durable.high_water,
            generation: durable.generation.map(Arc::new),
            ledger: Arc::new(durable.ledger),
            steady: durable.steady,
            facts: Arc::new(facts),
            compiled: None,
            last_full: None,
            last_look: None,
            parked: None,
            shortage: Shortage::default(),
            wait: Wait::default(),
            failures: 0,
            next_deployment: 1,
            alarmed: None,
            warnings: Vec::new(),
            gates: Gated::default(),
            freshness: String::new(),
            adopted: Gated::default(),
            policy: None,
            carried: Carried::default(),
            untried: None,
            retired: None,
            preceded: None,
        }
    }
}

impl Memory {
    /// What this host last committed, in words.
    pub(crate) fn standing(&self) -> Option<String> {
        self.generation.as_ref().map(|it| it.revision.to_string())
    }

    /// Forgets what was made of settings that are no longer in force.
    pub(crate) fn told(self, settings: &Arc<Settings>) -> Self {
        match &self.settings {
            Some(before) if !before.says_as(settings) => {
                Self { compiled: None, parked: None, last_full: None, last_look: None, ..self }
            }
            _ => self,
        }
    }
}

/// What gates say of a revision, or which adopted commits it came by.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gated {
    /// Which.
    pub(crate) revision: String,
    /// Verdicts or adoptions, as the wire has them.
    pub(crate) verdicts: Vec<serde_json::Value>,
}

/// What one cycle found out and the next one tells.
#[derive(Debug, Clone, Default)]
pub(crate) struct Carried {
    /// What a person should know.
    pub(crate) warnings: Vec<String>,
    /// Probes that fail, by name.
    pub(crate) failing: Vec<String>,
}

/// Archives that members of what stands wait for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wait {
    /// Which.
    pub(crate) archives: BTreeSet<Archive>,
    /// Whether they were put off so that everything else is repaired first: that is done once.
    pub(crate) is_put_off: bool,
}

impl Memory {
    /// Whether an archive for which something waits may be asked for again.
    pub(crate) fn may_supply(&self, now: Duration) -> bool {
        self.wait.archives.iter().any(|it| self.shortage.is_free(it, now))
    }
}

/// A revision that could not be planned.
#[derive(Debug, Clone)]
pub struct Parked {
    /// Which.
    pub revision: Revision,
    /// What was said of it.
    pub ending: Ending,
    /// When it is planned anew, since boot.
    pub until: Duration,
    /// The pause that holds it: it is planned anew as soon as that ends.
    pub pause: Option<String>,
}

/// Every managed path is looked at this often.
pub const LOOK_EVERY: Duration = Duration::from_mins(10);

/// Every managed file is read this often.
pub const READ_EVERY: Duration = Duration::from_hours(6);
