//! Makes a manifest out of a document, or says everything that is wrong with it.
//!
//! **Invariant:** envelope and spec are judged separately, so that a slip in one does not hide those
//! in the other.

use serde::de::DeserializeOwned;
use serde_yaml::Value;

use super::artifact::ArtifactFields;
use super::command::CommandFields;
use super::directory::DirectoryFields;
use super::file::FileFields;
use super::host::HostSpec;
use super::kind::Kind;
use super::metadata::Envelope;
use super::origin::Origin;
use super::probe::ProbeFields;
use super::repository::RepositorySpec;
use super::symlink::SymlinkSpec;
use super::template::TemplateSpec;
use super::unit::UnitFields;
use super::{Manifest, Spec};
use crate::name::UnitName;
use crate::read::{Document, Fault, nearest};

/// Most entries of `dependsOn`.
const MAX_DEPENDENCIES: usize = 256;
/// Most entries of `notify`.
const MAX_NOTIFY: usize = 32;
/// Most labels, and most annotations.
const MAX_LABELS: usize = 64;
/// Longest annotation: a link or a sentence.
const MAX_ANNOTATION: usize = 4_096;

/// Parts of the language that this version does not carry out: kind, field of the spec.
const UNSUPPORTED: [(Kind, &[&str]); 6] = [
    (Kind::File, &["contentFrom", "url"]),
    (Kind::File, &["contentFrom", "sha256"]),
    (Kind::File, &["contentFrom", "secret"]),
    (Kind::Template, &["secrets"]),
    (Kind::Probe, &["metric"]),
    (Kind::Probe, &["log"]),
];

/// What is wrong with a spec that has the right shape.
#[derive(Debug, Default)]
pub(crate) struct Wrongs(Vec<(String, String, String)>);

impl Wrongs {
    /// Notes one, at a field of the spec; an empty field is the spec itself.
    pub(crate) fn add(&mut self, field: &str, message: &str, expected: &str) {
        self.0.push((field.to_owned(), message.to_owned(), expected.to_owned()));
    }

    /// Whether nothing is wrong so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What may be written in a spec, and what comes of it.
pub(crate) trait Written: DeserializeOwned {
    /// The checked form.
    type Spec;

    /// Checks what belongs together; `None` only when something was added to `wrongs`.
    fn resolve(self, wrongs: &mut Wrongs) -> Option<Self::Spec>;
}

/// Makes a manifest out of a document.
pub(crate) fn compose(document: &Document) -> Result<Manifest, Vec<Fault>> {
    let kind = kind_of(document).map_err(|it| vec![it])?;
    let mut value = document.value.clone();
    let spec = value.as_mapping_mut().and_then(|map| map.remove("spec"));
    let mut faults = Vec::new();
    let envelope = note(document.typed::<Envelope>("", value), &mut faults);
    if spec.is_none() {
        faults.push(document.fault("spec", "`spec` is missing", "what is wanted"));
    }
    let spec = spec.and_then(|it| spec_of(document, kind, it, &mut faults));
    if let Some(envelope) = &envelope {
        check_envelope(document, kind, envelope, &mut faults);
    }
    match (envelope, spec) {
        (Some(envelope), Some(spec)) if faults.is_empty() => Ok(Manifest {
            origin: Origin::of(document),
            kind,
            metadata: envelope.metadata,
            target: envelope.target,
            depends_on: envelope.depends_on,
            notify: envelope.notify,
            spec,
            policy: envelope.policy,
        }),
        _ => Err(faults),
    }
}

fn note<T>(result: Result<T, Fault>, faults: &mut Vec<Fault>) -> Option<T> {
    result.map_err(|it| faults.push(it)).ok()
}

fn kind_of(document: &Document) -> Result<Kind, Fault> {
    let names = Kind::ALL.map(Kind::name);
    let one_of = || format!("one of {}", names.join(", "));
    let Some(written) = document.root.get("kind") else {
        return Err(document.fault("kind", "`kind` is missing", one_of()));
    };
    let Some(name) = written.as_str() else {
        return Err(document.fault("kind", "a kind that is no text", one_of()));
    };
    if let Some(kind) = Kind::named(name) {
        return Ok(kind);
    }
    if Kind::UNSUPPORTED.contains(&name) {
        let message = format!("kind {name} is not supported by this version");
        return Err(document.fault("kind", message, one_of()));
    }
    let known = names.into_iter().chain(Kind::UNSUPPORTED);
    let expected = match nearest(name, known) {
        Some(meant) => format!("`{meant}` (did you mean that?)"),
        None => one_of(),
    };
    Err(document.fault("kind", format!("unknown kind `{name}`"), expected))
}

fn spec_of(document: &Document, kind: Kind, value: Value, faults: &mut Vec<Fault>) -> Option<Spec> {
    let before = faults.len();
    for (_, path) in UNSUPPORTED.iter().filter(|(it, _)| *it == kind) {
        let mut node = document.root.get("spec");
        for part in *path {
            node = node.and_then(|it| it.get(part));
        }
        if node.is_some() {
            let field = path.join(".");
            let message = format!("{field} is not supported by this version");
            faults.push(document.fault(&format!("spec.{field}"), message, ""));
        }
    }
    if faults.len() > before {
        return None;
    }
    match kind {
        Kind::Artifact => resolve::<ArtifactFields>(document, value, faults).map(Spec::Artifact),
        Kind::File => resolve::<FileFields>(document, value, faults).map(Spec::File),
        Kind::Template => resolve::<TemplateSpec>(document, value, faults).map(Spec::Template),
        Kind::Directory => resolve::<DirectoryFields>(document, value, faults).map(Spec::Directory),
        Kind::Symlink => resolve::<SymlinkSpec>(document, value, faults).map(Spec::Symlink),
        Kind::Command => resolve::<CommandFields>(document, value, faults).map(Spec::Command),
        Kind::Unit => {
            let fields = note(document.typed::<UnitFields>("spec", value), faults)?;
            settle(document, fields.called(own_name(document)), faults).map(Spec::Unit)
        }
        Kind::Probe => resolve::<ProbeFields>(document, value, faults).map(Spec::Probe),
        Kind::Host => resolve::<HostSpec>(document, value, faults).map(Spec::Host),
        Kind::Repository => {
            resolve::<RepositorySpec>(document, value, faults).map(Spec::Repository)
        }
    }
}

fn resolve<W: Written>(
    document: &Document,
    value: Value,
    faults: &mut Vec<Fault>,
) -> Option<W::Spec> {
    let written = note(document.typed::<W>("spec", value), faults)?;
    settle(document, written, faults)
}

fn settle<W: Written>(document: &Document, written: W, faults: &mut Vec<Fault>) -> Option<W::Spec> {
    let mut wrongs = Wrongs::default();
    let spec = written.resolve(&mut wrongs);
    for (field, message, expected) in wrongs.0 {
        let field = if field.is_empty() { "spec".to_owned() } else { format!("spec.{field}") };
        faults.push(document.fault(&field, message, expected));
    }
    spec
}

/// The manifest's own name, where a unit could be called so.
fn own_name(document: &Document) -> Option<UnitName> {
    document.root.get("metadata")?.get("name")?.as_str()?.parse().ok()
}

fn check_envelope(document: &Document, kind: Kind, envelope: &Envelope, faults: &mut Vec<Fault>) {
    let metadata = &envelope.metadata;
    let sizes = [
        ("dependsOn", envelope.depends_on.len(), MAX_DEPENDENCIES),
        ("notify", envelope.notify.len(), MAX_NOTIFY),
        ("metadata.labels", metadata.labels.len(), MAX_LABELS),
        ("metadata.annotations", metadata.annotations.len(), MAX_LABELS),
    ];
    for (field, size, limit) in sizes.into_iter().filter(|(_, size, limit)| size > limit) {
        let message = format!("{size} entries");
        faults.push(document.fault(field, message, format!("at most {limit}")));
    }
    if metadata.annotations.values().any(|it| it.len() > MAX_ANNOTATION) {
        let expected = format!("at most {MAX_ANNOTATION} bytes");
        faults.push(document.fault("metadata.annotations", "a very long annotation", expected));
    }
    if !kind.is_resource() {
        for field in ["target", "dependsOn", "notify", "policy"] {
            if document.root.get(field).is_some() {
                let message = format!("{field}, which has no meaning for kind {kind}");
                faults.push(document.fault(field, message, "a manifest without it"));
            }
        }
    }
}
