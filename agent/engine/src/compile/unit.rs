//! Expands a unit into its own file and its drop-ins.
//!
//! **Invariant:** the agent's own unit is nobody's to declare, with files or without.

use bowline_model::digest::Sha256;
use bowline_model::file_mode::FileMode;
use bowline_model::form::Form;
use bowline_model::host_path::HostPath;
use bowline_model::manifest::UnitSpec;
use bowline_model::name::Account;
use bowline_model::tree::Content;

use super::objects::Place;
use super::{CompileFailure, Object};

/// As a package makes the folder of a unit's drop-ins.
const FOLDER_MODE: u32 = 0o755;

impl Place<'_> {
    /// Adds the unit's objects, if it has files of its own.
    pub(super) fn unit(
        &self,
        spec: &UnitSpec,
        objects: &mut Vec<Object>,
        warnings: &mut Vec<String>,
    ) -> Result<(), CompileFailure> {
        let file = self.facts.resolve(spec.file());
        if self.settings.reserved.iter().any(|it| self.facts.resolve(it) == file) {
            let message = format!("{} is the agent's own unit", spec.name);
            return Err(self.fault("spec.name", message, "another unit"));
        }
        if spec.contents.is_none() && spec.drop_ins.is_empty() {
            return Ok(());
        }
        let root = Account::root();
        let owners = self.owners(&root, &root, warnings)?;
        objects.extend(spec.contents.iter().map(|text| self.text(spec.file(), text, owners)));
        if spec.drop_ins.is_empty() {
            return Ok(());
        }
        let (uid, gid) = owners;
        let form = Form::Directory { mode: FOLDER_MODE, uid, gid };
        objects.push(self.object(spec.folder(), form, Content::Nothing));
        for (name, text) in &spec.drop_ins {
            let path: HostPath = format!("{}/{name}", spec.folder()).parse().map_err(|_cause| {
                let message = format!("{name} cannot be a file of {}", spec.name);
                self.fault("spec.dropIns", message, "a shorter name")
            })?;
            objects.push(self.text(&path, text, owners));
        }
        Ok(())
    }

    fn text(&self, path: &HostPath, text: &str, (uid, gid): (u32, u32)) -> Object {
        let (sha256, size) = (Sha256::of(text.as_bytes()), text.len() as u64);
        let mode = FileMode::FILE.bits();
        let form = Form::File { sha256, size, mode, uid, gid, xattrs: None };
        self.object(path, form, Content::Bytes(text.as_bytes().into()))
    }
}
