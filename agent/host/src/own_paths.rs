//! The agent's own paths below its root: no manifest may target them.
//!
//! **Invariant:** agent and `bowline plan` ask here, so what one refuses the other refuses.

use std::path::{Path, PathBuf, absolute};

use bowline_model::host_path::HostPath;

use crate::door::root::Root;
use crate::exchange::STAGE;
use crate::settings::Settings;
use crate::witness::Witness;

/// The unit that starts the agent.
const UNIT: &str = "/etc/systemd/system/bowline-agent.service";

/// Every path that the agent itself relies on and that lies below the root. `program` is the agent's
/// own file.
pub fn own_paths(settings: &Settings, root: &Root, program: Option<PathBuf>) -> Vec<HostPath> {
    let own = [
        Some(settings.state.clone()),
        Some(settings.trust.clone()),
        Some(settings.key.clone()),
        Some(Witness::beside(&settings.key).path().to_owned()),
        Some(settings.file.clone()),
        settings.socket.clone(),
        program,
        Some(root.outside(STAGE)),
        Some(root.outside(UNIT)),
    ];
    own.iter().flatten().filter_map(|path| below(root, path)).collect()
}

fn below(root: &Root, path: &Path) -> Option<HostPath> {
    let (whole, top) = (absolute(path).ok()?, absolute(root.path()).ok()?);
    let inner = whole.strip_prefix(top).ok().filter(|it| !it.as_os_str().is_empty())?;
    format!("/{}", inner.display()).parse().ok()
}
