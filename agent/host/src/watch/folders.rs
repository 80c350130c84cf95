//! Which folders are watched, and which names in them are of interest.
//!
//! **Invariant:** names are kept as digests: thousands of managed files cost eight bytes each, and two
//! names with one digest cost a look too many and nothing else.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher as _};

use bowline_model::host_path::HostPath;

/// What came of watching a folder.
pub(super) enum Added {
    /// It is watched by this number.
    Is(i32),
    /// It is not there.
    No,
    /// The kernel allows no more.
    NoRoom,
}

/// The folders, and the names in them.
#[derive(Debug, Default)]
pub(super) struct Folders {
    paths: Vec<Box<str>>,
    // Digests of place and name, sorted.
    names: Vec<u64>,
    // A number may stand for several places: the same folder may be mounted twice.
    by_watch: Vec<(i32, u32)>,
}

impl Folders {
    /// The folders of paths, and those above, at most so many. Gives how many paths lie in others.
    pub(super) fn of<'p>(paths: impl Iterator<Item = &'p HostPath>, most: usize) -> (Self, usize) {
        let (mut folders, mut places, mut left) = (Self::default(), HashMap::new(), 0);
        for path in paths {
            let mut rest = path.as_str();
            while let Some((folder, name)) = rest.rsplit_once('/') {
                let place = match places.get(folder) {
                    Some(place) => *place,
                    None if places.len() < most => {
                        let place = u32::try_from(places.len()).unwrap_or(u32::MAX);
                        places.insert(folder, place);
                        folders.paths.push(folder.into());
                        folders.names.push(digest(place, name.as_bytes()));
                        // What is above a folder that is known is known as well.
                        rest = folder;
                        continue;
                    }
                    None => {
                        left += usize::from(rest == path.as_str());
                        break;
                    }
                };
                folders.names.push(digest(place, name.as_bytes()));
                break;
            }
        }
        folders.names.sort_unstable();
        folders.names.dedup();
        folders.names.shrink_to_fit();
        (folders, left)
    }

    /// Watches each folder by `add`. Gives how many there was no room for.
    pub(super) fn watch(&mut self, mut add: impl FnMut(&str) -> Added) -> usize {
        self.by_watch.clear();
        let mut refused = 0;
        for (place, path) in (0..).zip(&self.paths) {
            match add(path) {
                Added::Is(watch) => self.by_watch.push((watch, place)),
                Added::No => {}
                Added::NoRoom => refused += 1,
            }
        }
        self.by_watch.sort_unstable();
        refused
    }

    /// The numbers by which folders are watched.
    pub(super) fn watches(&self) -> impl Iterator<Item = i32> {
        self.by_watch.iter().map(|(watch, _)| *watch)
    }

    /// Whether a folder is watched by this number.
    pub(super) fn has(&self, watch: i32) -> bool {
        self.places(watch).next().is_some()
    }

    /// The digest of a name in the folder with this number, if it is managed or leads to what is.
    pub(super) fn concerns(&self, watch: i32, name: &[u8]) -> Option<u64> {
        let mut digests = self.places(watch).map(|it| digest(it, name));
        digests.find(|it| self.names.binary_search(it).is_ok())
    }

    fn places(&self, watch: i32) -> impl Iterator<Item = u32> {
        let from = self.by_watch.partition_point(|(it, _)| *it < watch);
        let of_it = self.by_watch.iter().skip(from).take_while(move |(it, _)| *it == watch);
        of_it.map(|(_, place)| *place)
    }
}

fn digest(place: u32, name: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u32(place);
    hasher.write(name);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(paths: &[&str], most: usize) -> (Folders, usize) {
        let paths: Vec<HostPath> = paths.iter().map(|it| it.parse().unwrap()).collect();
        let (mut folders, left) = Folders::of(paths.iter(), most);
        let mut number = 0;
        folders.watch(|_| {
            number += 1;
            Added::Is(number)
        });
        (folders, left)
    }

    #[test]
    fn folders_on_the_way_are_watched_for_the_way_alone() {
        let (folders, left) = of(&["/etc/a/one", "/etc/a/two", "/etc/b", "/c"], 10);
        assert_eq!((folders.paths.len(), left), (3, 0), "{folders:?}");
        let at = |path: &str| {
            let place = folders.paths.iter().position(|it| **it == *path).unwrap();
            i32::try_from(place).unwrap() + 1
        };
        for (folder, name, concerns) in [
            ("/etc/a", "one", true),
            ("/etc/a", "two", true),
            ("/etc/a", "three", false),
            ("/etc", "a", true),
            ("/etc", "b", true),
            ("/etc", "one", false),
            ("", "etc", true),
            ("", "c", true),
            ("", "tmp", false),
        ] {
            let found = folders.concerns(at(folder), name.as_bytes()).is_some();
            assert_eq!(found, concerns, "{folder}/{name}");
        }
        assert_eq!(folders.concerns(99, b"one"), None);
        let [one, two] = ["one", "two"].map(|it| folders.concerns(at("/etc/a"), it.as_bytes()));
        assert_ne!(one, two, "each has a pace of its own");
    }

    #[test]
    fn beyond_the_limit_paths_are_left_out_and_counted() {
        let (folders, left) = of(&["/a/one", "/a/two", "/b/one", "/b/two", "/three"], 2);
        assert_eq!((folders.paths.len(), left), (2, 2), "{folders:?}");
        let (folders, left) = of(&["/a/one"], 0);
        assert_eq!((folders.paths.len(), left), (0, 1), "{folders:?}");
    }

    #[test]
    fn one_folder_in_two_places_is_heard_of_for_both() {
        let paths: Vec<HostPath> = ["/a/one", "/b/two"].map(|it| it.parse().unwrap()).into();
        let (mut folders, _) = Folders::of(paths.iter(), 10);
        folders.watch(|path| if path.is_empty() { Added::NoRoom } else { Added::Is(7) });
        assert!(folders.concerns(7, b"one").is_some() && folders.concerns(7, b"two").is_some());
        assert_eq!(folders.concerns(7, b"three"), None);
        assert_eq!(folders.watches().collect::<Vec<_>>(), [7, 7]);
    }
}
