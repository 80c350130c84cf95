//! Runs a program as a probe.
//!
//! **Invariant:** only exit code 0, in time, passes.

use std::time::Duration;

use bowline_model::manifest::probe::ExecProbe;

use super::Sighting;
use crate::command::Commands;
use crate::door::root::Root;
use crate::failure::chain;

pub(super) fn look(root: &Root, probe: &ExecProbe, limit: Duration) -> Sighting {
    match Commands::of(root).run("the probe", probe.argv.words(), limit, None) {
        Ok(ran) if ran.succeeded() => Ok(ran.summary()),
        Ok(ran) => Err(ran.summary()),
        Err(failure) => Err(chain(&failure)),
    }
}
