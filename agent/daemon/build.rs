//! How the agent's program for hosts is linked: without symbols, and with what seldom runs out of the way.
//!
//! **Invariant:** a program for hosts bears no symbols: they are a sixth of it, and nobody there reads them.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=seldom.ld");
    if env::var_os("PROFILE").is_none_or(|it| it != "release") {
        return;
    }
    // The profile says so as well, but a package with a profile of its own loses that word on its way to the linker.
    println!("cargo::rustc-link-arg-bins=-Wl,--strip-all");
    // Linkers that somebody chose may know no such list; the two that the compiler calls by itself do.
    let flags = env::var_os("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if let Some(here) =
        env::var_os("CARGO_MANIFEST_DIR").filter(|_| !flags.to_string_lossy().contains("fuse-ld"))
    {
        println!("cargo::rustc-link-arg-bins=-T{}/seldom.ld", here.display());
    }
}
