//! From waking to a revision that may be deployed: fetch, verify, choose.
//!
//! **Invariant:** whatever is said of the newest revision, the one that stands goes on being looked
//! after.
//! **Invariant:** how far was verified is durable before anything is deployed from it.

use std::mem;

use bowline_api::outcome::Outcome;
use bowline_model::bundle::Bundle;
use bowline_model::high_water::HighWater;
use bowline_model::object_id::ObjectId;
use bowline_model::revision::Revision;

use super::{destination, order, testing, turn};
use crate::ending::Ending;
use crate::memory::{Gated, Memory};
use crate::phase::{Effect, Failure, Means, Phase, Quest, Turn};
use crate::report::{self, in_words, plain_cycle};
use crate::settings::Settings;
use crate::verify::{self, Judged, Verified};
use crate::wish::Order;

pub(super) fn begin(mut memory: Memory, mut quest: Quest) -> Turn {
    memory.warnings = mem::take(&mut memory.carried.warnings);
    memory.shortage.begin(quest.now);
    if quest.wish.is_revert() {
        match order::leave(&memory, &quest) {
            Ok(left) => quest.leaving = Some(left),
            Err(ending) => {
                quest.ending = Some(*ending);
                return destination::conclude(memory, quest);
            }
        }
    }
    // Whoever only wants to see the plan leaves everything as it was.
    if quest.wish.is_retry() && !quest.wish.dry {
        memory = order::forget_failures(memory);
    }
    // Everything that going back and a look need is here.
    let local = quest.wish.is_revert() || quest.wish.hint;
    let means = if local { Means::Local } else { Means::Remote };
    fetch(memory, quest, means)
}

fn fetch(memory: Memory, quest: Quest, means: Means) -> Turn {
    let Some(settings) = &memory.settings else { return destination::untold(memory, quest) };
    let marks = memory
        .high_water
        .as_ref()
        .filter(|it| bowline_trust::marks_apply(it, settings.trust_sha256));
    let from = marks.map_or(settings.trust.anchor.commit, |it| it.head);
    // A walk that begins at the anchor begins with its gates.
    let waiting = marks.map_or_else(|| vec![from], HighWater::in_question);
    let fresh = marks.and_then(|it| it.fresh);
    turn(memory, Phase::Fetching(quest), Effect::Fetch { from, waiting, fresh, means })
}

/// The remote did not answer: what is here goes on being looked after.
pub(super) fn fetch_failed(memory: Memory, mut quest: Quest, failure: &Failure) -> Turn {
    let first = quest.ending.is_none();
    let ending = destination::unsuccessful(&memory, Outcome::Failed, "FetchFailed", failure, None);
    quest.ending.get_or_insert(ending);
    if first && memory.generation.is_some() {
        return fetch(memory, quest, Means::Local);
    }
    destination::conclude(memory, quest)
}

/// Judges what the repository offers.
pub(super) fn judge(mut memory: Memory, mut quest: Quest, bundle: Box<Bundle>) -> Turn {
    let Some(settings) = memory.settings.clone() else { return destination::untold(memory, quest) };
    // Marks made under another trust file still bind: the walk from the new anchor must pass them.
    let mut marks = memory.high_water.clone();
    // What is committed was in good health: whoever goes back to it has nothing to prove anew.
    if let (Some(marks), Some(standing)) = (&mut marks, &memory.generation) {
        marks.note_healthy(standing.revision.tree);
    }
    let judged = verify::verify(&settings, marks.as_ref(), &bundle, quest.wall);
    if !judged.code.is_empty() && quest.ending.is_none() {
        quest.ending = Some(unverified(&memory, &settings, &judged, bundle.tip));
    }
    // Where the newest is refused, the policy of the verified head is still the one in force.
    if let Some(policy) =
        verify::policy_in_force(&settings, Some(&judged), marks.as_ref(), &bundle, quest.wall)
    {
        memory.policy = Some(report::policy_standing(&policy, quest.wall));
    }
    if let Some(walked) = &judged.walked {
        memory.warnings.extend(walked.warnings.iter().cloned());
        memory.freshness = verify::freshness_in_words(walked);
        let revision = newest(&settings, bundle.tip);
        // What met its gates once is not asked again, and what they said then is known on.
        if memory.gates.revision != revision || !walked.gates.is_empty() {
            let is_cleared = walked.high_water.cleared == Some(bundle.tip);
            let verdicts = match walked.gates.as_slice() {
                [] if is_cleared => walked.high_water.opened.clone(),
                said => in_words(said),
            };
            memory.gates = Gated { revision, verdicts };
        }
    }
    if let Some(verified) = judged.verified.as_ref().filter(|it| !it.adopted().is_empty()) {
        let revision = verified.revision().to_string();
        memory.adopted = Gated { revision, verdicts: in_words(verified.adopted()) };
    }
    let verified = judged.verified.clone().map(Box::new);
    let raised = judged.walked.as_ref().map(|it| (it.high_water.clone(), it.counted.clone()));
    quest.judged = Some(Box::new(judged));
    match raised {
        Some((raised, counted)) if memory.high_water.as_ref() != Some(&raised) => {
            let phase = Phase::Marking(quest, verified, bundle);
            turn(memory, phase, Effect::Mark(Box::new(raised), counted))
        }
        _ => choose(memory, quest, verified, &bundle),
    }
}

/// The marks are durable: from here on they are this host's.
pub(super) fn marked(
    mut memory: Memory,
    quest: Quest,
    verified: Option<Box<Verified>>,
    bundle: &Bundle,
) -> Turn {
    let walked = quest.judged.as_ref().and_then(|it| it.walked.as_ref());
    memory.high_water = walked.map(|it| it.high_water.clone()).or(memory.high_water);
    choose(memory, quest, verified, bundle)
}

/// The newest commit as a revision, in words.
fn newest(settings: &Settings, tip: ObjectId) -> String {
    Revision::name(Revision::branch_of(settings.trust.repo.ref_name.as_str()), &tip)
}

/// What is refused is the newest commit; the one that is to blame may lie below it.
fn unverified(memory: &Memory, settings: &Settings, judged: &Judged, tip: ObjectId) -> Ending {
    let (outcome, reason) = match judged.word {
        "pending" => (Outcome::Pending, "PendingEvidence"),
        "stale" => (Outcome::Held, "Stale"),
        "tampered" => (Outcome::Stranded, "Tampered"),
        _ => (Outcome::Refused, "Refused"),
    };
    let detail = match judged.commit.filter(|it| *it != tip) {
        Some(below) => format!("at {}: {}", below.short(), judged.detail),
        None => judged.detail.clone(),
    };
    let revision = Some(newest(settings, tip));
    let why = (reason, judged.code.as_str(), detail.as_str());
    let mut cycle = plain_cycle(outcome, revision, memory.standing(), why);
    cycle.commit = judged.commit.map(|it| it.to_string());
    Ending { cycle, again: false }
}

/// Chooses what to deploy: the newest commit that may be, else the one that stands.
pub(super) fn choose(
    memory: Memory,
    quest: Quest,
    verified: Option<Box<Verified>>,
    bundle: &Bundle,
) -> Turn {
    if quest.ending.as_ref().is_some_and(|it| it.cycle.outcome == Outcome::Stranded) {
        return destination::conclude(memory, quest);
    }
    if let Some(Order::Revert { to: Some(to), .. }) = &quest.wish.order {
        let to = to.revision.clone();
        return order::go_back(memory, quest, &to, bundle);
    }
    let standing = || {
        let generation = memory.generation.as_ref()?;
        let marks = memory.high_water.as_ref();
        let settings = memory.settings.as_deref()?;
        let judged = quest.judged.as_deref();
        let policy = verify::policy_in_force(settings, judged, marks, bundle, quest.wall)?;
        verify::under(&policy, &generation.revision).map(Box::new)
    };
    match verified.or_else(standing) {
        Some(verified) => {
            let (memory, quest, verified) = testing::choose(memory, quest, verified);
            destination::target(memory, quest, verified)
        }
        None => destination::conclude(memory, quest),
    }
}
