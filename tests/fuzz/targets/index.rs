//! The index of a pack, as a process that unpacked a stranger's pack left it.
//!
//! **Invariant:** whatever is taken leads nowhere but into its pack.

use bowline_host::repository::pack_index::{Ends, check_read};

/// Where the pack ends that every input is an index of.
const LAST: u64 = 4_096;

/// Head and fan-out of an index.
const HEAD: usize = 8 + 1_024;

/// A number of four bytes at a place.
fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// Reads an index whose pack has as many objects, and the checksum, that it says.
pub fn index(bytes: &[u8]) -> bool {
    let count = number(bytes, HEAD - 4).unwrap_or(0);
    let ends = bytes.len().checked_sub(40);
    let checksum = ends.and_then(|it| bytes.get(it..it + 20)?.try_into().ok()).unwrap_or([0; 20]);
    let pack = Ends { count, last: LAST, checksum };
    if check_read(bytes, bytes.len() as u64, &pack).is_err() {
        return false;
    }
    let objects = usize::try_from(count).expect("as many as the bytes hold");
    let offsets = HEAD + objects * 24;
    let long = offsets + objects * 4;
    for place in 0..objects {
        let short = number(bytes, offsets + place * 4).expect("an offset of each");
        let at = match short.checked_sub(1 << 31) {
            None => u64::from(short),
            Some(row) => {
                let row = long + usize::try_from(row).expect("a row") * 8;
                assert!(row + 8 <= bytes.len() - 40, "it is in the list");
                let [high, low] = [0, 4].map(|it| number(bytes, row + it).expect("eight bytes"));
                u64::from(high) << 32 | u64::from(low)
            }
        };
        assert!((12..LAST).contains(&at), "object {place} lies at {at}");
        let name = |it: usize| &bytes[HEAD + it * 20..HEAD + it * 20 + 20];
        assert!(place == 0 || name(place - 1) < name(place), "names rise");
    }
    let other = Ends { count, last: LAST, checksum: checksum.map(|it| !it) };
    assert!(check_read(bytes, bytes.len() as u64, &other).is_err(), "the index of another pack");
    true
}
