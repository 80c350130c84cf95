//! What is valid, and probably not what was meant.
//!
//! **Invariant:** a doubt is no fault: the agent takes what is doubted here.

use bowline_model::desired::Desired;
use bowline_model::manifest::{Manifest, Spec};
use bowline_model::read::{self, Fault};

use super::FILE_BYTES_MAX;
use super::gather::File;
use crate::failure::{Failure, read_given};

/// Manifests whose target no host of the repository matches. Of facts nothing is known here.
pub(super) fn untargeted(desired: &Desired) -> Vec<Fault> {
    let is_met = |manifest: &Manifest| {
        desired.hosts().iter().any(|host| match &host.spec {
            Spec::Host(spec) => {
                let mut wanted = manifest.target.match_labels.iter();
                wanted.all(|(key, value)| spec.labels.get(key) == Some(value))
            }
            _ => false,
        })
    };
    let doubt = |manifest: &Manifest| {
        let labels = manifest.target.match_labels.iter();
        let labels: Vec<_> = labels.map(|(key, value)| format!("{key}: {value}")).collect();
        let message = format!("no Host has the labels {{{}}}", labels.join(", "));
        manifest.origin.fault("target.matchLabels", message, "labels of a manifest of kind Host")
    };
    let resources = desired.resources().iter().map(AsRef::as_ref);
    let aimed = resources.filter(|it: &&Manifest| !it.target.match_labels.is_empty());
    aimed.filter(|it| !is_met(it)).map(doubt).collect()
}

/// A file with manifests that lies in no folder that `bowline.yaml` lists: nobody reads it.
pub(super) fn unlisted(file: &File) -> Result<Option<Fault>, Failure> {
    let bytes = read_given(&file.path, "file", FILE_BYTES_MAX)?;
    let (manifests, _) = read::manifests(&file.label, &bytes);
    Ok(manifests.first().map(|it| {
        let message = format!("{} is in no folder that bowline.yaml lists", it.id());
        it.origin.fault("", message, "its folder in spec.folders")
    }))
}
