//! Whoever may push, and may not merge, fills the host's disk with what is refused.
//!
//! **Invariant:** what was fetched is bounded, and the revision that stands goes on being looked after.

use std::fs;

use bowline_api::outcome::Outcome;
use tests::workshop::Workshop;

use crate::story::settled;

/// What one fetch may bring here.
const PACK_BYTES: u64 = 2 << 20;

fn fetched(shop: &Workshop) -> u64 {
    let packs = fs::read_dir(shop.state().join("objects.git/objects/pack")).unwrap();
    packs.map(|it| it.unwrap().metadata().unwrap().len()).sum()
}

/// Bytes that no pack makes smaller.
fn noise(seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..1 << 20).map(|_| next()).collect()
}

#[test]
fn what_is_pushed_and_refused_again_and_again_does_not_pile_up() {
    let shop = settled("");
    let good = shop.tip();
    shop.trust(&good, "limits: {packBytes: 2MiB}\n");
    shop.once().ended(Outcome::Unchanged);
    for round in 0..8 {
        shop.write("apps/noise.bin", noise(round + 1));
        shop.commit_by("mallory", "noise", &[]);
        shop.once().ended_for(Outcome::Refused, "unknown-key");
        assert!(
            fetched(&shop) < 3 * PACK_BYTES + PACK_BYTES / 2,
            "round {round}: {}",
            fetched(&shop)
        );
        shop.git(&["reset", "-q", "--hard", &good]);
    }
    fs::write(shop.on_host("/etc/app.conf"), "broken").unwrap();
    shop.once().ended(Outcome::Committed);
    assert_eq!(fs::read_to_string(shop.on_host("/etc/app.conf")).unwrap(), "app one\n");
}
