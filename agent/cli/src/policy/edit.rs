//! Edits of a policy's text that keep its comments and its layout.
//!
//! **Invariant:** a place that is not sure is not edited; whoever calls reads the result back.

use bowline_model::policy::{KeyEntry, KeyMaterial};

/// Raises the version, which stands at the begin of a line.
pub(super) fn set_version(text: &str, old: u64, new: u64) -> Option<String> {
    let is_it = |line: &&str| {
        let value = line.strip_prefix("version:").and_then(|it| it.split_ascii_whitespace().next());
        value.is_some_and(|it| it == old.to_string())
    };
    let line = text.lines().find(is_it)?;
    let changed = line.replacen(&old.to_string(), &new.to_string(), 1);
    // Only a whole line begins with it.
    let at = offset_of(text, line);
    Some(format!("{}{changed}{}", text.get(..at)?, text.get(at + line.len()..)?))
}

/// Adds an entry behind another one of the same list.
pub(super) fn add_key(text: &str, beside: &KeyEntry, entry: &str) -> Option<String> {
    let place = Place::of(text, beside)?;
    let (at, added) = match place {
        // In a list between brackets.
        Place::Braces { end, dash: None, .. } => (end, format!(", {entry}")),
        Place::Braces { end, dash: Some(indent), .. } => {
            let line_end = text.get(end..)?.find('\n').map_or(text.len(), |it| end + it);
            (line_end, format!("\n{indent}- {entry}"))
        }
        // Behind its last line, whatever that is; before it would be another order.
        Place::Lines { item_end, indent, .. } => (item_end, format!("{indent}- {entry}\n")),
    };
    Some(format!("{}{added}{}", text.get(..at)?, text.get(at..)?))
}

/// Lets a key end.
pub(super) fn end_key(text: &str, entry: &KeyEntry, end: &str) -> Option<String> {
    let place = Place::of(text, entry)?;
    let (from, to) = match place {
        Place::Braces { begin, end, .. } => (begin, end),
        Place::Lines { begin, item_end, .. } => (begin, item_end),
    };
    let own = text.get(from..to)?;
    if entry.not_after.is_some() {
        let at = from + own.find("notAfter:")? + "notAfter:".len();
        let value = text.get(at..to)?;
        let length = value.find([',', '}', '\n', '#']).unwrap_or(value.len());
        let old = value.get(..length)?;
        let blanks = old.len() - old.trim_end().len();
        let (after, gap) = (text.get(at + length..)?, " ".repeat(blanks));
        return Some(format!("{} {end}{gap}{after}", text.get(..at)?));
    }
    let (at, added) = match place {
        Place::Braces { end: close, .. } => (close - 1, format!(", notAfter: {end}")),
        Place::Lines { begin, indent, .. } => {
            let line_end = begin + text.get(begin..)?.find('\n')?;
            // A text over several lines may begin on this one.
            let first = text.get(begin..line_end)?.trim_end();
            if first.ends_with(['|', '>', '-', '+']) {
                return None;
            }
            (line_end, format!("\n{indent}  notAfter: {end}"))
        }
    };
    Some(format!("{}{added}{}", text.get(..at)?, text.get(at..)?))
}

/// Where an entry stands.
enum Place<'t> {
    /// `{type: …}`: from its first brace to behind its last; with a dash before it, what is before the dash.
    Braces { begin: usize, end: usize, dash: Option<&'t str> },
    /// One field a line, the first behind a dash: from that dash to behind the last line.
    Lines { begin: usize, item_end: usize, indent: &'t str },
}

impl<'t> Place<'t> {
    fn of(text: &'t str, entry: &KeyEntry) -> Option<Self> {
        let needle = letters(entry)?;
        let mut found = text.match_indices(needle);
        let (at, _) = found.next()?;
        if found.next().is_some() {
            return None;
        }
        let line_start = text.get(..at)?.rfind('\n').map_or(0, |it| it + 1);
        let line = text.get(line_start..)?.lines().next()?;
        // The key stands in quotes, in which there is no brace.
        if let Some(open) = text.get(line_start..at)?.rfind('{') {
            let begin = line_start + open;
            let end = at + text.get(at..line_start + line.len())?.find('}')? + 1;
            let before = text.get(line_start..begin)?;
            let dash = before.trim_end().strip_suffix('-').filter(|it| it.trim().is_empty());
            return Some(Self::Braces { begin, end, dash });
        }
        Self::lines(text, line_start)
    }

    /// The item of a list whose lines hold the one at an offset.
    fn lines(text: &'t str, within: usize) -> Option<Self> {
        let own = text.get(within..)?.lines().next()?;
        let width = |line: &str| line.len() - line.trim_start().len();
        let is_dash = |line: &&str| {
            line.trim_start().starts_with("- ") && (width(line) < width(own) || *line == own)
        };
        let before = text.get(..within + own.len())?;
        let first = before.lines().rev().find(is_dash)?;
        let begin = offset_of(text, first);
        let indent = first.get(..width(first))?;
        let after = begin + first.len() + 1;
        let rest = text.get(after..)?;
        let is_inside = |line: &&str| line.trim().is_empty() || width(line) > indent.len();
        let mut lines: Vec<_> = rest.lines().take_while(is_inside).collect();
        while lines.last().is_some_and(|it| it.trim().is_empty()) {
            lines.pop();
        }
        let length: usize = lines.iter().map(|it| it.len() + 1).sum();
        let item_end = (after + length).min(text.len());
        Some(Self::Lines { begin, item_end, indent })
    }
}

/// Letters of a key that no other key has, as they stand in the text.
fn letters(entry: &KeyEntry) -> Option<&str> {
    match &entry.material {
        KeyMaterial::Ssh { line } | KeyMaterial::SshAuthority { line, .. } => {
            line.split_ascii_whitespace().nth(1)
        }
        KeyMaterial::Spki { pem } => {
            pem.lines().map(str::trim).filter(|it| !it.starts_with("--")).max_by_key(|it| it.len())
        }
        KeyMaterial::OpenPgp { fingerprint, .. } => Some(fingerprint.as_str()),
    }
}

/// Where a part of a text begins in it.
fn offset_of(text: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}
