//! `bowline bundle`: a branch and its evidence in one file, for hosts that no network reaches.
//!
//! **Invariant:** bundles are Git's own: `git bundle` makes them, and stock Git reads them.
//! **Invariant:** a bundle is transport: putting one in its place decides nothing, the agent verifies it.

pub mod arguments;
mod create;
mod import;

use std::path::Path;

use bowline_host::repository::NOTES;
use bowline_host::repository::bundle::NoBundle;
use bowline_host::repository::bundle::{self, Head};
use bowline_model::object_id::ObjectId;
use serde::Serialize;

use self::arguments::Bundle;
use crate::failure::Failure;
use crate::screen::Screen;

/// What a bundle brings.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    /// Where it lies.
    file: String,
    /// The branch.
    #[serde(rename = "ref")]
    reference: String,
    /// What the branch names.
    commit: Option<ObjectId>,
    /// What the notes with evidence name.
    notes: Option<ObjectId>,
    /// Commits that a host must have.
    prerequisites: Vec<ObjectId>,
}

/// Does what is done with bundles.
pub fn bundle(verb: &Bundle, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    match verb {
        Bundle::Create(given) => create::create(given, screen),
        Bundle::Import(given) => import::import(given, screen),
    }
}

/// What a file says of itself.
fn head(path: &Path) -> Result<Head, Failure> {
    let what = || format!("read the bundle {}", path.display());
    match bundle::read(path) {
        Ok(Some(head)) => Ok(head),
        Ok(None) => Err(Failure::usage(anyhow::anyhow!("there is no bundle {}", path.display()))),
        Err(NoBundle::Bad(bad)) => {
            let hint = bowline_api::hint::of(bad.code()).unwrap_or_default();
            Err(Failure::failed(bad).of(what()).hint(hint))
        }
        Err(NoBundle::Os(failure)) => Err(Failure::usage(failure)),
    }
}

fn show(
    (file, reference): (&Path, &str),
    head: &Head,
    json: bool,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let shown = Shown {
        file: file.display().to_string(),
        reference: reference.to_owned(),
        commit: head.names(reference),
        notes: head.names(NOTES),
        prerequisites: head.prerequisites.clone(),
    };
    if json {
        return screen.json(&shown);
    }
    let id = |it: Option<ObjectId>| it.map_or("none".to_owned(), |it| it.to_string());
    let needs: Vec<_> = shown.prerequisites.iter().map(ToString::to_string).collect();
    screen.table(&[
        ("bundle", shown.file),
        (reference, id(shown.commit)),
        ("evidence", id(shown.notes)),
        ("builds on", needs.join(", ")),
    ])
}
