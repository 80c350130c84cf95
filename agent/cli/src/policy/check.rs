//! `bowline policy check`: what is wrong with a policy, and what a change of it grants and takes.
//!
//! **Invariant:** nothing is written, and who may sign it is not asked: whoever reviews needs no key.

use bowline_host::door::files::read;
use bowline_trust::policy_sign::root_signers;
use jiff::Timestamp;
use serde::Serialize;

use super::arguments::Check;
use super::change::{Change, changes};
use super::duty::{self, Level, Problem};
use super::effect::Effect;
use super::source::{FILE_BYTES_MAX, Found};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::verify::{Trusted, now_or, read_trust};

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
    root: Option<Root>,
}

/// The root's signatures over a policy.
#[derive(Debug, Serialize)]
pub(super) struct Root {
    pub(super) threshold: usize,
    pub(super) signed: Vec<String>,
    pub(super) missing: Vec<String>,
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
    problems.sort_by_key(|it| it.level);
    let root = match &trusted {
        Some(trusted) => {
            let path = given.policy.with_extension("dsse.json");
            let envelope = read(&path, FILE_BYTES_MAX).map_err(Failure::failed)?;
            Some(Root::of(trusted, &found.bytes, envelope.as_deref())?)
        }
        None => None,
    };
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

impl Root {
    /// Which root keys signed a policy as it is.
    pub(super) fn of(
        trusted: &Trusted,
        policy: &[u8],
        envelope: Option<&[u8]>,
    ) -> Result<Self, Failure> {
        let keys = root_signers(&trusted.root, policy, envelope).map_err(Failure::failed)?;
        let names = |signed: bool| {
            let such = keys.iter().filter(|(_, it)| *it == signed);
            such.map(|(name, _)| name.clone()).collect()
        };
        let threshold = trusted.root.root.threshold;
        Ok(Self { threshold, signed: names(true), missing: names(false) })
    }

    /// One line: how many there are, and who is missing.
    pub(super) fn line(&self) -> String {
        let Self { threshold, signed, missing } = self;
        let names = |it: &[String]| if it.is_empty() { "nobody".to_owned() } else { it.join(", ") };
        let mut line = format!("{} of {threshold} root keys: {}", signed.len(), names(signed));
        if signed.len() < *threshold {
            line = format!("{line}; {} more of {}", threshold - signed.len(), names(missing));
        }
        line
    }
}

impl Report {
    fn show(&self, label: &str, screen: &mut Screen<'_>) -> Result<(), Failure> {
        screen.table(&[
            ("policy", format!("{label}: version {}, expires {}", self.version, self.expires)),
            ("against", self.against.clone().unwrap_or_default()),
            ("signed", self.root.as_ref().map(Root::line).unwrap_or_default()),
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
