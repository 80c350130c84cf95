//! Commits and tags.
//!
//! **Invariant:** what is taken, libgit2 reads to the same tree, parents, name and time.

use bowline_model::digest::Sha256;
use bowline_model::object_id::ObjectFormat;
use bowline_trust::commit::{Commit, format_of, object_id};
use bowline_trust::keys::Keys;
use bowline_trust::{Worth, inspect};
use git2::{ObjectType, Odb, Oid, Repository};

/// Lines that begin a signature, as Git knows them.
const BEGINS: [&[u8]; 4] = [
    b"-----BEGIN PGP SIGNATURE-----",
    b"-----BEGIN PGP MESSAGE-----",
    b"-----BEGIN SIGNED MESSAGE-----",
    b"-----BEGIN SSH SIGNATURE-----",
];

/// A raw commit.
pub(super) fn commit(bytes: &[u8]) -> bool {
    let format = format_of(bytes);
    let Ok(found) = Commit::parse(bytes, format) else { return false };
    let own = match format {
        ObjectFormat::Sha1 => "gpgsig",
        ObjectFormat::Sha256 => "gpgsig-sha256",
    };
    let others =
        headers(bytes).filter(|it| is_header(it, "gpgsig") || is_header(it, "gpgsig-sha256"));
    let others = others.count() - usize::from(found.signature.is_some());
    if others == 0 {
        assert!(is_rebuilt(&found, own, bytes), "payload and signature do not make the commit");
    } else {
        assert!(found.payload.len() < bytes.len());
    }
    let again = Commit::parse(&found.payload, format).expect("a payload is a commit");
    assert_eq!((again.tree, &again.parents, again.time), (found.tree, &found.parents, found.time));
    assert_eq!((again.signature, again.payload), (None, found.payload.clone()));
    if format == ObjectFormat::Sha1 {
        with_libgit2(ObjectType::Commit, bytes, |repository, id| {
            assert_eq!(id.as_bytes(), object_id(format, "commit", bytes).as_bytes());
            let Ok(other) = repository.find_commit(id) else { return };
            assert_eq!(other.tree_id().as_bytes(), found.tree.as_bytes());
            let parents: Vec<_> = other.parent_ids().map(|it| it.as_bytes().to_vec()).collect();
            let own: Vec<_> = found.parents.iter().map(|it| it.as_bytes().to_vec()).collect();
            assert_eq!(parents, own);
            assert_eq!(other.time().seconds(), found.time);
        });
    }
    true
}

/// The lines before the first empty one, with their ends.
fn headers(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|it| *it == b'\n').take_while(|it| *it != b"\n")
}

fn is_header(line: &[u8], name: &str) -> bool {
    line.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b" "))
}

/// Whether the signature, folded and put back at some header, makes these bytes out of the payload.
fn is_rebuilt(found: &Commit, name: &str, bytes: &[u8]) -> bool {
    let Some(signature) = &found.signature else { return found.payload == bytes };
    let mut block = format!("{name} ").into_bytes();
    for byte in signature {
        block.push(*byte);
        if *byte == b'\n' {
            block.push(b' ');
        }
    }
    block.push(b'\n');
    let mut at = 0;
    let mut places = vec![0];
    for line in headers(&found.payload) {
        at += line.len();
        places.push(at);
    }
    places.into_iter().any(|at| {
        let (before, after) = found.payload.split_at(at);
        [before, &block, after].concat() == bytes
    })
}

/// A raw annotated tag.
pub(super) fn tag(bytes: &[u8]) -> bool {
    let found = inspect(bytes, &Keys::default());
    let Some(name) = found.tag else { return false };
    let mut signed = bytes.len();
    let mut at = 0;
    for line in bytes.split_inclusive(|it| *it == b'\n') {
        if BEGINS.iter().any(|it| line.starts_with(it)) {
            signed = at;
        }
        at += line.len();
    }
    assert_eq!(found.payload_sha256, Some(Sha256::of(&bytes[..signed])), "Git signs other bytes");
    assert_eq!(found.format == "none", signed == bytes.len());
    assert_ne!(found.result, Worth::Valid, "no key is listed");
    with_libgit2(ObjectType::Tag, bytes, |repository, id| {
        let Ok(other) = repository.find_tag(id) else { return };
        assert_eq!(other.name_bytes(), name.as_bytes());
    });
    true
}

/// Keeps an object in memory and lets libgit2 look at it.
fn with_libgit2(kind: ObjectType, bytes: &[u8], look: impl FnOnce(&Repository, Oid)) {
    let repository =
        Repository::from_odb(Odb::new().expect("objects in memory")).expect("a repository");
    let objects = repository.odb().expect("its objects");
    let _kept = objects.add_new_mempack_backend(1).expect("objects in memory");
    let id = objects.write(kind, bytes).expect("an object is written");
    look(&repository, id);
}
