//! Vouches for good health: once what was committed stood for as long as another host's gate asks of this one.
//!
//! **Invariant:** where no gate asks this host, nothing is looked at, kept or recorded.
//! **Invariant:** a host vouches only for what it committed, after a look that found nothing to repair, and with every
//! probe content at that moment; else the time begins anew.
//! **Invariant:** one cycle asks once, and each time of one generation is recorded once.

use std::sync::Arc;
use std::time::Duration;

use bowline_model::duration::Span;
use bowline_model::generation::Generation;
use bowline_model::policy::{Policy, Rule};
use bowline_model::probe_call::Answer;
use bowline_model::steady::Steady;

use super::{OutOfTurn, destination, health, turn};
use crate::compile::Compiled;
use crate::memory::Memory;
use crate::phase::{Effect, Event, Phase, Quest, State, Turn};
use crate::report::receipt;

/// Times that differ, in one policy: the shortest ones are told.
const TIMES_MAX: usize = 16;

/// How long a policy asks hosts of an environment to be in good health: each time once, the shortest first.
fn asked(policy: &Policy, environment: Option<&str>) -> Vec<Span> {
    let Some(environment) = environment else { return Vec::new() };
    let of_rule = |rule: &Rule| match rule {
        Rule::Hosts { hosts } if hosts.environment == environment => Some(hosts.lasting),
        _ => None,
    };
    let mut times: Vec<_> = policy.gates.iter().filter_map(|it| of_rule(&it.rule)).collect();
    times.sort_unstable();
    times.dedup();
    times.truncate(TIMES_MAX);
    times
}

/// What is asked of the revision that stands; nothing where it is not compiled.
fn asked_of_standing(memory: &Memory, quest: &Quest) -> Vec<Span> {
    let (Some(law), Some(compiled)) = (&quest.law, &memory.compiled) else { return Vec::new() };
    let revision = compiled.cleared.verified().revision();
    let stands = memory.generation.as_ref().is_some_and(|it| it.revision == *revision);
    if stands { asked(law, compiled.environment.as_deref()) } else { Vec::new() }
}

/// Whether people or the policy let this cycle vouch for anything.
fn may_vouch(quest: &Quest) -> bool {
    let wish = &quest.wish;
    !(quest.is_vouched || wish.hint || wish.dry || wish.order.is_some())
}

/// Since when the generation stands in good health, as far as that is known.
fn known<'m>(memory: &'m Memory, generation: &Generation) -> Option<&'m Steady> {
    let settled = memory.ledger.settled.as_deref();
    memory.steady.as_ref().filter(|it| it.is_of(generation.number, settled, &memory.facts.boot))
}

/// Whether the host is to be looked at because it is to vouch for what stands.
pub(super) fn is_due(memory: &Memory, quest: &Quest, compiled: &Compiled) -> bool {
    let (Some(law), Some(standing)) = (&quest.law, &memory.generation) else { return false };
    let asked = asked(law, compiled.environment.as_deref());
    may_vouch(quest)
        && known(memory, standing).is_some_and(|it| !it.due(&asked, quest.now).is_empty())
}

/// Vouches for what stands, where that is asked and due, before the cycle ends.
///
/// # Errors
/// Gives back memory and quest where there is nothing to do.
pub(super) fn vouch(memory: Memory, quest: Quest) -> Result<Turn, Box<(Memory, Quest)>> {
    let Some(standing) = memory.generation.clone().filter(|_| may_vouch(&quest)) else {
        return Err(Box::new((memory, quest)));
    };
    let asked = asked_of_standing(&memory, &quest);
    if asked.is_empty() {
        return Err(Box::new((memory, quest)));
    }
    let Some(steady) = known(&memory, &standing) else {
        let settled = memory.ledger.settled.clone();
        let (generation, boot) = (standing.number, memory.facts.boot.clone());
        let steady = Steady { generation, settled, boot, since_ms: 0, at: 0, told: Vec::new() };
        let steady = steady.anew(quest.now, quest.wall);
        return Ok(keep(memory, quest, steady));
    };
    let due = steady.due(&asked, quest.now);
    if due.is_empty() {
        return Err(Box::new((memory, quest)));
    }
    match quest.in_order {
        // Nobody looked: the next cycle does.
        None => Err(Box::new((memory, quest))),
        Some(false) => Ok(begin_anew(memory, quest)),
        Some(true) => Ok(ask(memory, quest, (&standing, due))),
    }
}

/// Keeps since when the host is in good health, and for how long that was recorded.
fn keep(memory: Memory, quest: Quest, steady: Steady) -> Turn {
    let steady = Box::new(steady);
    let phase = Phase::Steadying(Quest { is_vouched: true, ..quest }, steady.clone());
    turn(memory, phase, Effect::Steady(steady))
}

/// The host was not in good health: the time begins anew.
fn begin_anew(memory: Memory, quest: Quest) -> Turn {
    let Some(steady) = memory.steady.clone() else { return conclude(memory, quest) };
    let steady = steady.anew(quest.now, quest.wall);
    keep(memory, quest, steady)
}

fn conclude(memory: Memory, quest: Quest) -> Turn {
    destination::conclude(memory, Quest { is_vouched: true, ..quest })
}

/// Asks the probes of what stands once more.
fn ask(memory: Memory, quest: Quest, (standing, due): (&Arc<Generation>, Vec<Span>)) -> Turn {
    let calls = health::standing(standing);
    if calls.is_empty() {
        return record(memory, quest, due, &[]);
    }
    let effect = Effect::Probe { not_before: Duration::ZERO, calls };
    turn(memory, Phase::Vouching(quest, due, Vec::new(), 0), effect)
}

/// Hears the probes: asks those that failed again, as after a change, and begins anew if one goes on failing.
fn heard(
    mut memory: Memory,
    quest: Quest,
    (due, mut heard, looks): (Vec<Span>, Vec<Answer>, u32),
    (answers, now): (Vec<Answer>, Duration),
) -> Turn {
    let again = health::again(memory.generation.as_deref(), &answers, looks);
    heard.retain(|it| !answers.iter().any(|other| other.name == it.name));
    heard.extend(answers);
    if let Some((pause, calls)) = again {
        let effect = Effect::Probe { not_before: now + pause, calls };
        return turn(memory, Phase::Vouching(quest, due, heard, looks + 1), effect);
    }
    let probes = memory.generation.as_ref().map_or(0, |it| it.probes.len());
    let mut failing = heard.iter().filter(|it| !it.passed).peekable();
    if failing.peek().is_none() && heard.len() == probes {
        return record(memory, quest, due, &heard);
    }
    for Answer { name, detail, .. } in failing {
        let warning =
            format!("Probe/{name} fails, so the time in good health begins anew: {detail}");
        memory.warnings.push(warning);
        memory.carried.failing.push(name.clone());
    }
    begin_anew(memory, quest)
}

/// Records the longest of the times that are due: whoever stood that long stood the others.
fn record(memory: Memory, quest: Quest, due: Vec<Span>, answers: &[Answer]) -> Turn {
    let (Some(standing), Some(steady), Some(longest)) =
        (&memory.generation, &memory.steady, due.last())
    else {
        return conclude(memory, quest);
    };
    let kept = Box::new(receipt(&memory, standing, (steady.at, *longest), answers));
    turn(memory, Phase::Vouched(quest, due), Effect::Record(kept))
}

/// Goes on with what was asked for.
pub(super) fn go_on(state: State, event: Event, unexpected: OutOfTurn) -> Result<Turn, OutOfTurn> {
    let State { phase, mut memory } = state;
    Ok(match (phase, event) {
        (Phase::Steadying(quest, steady), Event::Marked) => {
            memory.steady = Some(*steady);
            conclude(memory, quest)
        }
        // What is not kept is counted all the same; a restart begins it anew.
        (Phase::Steadying(quest, steady), Event::Failed(failure)) => {
            memory.steady = Some(*steady);
            let detail = failure.detail;
            memory.warnings.push(format!("since when the host is well is not kept: {detail}"));
            conclude(memory, quest)
        }
        (Phase::Vouching(quest, due, known, looks), Event::Probed { answers, now }) => {
            heard(memory, quest, (due, known, looks), (answers, now))
        }
        (Phase::Vouching(quest, ..), Event::Failed(failure)) => {
            memory.warnings.push(format!("the host's probes were not asked: {}", failure.detail));
            conclude(memory, quest)
        }
        (Phase::Vouched(quest, due), Event::Recorded) => match memory.steady.clone() {
            Some(mut steady) => {
                steady.told.extend(due);
                keep(memory, quest, steady)
            }
            None => conclude(memory, quest),
        },
        // Nobody waits for it: the next cycle tries again.
        (Phase::Vouched(quest, _), Event::Failed(failure)) => {
            memory.warnings.push(format!("good health is not recorded yet: {}", failure.detail));
            conclude(memory, quest)
        }
        _ => return Err(unexpected),
    })
}
