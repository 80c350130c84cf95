//! How a folder stands: every object in it, with all that a deployment may change.
//!
//! **Invariant:** two folders have the same picture only if a program could not tell them apart by
//! type, owner, mode, content or link target.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use bowline_host::exchange::STAGE;
use bowline_model::digest::Sha256;

/// A longer content is shown by its digest.
const SHOWN: usize = 200;

/// The objects below a folder by their paths.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Picture {
    objects: BTreeMap<String, String>,
}

impl Picture {
    /// What programs see: without the agent's stage.
    pub fn of(folder: &Path) -> Self {
        let mut picture = Self::whole(folder);
        picture.objects.retain(|path, _| !path.split('/').any(|it| it == STAGE));
        picture
    }

    /// Everything, the stage too.
    pub fn whole(folder: &Path) -> Self {
        let mut picture = Self::default();
        picture.visit(folder, "");
        picture
    }

    fn visit(&mut self, folder: &Path, name: &str) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = format!("{name}/{}", path.file_name().unwrap().to_string_lossy());
            self.objects.insert(name.clone(), shown(&path));
            if path.symlink_metadata().unwrap().is_dir() {
                self.visit(&path, &name);
            }
        }
    }

    /// How the object at a path stands.
    pub fn at(&self, path: &str) -> Option<&str> {
        self.objects.get(path).map(String::as_str)
    }

    /// Whether something of the agent's stage is left.
    pub fn has_stage(&self) -> bool {
        self.objects.keys().any(|path| path.split('/').any(|it| it == STAGE))
    }

    /// Files and links of this picture that stand nowhere in another.
    pub fn lost_in(&self, other: &Self) -> Vec<String> {
        let is_there = |it: &String| other.objects.values().any(|value| value == it);
        let things = self.objects.iter().filter(|(_, it)| !it.starts_with("folder"));
        things.filter(|(_, it)| !is_there(it)).map(|(path, it)| format!("{path}: {it}")).collect()
    }
}

fn shown(path: &Path) -> String {
    let data = path.symlink_metadata().unwrap();
    let who = format!("{:o} {}:{}", data.permissions().mode() & 0o7777, data.uid(), data.gid());
    if data.is_symlink() {
        return format!("link to {}", fs::read_link(path).unwrap().display());
    }
    if data.is_dir() {
        return format!("folder {who}");
    }
    if !data.is_file() {
        return format!("something {who}");
    }
    let bytes = fs::read(path).unwrap();
    match String::from_utf8(bytes) {
        Ok(text) if text.len() <= SHOWN => format!("file {who} {text:?}"),
        Ok(text) => format!("file {who} {}", Sha256::of(text.as_bytes())),
        Err(error) => format!("file {who} {}", Sha256::of(error.as_bytes())),
    }
}
