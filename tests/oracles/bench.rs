//! What every comparison needs: a folder with programs to run in, a commit, and the table of what we refuse.
//!
//! **Invariant:** a reason in a table that no case met, or a refusal without a reason, fails the test.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// When commits are made, 2026-09-21, in seconds since 1970.
pub(crate) const COMMITTED: i64 = 1_790_000_000;

/// A folder of its own, gone with the value.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("bowline-oracles-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.0.join(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }

    /// Whether a shell script ends well; its output, on both streams.
    pub(crate) fn tries(&self, script: &str) -> (bool, String) {
        let made = Command::new("sh")
            .args(["-c", script])
            .current_dir(&self.0)
            .env("HOME", &self.0)
            .env("GNUPGHOME", self.0.join("gnupg"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = [made.stdout, made.stderr].concat();
        (made.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    /// Runs a shell script that must end well.
    #[track_caller]
    pub(crate) fn run(&self, script: &str) -> String {
        let (good, said) = self.tries(script);
        assert!(good, "{script}: {said}");
        said
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// What a commit's signature covers.
pub(crate) fn payload() -> String {
    format!("{}\nBegin\n", head())
}

fn head() -> String {
    let person = format!("A <a@example.org> {COMMITTED} +0000");
    let tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    format!("tree {tree}\nauthor {person}\ncommitter {person}\n")
}

/// A commit with this signature.
pub(crate) fn commit(signature: &str) -> Vec<u8> {
    let folded = signature.trim_end_matches('\n').replace('\n', "\n ");
    format!("{}gpgsig {folded}\n\nBegin\n", head()).into_bytes()
}

/// What another takes and we do not: the words of our refusal, and why that is as it should be.
pub(crate) struct Stricter {
    reasons: &'static [(&'static str, &'static str)],
    met: BTreeMap<&'static str, usize>,
    agreed: usize,
    refused: usize,
    /// What we alone took: the first few.
    alone: Vec<String>,
    /// Refusals that nobody explains, by their words: how many, and the first case.
    unexplained: BTreeMap<String, (usize, String)>,
}

impl Stricter {
    pub(crate) fn by(reasons: &'static [(&'static str, &'static str)]) -> Self {
        Self {
            reasons,
            met: BTreeMap::new(),
            agreed: 0,
            refused: 0,
            alone: Vec::new(),
            unexplained: BTreeMap::new(),
        }
    }

    /// Notes one case: our word, and whether the other took it.
    pub(crate) fn note(&mut self, what: &str, ours: Result<(), String>, theirs: bool) {
        match (ours, theirs) {
            (Ok(()), true) => self.agreed += 1,
            (Ok(()), false) => self.alone.push(what.to_owned()),
            (Err(_), false) => self.refused += 1,
            (Err(why), true) => {
                let known = self.reasons.iter().find(|(words, _)| why.contains(words));
                if let Some((words, _)) = known {
                    *self.met.entry(words).or_default() += 1;
                } else {
                    let first = || (0, what.to_owned());
                    self.unexplained.entry(why).or_insert_with(first).0 += 1;
                }
            }
        }
    }

    /// We alone took nothing, every refusal of what another took is explained, every reason was needed, and there were
    /// as many cases as there should be.
    #[track_caller]
    pub(crate) fn close(self, cases: usize) {
        let Self { agreed, refused, met, .. } = &self;
        println!("both took {agreed}, both refused {refused}, we did not take {met:?}");
        let count = self.alone.len();
        let first = &self.alone[..count.min(20)];
        assert!(count == 0, "we alone take {count} cases: {first:#?}");
        let left = &self.unexplained;
        assert!(left.is_empty(), "another takes them, and nobody says why we do not: {left:#?}");
        for (words, why) in self.reasons {
            assert!(met.contains_key(words), "no case met {words:?} ({why})");
        }
        let seen = agreed + refused + met.values().sum::<usize>();
        assert!(seen >= cases && *agreed > 0, "{seen} cases are too few");
    }
}
