//! What a revision's manifests say of hosts and artifacts, as far as gates ask.
//!
//! **Invariant:** nothing is parsed unless the revision was let in and its policy asks.
//! **Invariant:** manifests that are wrong anywhere say nothing at all, as they deploy nothing at all.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use bowline_model::bundle::RawManifests;
use bowline_model::desired::Desired;
use bowline_model::digest::Sha256;
use bowline_model::manifest::Spec;
use bowline_model::manifest_files::{Gathered, gather};
use bowline_model::shown::one_line;
use bowline_model::tree::Contents;

/// As much of a fault as fits into one line of a table.
const WHY_CHARS_MAX: usize = 300;

/// A host that may take part, as its manifest names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Enrolled {
    /// Its name.
    pub(crate) name: String,
    /// The fingerprint of its key, as `SHA256:…`.
    pub(crate) fingerprint: String,
    /// Its environment.
    pub(crate) environment: String,
}

/// What the manifests of one revision say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Manifested {
    /// Every host, by name; no two have one key.
    pub(crate) hosts: Vec<Enrolled>,
    /// What every artifact asks for, whatever host it is for; each once.
    pub(crate) artifacts: Vec<Sha256>,
}

impl Manifested {
    /// The environment of the host with a key.
    pub(crate) fn environment_of(&self, fingerprint: &str) -> Option<&str> {
        let found = self.hosts.iter().find(|it| it.fingerprint == fingerprint);
        found.map(|it| it.environment.as_str())
    }
}

/// What was read, or why there is nothing.
pub(crate) type Found = Result<Manifested, String>;

/// Reads manifests, the same ones once.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    folder: &'a str,
    known: RefCell<Vec<(Arc<Contents>, Rc<Found>)>>,
}

impl<'a> Reader<'a> {
    /// For a repository whose own folder is this.
    pub(crate) fn of(folder: &'a str) -> Self {
        Self { folder, known: RefCell::default() }
    }

    /// What the manifests of a commit say.
    pub(crate) fn read(&self, raw: &RawManifests) -> Rc<Found> {
        let files = match raw {
            RawManifests::Unasked => {
                return Rc::new(Err("the manifests were not brought along".to_owned()));
            }
            RawManifests::Unreadable { why } => return Rc::new(Err(why.clone())),
            RawManifests::Files(files) => files,
        };
        let mut known = self.known.borrow_mut();
        let is_same = |it: &Arc<Contents>| Arc::ptr_eq(it, files) || it == files;
        if let Some((_, found)) = known.iter().find(|(it, _)| is_same(it)) {
            return Rc::clone(found);
        }
        let found = Rc::new(parse(self.folder, files));
        known.push((Arc::clone(files), Rc::clone(&found)));
        found
    }
}

/// Reads manifests as they are compiled.
fn parse(folder: &str, files: &Contents) -> Found {
    let size = |it: &Arc<[u8]>| u64::try_from(it.len()).ok();
    let desired = match gather(folder, files, size, files) {
        Ok(Gathered::Desired(desired)) => desired,
        Ok(Gathered::Read(paths)) => return Err(format!("{} was not read", paths.concat())),
        Err(failure) => return Err(one_line(&failure.to_string(), WHY_CHARS_MAX)),
    };
    Ok(Manifested { hosts: hosts(&desired), artifacts: artifacts(&desired) })
}

fn hosts(desired: &Desired) -> Vec<Enrolled> {
    let each = desired.hosts().iter().filter_map(|host| match &host.spec {
        Spec::Host(spec) => Some(Enrolled {
            name: host.metadata.name.to_string(),
            fingerprint: spec.key_fingerprint.to_string(),
            environment: spec.environment.to_string(),
        }),
        _ => None,
    });
    each.collect()
}

fn artifacts(desired: &Desired) -> Vec<Sha256> {
    let each = desired.resources().iter().filter_map(|it| match &it.spec {
        Spec::Artifact(spec) => Some(spec.archive.sha256),
        _ => None,
    });
    each.collect::<BTreeSet<_>>().into_iter().collect()
}
