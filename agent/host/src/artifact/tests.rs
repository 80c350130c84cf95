//! What is fetched is kept, found again, made anew when it was damaged, and dropped when it is too much.
//!
//! **Invariant:** a test opens its own files, below a scratch folder.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bowline_model::manifest::ArtifactUrl;

use super::*;
use crate::scratch::Scratch;
use crate::settings;

/// A store of 16 MiB below a scratch folder.
fn store(scratch: &Scratch) -> (Store, Root) {
    let text = "[source]\nurl = \"a\"\n[artifacts]\ncache = \"16MiB\"\n";
    let settings = settings::resolve(text, &scratch.path().join("a.toml"), scratch.path()).unwrap();
    let folder = scratch.path().join("store");
    (Store::at(folder, &settings, &Arc::default()), Root::open(scratch.path()).unwrap())
}

/// A file on the host that is wanted as it is.
fn wanted(scratch: &Scratch, name: &str, bytes: &[u8]) -> Wanted {
    fs::write(scratch.path().join(name), bytes).unwrap();
    let url: ArtifactUrl = format!("file:///{name}").parse().unwrap();
    let sha256 = Sha256::of(bytes);
    let archive = Archive { sha256, extract: Extract::None, name: name.parse().unwrap() };
    Wanted { resource: "Artifact/a".into(), url, archive, beside: Vec::new() }
}

fn names(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

#[test]
fn what_was_fetched_is_known_without_its_source_until_it_is_damaged() {
    let scratch = Scratch::new();
    let (store, root) = store(&scratch);
    let one = wanted(&scratch, "one.bin", b"one");
    let listing = store.obtain(&root, &one, &[]).unwrap();
    assert_eq!(listing.members[0].path.as_str(), "one.bin");
    fs::remove_file(scratch.path().join("one.bin")).unwrap();
    assert_eq!(store.obtain(&root, &one, &[]).unwrap(), listing);
    // Under another name it is the same.
    let archive = Archive { name: "two.bin".parse().unwrap(), ..one.archive.clone() };
    assert_eq!(store.known(&archive).unwrap().members[0].path.as_str(), "two.bin");
    let entry = store.entry(one.archive.sha256, Extract::None);
    let kept = fs::read_to_string(entry.join(LISTING)).unwrap();
    fs::write(entry.join(LISTING), kept.replace("493", "511")).unwrap();
    assert_eq!(store.known(&one.archive), None);
    let gone = store.obtain(&root, &one, &[]).unwrap_err();
    assert_eq!(gone.code(), "artifact-missing");
    assert!(!entry.exists());
}

#[test]
fn what_is_not_what_it_should_be_leaves_nothing() {
    let scratch = Scratch::new();
    let (store, root) = store(&scratch);
    let mut one = wanted(&scratch, "one.bin", b"one");
    one.archive.sha256 = Sha256::of(b"two");
    let refused = store.obtain(&root, &one, &[]).unwrap_err();
    assert_eq!(
        (refused.code(), refused.kind()),
        ("artifact-digest", crate::failure::Kind::Refused)
    );
    let mut two = wanted(&scratch, "two.tar.gz", b"no archive");
    two.archive.extract = Extract::TarGz;
    assert_eq!(store.obtain(&root, &two, &[]).unwrap_err().code(), "artifact-damaged");
    assert_eq!(names(&scratch.path().join("store")), 0);
    // What a power cut or a kill left goes with the next one.
    fs::create_dir_all(scratch.path().join("store/half-tar.gz")).unwrap();
    fs::write(scratch.path().join("store/half.part"), "x").unwrap();
    store.obtain(&root, &wanted(&scratch, "three.bin", b"three"), &[]).unwrap();
    assert_eq!(names(&scratch.path().join("store")), 1);
}

#[test]
fn the_oldest_that_nobody_needs_goes_first_and_the_wanted_stay() {
    let scratch = Scratch::new();
    let (store, root) = store(&scratch);
    let of = |name: &str, mib: usize| wanted(&scratch, name, &vec![name.as_bytes()[0]; mib << 20]);
    let (one, two, three) = (of("one", 6), of("two", 6), of("three", 5));
    let standing = [one.archive.clone()];
    for it in [&one, &two, &three] {
        store.obtain(&root, it, &standing).unwrap();
    }
    let is_here = |it: &Wanted| store.known(&it.archive).is_some();
    assert!(is_here(&one) && !is_here(&two) && is_here(&three));
    let four = Wanted { beside: standing.to_vec(), ..of("four", 11) };
    let full = store.obtain(&root, &four, &[]).unwrap_err();
    assert_eq!(full.code(), "artifact-no-room", "{full}");
    assert!(is_here(&one) && !is_here(&four));
    let four = Wanted { beside: Vec::new(), ..four };
    store.obtain(&root, &four, &[]).unwrap();
    assert!(!is_here(&one) && is_here(&four));
}

#[test]
fn releases_that_stand_leave_room_for_the_next_one() {
    let scratch = Scratch::new();
    let (store, root) = store(&scratch);
    let mut standing: Vec<Archive> = Vec::new();
    for name in ["1st", "2nd", "3rd", "4th"] {
        let next = wanted(&scratch, name, &vec![name.as_bytes()[0]; 13 << 19]);
        store.obtain(&root, &next, &standing).unwrap();
        // The committed generation and the one before.
        standing.push(next.archive);
        standing.drain(..standing.len().saturating_sub(2));
        assert_eq!(standing.iter().filter_map(|it| store.known(it)).count(), standing.len());
    }
}

#[test]
fn a_file_of_this_host_is_copied_within_its_time_and_until_the_agent_ends() {
    let scratch = Scratch::new();
    let (store, root) = store(&scratch);
    let one = wanted(&scratch, "one.bin", b"one");
    let into = scratch.path().join("part");
    let copied = |means: &Means| download::download(&root, &one, &into, means);
    copied(&store.means).unwrap();
    let late = Means { time: std::time::Duration::ZERO, ..store.means.clone() };
    assert_eq!(copied(&late).unwrap_err().code(), "artifact-late");
    let ending = Means { stop: Arc::new(AtomicBool::new(true)), ..store.means.clone() };
    assert_eq!(copied(&ending).unwrap_err().code(), "stopped");
}
