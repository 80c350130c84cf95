//! `bowline schema`: the JSON Schema of the manifest language, for editors.
//!
//! **Invariant:** the schema comes from the types that the reader uses; nothing is added here.

use anyhow::anyhow;
use bowline_model::manifest::Kind;

use crate::arguments::Schema;
use crate::failure::Failure;
use crate::screen::Screen;

/// Prints the schema of one kind, or of all.
pub fn schema(given: &Schema, screen: &mut Screen<'_>) -> Result<u8, Failure> {
    let Some(schema) = bowline_model::schema::of(given.kind.as_deref()) else {
        let kind = given.kind.as_deref().unwrap_or_default();
        let what = if Kind::UNSUPPORTED.contains(&kind) {
            anyhow!("kind {kind} is not supported by this version")
        } else {
            anyhow!("there is no kind {kind:?}")
        };
        let known = Kind::ALL.map(Kind::name).join(", ");
        return Err(Failure::usage(what).hint(format!("the kinds are {known}")));
    };
    screen.pretty_json(&schema)?;
    Ok(0)
}
