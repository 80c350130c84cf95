//! The record log, as a stranger reads it.
//!
//! **Invariant:** a chain that verifies has as many records as lines, each naming the one before.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bowline_api::record::{PAYLOAD_TYPE, Record};
use bowline_host::record::{newest, verify_chain};
use bowline_model::byte_size::ByteSize;
use bowline_model::digest::Sha256;
use bowline_model::envelope::pae;
use bowline_trust::receipt::Claim;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::json;

use super::way;

/// As the trust file's default.
const LARGEST: ByteSize = ByteSize::from_mib(1);

/// The folder of this process.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("bowline-fuzz-records-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for records");
    folder
});

/// A segment as it lies, or records that the host really signed, each naming the one before.
pub(super) fn chain(bytes: &[u8]) -> bool {
    let Some((how, rest)) = way(bytes, 3) else { return false };
    let pair = Ed25519KeyPair::from_seed_unchecked(&[3; 32]).expect("a key");
    let segment = if how == 0 { rest.to_vec() } else { signed(rest, &pair) };
    let public = pair.public_key().as_ref();
    // Before the second segment there was one that is gone, so it begins with any number.
    let number = if how == 2 { 2 } else { 1 };
    let (found, read, by_another) = with_segment(number, &segment, |folder| {
        let by_another = verify_chain(folder, &[0; 32]);
        (verify_chain(folder, public), newest(folder, 1_000), by_another)
    });
    let Ok(count) = found else { return false };
    let lines = segment.split(|it| *it == b'\n').filter(|it| !it.is_empty()).count();
    assert_eq!(usize::try_from(count).ok(), Some(lines));
    assert!(lines == 0 || by_another.is_err(), "another's key");
    // A line without its end is still being written, and is not read yet.
    let is_ended = segment.is_empty() || segment.ends_with(b"\n");
    let read = read.expect("what verifies can be read");
    assert!(read.len() == lines || !is_ended);
    for pair in read.windows(2) {
        assert_eq!(pair[0].seq, pair[1].seq + 1);
    }
    let claims = segment.split(|it| *it == b'\n').filter_map(|it| Claim::read(it, LARGEST));
    for claim in claims {
        // Whoever takes a line for a receipt sees the record that the log holds.
        let same = read.iter().find(|it| it.seq == claim.record().seq);
        assert!(same.is_none_or(|it| it == claim.record()));
        assert!(!claim.is_proved() || claim.fingerprint().starts_with("SHA256:"));
    }
    lines > 0
}

/// Runs something beside a folder with this one segment.
fn with_segment<T>(number: u32, segment: &[u8], run: impl FnOnce(&Path) -> T) -> T {
    fs::write(FOLDER.join(format!("{number:08}.ndjson")), segment).expect("a segment");
    let found = run(&FOLDER);
    fs::remove_dir_all(&*FOLDER)
        .and_then(|()| fs::create_dir_all(&*FOLDER))
        .expect("an empty folder");
    found
}

/// Signs each line that is a record; only its place in the chain is mended, never its number.
fn signed(bytes: &[u8], pair: &Ed25519KeyPair) -> Vec<u8> {
    let mut segment = Vec::new();
    let mut prev = "0".repeat(64);
    for line in bytes.split(|it| *it == b'\n').take(64) {
        let Ok(mut record) = serde_json::from_slice::<Record>(line) else { continue };
        record.prev = prev;
        let payload = serde_json::to_vec(&record).expect("a record has a JSON form");
        let sig = STANDARD.encode(pair.sign(&pae(PAYLOAD_TYPE, &payload)));
        let envelope = json!({
            "payload": STANDARD.encode(&payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": "", "sig": sig}],
        });
        let line = envelope.to_string();
        prev = Sha256::of(line.as_bytes()).to_string();
        segment.extend_from_slice(line.as_bytes());
        segment.push(b'\n');
    }
    segment
}
