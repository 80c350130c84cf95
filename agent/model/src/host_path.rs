//! Paths: those on a host, and those inside the repository.
//!
//! **Invariant:** a path is written in one way only, so that equal paths are equal texts: no `.`,
//! no `..`, no doubled or trailing `/`, no control characters.

use std::path::Path;

use crate::word::word;

/// Longest path that Linux takes (`PATH_MAX`, with its NUL).
const PATH_LENGTH: usize = 4095;

/// Longest name of one file (`NAME_MAX`).
const COMPONENT_LENGTH: usize = 255;

/// Deepest path: checks walk from a path to the root, once for each manifest.
const DEPTH: usize = 128;

/// Kernel interfaces that only look like files: nothing there can be staged or exchanged.
pub const NEVER_TARGETS: [&str; 3] = ["/proc", "/sys", "/dev"];

word!(
    /// An absolute path on the host, below `/`.
    HostPath,
    "an absolute path without `.`, `..`, doubled or trailing `/`, such as /etc/shop/shop.toml",
    "^(/[^/\\u0000-\\u001f]+)+$",
    |text| match text.strip_prefix('/') {
        None => Err("is not absolute"),
        Some("") => Err("is the root itself"),
        Some(below) => check_components(below, PATH_LENGTH - 1),
    }
);

word!(
    /// A path inside the repository.
    RepoPath,
    "a path inside the repository without `.`, `..`, leading, doubled or trailing `/`",
    "^[^/\\u0000-\\u001f]+(/[^/\\u0000-\\u001f]+)*$",
    |text| match text {
        "" => Err("is empty"),
        _ if text.starts_with('/') => Err("is absolute"),
        _ => check_components(text, PATH_LENGTH),
    }
);

word!(
    /// What a symlink says: an absolute path, or one relative to the link's folder.
    LinkTarget,
    "what the link points to: a path, absolute or relative to the link's folder",
    "^[^\\u0000-\\u001f]+$",
    |text| match text {
        "" => Err("is empty"),
        _ if text.chars().any(char::is_control) => Err("holds a control character"),
        _ if text.len() > PATH_LENGTH => Err("is too long"),
        _ => Ok(()),
    }
);

fn check_components(text: &str, longest: usize) -> Result<(), &'static str> {
    if text.split('/').count() > DEPTH {
        return Err("is deeper than 128 levels");
    }
    for component in text.split('/') {
        match component {
            "" => return Err("has a doubled or trailing `/`"),
            "." => return Err("has a `.` in it"),
            ".." => return Err("has a `..` in it"),
            _ if component.len() > COMPONENT_LENGTH => return Err("has a name that is too long"),
            _ if component.chars().any(char::is_control) => {
                return Err("holds a control character");
            }
            _ => {}
        }
    }
    if text.len() > longest { Err("is too long") } else { Ok(()) }
}

impl HostPath {
    /// The directory that holds it; `None` for what lies directly below `/`.
    pub fn parent(&self) -> Option<Self> {
        match self.0.rsplit_once('/') {
            None | Some(("", _)) => None,
            Some((parent, _)) => Some(Self(parent.into())),
        }
    }

    /// The last part.
    pub fn file_name(&self) -> &str {
        self.0.rsplit_once('/').map_or(self.as_str(), |(_, name)| name)
    }

    /// The path of something below it.
    ///
    /// # Errors
    /// When the whole is too long.
    pub fn join(&self, below: &RepoPath) -> Result<Self, crate::word::NotAWord> {
        format!("{}/{}", self.0, below.as_str()).parse()
    }

    /// Whether it is `other`, or lies below it.
    pub fn is_within(&self, other: &Self) -> bool {
        within(&self.0, &other.0)
    }

    /// The path as the standard library's.
    pub fn as_path(&self) -> &Path {
        Path::new(self.as_str())
    }
}

impl RepoPath {
    /// Its place below a folder: `None` when it is the folder itself or lies elsewhere.
    pub fn below(&self, folder: &Self) -> Option<Self> {
        let rest = self.0.strip_prefix(folder.as_str())?.strip_prefix('/')?;
        Some(Self(rest.into()))
    }
}

fn within(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The reserved place that holds a path: a kernel interface, or one of `reserved` (the agent's own
/// files). `None`: the path may be a target.
pub fn reserved<'a>(path: &HostPath, reserved: &'a [HostPath]) -> Option<&'a str> {
    let never = NEVER_TARGETS.into_iter().find(|it| within(path.as_str(), it));
    never.or_else(|| reserved.iter().find(|it| path.is_within(it)).map(HostPath::as_str))
}

/// The first of `reserved` that lies below a directory: what a whole tree put there would touch.
pub fn holds_reserved<'a>(directory: &HostPath, reserved: &'a [HostPath]) -> Option<&'a HostPath> {
    reserved.iter().find(|it| it.is_within(directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> HostPath {
        text.parse().unwrap()
    }

    #[test]
    fn a_host_path_is_written_in_one_way() {
        let long = format!("/{}", "a".repeat(256));
        let deep = "/a".repeat(2_048);
        for (text, good) in [
            ("/etc/shop.toml", true),
            ("/etc/ä b", true),
            ("/..x", true),
            ("/", false),
            ("", false),
            ("etc", false),
            ("/etc/", false),
            ("//etc", false),
            ("/etc/../root", false),
            ("/etc/.", false),
            ("/..", false),
            ("/a\0b", false),
            ("/a\nb", false),
            (&long, false),
            (&deep, false),
            (&"/a".repeat(128), true),
            (&"/a".repeat(129), false),
        ] {
            assert_eq!(text.parse::<HostPath>().is_ok(), good, "{text:?}");
        }
    }

    #[test]
    fn a_repository_path_cannot_leave_the_repository() {
        for (text, good) in [
            ("templates/shop.toml.j2", true),
            ("a", true),
            ("", false),
            ("/a", false),
            ("../a", false),
            ("a/../../b", false),
            ("a//b", false),
            ("a/", false),
        ] {
            assert_eq!(text.parse::<RepoPath>().is_ok(), good, "{text:?}");
        }
        let below = |path: &str| {
            let folder: RepoPath = "site".parse().unwrap();
            path.parse::<RepoPath>().unwrap().below(&folder).map(|it| it.to_string())
        };
        assert_eq!(below("site/css/a.css").as_deref(), Some("css/a.css"));
        assert_eq!(below("sites/a"), None);
        assert_eq!(below("site"), None);
    }

    #[test]
    fn parents_end_below_the_root() {
        assert_eq!(path("/etc/shop/a").parent(), Some(path("/etc/shop")));
        assert_eq!(path("/etc").parent(), None);
        assert_eq!(path("/etc/shop").file_name(), "shop");
        let below: RepoPath = "a/b".parse().unwrap();
        assert_eq!(path("/srv").join(&below).unwrap(), path("/srv/a/b"));
    }

    #[test]
    fn reserved_places_hold_what_lies_below_them_and_not_their_neighbours() {
        let own = [path("/etc/bowline"), path("/var/lib/bowline")];
        for (text, holder) in [
            ("/proc", Some("/proc")),
            ("/sys/kernel/x", Some("/sys")),
            ("/dev/null", Some("/dev")),
            ("/devel", None),
            ("/etc/bowline", Some("/etc/bowline")),
            ("/etc/bowline/trust.yaml", Some("/etc/bowline")),
            ("/etc/bowline2", None),
            ("/etc", None),
        ] {
            assert_eq!(reserved(&path(text), &own), holder, "{text}");
        }
        assert_eq!(holds_reserved(&path("/var"), &own), Some(&path("/var/lib/bowline")));
        assert_eq!(holds_reserved(&path("/srv"), &own), None);
    }
}
