//! The commit that an argument names: one way for every verb.
//!
//! **Invariant:** what names no commit is a mistake in the arguments, told with what would name one.

use bowline_host::repository::revision;
use bowline_host::repository::view::NoRevision;
use bowline_model::object_id::ObjectId;

use crate::failure::Failure;
use crate::verify::unreachable;

/// The commit of a name in a repository: `main`, `v1`, `HEAD~1`, an id.
pub(crate) fn find(repo: &str, name: &str) -> Result<ObjectId, Failure> {
    revision::find(repo, name).map_err(unknown)
}

/// A revision that was not found: a mistake in its name, or in the repository's.
pub(crate) fn unknown(failure: NoRevision) -> Failure {
    match failure {
        NoRevision::Repository { source, .. } => unreachable(source),
        other => Failure::usage(other).hint("name a branch, a tag, or the id of a commit"),
    }
}
