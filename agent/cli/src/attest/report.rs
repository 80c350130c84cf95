//! Reports that tools wrote: read once, bounded, and blamed by file and line.
//!
//! **Invariant:** no report counts twice: two that are the same to the byte are a mistake.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bowline_model::digest::Sha256;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use thiserror::Error;

use crate::failure::{Failure, read_given};

/// Reports of the largest projects have some ten MiB.
const REPORT_BYTES_MAX: u64 = 64 << 20;

/// Some tools write a file for each class.
const REPORTS_MAX: usize = 4_096;

/// A report that cannot be used.
#[derive(Debug, Error)]
pub(super) enum BadReport {
    /// A place in it is wrong.
    #[error("line {line}: {why}")]
    At {
        /// The line, from 1 on.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// It is wrong as a whole.
    #[error("{0}")]
    Whole(String),
}

impl BadReport {
    /// A fault at a byte of a text.
    pub(super) fn at(text: &str, byte: u64, why: String) -> Self {
        let byte = usize::try_from(byte).unwrap_or(usize::MAX).min(text.len());
        Self::At { line: line_at(text.as_bytes(), byte), why }
    }

    /// A fault of the whole report.
    pub(super) fn whole(why: impl Into<String>) -> Self {
        Self::Whole(why.into())
    }
}

/// Reads each report, and gives an in-toto descriptor of each: its name and digest.
///
/// `hint` says how such a report is made.
pub(super) fn read_each(
    files: &[PathBuf],
    hint: &str,
    mut see: impl FnMut(&str) -> Result<(), BadReport>,
) -> Result<Vec<Value>, Failure> {
    if files.len() > REPORTS_MAX {
        let what = anyhow::anyhow!("{} reports, at most {REPORTS_MAX} can be read", files.len());
        return Err(Failure::usage(what).hint("attest parts apart, each with a gate of its own"));
    }
    let mut seen: BTreeMap<Sha256, &Path> = BTreeMap::new();
    let mut descriptors = Vec::new();
    for file in files {
        let bytes = read_given(file, "report", REPORT_BYTES_MAX)?;
        let sha256 = Sha256::of(&bytes);
        if let Some(same) = seen.insert(sha256, file) {
            let (one, two) = (same.display(), file.display());
            return Err(Failure::usage(anyhow::anyhow!("{one} and {two} are the same report")));
        }
        let cannot = |bad: BadReport| {
            let what = format!("the report {} cannot be used", file.display());
            Failure::usage(bad).of(what).hint(hint)
        };
        see(text_of(&bytes).map_err(cannot)?).map_err(cannot)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        descriptors.push(json!({"name": name, "digest": {"sha256": sha256}}));
    }
    Ok(descriptors)
}

/// The text of a report, without a byte order mark.
fn text_of(bytes: &[u8]) -> Result<&str, BadReport> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    str::from_utf8(bytes).map_err(|bad| {
        let line = line_at(bytes, bad.valid_up_to());
        BadReport::At { line, why: "the text is not UTF-8".to_owned() }
    })
}

/// The line on which a byte stands, from 1 on.
fn line_at(bytes: &[u8], byte: usize) -> usize {
    bytes.get(..byte).unwrap_or_default().split(|it| *it == b'\n').count()
}

/// Reads a report in JSON.
pub(super) fn parse_json<T: DeserializeOwned>(text: &str) -> Result<T, BadReport> {
    serde_json::from_str(text)
        .map_err(|bad| BadReport::At { line: bad.line(), why: bad.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_by_its_line() {
        assert_eq!(BadReport::at("a\nb\nc", 3, "x".to_owned()).to_string(), "line 2: x");
        assert_eq!(BadReport::at("a\nb", 99, "x".to_owned()).to_string(), "line 2: x");
        let said = text_of(b"a\n\xff").unwrap_err().to_string();
        assert_eq!(said, "line 2: the text is not UTF-8");
        assert_eq!(text_of(b"\xef\xbb\xbfa").unwrap(), "a");
        assert!(parse_json::<Value>("{\n\"a\":}").unwrap_err().to_string().starts_with("line 2: "));
    }
}
