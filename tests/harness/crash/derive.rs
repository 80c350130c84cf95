//! Derives from a recording what a power cut may leave: after every operation, every allowed subset.
//!
//! **Invariant:** what a barrier covered survives; of the rest any part may, in any combination.
//! **Invariant:** the same recording gives the same states in the same order.

use std::collections::{BTreeMap, BTreeSet};

use super::op::{Change, Op, Reach};
use super::recording::Recording;
use super::tree::{Number, Tree};

/// Up to so many combinations of one moment are all tried.
const ALL_MAX: usize = 1 << 8;

/// Beyond that, so many are drawn besides the regular ones.
const DRAWN: usize = 32;

/// What a disk writes whole.
const SECTOR: usize = 512;

/// Fixed, so that a state that was found is found again.
const SEED: u64 = 0x0b0b_11ae;

/// What became of a part that no barrier had covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// All of it is there.
    Kept,
    /// Only its first operations are; zero: nothing.
    First(usize),
    /// All but one that others followed.
    Without(usize),
    /// All but the second half of the last write.
    Torn,
    /// All but the first sectors of the last write: they come in any order.
    Late,
    /// The length is there, and zeros where the last write belongs.
    Hollow,
}

/// What was not durable at one moment.
#[derive(Debug, Clone)]
struct Part {
    ops: Vec<usize>,
    fates: Vec<Fate>,
}

/// How much a state says about a barrier that was taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Only what the barrier would have covered is lost.
    Bare,
    /// A regular combination.
    Regular,
    /// A combination that was drawn.
    Drawn,
}

/// One thing that a power cut may leave.
#[derive(Debug)]
pub struct State {
    /// What is on the disk.
    pub tree: Tree,
    /// What was lost, for people.
    pub story: String,
    /// States of a lower rank are tried first.
    pub rank: Rank,
    /// Whether all that was to be fetched was said to be durable.
    pub fetched: bool,
    /// Of how many deployments the world may know how they ended.
    pub told: usize,
    /// Two states with the same number are the same.
    pub digest: u64,
}

/// What is durable, and what is not, after some operations.
#[derive(Default)]
struct Moment {
    pending: BTreeSet<usize>,
    /// Folders that a pending operation still waits for.
    waits: BTreeMap<usize, BTreeSet<Number>>,
    /// What the barrier that was taken out would have covered.
    missed: BTreeSet<usize>,
}

/// Every state of a recording, each once. `without` is a barrier that is taken out.
pub fn states(recording: &Recording, without: Option<usize>, known: &BTreeSet<u64>) -> Vec<State> {
    let mut seen = known.clone();
    let mut found = Vec::new();
    let (announced, fetched_at) = (recording.announced(), recording.fetched());
    let mut moment = Moment::default();
    for after in 0..=recording.ops.len() {
        if let Some(at) = after.checked_sub(1) {
            moment.take(recording, at, without);
        }
        // Until the barrier is missed nothing differs.
        if without.is_some_and(|it| after <= it) {
            continue;
        }
        let parts = moment.parts(recording);
        let told = announced.iter().filter(|at| after > **at).count();
        let fetched = fetched_at.is_none_or(|at| after > at);
        let known_then = (told as u64) << 1 | u64::from(fetched);
        for (fates, is_drawn) in combinations(&parts, after) {
            let rank = if is_drawn { Rank::Drawn } else { moment.rank(&parts, &fates) };
            let tree = build(recording, after, &parts, &fates);
            let digest = tree.digest(&recording.before) ^ known_then;
            if seen.insert(digest) {
                let story = tell(recording, after, &parts, &fates);
                found.push(State { tree, story, rank, fetched, told, digest });
            }
        }
    }
    found
}

impl Moment {
    fn take(&mut self, recording: &Recording, at: usize, without: Option<usize>) {
        let (op, volume) = &recording.ops[at];
        let Op::Barrier(number, reach, _) = op else {
            if op.is_losable() {
                self.pending.insert(at);
                self.waits.insert(at, op.folders().into_iter().collect());
            }
            return;
        };
        let waits = &mut self.waits;
        let mut still = self.pending.clone();
        still.retain(|earlier| {
            let (op, on) = &recording.ops[*earlier];
            match reach {
                Reach::Volume => on != volume,
                _ if op.is_covered(*number, *reach) => false,
                Reach::Data => true,
                Reach::Whole => {
                    let waits = waits.entry(*earlier).or_default();
                    // A rename between two folders is durable when both are.
                    !(waits.contains(number) && waits.len() == 1)
                }
            }
        });
        if without == Some(at) {
            self.missed = &self.pending - &still;
            return;
        }
        self.pending = still;
        if *reach == Reach::Whole {
            waits.values_mut().for_each(|waits| waits.retain(|it| it != number));
        }
    }

    fn rank(&self, parts: &[Part], fates: &[Fate]) -> Rank {
        let mut lost = parts.iter().zip(fates).filter(|(_, fate)| **fate != Fate::Kept);
        let is_missed = |part: &Part| part.ops.iter().any(|op| self.missed.contains(op));
        if lost.all(|(part, _)| is_missed(part)) { Rank::Bare } else { Rank::Regular }
    }

    /// What may be lost, each part by itself: a name, a mode, or the bytes of one file.
    fn parts(&self, recording: &Recording) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        let mut of_file: BTreeMap<Number, usize> = BTreeMap::new();
        for at in &self.pending {
            match &recording.ops[*at].0 {
                Op::Data(number, _) => {
                    let part = *of_file.entry(*number).or_insert(parts.len());
                    if part == parts.len() {
                        parts.push(Part { ops: Vec::new(), fates: Vec::new() });
                    }
                    parts[part].ops.push(*at);
                }
                _ => parts.push(Part { ops: vec![*at], fates: vec![Fate::Kept, Fate::First(0)] }),
            }
        }
        for part in parts.iter_mut().filter(|part| part.fates.is_empty()) {
            part.fates = data_fates(recording, &part.ops);
        }
        parts
    }
}

/// Bytes survive up to some write, or but for one write, or are torn in the last one.
fn data_fates(recording: &Recording, ops: &[usize]) -> Vec<Fate> {
    let mut fates = vec![Fate::Kept];
    fates.extend((0..ops.len()).map(Fate::First));
    fates.extend((1..ops.len()).map(|followed| Fate::Without(followed - 1)));
    if let Some(Op::Data(_, Change::Write(at, bytes))) = ops.last().map(|at| &recording.ops[*at].0)
    {
        fates.extend([Fate::Hollow]);
        if bytes.len() > 1 {
            fates.push(Fate::Torn);
        }
        if late(*at, bytes.len()).is_some() {
            fates.push(Fate::Late);
        }
    }
    fates
}

/// Bytes of a write up to the sector's edge nearest to its middle; `None` within one sector.
fn late(at: usize, length: usize) -> Option<usize> {
    let middle = at + length / 2;
    let edges = [middle.next_multiple_of(SECTOR), middle / SECTOR * SECTOR];
    let edge = edges.into_iter().find(|edge| (at + 1..at + length).contains(edge));
    edge.map(|edge| edge - at)
}

/// All combinations where they are few; else the regular ones and some that are drawn.
fn combinations(parts: &[Part], after: usize) -> Vec<(Vec<Fate>, bool)> {
    let count = parts.iter().try_fold(1_usize, |count, part| {
        count.checked_mul(part.fates.len()).filter(|it| *it <= ALL_MAX)
    });
    if let Some(count) = count {
        return (0..count).map(|number| (nth(parts, number), false)).collect();
    }
    let all = |pick: fn(&Part) -> Fate| parts.iter().map(pick).collect::<Vec<_>>();
    let (kept, lost) = (all(|_| Fate::Kept), all(|_| Fate::First(0)));
    let mut found = vec![(kept.clone(), false), (lost.clone(), false)];
    for (at, part) in parts.iter().enumerate() {
        for fate in &part.fates {
            for base in [&kept, &lost] {
                let mut fates = base.clone();
                fates[at] = *fate;
                found.push((fates, false));
            }
        }
    }
    let mut lot = SEED ^ (after as u64) << 32;
    for _ in 0..DRAWN {
        let draw = |part: &Part| part.fates[draw(&mut lot, part.fates.len())];
        found.push((parts.iter().map(draw).collect(), true));
    }
    found
}

fn nth(parts: &[Part], mut number: usize) -> Vec<Fate> {
    let mut digit = |part: &Part| {
        let fate = part.fates[number % part.fates.len()];
        number /= part.fates.len();
        fate
    };
    parts.iter().map(&mut digit).collect()
}

/// The next number below `end`, by SplitMix64.
pub fn draw(lot: &mut u64, end: usize) -> usize {
    *lot = lot.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *lot;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((mixed ^ (mixed >> 31)) % end as u64).unwrap()
}

fn build(recording: &Recording, after: usize, parts: &[Part], fates: &[Fate]) -> Tree {
    let mut changed: BTreeMap<usize, Option<Op>> = BTreeMap::new();
    for (part, fate) in parts.iter().zip(fates) {
        let lost = match fate {
            Fate::First(count) => &part.ops[*count..],
            Fate::Without(one) => &part.ops[*one..=*one],
            Fate::Kept | Fate::Torn | Fate::Late | Fate::Hollow => &[],
        };
        changed.extend(lost.iter().map(|at| (*at, None)));
        let last = *part.ops.last().unwrap();
        if let Op::Data(number, Change::Write(at, bytes)) = &recording.ops[last].0 {
            let (at, bytes) = match fate {
                Fate::Torn => (*at, bytes[..bytes.len() / 2].to_vec()),
                Fate::Late => {
                    let left_out = late(*at, bytes.len()).unwrap();
                    (at + left_out, bytes[left_out..].to_vec())
                }
                Fate::Hollow => (*at, vec![0; bytes.len()]),
                Fate::Kept | Fate::First(_) | Fate::Without(_) => continue,
            };
            changed.insert(last, Some(Op::Data(*number, Change::Write(at, bytes))));
        }
    }
    let ops = recording.ops[..after].iter().enumerate();
    recording.tree(ops.filter_map(|(at, (op, _))| match changed.get(&at) {
        None => Some(op),
        Some(instead) => instead.as_ref(),
    }))
}

fn tell(recording: &Recording, after: usize, parts: &[Part], fates: &[Fate]) -> String {
    let last = after.checked_sub(1).map_or_else(String::new, |at| brief(&recording.ops[at].0));
    let lost = parts.iter().zip(fates).filter(|(_, fate)| **fate != Fate::Kept);
    let lost = lost.map(|(part, fate)| {
        let first = part.ops.first().map_or_else(String::new, |at| brief(&recording.ops[*at].0));
        format!("{fate:?} of {} from {first}", part.ops.len())
    });
    format!("after operation {after}, {last}; not kept: [{}]", lost.collect::<Vec<_>>().join("; "))
}

fn brief(op: &Op) -> String {
    let text = match op {
        Op::Data(number, Change::Write(at, bytes)) => {
            format!("write {} bytes at {at} of object {number}", bytes.len())
        }
        Op::Barrier(_, _, name) => format!("barrier {name:?}"),
        other => format!("{other:?}"),
    };
    text.chars().take(160).collect()
}
