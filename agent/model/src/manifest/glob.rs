//! Patterns for paths inside a folder of the repository.
//!
//! **Invariant:** matching takes time linear in pattern times path: a pattern cannot be a trap.

use crate::word::word;

word!(
    /// A pattern: `*` and `?` stay within one name, `**` spans folders. Without a `/` it is held
    /// against every name on the path; what matches a folder matches all below it.
    Glob,
    "a pattern such as *.bak, cache/** or docs/*.md",
    "^[^/\\u0000-\\u001f][^\\u0000-\\u001f]*$",
    |text| match text {
        "" => Err("is empty"),
        _ if text.len() > 256 => Err("is longer than 256 bytes"),
        _ if text.chars().any(char::is_control) => Err("holds a control character"),
        _ if text.split('/').any(|it| matches!(it, "" | "." | "..")) => {
            Err("has an empty part, `.` or `..`, or a leading or trailing `/`")
        }
        _ if text.split('/').any(|it| it.contains("**") && it != "**") => {
            Err("has `**` beside other characters")
        }
        _ => Ok(()),
    }
);

impl Glob {
    /// Whether a path relative to the folder matches, or lies below a folder that does.
    pub fn matches(&self, path: &str) -> bool {
        let names: Vec<&str> = path.split('/').collect();
        if !self.as_str().contains('/') && self.as_str() != "**" {
            return names.iter().any(|name| name_matches(self.as_str(), name));
        }
        let parts: Vec<&str> = self.as_str().split('/').collect();
        (1..=names.len()).any(|end| names.get(..end).is_some_and(|it| path_matches(&parts, it)))
    }
}

/// Keeps, for each part of the pattern, whether it can be reached with the names seen so far.
fn path_matches(parts: &[&str], names: &[&str]) -> bool {
    reach(parts, names, |part| *part == "**", |part, name| name_matches(part, name))
}

fn name_matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    reach(&pattern, &name, |it| *it == '*', |it, letter| *it == '?' || it == letter)
}

/// Whether a pattern with "any number of" parts covers a sequence: one row of a table at a time, so
/// that nothing is tried twice.
fn reach<P, N>(
    pattern: &[P],
    sequence: &[N],
    any: fn(&P) -> bool,
    one: fn(&P, &N) -> bool,
) -> bool {
    let mut row = vec![true];
    for part in pattern {
        let before = row.last().copied().unwrap_or(false);
        row.push(before && any(part));
    }
    for item in sequence {
        let mut next = vec![false];
        for (index, part) in pattern.iter().enumerate() {
            let at = |cells: &[bool], index: usize| cells.get(index).copied().unwrap_or(false);
            let cell = if any(part) {
                at(&row, index + 1) || at(&next, index)
            } else {
                at(&row, index) && one(part, item)
            };
            next.push(cell);
        }
        row = next;
    }
    row.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_people_expect() {
        for (pattern, path, matches) in [
            ("*.bak", "a.bak", true),
            ("*.bak", "deep/a.bak", true),
            ("*.bak", "a.bak/inside", true),
            ("*.bak", "a.bak2", false),
            ("?.txt", "a.txt", true),
            ("?.txt", "ab.txt", false),
            ("cache", "x/cache/y", true),
            ("docs/*.md", "docs/a.md", true),
            ("docs/*.md", "docs/deep/a.md", false),
            ("docs/**", "docs/deep/a.md", true),
            ("docs/**/*.md", "docs/a.md", true),
            ("docs/**/*.md", "docs/a/b/c.md", true),
            ("**/tmp/*", "a/tmp/b", true),
            ("**", "anything/at/all", true),
            ("a/b", "a/b/c", true),
            ("a/b", "x/a/b", false),
        ] {
            let glob: Glob = pattern.parse().unwrap();
            assert_eq!(glob.matches(path), matches, "{pattern} against {path}");
        }
    }

    #[test]
    fn a_pattern_cannot_be_a_trap() {
        let glob: Glob = format!("{}b", "*a".repeat(100)).parse().unwrap();
        assert!(!glob.matches(&"a".repeat(4_000)));
    }

    #[test]
    fn patterns_stay_inside_the_folder() {
        for bad in ["", "/a", "a/", "../a", "a//b", "a/**b", "./a"] {
            assert!(bad.parse::<Glob>().is_err(), "{bad}");
        }
    }
}
