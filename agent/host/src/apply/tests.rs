//! Stage, apply, undo and clean against a real filesystem.
//!
//! **Invariant:** every path is told by what stands at it, never by what a call returned alone.

mod foreign;
mod round_trip;

use std::path::PathBuf;
use std::sync::Arc;

use bowline_api::record::Conflict;
use bowline_model::digest::Sha256;
use bowline_model::form::{Form, Inode};
use bowline_model::host_path::HostPath;
use bowline_model::object_id::ObjectId;
use bowline_model::step::{Class, Deed, Step};
use bowline_model::survey::{Depth, Seen};
use bowline_model::tree::Content;
use nix::unistd::{getegid, geteuid};

use crate::apply::{ApplyFailure, apply};
use crate::clean::{Ended, clean, leftovers};
use crate::door::root::Root;
use crate::exchange::Stages;
use crate::failure::OsFailure;
use crate::observe::Observer;
use crate::scratch::Scratch;
use crate::stage::{Source, StageFailure, Staged, stage};
use crate::stat_cache::StatCache;
use crate::undo::undo;

/// The deployment of every test.
const DEPLOYMENT: &str = "7";

/// A host in a folder, and a plan for it.
struct Site {
    _scratch: Scratch,
    root: Root,
    steps: Vec<Step>,
    contents: Vec<Content>,
    staged: Option<Staged>,
}

/// Every blob holds its own id.
struct Blobs;

impl Source for Blobs {
    fn blob(&self, id: &ObjectId) -> Result<Vec<u8>, OsFailure> {
        Ok(id.to_string().into_bytes())
    }
}

impl Site {
    fn new() -> Self {
        let scratch = Scratch::new();
        let root = Root::open(scratch.path()).unwrap();
        Self { _scratch: scratch, root, steps: Vec::new(), contents: Vec::new(), staged: None }
    }

    fn outside(&self, path: &str) -> PathBuf {
        self.root.outside(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.outside(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.outside(path)).unwrap()
    }

    fn look(&self, path: &str) -> Seen {
        let mut cache = StatCache::default();
        let path: HostPath = path.parse().unwrap();
        Observer::of(&self.root, &mut cache).look(&path, Depth::Full).unwrap()
    }

    /// Adds a step that puts this form, with this content, at a path.
    fn plan(&mut self, path: &str, post: Form, content: Content) {
        let Seen { form: pre, inode, .. } = self.look(path);
        self.plan_from(path, pre, inode, post, content);
    }

    fn plan_from(
        &mut self,
        path: &str,
        pre: Form,
        inode: Option<Inode>,
        post: Form,
        content: Content,
    ) {
        let target = path.parse().unwrap();
        self.add(Deed::Place { target, pre, post, inode, stage: 0 }, content);
    }

    fn add(&mut self, deed: Deed, content: Content) {
        let index = u32::try_from(self.steps.len()).unwrap();
        let resource: Arc<str> = "File/x".into();
        self.steps.push(Step { index, resource, class: Class::Exact, deed });
        self.contents.push(content);
    }

    fn plan_file(&mut self, path: &str, text: &str) {
        self.plan(path, file(text), bytes(text));
    }

    fn stage(&mut self) -> Result<(), StageFailure> {
        let pairs: Vec<_> = self.steps.iter().zip(&self.contents).collect();
        let staged = stage(&self.root, DEPLOYMENT, &pairs, &Blobs)?;
        for (step, number) in self.steps.iter_mut().zip(&staged.of_step) {
            if let Deed::Place { stage, .. } = &mut step.deed {
                *stage = *number;
            }
        }
        self.staged = Some(staged);
        Ok(())
    }

    fn stages(&self) -> Stages {
        let roots = &self.staged.as_ref().unwrap().stages;
        Stages::open(&self.root, DEPLOYMENT, roots).unwrap()
    }

    fn apply(&self) -> Result<(), ApplyFailure> {
        apply(&self.root, &self.stages(), &self.steps)
    }

    fn undo(&self) -> Vec<Conflict> {
        undo(&self.root, &self.stages(), &self.steps).unwrap()
    }

    fn clean(&self, ended: Ended) -> Vec<Conflict> {
        clean(&self.root, DEPLOYMENT, ended).unwrap()
    }

    /// Asserts that no stage holds anything but kept things.
    fn assert_clean(&self, what: &str) {
        assert_eq!(leftovers(&self.root).unwrap(), [], "{what}");
    }
}

fn bytes(text: &str) -> Content {
    Content::Bytes(text.as_bytes().into())
}

fn file(text: &str) -> Form {
    Form::File {
        sha256: Sha256::of(text.as_bytes()),
        size: text.len() as u64,
        mode: 0o640,
        uid: geteuid().as_raw(),
        gid: getegid().as_raw(),
        xattrs: None,
    }
}

fn directory(mode: u32) -> Form {
    Form::Directory { mode, uid: geteuid().as_raw(), gid: getegid().as_raw() }
}

fn symlink(target: &str) -> Form {
    Form::Symlink { target: target.to_owned() }
}
