//! Room in memory that many ask for at once.
//!
//! **Invariant:** no more is taken than there is.
//! **Invariant:** nobody takes more than a part of what is left: so each who comes later finds some, too.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who takes room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Who {
    /// Whoever sends from an address: of IPv6 its network.
    Peer(IpAddr),
    /// A host, by the number of its key, which signed something.
    Key(i64),
}

/// Room, in KiB.
#[derive(Debug)]
pub(super) struct Room {
    /// What one holds is at most one of so many parts of what it leaves.
    parts: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug)]
struct Taken {
    free: usize,
    by: HashMap<Who, usize>,
}

impl Room {
    /// Room of so many KiB, for `parts` who take as much as they get and some more.
    pub(super) fn new(kib: usize, parts: usize) -> Self {
        Self { parts, taken: Mutex::new(Taken { free: kib, by: HashMap::new() }) }
    }

    /// Takes some; `None` where too little is left, or too much of it would be theirs.
    pub(super) fn take(self: &Arc<Self>, who: Who, kib: usize) -> Option<Place> {
        let mut taken = self.lock();
        let left = taken.free.checked_sub(kib)?;
        let theirs = taken.by.get(&who).copied().unwrap_or_default().saturating_add(kib);
        // A part of what is left, not of what there is: one who comes after many still finds some.
        if theirs.saturating_mul(self.parts) > left {
            return None;
        }
        taken.free = left;
        taken.by.insert(who, theirs);
        drop(taken);
        Some(Place { room: Arc::clone(self), who, kib })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room that is taken until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Room>,
    who: Who,
    kib: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.room.lock();
        taken.free = taken.free.saturating_add(self.kib);
        if let Some(theirs) = taken.by.get_mut(&self.who) {
            *theirs = theirs.saturating_sub(self.kib);
            if *theirs == 0 {
                taken.by.remove(&self.who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;

    /// Takes as much as there is for one; gives that and how much it was.
    fn greed(room: &Arc<Room>, who: Who) -> (Vec<Place>, usize) {
        let places: Vec<_> = iter::from_fn(|| room.take(who, 1)).collect();
        let number = places.len();
        (places, number)
    }

    #[test]
    fn who_takes_all_they_get_leaves_some_to_each_who_comes_later() {
        let room = Arc::new(Room::new(64 << 10, 16));
        let mut held = Vec::new();
        let mut before = usize::MAX;
        for key in 0..60 {
            let (places, number) = greed(&room, Who::Key(key));
            assert!(number > 99 && number <= before, "{key}: {number}");
            held.extend(places);
            before = number;
        }
        assert!(room.take(Who::Key(0), 1).is_none());
        drop(held);
        let taken = room.lock();
        assert_eq!((taken.free, taken.by.len()), (64 << 10, 0));
    }

    #[test]
    fn nobody_takes_more_than_there_is() {
        let room = Arc::new(Room::new(10, 1));
        let who = Who::Peer([127, 0, 0, 1].into());
        assert!(room.take(who, 11).is_none() && room.take(who, usize::MAX).is_none());
        let place = room.take(who, 5).unwrap();
        assert!(room.take(who, 1).is_none(), "half of it is a part as large as what is left");
        drop(place);
        assert!(room.take(who, 5).is_some());
    }
}
