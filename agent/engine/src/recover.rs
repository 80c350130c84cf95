//! Decides how to go on with a transaction that an earlier process left.
//!
//! The rule is one sentence: what was decided is finished; what was begun and not decided is taken
//! back; what was not begun is forgotten; and what cannot be read is left alone.
//!
//! **Invariant:** a change that was cut short is never carried on forward.

use bowline_api::outcome::Outcome;
use bowline_model::mark::{Blame, Mark, Verdict, Why};

use crate::advance::{decide_revert, finish, keep, undo_next};
use crate::ending::Ending;
use crate::memory::Memory;
use crate::phase::{Ear, Effect, Phase, Quest, State, Turn};
use crate::report::plain_cycle;
use crate::testing::OVER;
use crate::transaction::{Test, Transaction};

/// What an earlier process left.
#[derive(Debug, Clone)]
pub enum Left {
    /// Nothing: no journal, and clean stages.
    Nothing,
    /// A journal with these records.
    Marks(Vec<Mark>),
    /// Something that cannot be trusted.
    Damage {
        /// The stable code.
        code: &'static str,
        /// What, and where.
        detail: String,
    },
}

/// Where to begin.
pub fn recover(memory: Memory, left: Left, quest: Quest) -> Turn {
    let marks = match left {
        Left::Nothing => return rest(memory),
        Left::Damage { code, detail } => return strand(memory, code, &detail),
        Left::Marks(marks) => marks,
    };
    let tx = match Transaction::fold(&marks) {
        Ok(Some(tx)) => Box::new(tx),
        Ok(None) => return rest(memory),
        Err(error) => return strand(memory, "journal-damaged", &error.to_string()),
    };
    if let Some((outcome, _)) = tx.end {
        return match outcome {
            Outcome::Stranded => {
                strand(memory, "stranded", "an earlier transaction ended stranded")
            }
            _ => finish(memory, quest, tx),
        };
    }
    match &tx.decision {
        Some((Verdict::Commit, _)) => keep(memory, quest, tx),
        Some((Verdict::Revert, _)) => undo_next(memory, quest, tx),
        None if tx.began => {
            let why = match (tx.test, tx.stopped) {
                (Test::Passed, true) => ended(stopped()),
                (Test::Passed, false) => ended(interrupted()),
                (Test::Open, true) => stopped(),
                (Test::Open, false) => interrupted(),
            };
            decide_revert(memory, quest, tx, why)
        }
        None => abandon(memory, quest, tx),
    }
}

fn interrupted() -> Why {
    Why {
        reason: "Interrupted".to_owned(),
        code: "interrupted".to_owned(),
        detail: "the agent or the host stopped in the middle of the change".to_owned(),
        blame: Blame::World,
    }
}

/// The change had passed its trial, so nothing failed: the test is over, and begins again if it is still offered.
fn ended(by: Why) -> Why {
    let detail = "the agent or the host stopped while it was tried out".to_owned();
    Why { code: OVER.to_owned(), detail, blame: Blame::Nobody, ..by }
}

fn stopped() -> Why {
    Why {
        reason: "Stopped".to_owned(),
        code: "stopped".to_owned(),
        detail: "the agent was asked to stop in the middle of the change".to_owned(),
        blame: Blame::World,
    }
}

/// Nothing was touched: ends the transaction and cleans its stages.
fn abandon(memory: Memory, quest: Quest, mut tx: Box<Transaction>) -> Turn {
    let marks = vec![Mark::End { outcome: Outcome::Failed, proof: None }];
    for mark in &marks {
        tx.note(mark);
    }
    tx.decision = Some((Verdict::Revert, interrupted()));
    Turn { marks, ..finish(memory, quest, tx) }
}

fn rest(memory: Memory) -> Turn {
    let effect = Effect::Rest { ending: None, wait: std::time::Duration::ZERO, ear: Ear::Open };
    Turn { state: State { phase: Phase::Resting, memory }, marks: Vec::new(), effect }
}

fn strand(memory: Memory, code: &str, detail: &str) -> Turn {
    let standing = memory.generation.as_ref().map(|it| it.revision.to_string());
    let why = ("Stranded", code, detail);
    let cycle = plain_cycle(Outcome::Stranded, standing.clone(), standing, why);
    let ending = Box::new(Ending { cycle, again: false });
    let wait = std::time::Duration::from_hours(1);
    let effect = Effect::Rest { ending: Some(ending.clone()), wait, ear: Ear::Open };
    let state = State { phase: Phase::Stranded(ending), memory };
    Turn { state, marks: Vec::new(), effect }
}
