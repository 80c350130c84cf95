//! Kind Repository: what `bowline.yaml` says of the whole repository.
//!
//! **Invariant:** a folder that is not listed holds no manifests.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::compose::{Written, Wrongs};
use crate::duration::Span;
use crate::host_path::RepoPath;
use crate::manifest_files::CONTENT_FOLDERS;
use crate::word::word;

/// Most folders and waves: lists that people read.
const MAX_ENTRIES: usize = 64;

word!(
    /// A version of the agent.
    AgentVersion,
    "a version of three numbers such as 0.1.0, in quotes",
    "^[0-9]+\\.[0-9]+\\.[0-9]+$",
    |text| {
        let parts: Vec<&str> = text.split('.').collect();
        let plain = |it: &&str| it.parse::<u32>().is_ok_and(|number| number.to_string() == **it);
        let good = parts.len() == 3 && parts.iter().all(plain);
        good.then_some(()).ok_or("is not three numbers")
    }
);

impl AgentVersion {
    /// The three numbers, for comparing.
    pub fn numbers(&self) -> (u32, u32, u32) {
        let mut parts = self.as_str().split('.').map(|it| it.parse().unwrap_or(0));
        let mut next = || parts.next().unwrap_or(0);
        (next(), next(), next())
    }
}

/// What holds for the whole repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a map with folders")]
pub struct RepositorySpec {
    /// The folders that hold manifests.
    #[schemars(length(min = 1, max = 64))]
    pub folders: Vec<RepoPath>,
    /// The oldest agent that understands them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_agent: Option<AgentVersion>,
    /// How a revision spreads over the fleet, where nothing else is said.
    #[serde(default)]
    pub rollout: RolloutDefaults,
}

/// How a revision spreads over the fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default, expecting = "a map")]
pub struct RolloutDefaults {
    /// How many hosts take part in each wave: numbers, or shares such as "25%".
    #[schemars(length(min = 1, max = 64))]
    pub waves: Vec<Wave>,
    /// Pause between two waves.
    pub pause: Span,
    /// How many reverts stop the rollout.
    #[schemars(range(min = 1))]
    pub halt_on_revert: u32,
}

impl Default for RolloutDefaults {
    fn default() -> Self {
        Self {
            waves: vec![Wave::Hosts(1), Wave::Percent(25), Wave::Percent(100)],
            pause: Span::from_secs(10 * 60),
            halt_on_revert: 1,
        }
    }
}

/// How far one wave goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(untagged)]
pub enum Wave {
    /// To this many hosts.
    Hosts(#[schemars(range(min = 1))] u32),
    /// To this share of all hosts, such as "25%".
    Percent(#[schemars(with = "String", regex(pattern = "^[0-9]{1,3}%$"))] u8),
}

impl Serialize for Wave {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Hosts(count) => to.serialize_u32(*count),
            Self::Percent(share) => to.collect_str(&format_args!("{share}%")),
        }
    }
}

impl<'de> Deserialize<'de> for Wave {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reading;

        impl Visitor<'_> for Reading {
            type Value = Wave;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"a number of hosts from 1, or a share from "1%" to "100%""#)
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> Result<Wave, E> {
                let count = u32::try_from(count).ok().filter(|it| *it > 0);
                let refused = || E::invalid_value(de::Unexpected::Other("that number"), &self);
                count.map(Wave::Hosts).ok_or_else(refused)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Wave, E> {
                let share = text.strip_suffix('%').and_then(|it| it.parse::<u8>().ok());
                let share = share.filter(|it| (1..=100).contains(it) && format!("{it}%") == text);
                let refused = || E::invalid_value(de::Unexpected::Str(text), &self);
                share.map(Wave::Percent).ok_or_else(refused)
            }
        }

        from.deserialize_any(Reading)
    }
}

impl Written for RepositorySpec {
    type Spec = Self;

    fn resolve(self, wrongs: &mut Wrongs) -> Option<Self> {
        if self.folders.is_empty() || self.folders.len() > MAX_ENTRIES {
            wrongs.add("folders", &format!("{} folders", self.folders.len()), "1 to 64 folders");
        }
        let mut seen = BTreeSet::new();
        for (index, folder) in self.folders.iter().enumerate() {
            if !seen.insert(folder) {
                wrongs.add(&format!("folders[{index}]"), "a folder twice", "each folder once");
            }
            if folder.as_str().split('/').any(|it| CONTENT_FOLDERS.contains(&it)) {
                let message = "a folder of contents, which holds no manifests";
                let expected =
                    format!("a folder that is not within {}", CONTENT_FOLDERS.join(", "));
                wrongs.add(&format!("folders[{index}]"), message, &expected);
            }
        }
        let waves = self.rollout.waves.len();
        if waves == 0 || waves > MAX_ENTRIES {
            wrongs.add("rollout.waves", &format!("{waves} waves"), "1 to 64 waves");
        }
        if self.rollout.halt_on_revert == 0 {
            let message = "a rollout that no revert stops";
            wrongs.add("rollout.haltOnRevert", message, "1 or more");
        }
        Some(self)
    }
}
