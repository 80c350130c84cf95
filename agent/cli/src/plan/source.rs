//! The repository that a plan is made from: read where it lies, verified as the agent would.
//!
//! **Invariant:** an unverified revision is never planned, also when it was asked for by name.

use anyhow::anyhow;
use bowline_api::hint;
use bowline_engine::verify::{Verified, verify};
use bowline_host::door::clock;
use bowline_host::failure::chain;
use bowline_host::repository::blobs::BlobCache;
use bowline_host::repository::fetch::FetchFailure;
use bowline_host::repository::{Repository, view};
use bowline_model::object_id::ObjectId;
use bowline_model::tree::{Contents, Tree};
use bowline_trust::marks_apply;

use super::here::Here;
use crate::failure::Failure;
use crate::revision;
use crate::screen::Screen;
use crate::verify::{history, unreachable};

/// Where the agent keeps what it fetched last.
const FETCHED: &str = "refs/bowline/candidate";

/// A repository, and the commit that is meant.
#[derive(Debug)]
pub(super) struct Source {
    /// Where it lies.
    url: String,
    repository: Repository,
    tip: ObjectId,
    blobs: BlobCache,
    note: Option<String>,
}

impl Source {
    /// Opens the first remote that can be read in place, else what the agent fetched last.
    pub(super) fn open(here: &Here, rev: Option<&str>) -> Result<Self, Failure> {
        let mut refused = Vec::new();
        let fetched = here.settings.state.join("objects.git").display().to_string();
        let remotes =
            here.settings.remotes.iter().map(|url| (url, here.settings.ref_name.as_str()));
        for (url, ref_name) in remotes.chain([(&fetched, FETCHED)]) {
            match Repository::view(url).and_then(|it| Ok((it, view::tip_of(url, ref_name)?))) {
                Ok((repository, newest)) => {
                    let tip = match rev {
                        Some(rev) => revision::find(url, rev)?,
                        None => newest,
                    };
                    let note = refused.first().map(|why| format!("{why}; planned from {url}"));
                    let blobs = BlobCache::open(&here.settings.state.join("cache/blobs"));
                    let url = url.clone();
                    return Ok(Self { url, repository, tip, blobs, note });
                }
                // The agent's own repository is only there once something was fetched.
                Err(FetchFailure::NotARepository { .. }) if *url == fetched => {}
                Err(failure) => refused.push(failure),
            }
        }
        let mut refused = refused.into_iter();
        let none = || anyhow!("no repository is named in {}", here.settings.file.display());
        let first = refused.next().map_or_else(|| Failure::usage(none()), unreachable);
        Err(refused.fold(first, |failure, more| failure.hint(chain(&more))))
    }

    /// Verifies the history up to the commit.
    pub(super) fn verify(&self, here: &Here, screen: &mut Screen<'_>) -> Result<Verified, Failure> {
        if let Some(note) = &self.note {
            screen.note(format_args!("warning: {note}"))?;
        }
        let known = &here.known;
        let marks = here.marks.as_ref();
        let applying = marks.filter(|it| marks_apply(it, known.trust_sha256));
        let root = (&*known.trust, applying);
        let bundle = history((&self.url, &known.folder), &self.repository, &self.tip, root)?;
        let judged = verify(known, marks, &bundle, clock::wall());
        for warning in judged.walked.iter().flat_map(|it| &it.warnings) {
            screen.note(format_args!("warning: {warning}"))?;
        }
        let tip = self.tip.short();
        match judged.verified {
            Some(verified) if judged.code.is_empty() => Ok(verified),
            Some(verified) => {
                let planned = verified.revision();
                screen.note(format_args!(
                    "warning: {tip} is {}, {}: {}; planned is {planned}",
                    judged.word, judged.code, judged.detail
                ))?;
                Ok(verified)
            }
            None => {
                let what = anyhow!("{}: {}", judged.code, judged.detail);
                Err(Failure::failed(what)
                    .of(format!("{tip} is {}, so there is nothing to plan", judged.word))
                    .hint(hint::of(&judged.code).unwrap_or_default()))
            }
        }
    }

    /// Lists a commit's tree.
    pub(super) fn tree(&mut self, commit: &ObjectId) -> Result<Tree, Failure> {
        self.repository.tree(commit, &mut self.blobs).map_err(Failure::failed)
    }

    /// Reads files of a commit.
    pub(super) fn contents(
        &self,
        commit: &ObjectId,
        paths: &[String],
    ) -> Result<Contents, Failure> {
        self.repository.contents(commit, paths).map_err(Failure::failed)
    }
}
