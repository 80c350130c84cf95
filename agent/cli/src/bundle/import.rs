//! `bowline bundle import`: puts a bundle where this host's settings have its agent look.
//!
//! **Invariant:** what plainly cannot help this host is not put there; whoever reads has the old or the new.

use anyhow::anyhow;
use bowline_api::hint;
use bowline_host::repository::bundle;
use bowline_host::settings;

use super::arguments::Import;
use super::{head, show};
use crate::failure::Failure;
use crate::screen::Screen;

/// Puts a bundle in its place.
pub(super) fn import(given: &Import, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let settings = settings::load(&given.config, &given.root).map_err(Failure::usage)?;
    let place = bundle::place(&settings).ok_or_else(|| {
        let what = anyhow!("{} names no bundle", settings.file.display());
        let hint =
            "set url in [source] to the bundle's place, such as /var/lib/bowline/drop/fleet.bundle";
        Failure::usage(what).hint(hint)
    })?;
    let head = head(&given.file)?;
    let refused = |code: &str, what: String| {
        let hint = hint::of(code).unwrap_or_default();
        Err(Failure::failed(anyhow!(what)).of("the bundle is not put in its place").hint(hint))
    };
    if head.names(&settings.ref_name).is_none() {
        return refused("missing-ref", format!("it has no {}", settings.ref_name));
    }
    if let Some(missing) = bundle::missing(&settings, &head) {
        let what = format!("it builds on commit {missing}, which this host does not have");
        return refused("bundle-prerequisite", what);
    }
    bundle::put(&given.file, &place).map_err(|failure| {
        let folder = place.parent().filter(|it| !it.is_dir());
        let hint =
            folder.map(|it| format!("make its folder first: install -d -m 700 {}", it.display()));
        Failure::failed(failure).hint(hint.unwrap_or_default())
    })?;
    show((&place, &settings.ref_name), &head, given.json, screen)?;
    if !given.json {
        screen
            .note("the agent verifies it at its next poll; `bowline sync --wait` asks at once")?;
    }
    Ok(0)
}
