//! What the fuzzer has seen, run again without it: inputs and targets cannot rot.

mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use targets::TARGETS;

/// Corpora are read at each test run: they stay small.
const FILES_MAX: usize = 200;

/// An input is small, or it is no example.
const BYTES_MAX: u64 = 16 << 10;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn every_target_takes_its_good_inputs_and_refuses_the_bad_ones() {
    for target in TARGETS {
        let folder = corpus().join(target.name);
        let names = names(&folder);
        assert!(names.len() <= FILES_MAX, "{} holds {} files", target.name, names.len());
        let (mut good, mut bad) = (0, 0);
        for name in &names {
            let path = folder.join(name);
            let size = fs::metadata(&path).unwrap().len();
            assert!(size <= BYTES_MAX, "{} has {size} bytes", path.display());
            let taken = (target.run)(&fs::read(&path).unwrap());
            let expected = name.starts_with("good-");
            assert!(expected || name.starts_with("bad-"), "{} says neither", path.display());
            assert_eq!(taken, expected, "{}", path.display());
            *(if taken { &mut good } else { &mut bad }) += 1;
        }
        assert!(good > 0, "{}: nothing that is taken", target.name);
        assert!(bad > 0, "{}: nothing that is refused", target.name);
    }
}

#[test]
fn every_target_is_a_program_and_has_a_corpus() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|it| it.name.to_owned()).collect();
    assert_eq!(targets.len(), TARGETS.len(), "two targets of one name");
    assert_eq!(names(&corpus()), targets);
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    let programs = manifest.split("[[bin]]").skip(1);
    let named = |it: &str| it.split('"').nth(1).unwrap().to_owned();
    assert_eq!(programs.map(named).collect::<BTreeSet<_>>(), targets);
}
