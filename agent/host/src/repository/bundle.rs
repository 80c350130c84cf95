//! A Git bundle: one file that carries references and a pack, for hosts that no network reaches.
//!
//! **Invariant:** it is a stranger's word like a server's answer: bounded, unpacked apart, judged by signatures.
//! **Invariant:** head and pack are read of one open file, so whoever replaces it meanwhile changes nothing.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use bowline_model::object_id::ObjectId;
use thiserror::Error;

use super::address::{Address, shown};
use super::fetch_failure::FetchFailure;
use super::intake::Intake;
use super::watch::Watch;
use super::{Repository, objects_in, oid};
use crate::door::files;
use crate::failure::OsFailure;
use crate::settings::Settings;

/// Ten thousand references with long names are smaller.
const HEAD_BYTES_MAX: u64 = 1 << 20;

/// Read at once.
const BUFFER: usize = 64 << 10;

/// What stands first in each version.
const VERSIONS: [&[u8]; 2] = [b"# v2 git bundle\n", b"# v3 git bundle\n"];

/// What a bundle says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// References and what they name.
    pub references: Vec<(String, ObjectId)>,
    /// Commits that whoever takes it must have, with all below them.
    pub prerequisites: Vec<ObjectId>,
    /// Where its pack begins.
    pack: u64,
}

/// A file that is no bundle, or none that is used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadBundle {
    /// It begins like something else.
    #[error("it is no Git bundle of version 2 or 3")]
    Other,
    /// A line of its head makes no sense.
    #[error("line {0} of its head is malformed")]
    Line(usize),
    /// Its head has no end within 1 MiB.
    #[error("its head does not end within 1 MiB")]
    Endless,
    /// It asks for something that is not known here.
    #[error("it needs \"{0}\", which this version does not know")]
    Ability(String),
    /// Objects were left out on purpose.
    #[error("objects were left out of it by a filter")]
    Filtered,
    /// Objects are named in another way.
    #[error("it names objects by {0}, which this version does not read")]
    ObjectFormat(String),
}

impl BadBundle {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Other | Self::Line(_) | Self::Endless => "bundle-malformed",
            Self::Ability(_) | Self::Filtered => "bundle-unsupported",
            Self::ObjectFormat(_) => "object-format",
        }
    }
}

impl Head {
    /// Reads the head of a bundle out of its first bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadBundle> {
        let is_newer = match VERSIONS.map(|it| bytes.starts_with(it)) {
            [true, _] => false,
            [_, true] => true,
            _ => return Err(BadBundle::Other),
        };
        let (mut head, mut at) = (Self::default(), VERSIONS[0].len());
        // Each turn takes a line off, and the bytes have a limit.
        for number in 2.. {
            let rest = bytes.get(at..).unwrap_or_default();
            let end = rest.iter().position(|it| *it == b'\n').ok_or(BadBundle::Endless)?;
            let line = rest.get(..end).unwrap_or_default();
            at += end + 1;
            let text = std::str::from_utf8(line).map_err(|_| BadBundle::Line(number))?;
            match (text.strip_prefix('@'), text.strip_prefix('-')) {
                _ if text.is_empty() => break,
                (Some(ability), _) if is_newer => check_ability(ability)?,
                (_, Some(commit)) => head.prerequisites.push(id(commit, number)?.0),
                _ => {
                    let (id, name) = id(text, number)?;
                    head.references.push((name.to_owned(), id));
                }
            }
        }
        head.pack = at as u64;
        Ok(head)
    }

    /// What a reference names in it.
    pub fn names(&self, reference: &str) -> Option<ObjectId> {
        self.references.iter().find(|(name, _)| name == reference).map(|(_, id)| *id)
    }
}

/// An id, and what stands behind the blank after it.
fn id(text: &str, number: usize) -> Result<(ObjectId, &str), BadBundle> {
    let (id, rest) = text.split_once(' ').unwrap_or((text, ""));
    match id.parse() {
        Ok(ObjectId::Sha256(_)) => Err(BadBundle::ObjectFormat("SHA-256".to_owned())),
        Ok(id) => Ok((id, rest)),
        Err(_) => Err(BadBundle::Line(number)),
    }
}

fn check_ability(ability: &str) -> Result<(), BadBundle> {
    let short: String = ability.chars().filter(|it| !it.is_control()).take(40).collect();
    match ability.split_once('=').unwrap_or((ability, "")) {
        ("object-format", "sha1") => Ok(()),
        ("object-format", "sha256") => Err(BadBundle::ObjectFormat("SHA-256".to_owned())),
        ("filter", _) => Err(BadBundle::Filtered),
        _ => Err(BadBundle::Ability(short)),
    }
}

/// A bundle that is fetched from.
#[derive(Debug)]
pub(super) struct Bundle {
    url: String,
    file: File,
    head: Head,
}

impl Bundle {
    /// The bundle at a path; `None` when that is no file, or one that begins like something else.
    pub(super) fn at(url: &str, path: &Path) -> Result<Option<Self>, FetchFailure> {
        match open(path) {
            Ok(None) | Err(NoBundle::Bad(BadBundle::Other)) => Ok(None),
            Ok(Some((file, head))) => Ok(Some(Self { url: shown(url), file, head })),
            Err(NoBundle::Os(failure)) => Err(FetchFailure::Own(failure.into())),
            Err(NoBundle::Bad(source)) => Err(FetchFailure::Bundle { url: shown(url), source }),
        }
    }

    /// What some references name: the branch, and then those that may be missing.
    pub(super) fn look(&self, names: &[&str]) -> Vec<Option<ObjectId>> {
        names.iter().map(|it| self.head.names(it)).collect()
    }

    /// Whether everything is here that it builds on.
    pub(super) fn check(&self, own: &Repository) -> Result<(), FetchFailure> {
        let mut commits = self.head.prerequisites.iter();
        match commits.find(|it| !oid(it).is_some_and(|it| own.odb.exists(it))) {
            Some(missing) => {
                Err(FetchFailure::Prerequisite { url: self.url.clone(), missing: *missing })
            }
            None => Ok(()),
        }
    }

    /// Passes its pack on.
    pub(super) fn pour(
        &mut self,
        intake: &mut Intake<'_>,
        watch: &Watch<'_>,
    ) -> Result<(), FetchFailure> {
        let fail = |url: &str, source: io::Error| {
            FetchFailure::Own(OsFailure::new("read", url, source).into())
        };
        let url = &self.url;
        self.file.seek(SeekFrom::Start(self.head.pack)).map_err(|it| fail(url, it))?;
        let mut buffer = vec![0; BUFFER];
        loop {
            let count = match self.file.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(fail(url, error)),
            };
            watch.count(count as u64, 0)?;
            intake.take(buffer.get(..count).unwrap_or_default())?;
        }
    }
}

/// A bundle was not read.
#[derive(Debug, Error)]
pub enum NoBundle {
    /// The system refused.
    #[error("read the bundle")]
    Os(#[from] OsFailure),
    /// It is none.
    #[error("it cannot be used as a bundle")]
    Bad(#[from] BadBundle),
}

/// Opens a file and reads its head; `None` when there is no regular file.
fn open(path: &Path) -> Result<Option<(File, Head)>, NoBundle> {
    let Some(file) = files::look(path)? else { return Ok(None) };
    let fail = |source| OsFailure::new("read", path, source);
    if !file.metadata().map_err(fail)?.is_file() {
        return Ok(None);
    }
    let mut head = Vec::new();
    Read::by_ref(&mut &file).take(HEAD_BYTES_MAX).read_to_end(&mut head).map_err(fail)?;
    Ok(Some((file, Head::parse(&head)?)))
}

/// What a bundle says of itself; `None` when there is no file.
pub fn read(path: &Path) -> Result<Option<Head>, NoBundle> {
    Ok(open(path)?.map(|(_, head)| head))
}

/// Where a host's bundle is to lie: the first address of the settings that is a path without a repository.
pub fn place(settings: &Settings) -> Option<PathBuf> {
    settings.remotes.iter().find_map(|url| match Address::of(url) {
        Ok(Address::Local(path)) if !path.is_dir() => Some(path),
        _ => None,
    })
}

/// A commit that a bundle builds on and that a host does not have, as far as can be seen.
pub fn missing(settings: &Settings, head: &Head) -> Option<ObjectId> {
    let own = objects_in(&[settings.state.join("objects.git/objects")]).ok()?;
    let lacks = |it: &&ObjectId| oid(it).is_none_or(|it| !own.exists(it));
    head.prerequisites.iter().find(lacks).copied()
}

/// Puts a bundle in its place: whoever reads meanwhile has the old one or the new.
pub fn put(from: &Path, to: &Path) -> Result<(), OsFailure> {
    files::replace_by_copy(from, to, 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1111111111111111111111111111111111111111";

    #[test]
    fn a_head_says_what_the_bundle_brings() {
        let text = format!("# v2 git bundle\n-{ID} one\n{ID} refs/heads/main\n\nPACK");
        let head = Head::parse(text.as_bytes()).unwrap();
        let id: ObjectId = ID.parse().unwrap();
        assert_eq!(head.prerequisites, [id]);
        assert_eq!(head.names("refs/heads/main"), Some(id));
        assert_eq!(head.names("refs/heads/other"), None);
        assert_eq!(text.get(usize::try_from(head.pack).unwrap()..), Some("PACK"));
        let newer = text.replace("v2 git bundle\n", "v3 git bundle\n@object-format=sha1\n");
        assert_eq!(Head::parse(newer.as_bytes()).unwrap().references, head.references);
    }

    #[test]
    fn what_is_no_bundle_is_refused_by_its_code() {
        let long = "2".repeat(64);
        for (text, code) in [
            (String::new(), "bundle-malformed"),
            ("gitdir: elsewhere\n".to_owned(), "bundle-malformed"),
            ("# v4 git bundle\n\n".to_owned(), "bundle-malformed"),
            ("# v2 git bundle\n".to_owned(), "bundle-malformed"),
            (format!("# v2 git bundle\n{ID} refs/heads/main\n"), "bundle-malformed"),
            ("# v2 git bundle\nhello\n\n".to_owned(), "bundle-malformed"),
            ("# v2 git bundle\n@object-format=sha1\n\n".to_owned(), "bundle-malformed"),
            (format!("# v2 git bundle\n{long} refs/heads/main\n\n"), "object-format"),
            ("# v3 git bundle\n@object-format=sha256\n\n".to_owned(), "object-format"),
            ("# v3 git bundle\n@filter=blob:none\n\n".to_owned(), "bundle-unsupported"),
            ("# v3 git bundle\n@sharks\x1b[1m\n\n".to_owned(), "bundle-unsupported"),
        ] {
            let bad = Head::parse(text.as_bytes()).unwrap_err();
            assert_eq!(bad.code(), code, "{text:?}: {bad}");
            assert!(!bad.to_string().contains('\x1b'), "{bad}");
        }
    }
}
