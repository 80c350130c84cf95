//! Makes commits that Git itself would not make.
//!
//! **Invariant:** a forged commit differs from a good one in what its test names, and in nothing else.

use std::fs;

use tests::workshop::Workshop;

/// A raw commit without its signature.
pub(super) fn unsigned(raw: &[u8]) -> String {
    let text = std::str::from_utf8(raw).unwrap();
    let (head, message) = text.split_once("\n\n").unwrap();
    let mut in_signature = false;
    let lines = head.lines().filter(|line| {
        in_signature = line.starts_with("gpgsig ") || (in_signature && line.starts_with(' '));
        !in_signature
    });
    format!("{}\n\n{message}", lines.collect::<Vec<_>>().join("\n"))
}

/// A signature as the header of a commit.
pub(super) fn header(armored: &str) -> String {
    format!("gpgsig {}\n", armored.trim_end().replace('\n', "\n "))
}

/// A payload with a header at the end of its headers.
pub(super) fn with(payload: &str, header: &str) -> String {
    payload.replacen("\n\n", &format!("\n{header}\n"), 1)
}

/// A payload, well signed by somebody.
pub(super) fn signed(shop: &Workshop, key: &str, payload: &str) -> String {
    with(payload, &header(&shop.sign("git", key, payload.as_bytes())))
}

/// Makes any bytes the newest commit of the branch, past Git's own checks.
pub(super) fn offer(shop: &Workshop, raw: impl AsRef<[u8]>) {
    let commit = shop.put("commit", raw.as_ref());
    fs::write(shop.repo().join(".git/refs/heads/main"), format!("{commit}\n")).unwrap();
}
