//! Asks how units stand: systemd in one call for all of them, another program unit by unit.
//!
//! **Invariant:** asking changes nothing, and an answer that is not understood is no answer.

use std::time::Duration;

use bowline_model::unit::{Enablement, UnitState};

use super::{SYSTEMCTL, ServiceFailure, ServiceManager};
use crate::command::Commands;
use crate::door::command::Ran;
use crate::door::root::Root;

/// A service manager only looks up what it knows.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Units in one call: their answers stay well below what is kept of a program's output.
const AT_ONCE: usize = 200;

/// What systemd is asked of each unit.
const PROPERTIES: &str = "--property=LoadState,ActiveState,UnitFileState";

/// What a probe asks systemd of one unit.
const LOOK_PROPERTIES: &str = "--property=ActiveState,SubState,Result";

impl ServiceManager {
    /// How units stand, in their order; `None` where nobody may be asked.
    pub fn ask(
        &self,
        root: &Root,
        units: &[String],
    ) -> Result<Option<Vec<UnitState>>, ServiceFailure> {
        let Ok(program) = self.program(root) else { return Ok(None) };
        let mut states = Vec::with_capacity(units.len());
        for some in units.chunks(AT_ONCE) {
            match self {
                Self::Systemctl => states.extend(ask_systemd(root, some)?),
                Self::Program(_) | Self::None => {
                    for unit in some {
                        states.push(ask_program(root, &program, unit)?);
                    }
                }
            }
        }
        Ok(Some(states))
    }

    /// Whether a unit runs now, and how it stands in words.
    pub fn look(
        &self,
        root: &Root,
        unit: &str,
        limit: Duration,
    ) -> Result<Result<String, String>, ServiceFailure> {
        let nobody =
            |why: &str| ServiceFailure::Answered { unit: unit.to_owned(), detail: why.to_owned() };
        let program = self.program(root).map_err(nobody)?;
        if !matches!(self, Self::Systemctl) {
            let ran =
                asked(root, &[program, "is-active".to_owned(), unit.to_owned()], (unit, limit))?;
            return Ok(if ran.succeeded() { Ok("up".to_owned()) } else { Err("down".to_owned()) });
        }
        let words = [SYSTEMCTL, "show", LOOK_PROPERTIES, "--", unit].map(str::to_owned);
        let ran = asked(root, &words, (unit, limit))?;
        let (active, inner) = (value(&ran.output, "ActiveState"), value(&ran.output, "SubState"));
        let (Some(active), Some(inner)) = (active, inner) else {
            return Err(nobody(&ran.summary()));
        };
        let runs = active == "active" && (inner == "running" || !unit.ends_with(".service"));
        let result = value(&ran.output, "Result").unwrap_or_default();
        let shown = format!("{active} ({inner}), its last result {result}");
        Ok(if runs { Ok(format!("{active} ({inner})")) } else { Err(shown) })
    }
}

/// The value of a property in what `systemctl show` printed.
fn value<'t>(block: &'t str, key: &str) -> Option<&'t str> {
    let mut lines = block.lines().filter_map(|line| line.split_once('='));
    lines.find_map(|(it, value)| (it == key).then_some(value))
}

fn asked(
    root: &Root,
    argv: &[String],
    (unit, limit): (&str, Duration),
) -> Result<Ran, ServiceFailure> {
    let fail = |source| ServiceFailure::Asked { unit: unit.to_owned(), source: Box::new(source) };
    let ran = Commands::of(root).run("the service manager", argv, limit, None).map_err(fail)?;
    // 126 and 127 say that it could not be run at all.
    if ran.timed_out || ran.code.is_none_or(|it| it >= 126) {
        let detail = ran.summary();
        return Err(ServiceFailure::Answered { unit: unit.to_owned(), detail });
    }
    Ok(ran)
}

fn ask_systemd(root: &Root, units: &[String]) -> Result<Vec<UnitState>, ServiceFailure> {
    let words = [SYSTEMCTL, "show", PROPERTIES, "--"].map(str::to_owned);
    let argv: Vec<String> = words.into_iter().chain(units.iter().cloned()).collect();
    let name = units.first().map(String::as_str).unwrap_or_default();
    let ran = asked(root, &argv, (name, TIMEOUT))?;
    let states: Vec<UnitState> = ran.output.trim().split("\n\n").filter_map(read).collect();
    if !ran.succeeded() || states.len() != units.len() {
        let detail =
            format!("{} answers for {} units: {}", states.len(), units.len(), ran.summary());
        return Err(ServiceFailure::Answered { unit: name.to_owned(), detail });
    }
    Ok(states)
}

/// Reads one block of `systemctl show`; `None` when it is none.
fn read(block: &str) -> Option<UnitState> {
    let (load, active) = (value(block, "LoadState")?, value(block, "ActiveState")?);
    let enabled = match (load, value(block, "UnitFileState")?) {
        ("not-found", _) => Enablement::Missing,
        ("masked", _) => Enablement::Masked,
        (_, word) => enablement(word).unwrap_or(Enablement::Fixed),
    };
    // Between two tries of one that fails again and again it is "activating".
    let up = matches!(active, "active" | "reloading" | "activating" | "refreshing");
    Some(UnitState { enabled: Some(enabled), up: Some(up) })
}

/// The word of `is-enabled`; `None` for one that is not understood.
fn enablement(word: &str) -> Option<Enablement> {
    Some(match word {
        "enabled" => Enablement::Enabled,
        // Until the next boot only: what lasts is not there.
        "disabled" | "enabled-runtime" => Enablement::Disabled,
        "masked" | "masked-runtime" => Enablement::Masked,
        "not-found" => Enablement::Missing,
        "static" | "indirect" | "generated" | "transient" | "alias" | "linked"
        | "linked-runtime" | "bad" => Enablement::Fixed,
        _ => return None,
    })
}

fn ask_program(root: &Root, program: &str, unit: &str) -> Result<UnitState, ServiceFailure> {
    let line = |word: &str| [program, word, unit].map(str::to_owned);
    let active = asked(root, &line("is-active"), (unit, TIMEOUT))?;
    // As systemctl and init scripts say it; another code is no answer to this question.
    let up = match active.code {
        Some(0) => true,
        Some(1..=4) => false,
        _ => {
            let detail = format!("is-active {}", active.summary());
            return Err(ServiceFailure::Answered { unit: unit.to_owned(), detail });
        }
    };
    let enabled = asked(root, &line("is-enabled"), (unit, TIMEOUT))?;
    let word = enabled.output.lines().rev().map(str::trim).find(|it| !it.is_empty());
    Ok(UnitState { enabled: word.and_then(enablement), up: Some(up) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_shows_of_a_unit_is_read() {
        for (load, active, file, enabled, up) in [
            ("loaded", "active", "enabled", Enablement::Enabled, true),
            ("loaded", "activating", "disabled", Enablement::Disabled, true),
            ("loaded", "failed", "enabled-runtime", Enablement::Disabled, false),
            ("loaded", "deactivating", "static", Enablement::Fixed, false),
            ("loaded", "active", "", Enablement::Fixed, true),
            ("masked", "inactive", "masked", Enablement::Masked, false),
            ("not-found", "active", "", Enablement::Missing, true),
            ("not-found", "inactive", "", Enablement::Missing, false),
        ] {
            let block = format!("LoadState={load}\nActiveState={active}\nUnitFileState={file}");
            let expected = UnitState { enabled: Some(enabled), up: Some(up) };
            assert_eq!(read(&block), Some(expected), "{block}");
        }
        assert_eq!(read("Failed to connect to bus"), None);
    }
}
