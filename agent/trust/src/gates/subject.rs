//! Whether a statement is about the revision that is judged, or about an artifact of it.
//!
//! **Invariant:** a digest counts under its own algorithm's name, in lower case and at full length.
//! **Invariant:** a subject that contradicts itself, or names another repository or branch, is no match.

use bowline_model::digest::Sha256;
use serde_json::Value;

use super::Case;
use super::reading::{Reading, Standing};
use crate::statement::{Statement, Subject};

/// What a statement has to be about.
#[derive(Debug, Clone, Copy)]
pub(super) enum About {
    /// The revision itself, by its tree or its commit.
    Revision,
    /// Something that it names by digest.
    Artifact(Sha256),
}

/// Those subjects of a statement that are what is judged.
#[derive(Debug)]
pub(super) struct Matter<'s>(Vec<&'s Subject>);

impl Matter<'_> {
    /// What the subjects are annotated with, one after the other.
    pub(super) fn annotations<'m>(&'m self, name: &'m str) -> impl Iterator<Item = &'m Value> {
        let each = self.0.iter().filter_map(|it| it.annotations.as_ref());
        each.filter_map(move |annotations| annotations.get(name))
    }
}

impl About {
    /// The subjects that are meant; `Err` says why there are none.
    pub(super) fn find_in<'s>(
        self,
        statement: &'s Statement,
        case: &Case<'_>,
    ) -> Result<Matter<'s>, Reading> {
        let elsewhere = |what| Reading::silent(Standing::AnotherSubject, what);
        let is_meant = |it: &&Subject| match self {
            Self::Revision => is_revision(it, case),
            Self::Artifact(digest) => it.is_content(digest),
        };
        let subjects: Vec<_> = statement.subjects.iter().filter(is_meant).collect();
        if subjects.is_empty() {
            return Err(elsewhere(match self {
                Self::Revision => "the statements of this kind are about other trees and commits",
                Self::Artifact(_) => "the statements of this kind are about other artifacts",
            }));
        }
        if matches!(self, Self::Revision) && !subjects.iter().all(|it| is_at_home(it, case)) {
            return Err(elsewhere("the statement is meant for another repository or branch"));
        }
        Ok(Matter(subjects))
    }
}

/// Whether a subject is the tree or the commit, and no other of either besides.
fn is_revision(subject: &Subject, case: &Case<'_>) -> bool {
    let has = |algorithm: &str| subject.digest.contains_key(algorithm);
    let is_tree = subject.is_tree(&case.tree);
    let is_commit = case.commit.is_some_and(|it| subject.is_commit(&it));
    let contradicts = has("gitTree") && !is_tree || has("gitCommit") && !is_commit;
    (is_tree || is_commit) && !contradicts
}

/// Whether the annotations, where there are any, name this repository and this branch.
fn is_at_home(subject: &Subject, case: &Case<'_>) -> bool {
    let Some(annotations) = &subject.annotations else {
        return true;
    };
    [("repoUri", case.repo_uri.as_str()), ("targetRef", case.ref_name.as_str())]
        .iter()
        .all(|(name, ours)| annotations.get(*name).is_none_or(|it| it.as_str() == Some(ours)))
}
