//! Packs that are small on their way and large when they are put together.
//!
//! **Invariant:** each is well formed, with the right checksum: only its size is at fault.

use std::io::Write as _;

use flate2::write::ZlibEncoder;
use flate2::{Compress, Compression, FlushCompress};
use ring::digest;

/// What one byte of a delta copies: 64 KiB from the base's beginning.
const COPIED: u64 = 0x1_0000;

/// An object's kinds in a pack.
const BLOB: u8 = 3;
const OFFSET_DELTA: u8 = 6;

/// A pack that grows.
#[derive(Debug, Default)]
pub struct Bomb {
    objects: u32,
    body: Vec<u8>,
    /// Where the last object begins, and how large it is when it is put together.
    last: (usize, u64),
}

impl Bomb {
    /// Adds a blob of so many MiB of zeros, which takes a thousandth of that.
    #[must_use]
    pub fn zeros(mut self, mebibytes: u64) -> Self {
        let size = mebibytes << 20;
        self.begin(BLOB, size, size);
        self.body.extend_from_slice(b"\x78\x01");
        let (mut flat, mut block) = (Compress::new(Compression::best(), false), Vec::new());
        block.reserve(64 << 10);
        flat.compress_vec(&vec![0; 1 << 20], &mut block, FlushCompress::Full).unwrap();
        for _ in 0..mebibytes {
            self.body.extend_from_slice(&block);
        }
        let sum = u32::try_from(size % 65_521).unwrap() << 16 | 1;
        self.body.extend_from_slice(b"\x03\x00");
        self.body.extend_from_slice(&sum.to_be_bytes());
        self
    }

    /// Adds a difference to the last object: its first 64 KiB, so many times.
    #[must_use]
    pub fn repeats(self, times: u64) -> Self {
        let copies = vec![0x80; usize::try_from(times).unwrap()];
        self.difference(times * COPIED, &copies)
    }

    /// Adds a difference to the last object: all of it, twice.
    #[must_use]
    pub fn twice(self) -> Self {
        let (_, size) = self.last;
        let pieces = usize::try_from(size / COPIED).unwrap();
        let copy = |at: usize| {
            let offset = u32::try_from(at * 0x1_0000).unwrap().to_le_bytes();
            [&[0x8f], offset.as_slice()].concat()
        };
        let all: Vec<u8> = (0..pieces).flat_map(copy).collect();
        self.difference(size * 2, &all.repeat(2))
    }

    /// Adds a difference to the last object: its first byte, and one more.
    #[must_use]
    pub fn another(self, byte: u8) -> Self {
        self.difference(2, &[0x90, 1, 1, byte])
    }

    fn difference(mut self, size: u64, instructions: &[u8]) -> Self {
        let (from, base) = self.last;
        let delta = [varint(base), varint(size), instructions.to_vec()].concat();
        let here = self.begin(OFFSET_DELTA, delta.len() as u64, size);
        self.body.extend_from_slice(&back(here - from));
        let mut flat = ZlibEncoder::new(Vec::new(), Compression::best());
        flat.write_all(&delta).unwrap();
        self.body.extend_from_slice(&flat.finish().unwrap());
        self
    }

    /// Begins an object of a size in the pack, and another when it is put together. Gives where.
    fn begin(&mut self, kind: u8, size: u64, whole: u64) -> usize {
        let at = self.body.len();
        let (mut byte, mut rest) = (kind << 4 | (size & 15) as u8, size >> 4);
        while rest > 0 {
            self.body.push(byte | 0x80);
            (byte, rest) = ((rest & 0x7f) as u8, rest >> 7);
        }
        self.body.push(byte);
        (self.objects, self.last) = (self.objects + 1, (at, whole));
        at
    }

    /// The whole pack.
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        let mut pack = [b"PACK\0\0\0\x02", self.objects.to_be_bytes().as_slice()].concat();
        pack.extend_from_slice(&self.body);
        let sum = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &pack);
        pack.extend_from_slice(sum.as_ref());
        pack
    }
}

/// A size in a delta: seven bits a byte, the lowest first.
fn varint(mut size: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while size > 0x7f {
        bytes.push((size & 0x7f) as u8 | 0x80);
        size >>= 7;
    }
    bytes.push(size as u8);
    bytes
}

/// How far back a base lies: the highest bits first, each further byte counting one more.
fn back(mut distance: usize) -> Vec<u8> {
    let mut bytes = vec![(distance & 0x7f) as u8];
    while distance > 0x7f {
        distance = (distance >> 7) - 1;
        bytes.push((distance & 0x7f) as u8 | 0x80);
    }
    bytes.reverse();
    bytes
}
