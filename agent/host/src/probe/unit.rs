//! Asks the service manager whether a unit runs, as a probe.
//!
//! **Invariant:** only a unit that is up now, and of services one whose process runs, passes.

use std::time::Duration;

use bowline_model::manifest::probe::UnitProbe;

use super::Sighting;
use crate::door::root::Root;
use crate::failure::chain;
use crate::service::ServiceManager;

pub(super) fn look(
    root: &Root,
    services: &ServiceManager,
    probe: &UnitProbe,
    limit: Duration,
) -> Sighting {
    let unit = probe.name.as_str();
    match services.look(root, unit, limit) {
        Ok(Ok(shown)) => Ok(format!("{unit} is {shown}")),
        Ok(Err(shown)) => Err(format!("{unit} is {shown}")),
        Err(failure) => Err(chain(&failure)),
    }
}
