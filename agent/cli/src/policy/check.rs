//! `bowline policy check`: what is wrong with a policy, and what a change of it grants and takes.
//!
//! **Invariant:** nothing is written, and who may sign it is not asked: whoever reviews needs no key.

use bowline_host::door::files::read;
use bowline_trust::root_in_force::Standing;
use jiff::Timestamp;
use serde::Serialize;

use super::arguments::Check;
use super::change::{Change, changes};
use super::duty::{self, Level, Problem};
use super::effect::Effect;
use super::source::{FILE_BYTES_MAX, Found};
use crate::failure::Failure;
use crate::root_signatures;
use crate::screen::Screen;
use crate::verify::{now_or, read_trust};

/// What `--json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    /// good, or doubtful where only warnings stand, or bad.
    verdict: &'static str,
    version: u64,
    expires: Timestamp,
    /// What the policy was compared with; nothing where there was none.
    against: Option<String>,
    problems: Vec<Problem>,
    changes: Vec<Change>,
    /// Root keys and whether they signed it as it is; nothing without a trust file.
    root: Option<Standing>,
}

/// Looks a policy over.
pub(super) fn check(given: &Check, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let found = Found::in_file(&given.policy)?;
    let before = Found::before(&given.policy, given.against.as_deref())?;
    let trusted = given.trust.as_deref().map(read_trust).transpose()?;
    let now = now_or(given.at);
    let mut problems = duty::alone(&found.policy, now);
    if let Some(trusted) = &trusted {
        problems.extend(duty::for_hosts(&found.policy, &trusted.root));
    }
    if let Some(before) = &before {
        let is_same = before.bytes == found.bytes;
        problems.extend(duty::after(&before.policy, &found.policy, is_same, now));
    }
    let root = match &trusted {
        Some(trusted) => {
            let root = root_signatures::beside(&given.policy, trusted)?;
            let what = root_signatures::lacking(&root);
            problems.extend(what.map(|what| Problem { level: Level::Warning, what }));
            let path = given.policy.with_extension("dsse.json");
            let envelope = read(&path, FILE_BYTES_MAX).map_err(Failure::failed)?;
            let standing = root.standing_of_policy(&found.bytes, envelope.as_deref());
            Some(standing.map_err(Failure::failed)?)
        }
        None => None,
    };
    problems.sort_by_key(|it| it.level);
    let report = Report {
        verdict: verdict(&problems),
        version: found.policy.version,
        expires: found.policy.expires,
        against: before.as_ref().map(|it| it.label.clone()),
        changes: before.map(|it| changes(&it.policy, &found.policy)).unwrap_or_default(),
        problems,
        root,
    };
    if given.json {
        screen.json(&report)?;
    } else {
        report.show(&found.label, screen)?;
    }
    Ok(u8::from(report.verdict == "bad" || (given.strict && report.verdict != "good")))
}

fn verdict(problems: &[Problem]) -> &'static str {
    match problems.iter().map(|it| it.level).min() {
        None => "good",
        Some(Level::Warning) => "doubtful",
        Some(Level::Error) => "bad",
    }
}

impl Report {
    fn show(&self, label: &str, screen: &mut Screen<'_>) -> Result<(), Failure> {
        screen.table(&[
            ("policy", format!("{label}: version {}, expires {}", self.version, self.expires)),
            ("against", self.against.clone().unwrap_or_default()),
            ("signed", self.root.as_ref().map(root_signatures::line).unwrap_or_default()),
            ("verdict", self.verdict.to_owned()),
        ])?;
        for it in &self.changes {
            let mark = if it.effect == Effect::Loosens { "!" } else { " " };
            screen.line(format_args!("{mark} {:<8}  {}", it.effect.to_string(), it.what))?;
        }
        for it in &self.problems {
            let word = match it.level {
                Level::Error => "error",
                Level::Warning => "warning",
            };
            screen.note(format_args!("{word}: {}", it.what))?;
        }
        Ok(())
    }
}
