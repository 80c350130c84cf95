//! The sibling programs, built on demand: `cargo test` builds only a package's own.
//!
//! **Invariant:** they are built once per process, by the same cargo, into the same target folder and
//! with the same profile as the program that asks.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What cargo tells the programs that it runs. A cargo inside must not hear it: build scripts that
/// look at it would be run anew each time.
const TOLD_BY_CARGO: [&str; 4] =
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_NAME", "CARGO_BIN_NAME"];

/// The operator's command.
pub fn bowline() -> PathBuf {
    folder().join("bowline")
}

/// The agent.
pub fn agent() -> PathBuf {
    folder().join("bowline-agent")
}

/// The control service.
pub fn control() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| build(&["bowline-control"])).join("bowline-control")
}

fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| build(&["bowline-cli", "bowline-agent"]))
}

/// Builds packages, and gives the folder in which their programs lie.
fn build(packages: &[&str]) -> PathBuf {
    let own = env::current_exe().expect("the path of this program");
    let mut folder = own.parent().expect("a program lies in a folder");
    if folder.ends_with("deps") {
        folder = folder.parent().expect("deps lies in a profile's folder");
    }
    let target = folder.parent().expect("a profile's folder lies in the target folder");
    let profile = folder.file_name().and_then(|it| it.to_str()).expect("a profile's folder");
    let profile = if profile == "debug" { "dev" } else { profile };
    let mut cargo = Command::new(env!("CARGO"));
    for (name, _) in env::vars_os() {
        let told = |it: &str| TOLD_BY_CARGO.iter().any(|start| it.starts_with(start));
        if name.to_str().is_some_and(told) {
            cargo.env_remove(name);
        }
    }
    cargo
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .args(["build", "--quiet"])
        .args(packages.iter().flat_map(|it| ["-p", it]))
        .args(["--bins", "--profile", profile, "--target-dir"])
        .arg(target);
    let built = cargo.status().expect("cargo can be run");
    assert!(built.success(), "{} cannot be built: {built}", packages.join(", "));
    folder.to_owned()
}
