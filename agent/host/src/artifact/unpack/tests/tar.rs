//! Tar archives byte by byte.
//!
//! **Invariant:** each refusal is known by its code.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

/// A header of a tar archive as GNU tar writes it, with its sum.
pub(super) fn header(name: &[u8], kind: u8, size: u64, link: &[u8], mode: u32) -> Vec<u8> {
    let mut block = vec![0; 512];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name);
    put(100, format!("{mode:07o}\0").as_bytes());
    put(124, format!("{size:011o}\0").as_bytes());
    put(148, b"        ");
    put(156, &[kind]);
    put(157, link);
    put(257, b"ustar\x0000");
    let sum: u64 = block.iter().map(|it| u64::from(*it)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().next_multiple_of(512), 0);
    padded
}

pub(super) fn file(name: &[u8], text: &[u8]) -> Vec<u8> {
    [header(name, b'0', text.len() as u64, b"", 0o644), padded(text)].concat()
}

fn link(name: &[u8], target: &[u8]) -> Vec<u8> {
    header(name, b'2', 0, target, 0o777)
}

/// A member before which an extended header stands.
pub(super) fn extended(records: &[u8], member: Vec<u8>) -> Vec<u8> {
    let head = header(b"x", b'x', records.len() as u64, b"", 0o644);
    [head, padded(records), member].concat()
}

fn gzipped(tar: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(tar).unwrap();
    packer.finish().unwrap()
}

pub(super) fn tar_of(members: &[Vec<u8>]) -> Vec<u8> {
    gzipped(&[members.concat(), vec![0; 1024]].concat())
}

fn refuse(cases: Vec<(&str, Vec<Vec<u8>>, &str)>) {
    for (what, members, code) in cases {
        let refused = unpacked(&tar_of(&members), Extract::TarGz, MUCH).map(|(it, _)| lines(&it));
        assert_eq!(refused.as_ref().map_err(BadArchive::code), Err(code), "{what}: {refused:?}");
    }
}

fn a() -> Vec<u8> {
    file(b"a", b"a")
}

fn folder(name: &[u8]) -> Vec<u8> {
    header(name, b'5', 0, b"", 0o755)
}

#[test]
fn no_name_in_a_tar_archive_plays_tricks() {
    let long = |kind, size: usize| {
        let name = padded(&vec![b'n'; size]);
        [header(b"././@LongLink", kind, size as u64, b"", 0o644), name].concat()
    };
    refuse(vec![
        ("absolute", vec![file(b"/etc/passwd", b"")], "artifact-path"),
        ("up", vec![file(b"../x", b"")], "artifact-path"),
        ("up inside", vec![file(b"a/../../x", b"")], "artifact-path"),
        ("doubled slash", vec![file(b"a//b", b"")], "artifact-path"),
        ("top as a file", vec![file(b".", b"")], "artifact-path"),
        ("control character", vec![file(b"a\nb", b"")], "artifact-path"),
        ("no UTF-8", vec![file(b"a\xff", b"")], "artifact-path"),
        ("long name", vec![long(b'L', 300), a()], "artifact-path"),
        ("very long name", vec![long(b'L', 9_000), a()], "artifact-too-large"),
        ("twice", vec![a(), a()], "artifact-path"),
        ("below a file", vec![a(), file(b"a/b", b"")], "artifact-path"),
        ("below a link", vec![folder(b"d"), link(b"l", b"d"), file(b"l/x", b"")], "artifact-path"),
    ]);
}

#[test]
fn no_link_and_no_special_member_of_a_tar_archive_is_taken() {
    refuse(vec![
        ("link to an absolute path", vec![link(b"l", b"/etc")], "artifact-link"),
        ("link out", vec![link(b"d/l", b"../../x")], "artifact-link"),
        // d/e leads to the top, and from there it goes up: no look at the text alone finds that.
        ("link out by a link", vec![link(b"d/e", b".."), link(b"d/x", b"e/../y")], "artifact-link"),
        ("link in a circle", vec![link(b"x", b"y"), link(b"y", b"x")], "artifact-link"),
        ("hard link out", vec![header(b"h", b'1', 0, b"../../etc/shadow", 0o644)], "artifact-link"),
        ("hard link ahead", vec![header(b"h", b'1', 0, b"a", 0o644), a()], "artifact-link"),
        (
            "hard link to a link",
            vec![link(b"l", b"a"), header(b"h", b'1', 0, b"l", 0o644)],
            "artifact-link",
        ),
        ("device", vec![header(b"null", b'3', 0, b"", 0o666)], "artifact-member"),
        ("block device", vec![header(b"sda", b'4', 0, b"", 0o666)], "artifact-member"),
        ("pipe", vec![header(b"p", b'6', 0, b"", 0o666)], "artifact-member"),
        ("sparse", vec![header(b"s", b'S', 0, b"", 0o666)], "artifact-member"),
        (
            "pax sparse",
            vec![extended(b"23 GNU.sparse.major=1\n\n"[..22].into(), a())],
            "artifact-damaged",
        ),
        ("pax sparse", vec![extended(b"22 GNU.sparse.major=1\n", a())], "artifact-member"),
        (
            "capability",
            vec![extended(b"38 SCHILY.xattr.security.capability=x\n", a())],
            "artifact-member",
        ),
        ("pax path", vec![extended(b"16 path=../../x\n", a())], "artifact-path"),
        ("pax link", vec![extended(b"17 linkpath=/etc\n", link(b"l", b"a"))], "artifact-link"),
        ("ACL", vec![extended(b"37 SCHILY.acl.access=user::rwx,u:1:r\n", a())], "artifact-member"),
        ("attribute", vec![extended(b"22 SCHILY.xattr.a.b=c\n", a())], "artifact-member"),
        (
            "label",
            vec![extended(b"28 RHT.security.selinux=abc\n"[..].into(), a())],
            "artifact-member",
        ),
        (
            "attribute of all",
            vec![header(b"g", b'g', 22, b"", 0o644), padded(b"22 SCHILY.xattr.a.b=c\n"), a()],
            "artifact-member",
        ),
        ("setgid folder", vec![header(b"d", b'5', 0, b"", 0o2755)], "artifact-member"),
        ("sticky folder", vec![header(b"d", b'5', 0, b"", 0o1777)], "artifact-member"),
        ("sticky file", vec![header(b"f", b'0', 0, b"", 0o1644)], "artifact-member"),
        ("nothing", vec![], "artifact-empty"),
        ("nothing but its top", vec![folder(b"./")], "artifact-empty"),
        ("setuid", vec![[header(b"su", b'0', 0, b"", 0o4755)].concat()], "artifact-member"),
        ("setgid", vec![[header(b"sg", b'0', 0, b"", 0o2755)].concat()], "artifact-member"),
        ("unknown kind", vec![header(b"V", b'V', 0, b"", 0o644)], "artifact-member"),
        ("huge by its header", vec![header(b"h", b'0', 1 << 32, b"", 0o644)], "artifact-too-large"),
        ("no header", vec![vec![1; 512]], "artifact-damaged"),
    ]);
    let fine = tar_of(&[
        folder(b"./"),
        link(b"d/e", b".."),
        link(b"d/x", b"e/d"),
        link(b"gone", b"no/where"),
    ]);
    let (listing, _scratch) = unpacked(&fine, Extract::TarGz, MUCH).unwrap();
    assert_eq!(lines(&listing), ["d folder 755", "d/e -> ..", "d/x -> e/d", "gone -> no/where"]);
}
