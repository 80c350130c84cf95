//! Strips the agent's program where it is built for hosts.
//!
//! **Invariant:** a program for hosts bears no symbols: they are a sixth of it, and nobody there reads them.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // The profile says so as well, but a package with a profile of its own loses that word on its way to the linker.
    if env::var_os("PROFILE").is_some_and(|it| it == "release") {
        println!("cargo::rustc-link-arg-bins=-Wl,--strip-all");
    }
}
