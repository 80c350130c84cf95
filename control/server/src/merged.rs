//! Hosts' keys that were approved by a merge: what stands in the Hosts of the desired state.
//!
//! **Invariant:** a file is read whole by the model's strict reader, or it says nothing.
//! **Invariant:** one small file is read for one claim, and nothing is followed out of its folder.

use std::path::Path;

use bowline_model::manifest::{Manifest, Spec};
use bowline_model::name::Name;
use bowline_model::read::{self, MAX_BYTES};

use crate::door;

/// Whether the Host of this name in a folder of merged Hosts has the key with this fingerprint.
pub fn is_approved(folder: &Path, host: &Name, fingerprint: &str) -> bool {
    let name = format!("{host}.yaml");
    let path = folder.join(&name);
    let bytes = match door::read_plain(&path, MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(error) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                tracing::warn!(%error, "{} cannot be read, and lets no key in", path.display());
            }
            return false;
        }
    };
    let (manifests, faults) = read::manifests(&name, &bytes);
    if !faults.is_empty() {
        tracing::warn!(%faults, "{} is malformed, and lets no key in", path.display());
        return false;
    }
    has_key(&manifests, host, fingerprint)
}

fn has_key(manifests: &[Manifest], host: &Name, fingerprint: &str) -> bool {
    let of_name = |it: &&Manifest| matches!(it.spec, Spec::Host(_)) && it.metadata.name == *host;
    let mut found = manifests.iter().filter(of_name);
    let (Some(one), None) = (found.next(), found.next()) else {
        return false;
    };
    matches!(&one.spec, Spec::Host(it) if it.key_fingerprint.as_str() == fingerprint)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn host(name: &str) -> String {
        format!(
            "apiVersion: bowline/v1\nkind: Host\nmetadata: {{name: {name}}}\nspec:\n  keyFingerprint: {KEY}\n  \
             environment: production\n"
        )
    }

    #[test]
    fn one_host_of_that_name_with_that_key_lets_it_in() {
        let two = format!("{}---\n{}", host("web-1"), host("web-1"));
        let both = format!("{}---\n{}", host("web-2"), host("web-1"));
        let cases = [
            (host("web-1"), KEY, true),
            (both, KEY, true),
            (host("web-1"), "SHA256:other", false),
            (host("web-2"), KEY, false),
            (two, KEY, false),
            (String::new(), KEY, false),
        ];
        for (text, fingerprint, expected) in cases {
            let (manifests, faults) = read::manifests("web-1.yaml", text.as_bytes());
            assert!(faults.is_empty(), "{faults}");
            let name = "web-1".parse().unwrap();
            assert_eq!(has_key(&manifests, &name, fingerprint), expected, "{text}");
        }
    }
}
