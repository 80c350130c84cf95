//! Archives of real programs are unpacked, and what no honest one holds is refused.
//!
//! **Invariant:** a test opens its own files, below a scratch folder.

mod tar;
mod zip;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use bowline_model::digest::Sha256;

use self::tar::{extended, file, header, tar_of};
use super::*;
use crate::scratch::Scratch;

/// More than any test unpacks.
const MUCH: u64 = 1 << 30;

fn unpacked(bytes: &[u8], extract: Extract, most: u64) -> Result<(Listing, Scratch), BadArchive> {
    let scratch = Scratch::new();
    let archive = scratch.path().join("archive");
    fs::write(&archive, bytes).unwrap();
    let folder = scratch.path().join("entry");
    fs::create_dir(&folder).unwrap();
    let stop = AtomicBool::new(false);
    let listing = unpack(&archive, (&folder, extract), &Bounds { bytes: most, stop: &stop })?;
    Ok((listing, scratch))
}

/// What a listing says, a line each.
fn lines(listing: &Listing) -> Vec<String> {
    let line = |it: &Member| match &it.body {
        Body::Folder { mode } => format!("{} folder {mode:o}", it.path),
        Body::File { size, mode, .. } => format!("{} {size} {mode:o}", it.path),
        Body::Link { target } => format!("{} -> {target}", it.path),
    };
    listing.members.iter().map(line).collect()
}

#[test]
fn what_real_programs_pack_is_listed_and_stored_by_its_digest() {
    let work = Scratch::new();
    let shop = work.path().join("shop");
    let long = "n".repeat(120);
    fs::create_dir_all(shop.join(&long).join(&long)).unwrap();
    fs::create_dir(shop.join("bin")).unwrap();
    fs::write(shop.join("bin/shop"), "program").unwrap();
    fs::write(shop.join(&long).join(&long).join("grüße"), "").unwrap();
    symlink("bin/shop", shop.join("start")).unwrap();
    let script = "chmod 750 bin bin/shop && chmod 700 n* n*/n* && chmod 664 n*/n*/g* && ln bin/shop twin && \
                  tar -czf ../gnu.tar.gz . && tar --format=pax -czf ../pax.tar.gz . && \
                  tar -cf - . | zstd -q -o ../gnu.tar.zst && zip -qry ../it.zip .";
    let done = Command::new("sh").args(["-ec", script]).current_dir(&shop).status().unwrap();
    assert!(done.success(), "tar, gzip, zstd and zip are needed");
    let expected = [
        "bin folder 750".to_owned(),
        "bin/shop 7 750".to_owned(),
        format!("{long} folder 700"),
        format!("{long}/{long} folder 700"),
        format!("{long}/{long}/grüße 0 644"),
        "start -> bin/shop".to_owned(),
        "twin 7 750".to_owned(),
    ];
    for (name, extract) in [
        ("gnu.tar.gz", Extract::TarGz),
        ("pax.tar.gz", Extract::TarGz),
        ("gnu.tar.zst", Extract::TarZst),
        ("it.zip", Extract::Zip),
    ] {
        let bytes = fs::read(work.path().join(name)).unwrap();
        let (listing, scratch) = unpacked(&bytes, extract, MUCH).unwrap();
        assert_eq!(lines(&listing), expected, "{name}");
        let stored = scratch.path().join("entry").join(Sha256::of(b"program").to_string());
        assert_eq!(fs::read(stored).unwrap(), b"program", "{name}");
        // Cut anywhere, it is refused, and never taken for a smaller one.
        for cut in [1, 30, bytes.len() / 2, bytes.len() - 30] {
            let cut = unpacked(&bytes[..cut], extract, MUCH);
            assert_eq!(cut.unwrap_err().code(), "artifact-damaged", "{name}");
        }
    }
}

#[test]
fn zstandard_comes_in_frames_some_are_skipped_and_none_reaches_far() {
    let work = Scratch::new();
    fs::write(work.path().join("one.tar"), [file(b"a", &[7; 2_000]), vec![0; 1024]].concat())
        .unwrap();
    let script = "head -c 1000 one.tar | zstd -q > 1.zst; tail -c +1001 one.tar | zstd -q > 2.zst; \
                  head -c 3000000 /dev/zero | zstd -q --ultra -22 --zstd=wlog=27 > far.zst";
    let done = Command::new("sh").args(["-ec", script]).current_dir(work.path()).status().unwrap();
    assert!(done.success(), "zstd is needed");
    let [one, two, far] =
        ["1.zst", "2.zst", "far.zst"].map(|it| fs::read(work.path().join(it)).unwrap());
    // As pzstd writes them before each frame, and seekable files at their end.
    let skipped = |bytes: &[u8]| {
        let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
        [&0x184D_2A5E_u32.to_le_bytes()[..], &length, bytes].concat()
    };
    let table = skipped(&[3; 12_000]);
    for (what, bytes) in [
        ("frames", [&one[..], &two].concat()),
        ("skipped between", [&skipped(b""), &one[..], &table, &two, &table].concat()),
    ] {
        let listing = unpacked(&bytes, Extract::TarZst, MUCH).unwrap().0;
        assert_eq!(lines(&listing), ["a 2000 644"], "{what}");
    }
    for (what, bytes, code) in [
        ("far", far, "artifact-window"),
        ("cut in what is skipped", [&one[..], &table[..9_000]].concat(), "artifact-damaged"),
        ("skipped without end", skipped(b"").repeat(2_000), "artifact-damaged"),
        ("other words", [&one[..], b"no frame at all"].concat(), "artifact-damaged"),
        ("odd block", [&one[..one.len() - 30], &[0xff; 30]].concat(), "artifact-damaged"),
    ] {
        let refused = unpacked(&bytes, Extract::TarZst, MUCH).unwrap_err();
        assert_eq!(refused.code(), code, "{what}: {refused}");
        let odd = |it: char| "{}()".contains(it);
        assert!(!refused.to_string().contains(odd), "no word for programmers: {refused}");
    }
}

#[test]
fn bombs_are_given_up_by_their_bytes_their_share_and_their_members() {
    let zeros = vec![0; 5 << 20];
    let bomb: Vec<Vec<u8>> = (0..14).map(|it| file(format!("z{it}").as_bytes(), &zeros)).collect();
    let bomb = tar_of(&bomb);
    assert!(bomb.len() < 1 << 20, "{} bytes", bomb.len());
    let by_share = unpacked(&bomb, Extract::TarGz, MUCH).unwrap_err();
    assert_eq!(by_share.code(), "artifact-too-large", "{by_share}");
    let small = tar_of(&[file(b"a", &[1; 4096])]);
    assert_eq!(unpacked(&small, Extract::TarGz, 4095).unwrap_err().code(), "artifact-too-large");
    assert!(unpacked(&small, Extract::TarGz, 4096).is_ok());
    let many: Vec<Vec<u8>> = (0..=MEMBERS_MAX)
        .map(|it| header(format!("d{it}").as_bytes(), b'5', 0, b"", 0o755))
        .collect();
    let many = unpacked(&tar_of(&many), Extract::TarGz, MUCH).unwrap_err();
    assert!(many.to_string().contains("members"), "{many}");
    // A second name becomes a second file, and a folder that is only spoken of is one.
    let twin = |name: &[u8]| header(name, b'1', 0, b"a", 0o644);
    let twins = tar_of(&[file(b"a", &[1; 4096]), twin(b"b"), twin(b"c")]);
    assert_eq!(unpacked(&twins, Extract::TarGz, 8192).unwrap_err().code(), "artifact-too-large");
    assert!(unpacked(&twins, Extract::TarGz, 12_288).is_ok());
    let deep = |top: char| {
        let path = format!("path={top}{}/a\n", format!("/{}", "d".repeat(30)).repeat(120));
        extended(format!("{} {path}", path.len() + 5).as_bytes(), file(b"x", b""))
    };
    let deep: Vec<_> = ('a'..='z').map(deep).collect();
    let deep = unpacked(&tar_of(&deep), Extract::TarGz, MUCH).unwrap_err();
    assert_eq!(deep.code(), "artifact-too-large", "{deep}");
}

#[test]
fn an_end_of_the_agent_ends_unpacking() {
    let scratch = Scratch::new();
    let archive = scratch.path().join("a");
    fs::write(&archive, tar_of(&[file(b"a", b"a")])).unwrap();
    let stop = AtomicBool::new(true);
    let bounds = Bounds { bytes: MUCH, stop: &stop };
    let given_up = unpack(&archive, (scratch.path(), Extract::TarGz), &bounds).unwrap_err();
    assert_eq!(given_up.code(), "stopped");
}

#[test]
fn also_what_is_done_at_the_end_has_its_time() {
    let scratch = Scratch::new();
    let stop = AtomicBool::new(false);
    let found = Found { body: Body::Folder { mode: 0o755 }, is_implied: false };
    let sink = Sink {
        folder: scratch.path().to_owned(),
        archive: scratch.path().join("a"),
        members: BTreeMap::from([("a".to_owned(), found)]),
        stored: BTreeSet::new(),
        names: 0,
        left: MUCH,
        most: MUCH,
        until: Duration::ZERO,
        stop: &stop,
    };
    assert_eq!(sink.finish().unwrap_err().code(), "artifact-late");
}
