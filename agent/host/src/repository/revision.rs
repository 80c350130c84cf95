//! The names that people have for commits, read as Git reads them.
//!
//! **Invariant:** a name is looked up in references and objects alone: no reflog, no configuration, no program.
//! **Invariant:** who walks back from a name takes so many steps and no more.

use bowline_model::object_id::ObjectId;
use bowline_trust::commit::Commit;
use git2::{ErrorCode, Oid};

use super::fetch_failure::FetchFailure;
use super::source::Remote;
use super::view::NoRevision;
use super::{Repository, object_id};

/// Git's own least; fewer digits name many objects.
const SHORTEST_ID: usize = 4;

/// Tags of tags of a commit; one of one is rare already.
const TAGS_MAX: usize = 16;

/// Generations back from a name; whoever means an older commit has its id.
const GENERATIONS_MAX: u32 = 100_000;

/// What stands behind a name: where to go from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// `~3`: so many first parents back.
    Back(u32),
    /// `^2`: to this parent; `^0` is the commit itself.
    Parent(u32),
}

/// The commit that a person means: `HEAD` or `@`, a branch, a tag, or an id, shortened or not; behind it any of `~`,
/// `~N`, `^`, `^N`, `^{}` and `^{commit}`. A tag means the commit that it is of.
///
/// # Errors
/// When nothing is called so, it is no commit, or it has no such parent.
pub fn find(url: &str, name: &str) -> Result<ObjectId, NoRevision> {
    let unknown = || NoRevision::Unknown { name: name.to_owned(), url: url.to_owned() };
    let (base, steps) = parted(name).ok_or_else(unknown)?;
    let start = signed(url, base)?;
    let fail = |source| NoRevision::Repository { name: name.to_owned(), source };
    let repository = Repository::view(url).map_err(fail)?;
    let mut at = repository.peeled(start)?;
    let parentless = |at: &ObjectId| NoRevision::NoParent {
        name: name.to_owned(),
        id: *at,
        url: url.to_owned(),
    };
    for step in steps {
        let (times, parent) = match step {
            Step::Back(generations) => (generations, 0),
            Step::Parent(0) => (0, 0),
            Step::Parent(number) => (1, number as usize - 1),
        };
        for _ in 0..times {
            let parents = repository.parents(&at)?;
            at = *parents.get(parent).ok_or_else(|| parentless(&at))?;
        }
    }
    Ok(at)
}

/// The object that somebody may have signed under a name: as [`find`], but a tag means itself.
///
/// # Errors
/// When nothing is called so.
pub fn find_signed(url: &str, name: &str) -> Result<ObjectId, NoRevision> {
    match parted(name) {
        Some((_, steps)) if steps.is_empty() && !name.ends_with('}') => signed(url, name),
        _ => find(url, name),
    }
}

/// What a plain name leads to, a tag or a commit.
fn signed(url: &str, name: &str) -> Result<ObjectId, NoRevision> {
    let name = if name == "@" { "HEAD" } else { name };
    let fail = |source| NoRevision::Repository { name: name.to_owned(), source };
    let remote = Remote::find(url).map_err(fail)?;
    let below = |folder: &str| format!("refs/{folder}{name}");
    // As Git looks for it; a branch that only origin has comes last, for whoever has just fetched it.
    let folders = ["heads/", "tags/", "remotes/", "remotes/origin/", ""];
    let named: Vec<_> = std::iter::once(name.to_owned()).chain(folders.map(below)).collect();
    for reference in named.iter().filter(|it| *it == "HEAD" || it.starts_with("refs/")) {
        match remote.resolve(reference) {
            Ok(id) => return Ok(object_id(id)),
            Err(FetchFailure::MissingRef { .. } | FetchFailure::Empty { .. }) => {}
            Err(source) => return Err(fail(source)),
        }
    }
    Repository::view(url).map_err(fail)?.find_id(name)
}

/// A name and the steps behind it; `None` where they are not such as are read here.
fn parted(name: &str) -> Option<(&str, Vec<Step>)> {
    let end = name.find(['~', '^']).unwrap_or(name.len());
    let (base, mut rest) = name.split_at(end);
    let mut steps = Vec::new();
    let mut left = GENERATIONS_MAX;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("^{}").or_else(|| rest.strip_prefix("^{commit}")) {
            // Who asks for a commit has one: tags were peeled.
            rest = after;
            continue;
        }
        let (sign, after) = rest.split_at(1);
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = after.split_at(digits);
        let number = if number.is_empty() { 1 } else { number.parse().ok()? };
        let step = match sign {
            "~" => Step::Back(number),
            "^" => Step::Parent(number),
            _ => return None,
        };
        left = left.checked_sub(if sign == "~" { number } else { 1 })?;
        steps.push(step);
        rest = after;
    }
    Some((base, steps))
}

impl Repository {
    /// The commit that a tag is of, or the commit itself.
    fn peeled(&self, id: ObjectId) -> Result<ObjectId, NoRevision> {
        let mut at = id;
        for _ in 0..TAGS_MAX {
            let raw = self.raw_signed(&at)?;
            let Some(text) = raw.strip_prefix(b"object ") else { return Ok(at) };
            let of = text.split(|it| *it == b'\n').next().unwrap_or_default();
            let of = std::str::from_utf8(of).ok().and_then(|it| it.parse().ok());
            at = of.ok_or_else(|| self.refuse(&at, "is a tag that cannot be read"))?;
        }
        Err(self.refuse(&id, "is a tag of too many tags"))
    }

    fn parents(&self, id: &ObjectId) -> Result<Vec<ObjectId>, NoRevision> {
        let raw = self.raw_commit(id)?;
        let commit = Commit::parse(&raw, id.format());
        Ok(commit.map_err(|bad| self.refuse(id, &bad.to_string()))?.parents)
    }

    fn refuse(&self, id: &ObjectId, why: &str) -> NoRevision {
        let url = self.folder().display().to_string();
        NoRevision::NotACommit { id: *id, url, why: why.to_owned() }
    }

    fn find_id(&self, name: &str) -> Result<ObjectId, NoRevision> {
        let (name_, url) = (name.to_owned(), self.folder().display().to_string());
        let is_hex = name.bytes().all(|it| it.is_ascii_hexdigit());
        if !is_hex || !(SHORTEST_ID..=40).contains(&name.len()) {
            return Err(NoRevision::Unknown { name: name_, url });
        }
        let found = Oid::from_str(name).and_then(|short| match name.len() {
            40 => Ok(short),
            length => self.odb.exists_prefix(short, length),
        });
        match found {
            // A whole id is taken at its word where nothing has it: whoever reads it says that it is not here.
            Ok(id) => Ok(object_id(id)),
            Err(error) if error.code() == ErrorCode::Ambiguous => {
                Err(NoRevision::Ambiguous { name: name_, url })
            }
            Err(_) => Err(NoRevision::Unknown { name: name_, url }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use git2::{ObjectType, Signature};

    /// A repository in a folder of its own: `main` is a merge of two commits on one before them, and `v1` and `v2` are
    /// tags of it, the second of the first. Gives the ids of the merge, its parents and their parent.
    fn sample(name: &str) -> (PathBuf, [ObjectId; 4]) {
        let folder =
            std::env::temp_dir().join(format!("bowline-revision-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&folder));
        let git = git2::Repository::init(&folder).unwrap();
        let tree = git.treebuilder(None).unwrap().write().unwrap();
        let who = Signature::now("A", "a@example.org").unwrap();
        let tree = git.find_tree(tree).unwrap();
        let commit = |message: &str, parents: &[Oid]| {
            let parents: Vec<_> = parents.iter().map(|it| git.find_commit(*it).unwrap()).collect();
            let parents: Vec<_> = parents.iter().collect();
            git.commit(None, &who, &who, message, &tree, &parents).unwrap()
        };
        let first = commit("first", &[]);
        let (left, right) = (commit("left", &[first]), commit("right", &[first]));
        let merge = commit("merge", &[left, right]);
        git.reference("refs/heads/main", merge, true, "").unwrap();
        git.set_head("refs/heads/main").unwrap();
        let merged = git.find_object(merge, Some(ObjectType::Commit)).unwrap();
        let tag = git.tag("v1", &merged, &who, "one", false).unwrap();
        git.tag("v2", &git.find_object(tag, None).unwrap(), &who, "two", false).unwrap();
        (folder, [merge, left, right, first].map(object_id))
    }

    #[test]
    fn a_commit_is_found_by_every_usual_name_as_git_finds_it() {
        let (folder, [merge, left, right, first]) = sample("names");
        let url = folder.to_str().unwrap();
        let full = merge.to_string();
        for (name, expected) in [
            ("main", merge),
            ("refs/heads/main", merge),
            ("HEAD", merge),
            ("@", merge),
            (&full, merge),
            (&full[..8], merge),
            ("v1", merge),
            ("v2", merge),
            ("v2^{}", merge),
            ("v2^{commit}~1", left),
            ("v1^0", merge),
            ("HEAD~", left),
            ("main~1", left),
            ("main^", left),
            ("@^2", right),
            ("main^2~1", first),
            ("main~2", first),
            ("main^^", first),
            ("main~0", merge),
            (&format!("{}~2", &full[..8]), first),
        ] {
            assert_eq!(find(url, name).unwrap(), expected, "{name}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_names_nothing_is_said_to_and_no_walk_is_without_end() {
        let (folder, _) = sample("nothing");
        let url = folder.to_str().unwrap();
        for name in [
            "other",
            "",
            "abc",
            "../main",
            "00000000",
            "refs/heads/none",
            "main~x",
            "main^{tree}",
            "none~1",
            "~1",
        ] {
            let failure = find(url, name).unwrap_err();
            assert!(matches!(failure, NoRevision::Unknown { .. }), "{name}: {failure}");
        }
        for name in ["main~3", "main^3", "main~2^", "main~99999"] {
            let failure = find(url, name).unwrap_err();
            assert!(matches!(failure, NoRevision::NoParent { .. }), "{name}: {failure}");
        }
        for name in ["main~100001", "main~60000~60000", "main~99999999999"] {
            let failure = find(url, name).unwrap_err();
            assert!(matches!(failure, NoRevision::Unknown { .. }), "{name}: {failure}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn whoever_asks_for_what_was_signed_gets_the_tag() {
        let (folder, [merge, ..]) = sample("signed");
        let url = folder.to_str().unwrap();
        let tag = find_signed(url, "v1").unwrap();
        assert_ne!(tag, merge);
        assert_ne!(find_signed(url, "v2").unwrap(), tag);
        for name in ["main", "v1^{}", "v2^0"] {
            assert_eq!(find_signed(url, name).unwrap(), merge, "{name}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_folder_without_a_repository_is_said_to_be_none() {
        let folder = std::env::temp_dir();
        let failure = find(folder.to_str().unwrap(), "main").unwrap_err();
        assert!(matches!(failure, NoRevision::Repository { .. }), "{failure}");
    }
}
