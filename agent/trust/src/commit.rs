//! A commit object, read by the one strict grammar.
//!
//! **Invariant:** a commit that parses means the same to Git, to libgit2 and to this program; where
//! readers are known to differ, it does not parse.
//! **Invariant:** the payload is the raw object minus the signature headers, to the last byte.

use bowline_model::object_id::{ObjectFormat, ObjectId};
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};

use crate::header::{Header, MalformedCommit, split_headers};

/// Far above any real commit; a message of a million letters is no message.
pub const LARGEST_COMMIT: usize = 1 << 20;

/// Twice the widest merge in the kernel's history.
const MOST_PARENTS: usize = 128;

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The tree it stands for.
    pub tree: ObjectId,
    /// Its parents, the first one first.
    pub parents: Vec<ObjectId>,
    /// The committer's time, in seconds since 1970. Whoever made the commit wrote it.
    pub time: i64,
    /// The signature of the repository's own object format, without the header's folding.
    pub signature: Option<Vec<u8>>,
    /// What the signature covers.
    pub payload: Vec<u8>,
}

impl Commit {
    /// Reads a raw commit object.
    ///
    /// # Errors
    /// When it is not of the form `tree parent* author committer header*`, blank line, message.
    pub fn parse(raw: &[u8], format: ObjectFormat) -> Result<Self, MalformedCommit> {
        if raw.len() > LARGEST_COMMIT {
            return Err(MalformedCommit::new(1, "the object is larger than 1 MiB"));
        }
        // Everything in C stops reading at a NUL.
        if let Some(place) = raw.iter().position(|byte| *byte == 0) {
            let before = raw.get(..place).unwrap_or_default();
            let line = before.split(|byte| *byte == b'\n').count();
            return Err(MalformedCommit::new(line, "there is a NUL byte"));
        }
        let headers = split_headers(raw)?;
        let mut rest = headers.iter().peekable();
        let tree = only(rest.next(), "tree")?.object_id(format)?;
        let mut parents = Vec::new();
        while let Some(parent) = rest.next_if(|header| header.name == b"parent") {
            parents.push(parent.object_id(format)?);
        }
        parents.shrink_to_fit();
        if parents.len() > MOST_PARENTS {
            return Err(MalformedCommit::new(2, "there are more than 128 parents"));
        }
        only(rest.next(), "author")?.time()?;
        let time = only(rest.next(), "committer")?.time()?;
        let mut extras = Extras::default();
        for header in rest {
            extras.take(header)?;
        }
        let own = match format {
            ObjectFormat::Sha1 => extras.gpgsig,
            ObjectFormat::Sha256 => extras.gpgsig_sha256,
        };
        Ok(Self {
            tree,
            parents,
            time,
            signature: own.map(Header::unfolded),
            payload: payload(raw, &headers),
        })
    }
}

/// Guesses the object format of a raw commit from its first line.
pub fn format_of(raw: &[u8]) -> ObjectFormat {
    format_of_first(raw, "tree ")
}

/// Guesses it from a first line that names an object behind these letters.
pub(crate) fn format_of_first(raw: &[u8], letters: &str) -> ObjectFormat {
    let first = raw.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if first.len() == letters.len() + 64 { ObjectFormat::Sha256 } else { ObjectFormat::Sha1 }
}

/// Recomputes the id of an object from its content.
pub fn object_id(format: ObjectFormat, kind: &str, raw: &[u8]) -> ObjectId {
    let digest = |algorithm| {
        let mut context = Context::new(algorithm);
        context.update(format!("{kind} {}\0", raw.len()).as_bytes());
        context.update(raw);
        context.finish()
    };
    match format {
        // Git's names, not our proof: what is pinned is pinned by SHA-256 as well.
        ObjectFormat::Sha1 => {
            let mut id = [0; 20];
            id.copy_from_slice(digest(&SHA1_FOR_LEGACY_USE_ONLY).as_ref());
            ObjectId::Sha1(id)
        }
        ObjectFormat::Sha256 => {
            let mut id = [0; 32];
            id.copy_from_slice(digest(&SHA256).as_ref());
            ObjectId::Sha256(id)
        }
    }
}

/// The header that must stand here, on one line.
pub(crate) fn only<'h, 'a>(
    header: Option<&'h Header<'a>>,
    name: &str,
) -> Result<&'h Header<'a>, MalformedCommit> {
    match header {
        Some(header) if header.name == name.as_bytes() => Ok(header),
        Some(header) => Err(header.wrong(&format!("header {name:?} was expected here"))),
        None => Err(MalformedCommit::new(0, &format!("header {name:?} is missing"))),
    }
}

/// The headers after `committer`, in any order.
#[derive(Default)]
struct Extras<'h, 'a> {
    encoding: Option<&'h Header<'a>>,
    gpgsig: Option<&'h Header<'a>>,
    gpgsig_sha256: Option<&'h Header<'a>>,
}

impl<'h, 'a> Extras<'h, 'a> {
    fn take(&mut self, header: &'h Header<'a>) -> Result<(), MalformedCommit> {
        let place = match header.name {
            b"encoding" => &mut self.encoding,
            b"gpgsig" => &mut self.gpgsig,
            b"gpgsig-sha256" => &mut self.gpgsig_sha256,
            b"mergetag" => return Ok(()),
            _ if header.looks_alike() => {
                return Err(header.wrong("a header that looks like another"));
            }
            _ => return Ok(()),
        };
        // Git joins two signatures, ssh-keygen reads the first, libgit2 the last.
        match place.replace(header) {
            Some(_) => Err(header.wrong("a header that may stand once")),
            None => Ok(()),
        }
    }
}

/// The raw object without either signature header.
fn payload(raw: &[u8], headers: &[Header<'_>]) -> Vec<u8> {
    // Exactly as much as is kept: a walk keeps thousands.
    let left_out: usize =
        headers.iter().filter(|it| it.is_signature()).map(|it| it.range.len()).sum();
    let mut payload = Vec::with_capacity(raw.len().saturating_sub(left_out));
    let mut from = 0;
    for header in headers.iter().filter(|it| it.is_signature()) {
        payload.extend_from_slice(raw.get(from..header.range.start).unwrap_or_default());
        from = header.range.end;
    }
    payload.extend_from_slice(raw.get(from..).unwrap_or_default());
    payload
}
