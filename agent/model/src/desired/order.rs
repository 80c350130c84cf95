//! Puts manifests in an order in which each stands after what it needs.
//!
//! **Invariant:** a circle is named whole, from its first member in order, and named once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::manifest::{Manifest, ResourceId};
use crate::read::Faults;

/// Most circles that are told: more would bury the first, and each costs a walk.
const MAX_CIRCLES: usize = 50;

/// Who needs whom, by position in the sorted list of manifests.
#[derive(Debug)]
pub(super) struct Needs(Vec<BTreeSet<usize>>);

impl Needs {
    /// Notes that `one` comes after `needed`.
    pub(super) fn add(&mut self, one: usize, needed: usize) {
        if let Some(set) = self.0.get_mut(one) {
            set.insert(needed);
        }
    }

    fn of(&self, one: usize) -> impl Iterator<Item = usize> {
        self.0.get(one).into_iter().flatten().copied()
    }
}

/// What `dependsOn` says. Names that nobody has are left out; they are faults already.
pub(super) fn explicit(resources: &[Arc<Manifest>]) -> Needs {
    let position = |id: &ResourceId| {
        resources.binary_search_by(|it| (it.kind, &it.metadata.name).cmp(&(id.kind, &id.name))).ok()
    };
    Needs(resources.iter().map(|it| it.depends_on.iter().filter_map(position).collect()).collect())
}

/// Sorts; circles become faults and are left out.
pub(super) fn sort(resources: &[Arc<Manifest>], needs: &Needs, faults: &mut Faults) -> Vec<usize> {
    let mut order = Vec::with_capacity(resources.len());
    let mut open: BTreeMap<usize, usize> = BTreeMap::new();
    let mut needed_by: Vec<Vec<usize>> = vec![Vec::new(); resources.len()];
    let mut ready = BTreeSet::new();
    for one in 0..resources.len() {
        let mut count = 0;
        for needed in needs.of(one) {
            count += 1;
            if let Some(list) = needed_by.get_mut(needed) {
                list.push(one);
            }
        }
        if count == 0 {
            ready.insert(one);
        } else {
            open.insert(one, count);
        }
    }
    for _ in 0..=MAX_CIRCLES {
        while let Some(next) = ready.pop_first() {
            order.push(next);
            release(next, &needed_by, &mut open, &mut ready);
        }
        let Some((first, _)) = open.first_key_value() else {
            break;
        };
        let circle = circle_from(*first, needs, &open);
        tell(resources, &circle, faults);
        // Taking the circle out lets the rest be judged; the result is not used once a fault is told.
        for member in circle {
            open.remove(&member);
            release(member, &needed_by, &mut open, &mut ready);
        }
    }
    order
}

fn release(
    done: usize,
    needed_by: &[Vec<usize>],
    open: &mut BTreeMap<usize, usize>,
    ready: &mut BTreeSet<usize>,
) {
    for waiting in needed_by.get(done).into_iter().flatten() {
        if let Some(count) = open.get_mut(waiting) {
            *count -= 1;
            if *count == 0 {
                open.remove(waiting);
                ready.insert(*waiting);
            }
        }
    }
}

/// Follows needs until a member comes again. Everything open needs something open, so one does.
fn circle_from(start: usize, needs: &Needs, open: &BTreeMap<usize, usize>) -> Vec<usize> {
    let mut path = vec![start];
    let mut seen = BTreeMap::from([(start, 0)]);
    let mut at = start;
    while let Some(next) = needs.of(at).find(|it| open.contains_key(it)) {
        if let Some(begin) = seen.insert(next, path.len()) {
            let mut circle = path.split_off(begin);
            let smallest = (0..circle.len()).min_by_key(|it| circle.get(*it)).unwrap_or(0);
            circle.rotate_left(smallest);
            return circle;
        }
        path.push(next);
        at = next;
    }
    path
}

fn tell(resources: &[Arc<Manifest>], circle: &[usize], faults: &mut Faults) {
    let members: Vec<_> = circle.iter().filter_map(|it| resources.get(*it)).collect();
    let Some(first) = members.first() else { return };
    let next = members.get(1).unwrap_or(first).id();
    let mut names: Vec<String> = members.iter().map(|it| it.id().to_string()).collect();
    names.push(first.id().to_string());
    let field = match first.depends_on.iter().position(|it| *it == next) {
        Some(index) => format!("dependsOn[{index}]"),
        // The need comes from a parent directory, not from what someone wrote.
        None => "spec.path".to_owned(),
    };
    let message = format!("a circle of needs: {}", names.join(" → "));
    let expected = "needs that end somewhere (a path needs the manifest of its parent directory)";
    faults.push(first.origin.fault(&field, message, expected));
}
