//! Checks a record log as a stranger does: every signature, every link.
//!
//! **Invariant:** a gap, a fork, an edit or another's signature anywhere is an error.

use std::path::Path;

use super::RecordFailure;
use super::line;
use super::segments::{numbers, read_segment, split};

/// Checks a whole log against the host's public key (32 bytes). Gives how many records it holds.
pub fn verify_chain(folder: &Path, public: &[u8]) -> Result<u64, RecordFailure> {
    let mut before: Option<(u64, String)> = None;
    let mut count = 0;
    let numbers = numbers(folder)?;
    // When the oldest segments were dropped, the first record names one that is gone.
    let begins = numbers.first().is_none_or(|it| *it == 1);
    for number in numbers {
        let path = folder.join(format!("{number:08}.ndjson"));
        let bytes = read_segment(&path)?;
        for (at, text) in split(&bytes).enumerate() {
            let damaged = |what: &str| RecordFailure::Damaged {
                path: path.clone(),
                line: at + 1,
                what: what.to_owned(),
            };
            let line =
                line::read(text).ok_or_else(|| damaged("it is not a record in its envelope"))?;
            if !line::is_signed_by(text, public) {
                return Err(damaged("its signature is not the host's"));
            }
            let record = &line.record;
            let follows = match &before {
                Some((seq, digest)) => record.seq == seq + 1 && record.prev == *digest,
                None => !begins || (record.seq == 1 && record.prev == "0".repeat(64)),
            };
            if !follows {
                return Err(damaged("it does not follow the line before"));
            }
            before = Some((record.seq, line.digest.to_string()));
            count += 1;
        }
    }
    Ok(count)
}
