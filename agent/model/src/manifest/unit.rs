//! Kind Unit: a unit of the service manager, its files, and whether it runs.
//!
//! **Invariant:** a unit without files of its own is only told what to do; nothing is asked twice.
//! **Invariant:** what cannot be both, such as masked and started, is refused.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::compose::{Written, Wrongs};
use super::{Claim, Reach, State};
use crate::host_path::HostPath;
use crate::name::{DropInName, UnitName};
use crate::unit::{UnitWish, Verb};

/// Where the files of units stand.
const FOLDER: &str = "/etc/systemd/system";

/// Most drop-ins of one unit: more belong into its own text.
const MAX_DROP_INS: usize = 64;

/// A unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "UnitFields")]
pub struct UnitSpec {
    /// Its full name.
    pub name: UnitName,
    /// Its file's text; `None` for a unit that something else brings.
    pub contents: Option<String>,
    /// Texts that are added to it, by file name.
    pub drop_ins: BTreeMap<DropInName, String>,
    /// Whether it is started at boot; `None`: as it is.
    pub enabled: Option<bool>,
    /// Whether it runs.
    pub state: RunState,
    /// Whether nobody may start it; `None`: as it is.
    pub masked: Option<bool>,
    /// What is done when its files changed while it runs.
    pub on_change: OnChange,
    claims: Claims,
}

/// The paths of a unit's files.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Claims {
    file: HostPath,
    folder: HostPath,
}

/// Whether a unit runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RunState {
    /// It does.
    Started,
    /// It does not.
    Stopped,
    /// Something else decides: a timer, a socket, or its own end.
    Any,
}

/// What is done to a running unit whose files changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnChange {
    /// Stop it and start it.
    Restart,
    /// Have it read its configuration again.
    Reload,
    /// Reload where it can, else restart.
    ReloadOrRestart,
    /// Nothing.
    None,
}

impl OnChange {
    /// What the unit is told, if anything.
    pub const fn verb(self) -> Option<Verb> {
        match self {
            Self::Restart => Some(Verb::Restart),
            Self::Reload => Some(Verb::Reload),
            Self::ReloadOrRestart => Some(Verb::ReloadOrRestart),
            Self::None => None,
        }
    }
}

/// What may be written in a Unit's spec.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "a map")]
pub struct UnitFields {
    /// The unit's full name; by default the manifest's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<UnitName>,
    /// The text of its file; without one the unit is only enabled, started or masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contents: Option<String>,
    /// Texts that are added to the unit, by file name.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 64))]
    drop_ins: BTreeMap<DropInName, String>,
    /// Whether it is started at boot; left as it is where nothing is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    /// Whether it runs; by default `started`. `any`: a timer, a socket or its own end decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<RunState>,
    /// Whether nobody may start it; left as it is where nothing is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    masked: Option<bool>,
    /// What is done when its files changed while it runs; by default `restart`, with state any `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on_change: Option<OnChange>,
}

impl UnitFields {
    /// The fields of a manifest that is called so: its own name stands where no unit's name is written.
    pub(super) fn called(self, manifest: Option<UnitName>) -> Self {
        Self { name: self.name.or(manifest), ..self }
    }

    fn check_masked(&self, state: RunState, wrongs: &mut Wrongs) {
        let has_files = self.contents.is_some() || !self.drop_ins.is_empty();
        if has_files {
            wrongs.add("masked", "masked, with files of its own", "one of them");
        }
        if self.enabled == Some(true) {
            wrongs.add("masked", "masked and enabled", "one of them");
        }
        if state == RunState::Started {
            wrongs.add("state", "masked and started", "state: stopped");
        }
    }

    fn check_template(&self, state: RunState, wrongs: &mut Wrongs) {
        let expected = "a manifest for each instance, such as shop@1.service";
        if self.enabled.is_some() || self.masked.is_some() {
            wrongs.add("enabled", "a template unit that is enabled itself", expected);
        }
        if state != RunState::Any {
            wrongs.add("state", "a template unit that runs itself", expected);
        }
    }

    fn check_files(&self, wrongs: &mut Wrongs) {
        if self.contents.as_ref().is_some_and(|it| it.trim().is_empty()) {
            wrongs.add("contents", "an empty unit file, which masks the unit", "its text");
        }
        if self.drop_ins.len() > MAX_DROP_INS {
            wrongs.add("dropIns", &format!("{} drop-ins", self.drop_ins.len()), "at most 64");
        }
        let texts = || self.contents.iter().chain(self.drop_ins.values());
        let installs = |it: &String| it.lines().any(|line| line.trim() == "[Install]");
        if self.enabled == Some(true) && self.contents.is_some() && !texts().any(installs) {
            let message = "enabled, and its text has no [Install] section";
            wrongs.add("enabled", message, "an [Install] section, such as WantedBy=");
        }
    }
}

impl Written for UnitFields {
    type Spec = UnitSpec;

    fn resolve(self, wrongs: &mut Wrongs) -> Option<UnitSpec> {
        let Some(name) = self.name.clone() else {
            let message = "no unit's name, and the manifest's own is none";
            wrongs.add("name", message, "a unit's full name such as `shop.service`");
            return None;
        };
        let is_template = name.as_str().contains("@.");
        let state = self.state.unwrap_or(match self.masked {
            Some(true) => RunState::Stopped,
            _ if is_template => RunState::Any,
            _ => RunState::Started,
        });
        self.check_files(wrongs);
        if self.masked == Some(true) {
            self.check_masked(state, wrongs);
        }
        if is_template {
            self.check_template(state, wrongs);
        }
        let asks = self.contents.is_some() || !self.drop_ins.is_empty();
        let asks = asks || self.enabled.is_some() || self.masked.is_some();
        if !asks && state == RunState::Any {
            wrongs.add("", "a unit of which nothing is asked", "contents, enabled or state");
        }
        let path = |ending: &str| format!("{FOLDER}/{name}{ending}").parse().ok();
        let (Some(file), Some(folder)) = (path(""), path(".d")) else {
            wrongs.add("name", "a name that is too long for a folder of drop-ins", "a shorter one");
            return None;
        };
        let on_change = match state {
            RunState::Any => OnChange::None,
            RunState::Started | RunState::Stopped => OnChange::Restart,
        };
        Some(UnitSpec {
            contents: self.contents,
            drop_ins: self.drop_ins,
            enabled: self.enabled,
            state,
            masked: self.masked,
            on_change: self.on_change.unwrap_or(on_change),
            claims: Claims { file, folder },
            name,
        })
    }
}

impl UnitSpec {
    /// Its file's path.
    pub fn file(&self) -> &HostPath {
        &self.claims.file
    }

    /// The folder of its drop-ins.
    pub fn folder(&self) -> &HostPath {
        &self.claims.folder
    }

    /// How it should stand.
    pub fn wish(&self) -> UnitWish {
        let up = match self.state {
            RunState::Started => Some(true),
            RunState::Stopped => Some(false),
            RunState::Any => None,
        };
        UnitWish { enabled: self.enabled, masked: self.masked, up }
    }

    /// Whether it is only a template for others: a service manager knows nothing of its state.
    pub fn is_template(&self) -> bool {
        self.name.as_str().contains("@.")
    }

    /// The path that it claims: that of its file, or of its drop-ins' folder.
    pub(super) fn claim(&self) -> Option<Claim<'_>> {
        let state = State::Present;
        if self.contents.is_some() {
            return Some(Claim {
                path: self.file(),
                field: "spec.path",
                reach: Reach::Leaf,
                state,
            });
        }
        let path = self.folder();
        let folder = Claim { path, field: "spec.path", reach: Reach::Tree, state };
        (!self.drop_ins.is_empty()).then_some(folder)
    }
}

impl From<UnitSpec> for UnitFields {
    fn from(spec: UnitSpec) -> Self {
        Self {
            name: Some(spec.name),
            contents: spec.contents,
            drop_ins: spec.drop_ins,
            enabled: spec.enabled,
            state: Some(spec.state),
            masked: spec.masked,
            on_change: Some(spec.on_change),
        }
    }
}
