//! Where a symbolic link in a tree may lead.
//!
//! **Invariant:** a link that is let through resolves inside the tree, whatever other links it meets:
//! `..` stands only at its beginning, where the folders above it are real ones.

/// Longest target (`PATH_MAX`, with its NUL).
pub(super) const TARGET_BYTES_MAX: u64 = 4_095;

/// Says why the link at `path` may not lead to `target`; `None` when it may.
pub(super) fn fault(path: &str, target: &str) -> Option<&'static str> {
    if target.is_empty() {
        return Some("it leads nowhere");
    }
    if target.starts_with('/') {
        return Some("its target is absolute");
    }
    if target.chars().any(char::is_control) {
        return Some("its target holds a control character");
    }
    let mut above = path.matches('/').count();
    let mut is_below = false;
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if is_below => return Some("its target has `..` behind a name"),
            ".." => match above.checked_sub(1) {
                Some(rest) => above = rest,
                None => return Some("its target lies outside the repository"),
            },
            name if name.eq_ignore_ascii_case(".git") => return Some("its target is a `.git`"),
            _ => is_below = true,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_stays_inside_the_tree() {
        for (path, target, good) in [
            ("a", "b", true),
            ("a", "b/c", true),
            ("d/a", "../b", true),
            ("d/e/a", "../../b", true),
            ("d/a", "./x", true),
            ("a", "../b", false),
            ("d/a", "../../b", false),
            ("a", "/etc/shadow", false),
            ("d/a", "x/../../../etc", false),
            ("d/a", "x/../y", false),
            ("a", "", false),
            ("a", "b\nc", false),
            ("a", ".GIT/config", false),
        ] {
            assert_eq!(fault(path, target).is_none(), good, "{path} -> {target}");
        }
    }
}
