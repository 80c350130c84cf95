//! One record of the journal as bytes: length, sequence, payload, digest over predecessor and frame.
//!
//! **Invariant:** a frame is valid in one place of one journal only.

use bowline_model::digest::{Sha256, Sha256Stream};
use bowline_model::mark::Mark;

/// Bytes before the payload: length (4) and sequence (8), little-endian.
const HEAD: usize = 12;

/// Bytes of the digest behind the payload.
const DIGEST: usize = 32;

/// No record is larger: steps are written some hundred to a record.
const PAYLOAD_BYTES_MAX: usize = 16 << 20;

/// Writes one frame and gives its digest.
pub(super) fn write(
    into: &mut Vec<u8>,
    seq: u64,
    previous: &Sha256,
    mark: &Mark,
) -> Result<Sha256, serde_json::Error> {
    let payload = serde_json::to_vec(mark)?;
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut head = [0; HEAD];
    for (to, from) in head.iter_mut().zip(length.to_le_bytes().iter().chain(&seq.to_le_bytes())) {
        *to = *from;
    }
    let digest = digest_of(previous, &head, &payload);
    into.extend_from_slice(&head);
    into.extend_from_slice(&payload);
    into.extend_from_slice(digest.as_bytes());
    Ok(digest)
}

/// What stands at a place of the journal.
#[derive(Debug)]
pub(super) enum Read {
    /// A frame.
    Frame {
        /// The record.
        mark: Box<Mark>,
        /// The frame's digest.
        digest: Sha256,
        /// Bytes it takes.
        length: usize,
    },
    /// Reserved room that was never written, or the end of the file.
    Empty,
    /// Something else.
    Bad,
}

/// Reads the frame at the beginning of `bytes`.
pub(super) fn read(bytes: &[u8], seq: u64, previous: &Sha256) -> Read {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else {
        return if bytes.iter().all(|byte| *byte == 0) { Read::Empty } else { Read::Bad };
    };
    if head.iter().all(|byte| *byte == 0) {
        return Read::Empty;
    }
    let (length, found_seq) = head.split_at(4);
    let length = length.try_into().map_or(usize::MAX, |it| u32::from_le_bytes(it) as usize);
    let found_seq = found_seq.try_into().map_or(0, u64::from_le_bytes);
    if found_seq != seq || length > PAYLOAD_BYTES_MAX {
        return Read::Bad;
    }
    let Some((payload, rest)) = rest.split_at_checked(length) else {
        return Read::Bad;
    };
    let Some(found) = rest.first_chunk::<DIGEST>() else {
        return Read::Bad;
    };
    let digest = digest_of(previous, head, payload);
    if digest.as_bytes() != found {
        return Read::Bad;
    }
    match serde_json::from_slice(payload) {
        Ok(mark) => Read::Frame { mark: Box::new(mark), digest, length: HEAD + length + DIGEST },
        Err(_) => Read::Bad,
    }
}

fn digest_of(previous: &Sha256, head: &[u8], payload: &[u8]) -> Sha256 {
    let mut stream = Sha256Stream::new();
    stream.update(previous.as_bytes());
    stream.update(head);
    stream.update(payload);
    stream.finish()
}
