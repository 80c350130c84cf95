//! The limits that no program can beat at this work: looking at every path, and hashing every file.
//!
//! Both are written in Rust over bare system calls, with one buffer and no allocation for a path.
//!
//! **Invariant:** they do nothing else: no comparison, no decision, no report.

use std::ffi::OsString;
use std::hint::black_box;
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{self, FileStat, Mode, SFlag};
use nix::unistd::read;
use ring::digest::{Context, SHA256, digest};

/// The subcommand that looks at every path.
pub(crate) const LSTAT: &str = "--lim-lstat";

/// The subcommand that hashes every file.
pub(crate) const SHA: &str = "--lim-sha";

/// Bytes read at once.
const BUFFER: usize = 128 << 10;

/// Looks at every path of a list.
pub(crate) fn lstat(words: &[OsString]) -> Result<()> {
    let list = list(words)?;
    for path in list.lines() {
        black_box(look(path)?);
    }
    Ok(())
}

/// Looks at every path of a list, and hashes every file.
pub(crate) fn sha(words: &[OsString]) -> Result<()> {
    let list = list(words)?;
    let mut buffer = vec![0; BUFFER];
    for path in list.lines() {
        let mode = SFlag::from_bits_truncate(look(path)?.st_mode);
        if mode & SFlag::S_IFMT == SFlag::S_IFREG {
            black_box(hash(path, &mut buffer)?);
        }
    }
    Ok(())
}

fn list(words: &[OsString]) -> Result<String> {
    let path = words.first().context("no list of paths")?;
    std::fs::read_to_string(path).with_context(|| format!("read {}", Path::new(path).display()))
}

fn look(path: &str) -> Result<FileStat> {
    stat::lstat(path).with_context(|| format!("look at {path}"))
}

fn hash(path: &str, buffer: &mut [u8]) -> Result<ring::digest::Digest> {
    let fd = open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
        .with_context(|| format!("open {path}"))?;
    let first = read(&fd, buffer).with_context(|| format!("read {path}"))?;
    if first < buffer.len() {
        return Ok(digest(&SHA256, buffer.get(..first).unwrap_or_default()));
    }
    let mut context = Context::new(&SHA256);
    let mut more = first;
    while more > 0 {
        context.update(buffer.get(..more).unwrap_or_default());
        more = read(&fd, buffer).with_context(|| format!("read {path}"))?;
    }
    Ok(context.finish())
}
