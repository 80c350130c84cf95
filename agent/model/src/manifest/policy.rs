//! How changes to one manifest's object are handled.
//!
//! **Invariant:** a manifest that gives up its way back says why.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// How changes are handled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default, expecting = "a map")]
pub struct Policy {
    /// When it left the repository.
    pub prune: Prune,
    /// When someone else made it before.
    pub adopt: Adopt,
    /// When someone else changed it.
    pub drift: Drift,
    /// Whether it can be taken back: `auto`, or `{none: "why"}`.
    pub rollback: Rollback,
    /// When an undo finds someone else's change.
    pub on_conflict: OnConflict,
    /// Whether a reboot may be needed.
    pub reboot: Reboot,
    /// Refuse plans in which it could not be taken back.
    pub require_reversible: bool,
    /// How content reaches its place.
    pub write_strategy: WriteStrategy,
}

/// What happens to an object whose manifest is gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Prune {
    /// Removed if the agent created it.
    #[default]
    Auto,
    /// Held until a person confirms.
    Confirm,
    /// Left alone.
    Never,
}

/// What happens to an object that was there before its manifest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Adopt {
    /// A conflict.
    Never,
    /// Taken over if it is as wanted, else a conflict.
    #[default]
    IfIdentical,
    /// Taken over; what it was is kept.
    Always,
}

/// What happens when someone else changes the object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Drift {
    /// Put right.
    #[default]
    Repair,
    /// Reported.
    Detect,
    /// Not looked at.
    Ignore,
}

/// Whether the object's change can be taken back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Rollback {
    /// As its kind can.
    #[default]
    Auto,
    /// Not at all, for this reason: it counts as irreversible.
    None(String),
}

/// What an undo does where someone else changed the object since.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OnConflict {
    /// Goes back, and keeps the other's version under a name.
    #[default]
    KeepCopy,
    /// Stops and asks for a person.
    Fail,
}

/// Whether a reboot may be needed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Reboot {
    /// No.
    #[default]
    Never,
    /// Yes.
    Allowed,
}

/// How content reaches its place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum WriteStrategy {
    /// Staged and exchanged: all or nothing.
    #[default]
    Exchange,
    /// Written over: not crash-atomic, and the plan says so.
    InPlace,
}

/// How a missing way back is written.
const ROLLBACK: &str = r#"auto, or {none: "why it cannot be taken back"}"#;

impl<'de> Deserialize<'de> for Rollback {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reading;

        impl<'de> Visitor<'de> for Reading {
            type Value = Rollback;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(ROLLBACK)
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Rollback, E> {
                match word {
                    "auto" => Ok(Rollback::Auto),
                    "none" => {
                        let found = de::Unexpected::Other("none without a reason");
                        Err(E::invalid_value(found, &self))
                    }
                    _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Rollback, A::Error> {
                let mut reason: Option<String> = None;
                while let Some(key) = map.next_key::<String>()? {
                    if key != "none" {
                        return Err(de::Error::unknown_field(&key, &["none"]));
                    }
                    reason = Some(map.next_value()?);
                }
                let reason = reason.filter(|it| !it.trim().is_empty());
                let found = de::Unexpected::Other("none without a reason");
                let refused = || de::Error::invalid_value(found, &self);
                reason.map(Rollback::None).ok_or_else(refused)
            }
        }

        from.deserialize_any(Reading)
    }
}
