//! The kinds of manifests, and what names one of them.
//!
//! **Invariant:** a kind that is planned but not built is refused by name, never taken for a slip.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::name::Name;
use crate::word::{self, NotAWord, Word};

/// What a manifest describes; sorted as people sort them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A release that is fetched, unpacked and linked to.
    Artifact,
    /// A command that is run when its guard says so.
    Command,
    /// A directory, or a whole tree of the repository.
    Directory,
    /// A file with given content.
    File,
    /// A host that may take part.
    Host,
    /// A check that the change works.
    Probe,
    /// The repository itself.
    Repository,
    /// A symlink.
    Symlink,
    /// A file rendered from a template.
    Template,
    /// A unit of the service manager.
    Unit,
}

impl Kind {
    /// Every kind of this version.
    pub const ALL: [Self; 10] = [
        Self::Artifact,
        Self::Command,
        Self::Directory,
        Self::File,
        Self::Host,
        Self::Probe,
        Self::Repository,
        Self::Symlink,
        Self::Template,
        Self::Unit,
    ];

    /// Kinds of the language that this version does not carry out.
    pub const UNSUPPORTED: [&'static str; 12] = [
        "Group",
        "Migration",
        "Package",
        "PackageRepository",
        "Quadlet",
        "Rollout",
        "Secret",
        "Sysctl",
        "Timer",
        "User",
        "Volume",
        "Window",
    ];

    /// How it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Artifact => "Artifact",
            Self::Command => "Command",
            Self::Directory => "Directory",
            Self::File => "File",
            Self::Host => "Host",
            Self::Probe => "Probe",
            Self::Repository => "Repository",
            Self::Symlink => "Symlink",
            Self::Template => "Template",
            Self::Unit => "Unit",
        }
    }

    /// The kind that is written so.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// Whether it describes something on a host, and not who takes part.
    pub const fn is_resource(self) -> bool {
        !matches!(self, Self::Host | Self::Repository)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

/// Names one manifest: `File/web-config`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    /// Its kind.
    pub kind: Kind,
    /// Its name, unique for the kind.
    pub name: Name,
}

impl Word for ResourceId {
    const EXPECTED: &'static str = "a kind and a name such as File/web-config";
}

impl FromStr for ResourceId {
    type Err = NotAWord;

    fn from_str(text: &str) -> Result<Self, NotAWord> {
        let refuse = |why| NotAWord::new(text, why, Self::EXPECTED);
        let (kind, name) = text.split_once('/').ok_or_else(|| refuse("has no `/`"))?;
        let Some(kind) = Kind::named(kind) else {
            return Err(refuse(if Kind::UNSUPPORTED.contains(&kind) {
                "names a kind that is not supported by this version"
            } else {
                "names an unknown kind"
            }));
        };
        if !kind.is_resource() {
            return Err(refuse("names nothing that stands on a host"));
        }
        let name = name.parse().map_err(|_cause| refuse("has no well-formed name"))?;
        Ok(Self { kind, name })
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl fmt::Debug for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for ResourceId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ResourceId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        word::deserialize(from)
    }
}

impl JsonSchema for ResourceId {
    fn schema_name() -> Cow<'static, str> {
        "ResourceId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(Artifact|Command|Directory|File|Probe|Symlink|Template|Unit)/[a-z0-9]([a-z0-9._-]*[a-z0-9])?$",
            "description": Self::EXPECTED
        })
    }
}
