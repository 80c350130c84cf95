//! How a unit of the service manager stands, and what it can be told.
//!
//! **Invariant:** what nobody looked at, or nobody asks for, is `None`: it is neither compared nor
//! brought back.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a service manager looks for units' files.
pub const UNIT_FOLDERS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// How a unit stands, as far as somebody asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitState {
    /// What its file says of the next boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<Enablement>,
    /// Whether it runs, or is about to: also between two tries of one that fails again and again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up: Option<bool>,
}

/// How a unit should stand, as far as a manifest says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitWish {
    /// Whether it is started at boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Whether nobody may start it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked: Option<bool>,
    /// Whether it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up: Option<bool>,
}

/// What a unit's file says of the next boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Enablement {
    /// It is started.
    Enabled,
    /// It is not, but could be.
    Disabled,
    /// It cannot be started at all.
    Masked,
    /// Nothing can be said of it: it has no `[Install]`, or was made by a generator.
    Fixed,
    /// There is no such unit.
    Missing,
}

impl UnitState {
    /// Whether nothing that is known here is otherwise there. Whether a unit that is not enabled could
    /// be, its files say, and they are compared by themselves.
    pub fn is_like(&self, other: &Self) -> bool {
        let plain = |it: Enablement| match it {
            Enablement::Enabled | Enablement::Masked => it,
            Enablement::Disabled | Enablement::Fixed | Enablement::Missing => Enablement::Disabled,
        };
        let enabled = self.enabled.is_none_or(|it| other.enabled.map(plain) == Some(plain(it)));
        enabled && self.up.is_none_or(|it| other.up == Some(it))
    }
}

impl fmt::Display for UnitState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let enabled = match self.enabled {
            None => "not asked",
            Some(Enablement::Enabled) => "enabled",
            Some(Enablement::Disabled) => "disabled",
            Some(Enablement::Masked) => "masked",
            Some(Enablement::Fixed) => "without [Install]",
            Some(Enablement::Missing) => "missing",
        };
        let up = match self.up {
            None => "",
            Some(true) => " and up",
            Some(false) => " and down",
        };
        write!(f, "{enabled}{up}")
    }
}

/// What a service manager is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Run it.
    Start,
    /// End it.
    Stop,
    /// End it and run it.
    Restart,
    /// Have it read its configuration again.
    Reload,
    /// Reload where it can, else restart.
    ReloadOrRestart,
    /// Run it at the next boot.
    Enable,
    /// Do not run it at the next boot.
    Disable,
    /// Let nobody start it.
    Mask,
    /// Let it be started again.
    Unmask,
    /// Read all units' files again.
    DaemonReload,
}

impl Verb {
    /// The word that a service manager is called with.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::ReloadOrRestart => "reload-or-restart",
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::Mask => "mask",
            Self::Unmask => "unmask",
            Self::DaemonReload => "daemon-reload",
        }
    }

    /// Whether it makes a job of the unit's process, whose end decides.
    pub const fn is_job(self) -> bool {
        matches!(
            self,
            Self::Start | Self::Stop | Self::Restart | Self::Reload | Self::ReloadOrRestart
        )
    }

    /// Whether a unit that stands so is already as this verb would leave it.
    pub fn is_met(self, by: UnitState) -> bool {
        match self {
            Self::Start => by.up == Some(true),
            Self::Stop => by.up == Some(false),
            Self::Enable => by.enabled == Some(Enablement::Enabled),
            Self::Disable => by.enabled.is_some_and(|it| it != Enablement::Enabled),
            Self::Mask => by.enabled == Some(Enablement::Masked),
            Self::Unmask => by.enabled.is_some_and(|it| it != Enablement::Masked),
            Self::Restart | Self::Reload | Self::ReloadOrRestart | Self::DaemonReload => false,
        }
    }
}

/// The unit that a path is the file of, or a drop-in's folder, or what lies in that.
pub fn unit_of(path: &str) -> Option<&str> {
    let below = UNIT_FOLDERS.iter().find_map(|it| path.strip_prefix(it)?.strip_prefix('/'))?;
    let first = below.split('/').next()?;
    match first.strip_suffix(".d") {
        Some(unit) => Some(unit),
        None => (first == below).then_some(first),
    }
}

/// Whether a unit is made by these files: its own, or those of its template.
pub fn is_made_by(unit: &str, files_of: &str) -> bool {
    let template = || {
        let (stem, rest) = unit.split_once('@')?;
        let (_, kind) = rest.rsplit_once('.')?;
        Some(format!("{stem}@.{kind}"))
    };
    unit == files_of || template().is_some_and(|it| it == files_of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_tells_its_unit() {
        for (path, unit) in [
            ("/etc/systemd/system/shop.service", Some("shop.service")),
            ("/lib/systemd/system/shop.service", Some("shop.service")),
            ("/etc/systemd/system/shop.service.d", Some("shop.service")),
            ("/etc/systemd/system/shop.service.d/10-limits.conf", Some("shop.service")),
            ("/etc/systemd/system/multi-user.target.wants/shop.service", None),
            ("/etc/systemd/system", None),
            ("/etc/systemd/systemx/shop.service", None),
            ("/etc/shop.service", None),
        ] {
            assert_eq!(unit_of(path), unit, "{path}");
        }
    }

    #[test]
    fn an_instance_is_made_by_its_template() {
        for (unit, files_of, made) in [
            ("shop@1.service", "shop@.service", true),
            ("shop@1.service", "shop@1.service", true),
            ("shop@1.service", "shop@2.service", false),
            ("shop@1.service", "shop@.timer", false),
            ("shop.service", "shop@.service", false),
        ] {
            assert_eq!(is_made_by(unit, files_of), made, "{unit} of {files_of}");
        }
    }

    #[test]
    fn a_goal_that_nobody_looked_at_is_not_met() {
        let unseen = UnitState::default();
        let stands = UnitState { enabled: Some(Enablement::Enabled), up: Some(true) };
        for verb in [Verb::Start, Verb::Stop, Verb::Enable, Verb::Disable, Verb::Mask, Verb::Unmask]
        {
            assert!(!verb.is_met(unseen), "{verb:?}");
        }
        let met = [Verb::Start, Verb::Enable, Verb::Unmask];
        for verb in [Verb::Start, Verb::Stop, Verb::Enable, Verb::Disable, Verb::Mask, Verb::Unmask]
        {
            assert_eq!(verb.is_met(stands), met.contains(&verb), "{verb:?}");
        }
        assert!(!Verb::Restart.is_met(stands));
    }
}
