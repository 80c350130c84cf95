//! What each barrier of a journey is good for: which are needed, and why the others may be missed.
//!
//! A spare barrier is one that no power cut by itself makes needed: either a later one covers the same
//! before anything relies on it, or nothing ever does. Some are kept for another fault.
//!
//! **Invariant:** every barrier that the agent asks for is in the table.

use super::trial::Journey;

/// What a barrier is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Without it a power cut breaks something.
    Needed,
    /// Without it nothing breaks, for this reason.
    Spare(&'static str),
}

use Purpose::{Needed, Spare};

const THROWN_AWAY: &str = "the generation of a change that is taken back is thrown away";

const FETCHED_AGAIN: &str = "the next fetch sets the name of what was fetched, whatever it holds";

const NAMED_LATER: &str = "the filesystem is synced before anything names what was fetched";

const STAGE_SYNCED: &str = "the stage's filesystem is synced before BEGIN; until then nothing is displaced, and a stage \
     without a manifest is cleaned";

/// Barriers that mean something else in one journey than in the others, by how their names begin.
const OF_ONE: &[(Journey, &str, Purpose)] = &[
    (Journey::Revert, "content of state/generations/candidate", Spare(THROWN_AWAY)),
    (Journey::Revert, "state/generations after open", Spare(THROWN_AWAY)),
    (
        Journey::Revert,
        "filesystem after staged+begin+stepIntent",
        Spare("an exchange that was lost need not be taken back, and the way back has its own"),
    ),
];

/// The others, by how their names begin; the first that fits counts.
const OF_ALL: &[(&str, Purpose)] = &[
    ("filesystem after start", Needed),
    ("state/objects.git/objects/pack after start", Spare(NAMED_LATER)),
    ("content of state/objects.git/refs", Spare(FETCHED_AGAIN)),
    ("state/objects.git/refs", Spare(FETCHED_AGAIN)),
    ("content of state/verify.json", Needed),
    ("state after start", Needed),
    ("content of key/host.key.witness", Needed),
    (
        "key after ",
        Spare(
            "the witness may lag behind the state, never be ahead; what it is told next makes up for it",
        ),
    ),
    ("state/journal after start (2)", Needed),
    (
        "state/journal after start",
        Spare("it covers the removal of an earlier journal, and here was none: see recovery"),
    ),
    ("state/journal after end", Needed),
    ("journal ", Needed),
    ("tail mark of open", Needed),
    (
        "tail mark of ",
        Spare("the mark may lag; its barrier is for a journal that is damaged later (row 5)"),
    ),
    ("content of root/.bowline-stage/*-*/manifest", Spare(STAGE_SYNCED)),
    ("root/.bowline-stage/*-* after open", Spare(STAGE_SYNCED)),
    ("filesystem after ", Needed),
    ("content of state/generations/candidate", Needed),
    ("state/generations after ", Needed),
    ("content of state/ledger.json", Needed),
    (
        "state after stepDone",
        Spare(
            "it ends a count of interruptions; one that comes back allows one try less of that change",
        ),
    ),
    (
        "content of state/evidence/",
        Spare("what counted is for whoever asks later; no decision rests on it"),
    ),
    (
        "state/evidence after ",
        Spare("what counted is for whoever asks later; no decision rests on it"),
    ),
    ("state after undoDone", Needed),
    ("root/.bowline-stage", Needed),
    ("content of state/records/", Needed),
];

/// What a barrier is good for; `None` for one that nobody thought of.
pub fn purpose_of(journey: Journey, barrier: &str) -> Option<Purpose> {
    let of_one = OF_ONE.iter().find(|(of, begin, _)| *of == journey && barrier.starts_with(begin));
    if let Some((_, _, purpose)) = of_one {
        return Some(*purpose);
    }
    let of_all = OF_ALL.iter().find(|(begin, _)| barrier.starts_with(begin));
    of_all.map(|(_, purpose)| *purpose)
}
