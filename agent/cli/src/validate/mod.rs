//! `bowline validate`: every fault of manifests, with file, line and column.
//!
//! **Invariant:** what is valid here is read and assembled alike by the agent; only what depends on a
//! host, such as accounts and facts, is left to `bowline plan`.
//! **Invariant:** one run names all faults.

mod gather;
mod doubts;

use std::path::Path;
use std::sync::Arc;

use bowline_model::desired::Desired;
use bowline_model::host_path::RepoPath;
use bowline_model::manifest::{FileContent, Manifest, Spec, State};
use bowline_model::policy::{LabelSource, POLICY_PATH, Policy};
use bowline_model::read::{self, Fault, Faults};
use bowline_trust::check_keys;

use crate::arguments::Validate;
use crate::failure::{Failure, read_given};
use crate::screen::Screen;
use gather::{Case, File};

/// The reader refuses files above one MiB by itself, with a fault.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// What one case came to.
#[derive(Debug, Default)]
struct Found {
    files: usize,
    manifests: usize,
    faults: Faults,
    doubts: Vec<Fault>,
}

/// Checks what was named.
pub fn validate(given: &Validate, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let mut all = Found::default();
    for case in gather::cases(&given.paths)? {
        let found = check(&case)?;
        all.files += found.files;
        all.manifests += found.manifests;
        all.faults.extend(found.faults);
        all.doubts.extend(found.doubts);
    }
    let faults = all.faults.sorted();
    for fault in &faults {
        screen.note(fault)?;
    }
    for doubt in &all.doubts {
        screen.note(format_args!("warning: {doubt}"))?;
    }
    let checked =
        format!("{} in {}", counted(all.manifests, "manifest"), counted(all.files, "file"));
    let wrong = if faults.is_empty() { "valid" } else { &counted(faults.len(), "fault") };
    let doubts = match all.doubts.len() {
        0 => String::new(),
        number => format!(", {}", counted(number, "warning")),
    };
    screen.line(format_args!("{checked}: {wrong}{doubts}"))?;
    if all.manifests == 0 && faults.is_empty() {
        screen.note("warning: there is no manifest: is it the folder of the repository?")?;
        return Ok(u8::from(given.strict));
    }
    Ok(u8::from(!faults.is_empty() || (given.strict && !all.doubts.is_empty())))
}

fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Reads each file, and then looks at all together; half-read files are not assembled.
fn check(case: &Case) -> Result<Found, Failure> {
    let mut found = Found::default();
    let mut manifests = Vec::new();
    let mut labels = LabelSource::default();
    for file in &case.files {
        let bytes = read_given(&file.path, "file", FILE_BYTES_MAX)?;
        let faults = if is_policy(file) {
            let policy = Policy::parse(&file.label, &bytes);
            labels = policy.as_ref().map_or(labels, |it| it.labels);
            match policy {
                Ok(policy) => {
                    let mut faults = Faults::default();
                    // A host looks at the keys as well, and refuses the policy whole.
                    if let Err(what) = check_keys(&policy) {
                        let label = Arc::from(&*file.label);
                        faults.push(Fault::at(&label, 1, 1, "principals", what, ""));
                    }
                    faults
                }
                Err(faults) => faults,
            }
        } else {
            let (read, faults) = read::manifests(&file.label, &bytes);
            found.manifests += if file.is_meant { read.len() } else { 0 };
            manifests.extend(read);
            faults
        };
        found.files += usize::from(file.is_meant);
        found.faults.extend(faults);
    }
    if let Some(repository) = &case.repository {
        found.faults.extend(repository_faults(&manifests, &repository.label));
    }
    if found.faults.is_empty() {
        if let Some(repository) = &case.repository {
            // Beside the manifest, else from the repository's folder on: as the agent looks for it.
            let exists = |manifest: &Manifest, path: &RepoPath| {
                Path::new(&*manifest.origin.file).with_file_name(path.as_str()).exists()
                    || repository.folder.join(path.as_str()).exists()
            };
            found.faults.extend(manifests.iter().filter_map(|it| missing_source(it, exists)));
        }
        match Desired::assemble(manifests) {
            // Labels of settings files are known on the hosts only.
            Ok(desired) if case.repository.is_some() && labels == LabelSource::Repository => {
                found.doubts.extend(doubts::untargeted(&desired));
            }
            Ok(_) => {}
            Err(faults) => found.faults.extend(faults),
        }
    }
    for file in &case.unlisted {
        found.doubts.extend(doubts::unlisted(file)?);
    }
    // Faults elsewhere in the repository are for whoever looks there.
    let meant = |fault: &Fault| case.files.iter().any(|it| it.is_meant && it.label == *fault.file);
    let faults = std::mem::take(&mut found.faults);
    found.faults.extend(faults.into_iter().filter(meant));
    let is_unlisted = |doubt: &Fault| case.unlisted.iter().any(|it| it.label == *doubt.file);
    found.doubts.retain(|it| meant(it) || is_unlisted(it));
    Ok(found)
}

fn is_policy(file: &File) -> bool {
    file.path.ends_with(POLICY_PATH)
}

/// Says that `bowline.yaml` does not name folders, as the agent would.
fn repository_faults(manifests: &[Manifest], label: &str) -> Option<Fault> {
    let none = !manifests.iter().any(|it| matches!(it.spec, Spec::Repository(_)));
    let expected = "kind: Repository with spec.folders";
    none.then(|| Fault::at(&label.into(), 1, 1, "kind", "no manifest of kind Repository", expected))
}

/// A file or folder of the repository that a manifest names and that is not there.
fn missing_source(
    manifest: &Manifest,
    exists: impl Fn(&Manifest, &RepoPath) -> bool,
) -> Option<Fault> {
    let (field, source) = match &manifest.spec {
        Spec::File(spec) if spec.state == State::Present => match &spec.content {
            Some(FileContent::Repository(source)) => ("spec.contentFrom.file", source),
            _ => return None,
        },
        Spec::Template(spec) if spec.state == State::Present => ("spec.source", &spec.source),
        Spec::Directory(spec) => ("spec.source", &spec.planting.as_ref()?.source),
        _ => return None,
    };
    let message = format!("{} is not in the repository", source.as_str());
    let fault = || manifest.origin.fault(field, message, "a path below the repository's folder");
    (!exists(manifest, source)).then(fault)
}
