//! Zip archives byte by byte.
//!
//! **Invariant:** each refusal is known by its code.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::*;

/// One member of a zip archive.
struct Zipped<'a> {
    name: &'a [u8],
    local: &'a [u8],
    text: &'a [u8],
    mode: u32,
    flags: u16,
    method: u16,
    size: u32,
}

fn zipped<'a>(name: &'a [u8], text: &'a [u8], mode: u32) -> Zipped<'a> {
    let size = text.len().try_into().unwrap();
    Zipped { name, local: name, text, mode, flags: 0, method: 8, size }
}

fn zip_of(members: &[Zipped<'_>]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for member in members {
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::fast());
        deflate.write_all(member.text).unwrap();
        let packed = deflate.finish().unwrap();
        let mut crc = flate2::Crc::new();
        crc.update(member.text);
        let at = u32::try_from(bytes.len()).unwrap();
        let name_length = u16::try_from(member.name.len()).unwrap().to_le_bytes();
        let shared = [
            &20_u16.to_le_bytes()[..],
            &member.flags.to_le_bytes(),
            &member.method.to_le_bytes(),
            &[0; 4],
            &crc.sum().to_le_bytes(),
            &u32::try_from(packed.len()).unwrap().to_le_bytes(),
            &member.size.to_le_bytes(),
            &name_length,
            &[0; 2],
        ]
        .concat();
        bytes.extend([b"PK\x03\x04", &shared[..], member.local, &packed].concat());
        let tail = [&[0; 6][..], &(member.mode << 16).to_le_bytes(), &at.to_le_bytes()].concat();
        directory.extend([b"PK\x01\x02\x14\x03", &shared[..], &tail, member.name].concat());
    }
    let count = u16::try_from(members.len()).unwrap().to_le_bytes();
    let begin = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    let size = u32::try_from(directory.len()).unwrap().to_le_bytes();
    let end = [b"PK\x05\x06", &[0; 4][..], &count, &count, &size, &begin, &[0; 2]].concat();
    [bytes, directory, end].concat()
}

#[test]
fn no_member_of_a_zip_archive_plays_tricks() {
    let text = |name: &'static [u8]| zipped(name, b"text", 0o100_644);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("absolute", zip_of(&[text(b"/x")]), "artifact-path"),
        ("up", zip_of(&[text(b"../x")]), "artifact-path"),
        ("backslash", zip_of(&[text(b"..\\x")]), "artifact-path"),
        ("no UTF-8", zip_of(&[text(b"\xff")]), "artifact-path"),
        ("twice", zip_of(&[text(b"a"), text(b"a")]), "artifact-path"),
        ("another name inside", zip_of(&[Zipped { local: b"b", ..text(b"a") }]), "artifact-path"),
        ("link out", zip_of(&[zipped(b"l", b"/etc", 0o120_777)]), "artifact-link"),
        ("pipe", zip_of(&[zipped(b"p", b"", 0o010_644)]), "artifact-member"),
        ("setuid", zip_of(&[zipped(b"s", b"", 0o104_755)]), "artifact-member"),
        ("encrypted", zip_of(&[Zipped { flags: 1, ..text(b"a") }]), "artifact-member"),
        ("packed otherwise", zip_of(&[Zipped { method: 14, ..text(b"a") }]), "artifact-member"),
        ("longer than it says", zip_of(&[Zipped { size: 3, ..text(b"a") }]), "artifact-damaged"),
        ("shorter than it says", zip_of(&[Zipped { size: 9, ..text(b"a") }]), "artifact-damaged"),
        (
            "huge by its line",
            zip_of(&[Zipped { size: 1 << 30, ..text(b"a") }]),
            "artifact-too-large",
        ),
        ("no archive", b"PK\x05\x06".to_vec(), "artifact-damaged"),
    ];
    for (what, bytes, code) in cases {
        let refused = unpacked(&bytes, Extract::Zip, MUCH).map(|(it, _)| lines(&it));
        assert_eq!(refused.as_ref().map_err(BadArchive::code), Err(code), "{what}: {refused:?}");
    }
    // Two lines of the directory that share one member: how a small archive becomes a very large one.
    let mut shared = zip_of(&[text(b"a"), text(b"b")]);
    let second = shared.windows(4).rposition(|it| it == b"PK\x01\x02").unwrap();
    shared[second + 42..second + 46].copy_from_slice(&[0; 4]);
    let local = shared.windows(4).position(|it| it == b"PK\x01\x02").unwrap();
    assert!(local < second);
    let refused = unpacked(&shared, Extract::Zip, MUCH).unwrap_err();
    assert_eq!(refused.code(), "artifact-path", "{refused}");
    // A wrong sum.
    let mut wrong = zip_of(&[text(b"a")]);
    let line = wrong.windows(4).rposition(|it| it == b"PK\x01\x02").unwrap();
    wrong[line + 16] ^= 1;
    assert_eq!(unpacked(&wrong, Extract::Zip, MUCH).unwrap_err().code(), "artifact-damaged");
    let good =
        zip_of(&[text(b"d/a"), zipped(b"d/", b"", 0o040_750), zipped(b"l", b"d", 0o120_777)]);
    let (listing, _scratch) = unpacked(&good, Extract::Zip, MUCH).unwrap();
    assert_eq!(lines(&listing), ["d folder 750", "d/a 4 644", "l -> d"]);
}
