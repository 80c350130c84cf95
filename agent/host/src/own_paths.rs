//! The agent's own paths below its root: no manifest may target them.
//!
//! **Invariant:** agent and `bowline plan` ask here, so what one refuses the other refuses.

use std::path::{Path, PathBuf, absolute};

use bowline_model::host_path::HostPath;

use crate::door::root::Root;
use crate::exchange::STAGE;
use crate::record::Bookmark;
use crate::settings::Settings;
use crate::witness::Witness;

/// Where a service manager looks for the unit that starts the agent.
const UNIT_FOLDERS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// That unit, and what is added to it.
const UNITS: [&str; 2] = ["bowline-agent.service", "bowline-agent.service.d"];

/// Every path that the agent itself relies on and that lies below the root, as it is named and as it is
/// without links. `program` is the agent's own file.
pub fn own_paths(settings: &Settings, root: &Root, program: Option<PathBuf>) -> Vec<HostPath> {
    let mut own = vec![
        settings.state.clone(),
        settings.trust.clone(),
        settings.key.clone(),
        Witness::beside(&settings.key).path().to_owned(),
        Bookmark::beside(&settings.key).path().to_owned(),
        settings.file.clone(),
        root.outside(STAGE),
    ];
    own.extend(settings.socket.clone());
    own.extend(program);
    for folder in UNIT_FOLDERS {
        own.extend(UNITS.iter().map(|unit| root.outside(folder).join(unit)));
    }
    let mut paths: Vec<HostPath> = Vec::new();
    for path in own.iter().flat_map(|path| below(root, path)) {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// The path below the root: as it is named, and as it is when links on the way are followed.
fn below(root: &Root, path: &Path) -> Vec<HostPath> {
    let (Ok(named), Ok(top)) = (absolute(path), absolute(root.path())) else { return Vec::new() };
    let mut found = Vec::new();
    for whole in [without_links(&named), named] {
        for top in [without_links(&top), top.clone()] {
            let inner = whole.strip_prefix(&top).ok().filter(|it| !it.as_os_str().is_empty());
            found.extend(inner.and_then(|it| format!("/{}", it.display()).parse().ok()));
        }
    }
    found
}

/// The path with every link in what exists of it followed.
fn without_links(path: &Path) -> PathBuf {
    // The root of the machine always exists, so this ends there at the latest.
    for folder in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (folder.canonicalize(), path.strip_prefix(folder)) {
            // Joining nothing would add a slash to a file.
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::scratch::Scratch;

    fn texts(root: &Path, path: &Path) -> Vec<String> {
        let root = Root::open(root).unwrap();
        below(&root, path).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_path_of_the_agents_own_is_reserved_wherever_links_lead() {
        let scratch = Scratch::new();
        let top = scratch.path().join("root");
        fs::create_dir_all(top.join("var")).unwrap();
        fs::create_dir_all(top.join("data")).unwrap();
        symlink("../data", top.join("var/lib")).unwrap();
        symlink("root", scratch.path().join("also")).unwrap();
        for root in [top.clone(), scratch.path().join("also")] {
            for name in ["root", "also"] {
                let state = scratch.path().join(name).join("var/lib/bowline");
                let found = texts(&root, &state);
                assert!(found.contains(&"/data/bowline".to_owned()), "{root:?}, {name}: {found:?}");
            }
            let found = texts(&root, &root.join("var/lib/bowline"));
            assert!(found.contains(&"/var/lib/bowline".to_owned()), "{root:?}: {found:?}");
        }
        assert!(texts(&top, scratch.path()).is_empty(), "it lies above the root");
    }
}
