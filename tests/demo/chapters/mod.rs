//! The chapters, in the order in which they are told.
//!
//! **Invariant:** each chapter checks what it tells; the first thing that is not so ends the story.

mod beginning;
mod good;
mod failing;
mod unknown;
mod killed;
mod fleet;
mod gates;
mod end;
mod shop;

use anyhow::Result;

pub(crate) use end::stay;

use crate::story::Story;
use crate::world::World;

/// Tells everything.
pub(crate) fn tell_all(world: &mut World, story: &Story) -> Result<()> {
    beginning::tell(world, story)?;
    good::tell(world, story)?;
    failing::tell(world, story)?;
    unknown::tell(world, story)?;
    killed::tell(world, story)?;
    gates::tell(world, story)?;
    end::tell(world, story)?;
    fleet::tell(world, story)
}
