//! One target for the fuzzer: the one that this program is named after.
#![no_main]

use std::sync::LazyLock;

use bowline_fuzz::{TARGETS, Target};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    TARGETS.iter().find(|it| it.name == env!("CARGO_BIN_NAME")).expect("a target of this name")
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    (TARGET.run)(bytes);
});
