//! What the fuzzer runs: each target reads strangers' bytes and checks what must hold of whatever it took.
//!
//! **Invariant:** a target is a function of its bytes alone: no clock, no random number, nothing left from before.
//! **Invariant:** what a target checks by is written here anew; the code under test never vouches for itself.

mod objects;
mod ssh;
mod certificate;
mod openpgp;
mod keys;
mod evidence;
mod approval;
mod yaml;
mod change;
mod wires;
mod records;
mod index;

#[path = "../../harness/signer.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod signer;
#[path = "../../../agent/trust/src/sample/openpgp.rs"]
#[allow(dead_code, reason = "the tests beside the code use more of it")]
mod pgp;
// The crate keeps its protocol to itself, and so it may.
#[path = "../../../agent/host/src/wire/mod.rs"]
#[allow(dead_code, reason = "the agent uses more of it")]
mod wire;

/// 2026-11-01T00:00:00Z.
const BEGINNING: i64 = 1_793_491_200;

/// A day.
const DAY: i64 = 86_400;

/// One target.
#[derive(Debug)]
pub struct Target {
    /// What it is called: its program's name, and its corpus'.
    pub name: &'static str,
    /// Runs it; whether the input was taken.
    pub run: fn(&[u8]) -> bool,
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "commit", run: objects::commit },
    Target { name: "tag", run: objects::tag },
    Target { name: "ssh_key", run: ssh::key },
    Target { name: "ssh_signature", run: ssh::signature },
    Target { name: "ssh_certificate", run: certificate::ssh },
    Target { name: "openpgp_certificate", run: openpgp::certificate },
    Target { name: "openpgp_signature", run: openpgp::signature },
    Target { name: "key_file", run: keys::file },
    Target { name: "revoked_file", run: keys::revoked },
    Target { name: "bare_key", run: keys::bare },
    Target { name: "envelope", run: evidence::envelope },
    Target { name: "note_line", run: evidence::note_line },
    Target { name: "statement", run: evidence::statement },
    Target { name: "approval", run: approval::approval },
    Target { name: "policy", run: yaml::policy },
    Target { name: "trust_file", run: yaml::trust_file },
    Target { name: "manifests", run: yaml::manifests },
    Target { name: "change_list", run: change::list },
    Target { name: "references", run: wires::references },
    Target { name: "advert", run: wires::advert },
    Target { name: "pack_index", run: index::index },
    Target { name: "pack", run: wires::pack },
    Target { name: "records", run: records::chain },
];

/// The first byte, modulo a number of ways to take the rest.
fn way(bytes: &[u8], ways: u8) -> Option<(u8, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    Some((first % ways, rest))
}

/// A commit of this time that carries a signature over its payload.
fn signed_commit(time: i64, sign: impl FnOnce(&[u8]) -> String) -> Vec<u8> {
    let head = format!(
        "tree {}\nauthor A <a@example.org> {time} +0000\ncommitter A <a@example.org> {time} +0000\n",
        "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    );
    let signature = sign(format!("{head}\nchange\n").as_bytes());
    let folded = signature.trim_end().replace('\n', "\n ");
    format!("{head}gpgsig {folded}\n\nchange\n").into_bytes()
}

/// The strings of SSH's encoding, one after another: a length of four bytes, then so many bytes.
struct Strings<'a>(&'a [u8]);

impl<'a> Strings<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn long(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(usize::try_from(length).ok()?)
    }
}

/// Bytes as a string of SSH's encoding.
fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes(), bytes].concat()
}
