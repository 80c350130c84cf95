//! Packs whose process is killed, hangs, lies or talks rubbish: shells stand in for it.
//!
//! **Invariant:** whatever the process says, nothing is let in that does not lie there.

use std::os::unix::fs::symlink;
use std::sync::Arc;

use super::*;
use crate::door::clock;
use crate::failure::Kind;
use crate::repository::watch::FetchLimits;
use crate::scratch::Scratch;

/// An empty pack's head: two objects are to follow.
const HEAD: &[u8] = b"PACK\0\0\0\x02\0\0\0\x02";

fn tip() -> Oid {
    Oid::from_str(&"1".repeat(40)).unwrap()
}

/// What comes of a pack that a shell's script unpacks, within some seconds.
fn unpacked(own: &Repository, script: &str, seconds: u64) -> Result<(), FetchFailure> {
    unpacked_at(tip(), own, script, seconds)
}

/// The same of a pack that is to bring this commit.
fn unpacked_at(tip: Oid, own: &Repository, script: &str, seconds: u64) -> Result<(), FetchFailure> {
    let timeout = Duration::from_secs(seconds);
    let limits = FetchLimits { bytes: 1 << 20, timeout };
    let stop = Arc::default();
    let deadline = clock::since_boot() + timeout;
    let watch = Watch::over("http://git.example/a".to_owned(), &limits, deadline, &stop);
    let argv = ["/bin/sh", "-c", script].map(str::to_owned);
    let process = Dialogue::start(&argv, &[]).unwrap();
    let wanted = Wanted { tip, known: None, reference: "refs/heads/main", thin: false };
    let mut intake = Intake::with(own, wanted, &watch, process);
    intake.take(HEAD)?;
    intake.end()
}

fn opened(scratch: &Scratch) -> Repository {
    Repository::open(&scratch.path().join("objects.git")).unwrap()
}

#[test]
fn attack_33_a_process_that_dies_hangs_or_lies_brings_nothing_in() {
    let scratch = Scratch::new();
    let own = opened(&scratch);
    let whole = r#"cat >/dev/null; echo '{"lacks":[],"found":"whole"}'"#;
    let chatter = "cat >/dev/null; while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done";
    let deaf = "echo '{\"lacks\":[],\"found\":\"whole\"}'; sleep 1000";
    for (script, seconds, code, words) in [
        ("cat >/dev/null; kill -9 $$", 20, "unpack-died", "was ended by SIGKILL"),
        ("cat >/dev/null; kill -SEGV $$", 20, "unpack-died", "was ended by SIGSEGV"),
        ("cat >/dev/null; kill -XFSZ $$", 20, "too-large", "1048576 bytes"),
        ("cat >/dev/null; kill -XCPU $$", 20, "fetch-timeout", "not done after 20 s"),
        ("cat >/dev/null; echo no limits >&2; exit 1", 20, "unpack-died", "exit code 1: no limits"),
        ("cat >/dev/null", 20, "unpack-died", "answers \"\""),
        ("cat >/dev/null; echo hello", 20, "unpack-died", "answers \"hello\""),
        (chatter, 20, "unpack-died", "answers too much"),
        ("sleep 1000", 1, "fetch-timeout", "not done after 1 s"),
        (deaf, 1, "fetch-timeout", "not done after 1 s"),
        (whole, 20, "unpack-died", "left something else than a pack"),
        ("exec >&-; cat >/dev/null; sleep 1000", 20, "unpack-died", "does not end"),
    ] {
        let failure = unpacked(&own, script, seconds).unwrap_err();
        assert_eq!(failure.code(), code, "{script}: {failure}");
        assert!(failure.to_string().contains(words), "{script}: {failure}");
        assert_eq!(failure.kind(), Kind::Transient, "{script}");
        assert!(!failure.hint().is_empty(), "{script}");
    }
}

#[test]
fn attack_33_what_the_process_leaves_is_a_pack_or_nothing() {
    let scratch = Scratch::new();
    let own = opened(&scratch);
    let folder = own.folder.join(ARRIVALS);
    let whole = r#"cat >/dev/null; echo '{"lacks":[],"found":"whole"}'"#;
    let name = |end: &str| folder.join(format!("pack-{}.{end}", "a".repeat(40)));
    let other = scratch.path().join("secret");
    std::fs::write(&other, "secret").unwrap();
    let left_else = |what: &str, words: &str| {
        let failure = unpacked(&own, whole, 20).unwrap_err();
        assert_eq!(failure.code(), "unpack-died", "{what}: {failure}");
        assert!(failure.to_string().ends_with(words), "{what}: {failure}");
        clear_arrivals(&own.folder).unwrap();
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "{what}");
    };
    std::fs::write(name("idx"), "").unwrap();
    symlink(&other, name("pack")).unwrap();
    left_else("a link to a file of somebody's", "left something else than a pack");
    std::fs::write(name("idx"), "").unwrap();
    std::fs::hard_link(&other, name("pack")).unwrap();
    left_else("another name of a file of somebody's", "left something else than a pack");
    std::fs::write(name("idx"), "").unwrap();
    std::fs::create_dir(name("pack")).unwrap();
    left_else("a folder", "left something else than a pack");
    std::fs::write(name("idx"), "").unwrap();
    std::fs::write(folder.join(format!("pack-{}.pack", "b".repeat(40))), "").unwrap();
    left_else("two halves", "left something else than a pack");
    std::fs::write(name("idx"), "").unwrap();
    std::fs::write(name("pack"), "").unwrap();
    left_else("a pack without anything", "left a pack that is cut short");
    std::fs::write(folder.join("..pack\u{1}"), "").unwrap();
    left_else("odd names", "left something else than a pack");
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "secret");
}

#[test]
fn attack_33_an_index_that_lies_is_not_let_in_and_neither_is_what_root_would_read_unconfined() {
    let scratch = Scratch::new();
    let own = opened(&scratch);
    let ([index, pack], commit) = pack_index::tests::packed(scratch.path());
    let folder = own.folder.join(ARRIVALS);
    let bring_for = |commit: Oid, lacks: &str| {
        let copy = "cat >/dev/null; cp";
        let (index, pack, folder) = (index.display(), pack.display(), folder.display());
        let said = format!(r#"{{"lacks":[{lacks}],"found":"whole"}}"#);
        clear_arrivals(&own.folder).unwrap();
        unpacked_at(commit, &own, &format!("{copy} {index} {pack} {folder}; echo '{said}'"), 20)
    };
    let bring = |lacks: &str| bring_for(commit, lacks);
    bring("").unwrap();
    let failure = bring_for(tip(), "").unwrap_err();
    assert!(failure.to_string().ends_with("left a pack without the commit"), "{failure}");
    bring(r#""landlock""#).unwrap();
    let failure = bring(r#""account","landlock""#).unwrap_err();
    assert_eq!((failure.code(), failure.kind()), ("unpack-unconfined", Kind::Transient));
    assert!(!failure.hint().is_empty());
    let mut bytes = std::fs::read(&index).unwrap();
    let offsets = 8 + 1_024 + 6 * 24;
    bytes[offsets] = 0x7f;
    std::fs::remove_file(&index).unwrap();
    std::fs::write(&index, pack_index::tests::summed(bytes)).unwrap();
    let failure = bring("").unwrap_err();
    assert!(failure.to_string().ends_with("left an index that leads out of its pack"), "{failure}");
}

#[test]
fn attack_33_a_process_that_fills_the_disk_with_files_is_ended() {
    let scratch = Scratch::new();
    let own = opened(&scratch);
    let folder = own.folder.join(ARRIVALS);
    let many = format!(
        "cat >/dev/null; cd {}; for n in 1 2 3 4 5 6 7 8 9 10; do : >$n; done; sleep 1000",
        folder.display()
    );
    let large = format!(
        "cat >/dev/null; cd {}; head -c 400000000 /dev/zero >pack; sleep 1000",
        folder.display()
    );
    for script in [many, large] {
        let failure = unpacked(&own, &script, 60).unwrap_err();
        assert_eq!(failure.code(), "unpack-died", "{failure}");
        assert!(
            failure.to_string().ends_with("writes more than a pack and its index"),
            "{failure}"
        );
        clear_arrivals(&own.folder).unwrap();
    }
}

#[test]
fn what_is_told_and_answered_is_strict() {
    assert!(serde_json::from_str::<Answer>(r#"{"lacks":[],"found":"whole","more":1}"#).is_err());
    assert!(serde_json::from_str::<Answer>(r#"{"lacks":[],"found":{"missing":1}}"#).is_err());
    let answer = Answer { lacks: vec![Lack::Landlock], found: Found::Missing("a".repeat(40)) };
    let text = serde_json::to_string(&answer).unwrap();
    assert_eq!(
        text,
        format!(r#"{{"lacks":["landlock"],"found":{{"missing":"{}"}}}}"#, "a".repeat(40))
    );
    assert_eq!(serde_json::from_str::<Answer>(&text).unwrap(), answer);
    let longest = Answer { lacks: Vec::new(), found: Found::Damaged("\u{fffd}".repeat(300)) };
    assert!(serde_json::to_vec(&longest).unwrap().len() < ANSWER_BYTES_MAX);
}
