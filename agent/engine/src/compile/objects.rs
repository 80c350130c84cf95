//! Expands one resource into the objects that stand for it on the host.
//!
//! **Invariant:** owners, modes and digests are exact; a tree becomes one object for each path in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bowline_model::digest::Sha256;
use bowline_model::facts::Facts;
use bowline_model::form::Form;
use bowline_model::host_path::{HostPath, RepoPath, holds_reserved, reserved};
use bowline_model::manifest::{
    DirectorySpec, FileContent, FileSpec, Manifest, Planting, Spec, State, SymlinkSpec,
    TemplateSpec,
};
use bowline_model::name::Account;
use bowline_model::tree::{Content, Entry, Tree};

use super::gather::{locate, of_fault};
use super::{CompileFailure, Compiled, Material, Object};
use crate::render::render;
use crate::settings::Settings;

/// Objects of one revision on one host: twice what the benchmark's largest form has, and a limit.
const OBJECTS_MAX: usize = 250_000;

/// One resource and everything it may refer to.
pub(super) struct Place<'a> {
    pub(super) settings: &'a Settings,
    pub(super) tree: &'a Tree,
    pub(super) material: &'a Material,
    pub(super) facts: &'a Facts,
    pub(super) manifest: &'a Arc<Manifest>,
    pub(super) number: u32,
}

impl Place<'_> {
    /// Adds the resource's objects.
    pub(super) fn compile(
        &self,
        objects: &mut Vec<Object>,
        warnings: &mut Vec<String>,
    ) -> Result<(), CompileFailure> {
        match &self.manifest.spec {
            Spec::File(spec) => objects.push(self.file(spec, warnings)?),
            Spec::Template(spec) => objects.push(self.template(spec, warnings)?),
            Spec::Directory(spec) => self.directory(spec, objects, warnings)?,
            Spec::Symlink(spec) => objects.push(self.symlink(spec)),
            Spec::Artifact(spec) => self.artifact(spec, objects, warnings)?,
            Spec::Unit(spec) => self.unit(spec, objects, warnings)?,
            Spec::Command(_) | Spec::Probe(_) | Spec::Host(_) | Spec::Repository(_) => {}
        }
        if objects.len() > OBJECTS_MAX {
            return Err(self.fault("spec", format!("more than {OBJECTS_MAX} objects"), "fewer"));
        }
        Ok(())
    }

    /// What a template is before facts come in.
    pub(super) fn unrendered(&self) -> Option<Sha256> {
        let Spec::Template(spec) = &self.manifest.spec else { return None };
        let text = self.material.contents.get(&self.locate(&spec.source)?)?;
        Sha256::of_value(&(self.manifest.spec_digest().ok()?, Sha256::of(text))).ok()
    }

    pub(super) fn fault(
        &self,
        field: &str,
        message: impl Into<String>,
        expected: &str,
    ) -> CompileFailure {
        of_fault(self.manifest.origin.fault(field, message, expected))
    }

    pub(super) fn object(&self, path: &HostPath, form: Form, content: Content) -> Object {
        Object { path: path.clone(), resource: self.number, form, content }
    }

    fn file(&self, spec: &FileSpec, warnings: &mut Vec<String>) -> Result<Object, CompileFailure> {
        if spec.state == State::Absent {
            return Ok(self.object(&spec.path, Form::Absent, Content::Nothing));
        }
        let (sha256, size, content) = match &spec.content {
            None => (Sha256::of(b""), 0, Content::Bytes(Arc::from([]))),
            Some(FileContent::Inline(text)) => {
                let bytes: Arc<[u8]> = text.as_bytes().into();
                (Sha256::of(&bytes), bytes.len() as u64, Content::Bytes(bytes))
            }
            Some(FileContent::Repository(source)) => {
                match self.locate(source).and_then(|it| self.tree.entries.get(&it)) {
                    Some(Entry::File { blob, sha256, size, .. }) => {
                        (*sha256, *size, Content::Blob(*blob))
                    }
                    _ => return Err(self.no_such_file("spec.contentFrom.file", source)),
                }
            }
        };
        let (uid, gid) = self.owners(&spec.owner, &spec.group, warnings)?;
        let mode = spec.mode.bits();
        let form = Form::File { sha256, size, mode, uid, gid, xattrs: None };
        Ok(self.object(&spec.path, form, content))
    }

    fn template(
        &self,
        spec: &TemplateSpec,
        warnings: &mut Vec<String>,
    ) -> Result<Object, CompileFailure> {
        if spec.state == State::Absent {
            return Ok(self.object(&spec.path, Form::Absent, Content::Nothing));
        }
        let source = self.locate(&spec.source).unwrap_or_default();
        let Some(bytes) = self.material.contents.get(&source) else {
            return Err(self.no_such_file("spec.source", &spec.source));
        };
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(self.fault(
                "spec.source",
                format!("{source} is not UTF-8"),
                "a text template",
            ));
        };
        let rendered = render(&source, text, &spec.values, self.facts).map_err(|error| {
            let cause = std::error::Error::source(&error).map(|it| format!(": {it}"));
            let message = format!("{error}{}", cause.unwrap_or_default());
            self.fault(
                "spec.source",
                message,
                "a template that renders with these values and facts",
            )
        })?;
        let bytes: Arc<[u8]> = rendered.into_bytes().into();
        let (uid, gid) = self.owners(&spec.owner, &spec.group, warnings)?;
        let form = Form::File {
            sha256: Sha256::of(&bytes),
            size: bytes.len() as u64,
            mode: spec.mode.bits(),
            uid,
            gid,
            xattrs: None,
        };
        Ok(self.object(&spec.path, form, Content::Bytes(bytes)))
    }

    fn symlink(&self, spec: &SymlinkSpec) -> Object {
        let form = match (&spec.state, &spec.target) {
            (State::Present, Some(target)) => Form::Symlink { target: target.as_str().to_owned() },
            _ => Form::Absent,
        };
        self.object(&spec.path, form, Content::Nothing)
    }

    fn directory(
        &self,
        spec: &DirectorySpec,
        objects: &mut Vec<Object>,
        warnings: &mut Vec<String>,
    ) -> Result<(), CompileFailure> {
        if spec.state == State::Absent {
            objects.push(self.object(&spec.path, Form::Absent, Content::Nothing));
            return Ok(());
        }
        let (uid, gid) = self.owners(&spec.owner, &spec.group, warnings)?;
        let form = Form::Directory { mode: spec.mode.bits(), uid, gid };
        objects.push(self.object(&spec.path, form, Content::Nothing));
        match &spec.planting {
            Some(planting) => self.plant(spec, planting, (uid, gid), objects),
            None => Ok(()),
        }
    }

    /// A whole folder of the repository, one object for each path.
    fn plant(
        &self,
        spec: &DirectorySpec,
        planting: &Planting,
        (uid, gid): (u32, u32),
        objects: &mut Vec<Object>,
    ) -> Result<(), CompileFailure> {
        let Some(source) = self.locate(&planting.source) else {
            return Err(self.no_such_file("spec.source", &planting.source));
        };
        let prefix = format!("{source}/");
        let entries = self
            .tree
            .entries
            .range(prefix.clone()..)
            .take_while(|(path, _)| path.starts_with(&prefix));
        let mut folders: BTreeSet<&str> = BTreeSet::new();
        let before = objects.len();
        for (path, entry) in entries {
            let inner = path.get(prefix.len()..).unwrap_or_default();
            if planting.exclude.iter().any(|glob| glob.matches(inner)) {
                continue;
            }
            for (at, _) in inner.match_indices('/') {
                let folder = inner.get(..at).unwrap_or_default();
                if folders.insert(folder) {
                    let form = Form::Directory { mode: planting.dir_mode.bits(), uid, gid };
                    objects.push(self.object(&self.below(spec, folder)?, form, Content::Nothing));
                }
            }
            let (form, content) = planted(entry, planting, (uid, gid));
            objects.push(self.object(&self.below(spec, inner)?, form, content));
        }
        if objects.len() == before {
            return Err(self.no_such_file("spec.source", &planting.source));
        }
        Ok(())
    }

    fn below(&self, spec: &DirectorySpec, inner: &str) -> Result<HostPath, CompileFailure> {
        let path = format!("{}/{inner}", spec.path.as_str());
        path.parse().map_err(|_| {
            let message = format!("{path} cannot be a path on the host");
            self.fault("spec.source", message, "names without control characters, short enough")
        })
    }

    fn locate(&self, source: &RepoPath) -> Option<String> {
        locate(&self.settings.folder, self.tree, self.manifest, source)
    }

    fn no_such_file(&self, field: &str, source: &RepoPath) -> CompileFailure {
        let message = format!("{} is not in the repository", source.as_str());
        self.fault(field, message, "a path that exists in this revision")
    }

    /// User and group ids. Where the agent may not set owners, its own stand instead.
    pub(super) fn owners(
        &self,
        owner: &Account,
        group: &Account,
        warnings: &mut Vec<String>,
    ) -> Result<(u32, u32), CompileFailure> {
        let wanted = (
            self.id_of("spec.owner", "user", owner, &self.facts.users)?,
            self.id_of("spec.group", "group", group, &self.facts.groups)?,
        );
        match self.facts.only_owner {
            Some(own) if own != wanted => {
                let id = self.manifest.id();
                warnings.push(format!(
                    "{id}: owner {}:{} cannot be set without privileges; it stays {}:{}",
                    owner.as_str(),
                    group.as_str(),
                    own.0,
                    own.1
                ));
                Ok(own)
            }
            _ => Ok(wanted),
        }
    }

    fn id_of(
        &self,
        field: &str,
        what: &str,
        account: &Account,
        known: &BTreeMap<String, u32>,
    ) -> Result<u32, CompileFailure> {
        let name = account.as_str();
        let number = name.parse().ok().or_else(|| known.get(name).copied());
        number.or((name == "root").then_some(0)).ok_or_else(|| {
            self.fault(field, format!("this host has no {what} {name}"), "an account that exists")
        })
    }
}

/// How an entry of a tree stands on the host.
fn planted(entry: &Entry, planting: &Planting, (uid, gid): (u32, u32)) -> (Form, Content) {
    match entry {
        Entry::File { blob, sha256, size, executable } => {
            let mode = planting.file_mode.bits();
            // As chmod's X: execution for whoever may read.
            let mode = if *executable { mode | (mode & 0o444) >> 2 } else { mode };
            let (sha256, size) = (*sha256, *size);
            (Form::File { sha256, size, mode, uid, gid, xattrs: None }, Content::Blob(*blob))
        }
        Entry::Symlink { target } => (Form::Symlink { target: target.clone() }, Content::Nothing),
    }
}

/// Refuses paths claimed twice, also inside trees, and the agent's own.
pub(super) fn check_paths(compiled: &Compiled, own: &[HostPath]) -> Result<(), CompileFailure> {
    let mut claimed: BTreeMap<&HostPath, &Object> = BTreeMap::new();
    let origin = |object: &Object| compiled.resource_of(object).map(|it| &it.manifest.origin);
    for object in &compiled.objects {
        let Some(at) = origin(object) else { continue };
        if let Some(other) = claimed.insert(&object.path, object) {
            let other = compiled.resource_of(other).map_or("another", |it| it.id.as_ref());
            let message = format!("{} is claimed by {other} as well", object.path);
            return Err(of_fault(at.fault("spec.path", message, "one manifest for one path")));
        }
        let is_folder = matches!(object.form, Form::Directory { .. });
        let hit = reserved(&object.path, own).map(str::to_owned);
        let hit = hit.or_else(|| {
            let held = holds_reserved(&object.path, own).filter(|_| !is_folder)?;
            Some(held.to_string())
        });
        if let Some(hit) = hit {
            let message = format!("{} is reserved ({hit})", object.path);
            let expected = "a path that is not the agent's own";
            return Err(of_fault(at.fault("spec.path", message, expected)));
        }
    }
    Ok(())
}
