//! From recorded calls to operations on a tree: who was changed, by which number.
//!
//! **Invariant:** a call that changes something here and is not understood ends the test.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::ink;
use super::op::{Change, Manner, Op, Place, Reach, Volume, apply};
use super::recording::Recording;
use super::tape::{Call, Word, read_number};
use super::tree::{Body, Content, Number, Thing, Tree};

/// Reads calls, one after another.
struct Reader<'a> {
    folders: &'a [(&'a str, PathBuf)],
    before: Tree,
    /// The tree as the program saw it.
    now: Tree,
    ops: Vec<(Op, Volume)>,
    /// Where the next plain write of each open file goes.
    offsets: BTreeMap<u32, usize>,
    /// What was written to each file since its last barrier.
    fresh: BTreeMap<Number, Vec<Vec<u8>>>,
    /// The records of the journal that were last written.
    marks: String,
    umask: u32,
}

/// Reads what a program did to folders that stood like `before` when it began.
pub fn read(before: Tree, folders: &[(&str, PathBuf)], calls: &[Call]) -> Recording {
    let mut reader = Reader {
        folders,
        now: before.clone(),
        before,
        ops: Vec::new(),
        offsets: BTreeMap::new(),
        fresh: BTreeMap::new(),
        marks: "start".to_owned(),
        umask: umask(),
    };
    for call in calls {
        reader.take(call);
    }
    let borrowed: Vec<(&str, &Path)> =
        folders.iter().map(|(name, path)| (*name, path.as_path())).collect();
    let found = Tree::read(&borrowed);
    assert_eq!(reader.now.looks(""), found.looks(""), "the recording misses something");
    Recording { before: reader.before, ops: reader.ops }
}

/// What every new file's mode is cut by; this process passes it on to those that it records.
fn umask() -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:")).unwrap();
    u32::from_str_radix(line.trim(), 8).unwrap()
}

impl Reader<'_> {
    fn take(&mut self, call: &Call) {
        let w = call.words.as_slice();
        match (call.name.as_str(), w) {
            ("openat" | "openat2", [at, path, flags, mode @ ..]) => {
                self.open(at, path, flags, mode.first(), call);
            }
            ("open", [path, flags, mode @ ..]) => {
                self.open(&Word::Plain(String::new()), path, flags, mode.first(), call);
            }
            ("lseek", [Word::Handle(Some(fd), _), ..]) => self.seek(*fd, call.gave),
            ("write", [Word::Handle(Some(fd), path), Word::Text(bytes), ..]) => {
                self.write(*fd, path, bytes);
            }
            ("pwrite64", [Word::Handle(_, path), Word::Text(bytes), _, at]) => {
                self.data(path, Change::Write(count(at), bytes.clone()));
            }
            ("ftruncate", [Word::Handle(_, path), to]) => {
                self.data(path, Change::Length(count(to)))
            }
            ("fallocate", [Word::Handle(_, path), Word::Plain(mode), from, length])
                if mode == "0" =>
            {
                self.data(path, Change::Reserve(count(from) + count(length)));
            }
            ("fchmod", [Word::Handle(_, path), mode]) => self.mode(path, mode),
            ("chmod", [Word::Text(path), mode]) => self.mode(text(path), mode),
            // Whose a file is tells nobody anything here: whoever opens the repository sets it again.
            ("lchown", [Word::Text(_), ..]) => {}
            ("fsync", [Word::Handle(_, path)]) => self.barrier(path, Reach::Whole),
            ("fdatasync", [Word::Handle(_, path)]) => self.barrier(path, Reach::Data),
            ("syncfs", [Word::Handle(_, path)]) => self.barrier(path, Reach::Volume),
            _ => self.take_name(call, w),
        }
    }

    /// Calls that change names.
    fn take_name(&mut self, call: &Call, w: &[Word]) {
        let nowhere = Word::Plain(String::new());
        match (call.name.as_str(), w) {
            ("mkdir", [path, mode]) => self.make_folder(&nowhere, path, mode),
            ("mkdirat", [at, path, mode]) => self.make_folder(at, path, mode),
            ("symlink", [Word::Text(to), path]) => self.make_link(to, &nowhere, path),
            ("symlinkat", [Word::Text(to), at, path]) => self.make_link(to, at, path),
            ("unlink" | "rmdir", [path]) => self.leave(&nowhere, path),
            ("unlinkat", [at, path, _]) => self.leave(at, path),
            ("link", [from, to]) => self.join((&nowhere, from), (&nowhere, to)),
            ("linkat", [at, from, to_at, to, _]) => self.join((at, from), (to_at, to)),
            ("rename", [from, to]) => self.rename((&nowhere, from), (&nowhere, to), "0"),
            ("renameat", [at, from, to_at, to]) => self.rename((at, from), (to_at, to), "0"),
            ("renameat2", [at, from, to_at, to, Word::Plain(flags)]) => {
                self.rename((at, from), (to_at, to), flags);
            }
            _ => self.refuse(call),
        }
    }

    /// A call that is not understood must have nothing to do with the folders.
    fn refuse(&self, call: &Call) {
        let touches = |word: &Word| match word {
            Word::Text(path) => self.inside(&String::from_utf8_lossy(path)).is_some(),
            Word::Handle(_, path) => self.inside(path).is_some(),
            Word::Plain(_) => call.name.starts_with("sync") || call.name.starts_with("io_uring"),
        };
        assert!(!call.words.iter().any(touches), "the model does not know this call: {call:?}");
    }

    fn open(&mut self, at: &Word, path: &Word, flags: &Word, mode: Option<&Word>, call: &Call) {
        self.offsets.insert(u32::try_from(call.gave).unwrap(), 0);
        let Some(path) = self.path(at, path) else { return };
        let Word::Plain(flags) = flags else { return };
        if let Some(number) = self.now.find(&path) {
            let is_full = matches!(&self.now.thing(number).body, Body::File(it) if !it.is_empty());
            if flags.contains("O_TRUNC") && is_full {
                self.push(Op::Data(number, Change::Length(0)), &path);
            }
        } else if flags.contains("O_CREAT") {
            let mode = bits(mode.unwrap()) & !self.umask;
            self.enter(&path, Body::File(Content::default()), mode);
        }
    }

    fn seek(&mut self, fd: u32, to: u64) {
        self.offsets.insert(fd, usize::try_from(to).unwrap());
    }

    fn write(&mut self, fd: u32, path: &str, bytes: &[u8]) {
        let at = self.offsets.get(&fd).copied().unwrap_or_default();
        self.data(path, Change::Write(at, bytes.to_vec()));
        self.offsets.insert(fd, at + bytes.len());
    }

    fn data(&mut self, path: &str, change: Change) {
        let Some((number, path)) = self.open_object(path) else { return };
        if let Change::Write(_, bytes) = &change {
            self.fresh.entry(number).or_default().push(bytes.clone());
            if let Some(marks) = ink::marks_of(&path, bytes) {
                self.marks = marks;
            }
        }
        self.push(Op::Data(number, change), &path);
    }

    fn mode(&mut self, path: &str, mode: &Word) {
        if let Some((number, path)) = self.open_object(path) {
            self.push(Op::Mode(number, bits(mode)), &path);
        }
    }

    fn barrier(&mut self, path: &str, reach: Reach) {
        let Some((number, path)) = self.open_object(path) else { return };
        let fresh = self.fresh.remove(&number).unwrap_or_default();
        let what = ink::barrier_name(&path, reach, &fresh, &self.marks);
        let is_same = |op: &Op| matches!(op, Op::Barrier(_, _, it) if it.starts_with(&what));
        let earlier = self.ops.iter().filter(|(op, _)| is_same(op)).count();
        let name = if earlier == 0 { what } else { format!("{what} ({})", earlier + 1) };
        self.push(Op::Barrier(number, reach, name), &path);
    }

    fn make_folder(&mut self, at: &Word, path: &Word, mode: &Word) {
        if let Some(path) = self.path(at, path) {
            self.enter(&path, Body::Folder(BTreeMap::new()), bits(mode) & !self.umask);
        }
    }

    fn make_link(&mut self, to: &[u8], at: &Word, path: &Word) {
        if let Some(path) = self.path(at, path) {
            self.enter(&path, Body::Link(text(to).to_owned()), 0o777);
        }
    }

    fn enter(&mut self, path: &str, body: Body, mode: u32) {
        let thing = Thing { body, mode, origin: None };
        let number = self.before.add(thing.clone());
        assert_eq!(self.now.add(thing), number, "both trees hold the same objects");
        let place = self.place(path);
        self.push(Op::Enter(place, number), path);
    }

    fn leave(&mut self, at: &Word, path: &Word) {
        if let Some(path) = self.path(at, path) {
            let place = self.place(&path);
            self.push(Op::Leave(place), &path);
        }
    }

    fn join(&mut self, from: (&Word, &Word), to: (&Word, &Word)) {
        let (Some(from), Some(to)) = (self.path(from.0, from.1), self.path(to.0, to.1)) else {
            return;
        };
        let number = self.now.find(&from).unwrap();
        let place = self.place(&to);
        self.push(Op::Enter(place, number), &to);
    }

    fn rename(&mut self, from: (&Word, &Word), to: (&Word, &Word), flags: &str) {
        let (Some(from), Some(to)) = (self.path(from.0, from.1), self.path(to.0, to.1)) else {
            return;
        };
        let manner = match flags {
            "RENAME_EXCHANGE" => Manner::Exchange,
            "RENAME_NOREPLACE" => Manner::Fresh,
            "0" => Manner::Replace,
            other => panic!("the model does not know a rename with {other}"),
        };
        let (from_place, to_place) = (self.place(&from), self.place(&to));
        self.push(Op::Move(from_place, to_place, manner), &from);
    }

    fn push(&mut self, op: Op, path: &str) {
        let volume = match path.split('/').next() {
            Some("root") => Volume::Root,
            Some("key") => Volume::Key,
            _ => Volume::State,
        };
        apply(&mut self.now, &op);
        self.ops.push((op, volume));
    }

    /// The folder that holds a path, and its name there.
    fn place(&self, path: &str) -> Place {
        let (parent, name) = path.rsplit_once('/').unwrap();
        let number = self.now.find(parent).unwrap_or_else(|| panic!("{parent} was never made"));
        (number, name.to_owned())
    }

    /// The object behind an open file; `None` outside, and for one without a name.
    fn open_object(&self, path: &str) -> Option<(Number, String)> {
        let inner = self.inside(path)?;
        if inner.ends_with("(deleted)") {
            return None;
        }
        Some((self.now.find(&inner).unwrap_or_else(|| panic!("{inner} was never made")), inner))
    }

    /// A path that a call names, below the top; `None` when it lies outside.
    fn path(&self, at: &Word, path: &Word) -> Option<String> {
        let Word::Text(path) = path else { panic!("{path:?} is no path") };
        match (at, text(path)) {
            (_, absolute) if absolute.starts_with('/') => self.inside(absolute),
            (Word::Handle(_, folder), relative) => self.inside(&format!("{folder}/{relative}")),
            (_, relative) => panic!("{relative} is below nobody knows what"),
        }
    }

    /// A real path as one below the top, without `.` and `..`.
    fn inside(&self, path: &str) -> Option<String> {
        let mut parts: Vec<&str> = Vec::new();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        let clean = PathBuf::from(format!("/{}", parts.join("/")));
        self.folders.iter().find_map(|(name, folder)| {
            let below = clean.strip_prefix(folder).ok()?.to_str().unwrap();
            Some(format!("{name}/{below}").trim_end_matches('/').to_owned())
        })
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn bits(word: &Word) -> u32 {
    u32::try_from(count(word)).unwrap()
}

fn count(word: &Word) -> usize {
    match word {
        Word::Plain(number) => usize::try_from(read_number(number)).unwrap(),
        other => panic!("{other:?} is no number"),
    }
}
