//! The root file system that all hosts share: Debian with systemd, nginx, git and OpenSSH.
//!
//! **Invariant:** an image is complete or not there: it gets its name when it is whole.
//! **Invariant:** no mirror is named here: the machine's own configuration of apt says where Debian is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ::tests::programs::{run, run_within};
use anyhow::{Context as _, Result, bail};
use bowline_model::digest::Sha256;

/// Where images lie unless `BOWLINE_LAB_CACHE` says otherwise.
const CACHE: &str = "/var/cache/bowline-lab";

/// Two hundred megabytes from a mirror, unpacked on a busy machine.
const BUILD_TIME: Duration = Duration::from_mins(10);

/// What is installed beside the essentials.
const PACKAGES: [&str; 12] = [
    "systemd",
    "systemd-sysv",
    "dbus",
    "nginx-light",
    "fcgiwrap",
    "git",
    "openssh-client",
    "openssh-server",
    "iproute2",
    "curl",
    "ca-certificates",
    "procps",
];

/// What is done to it besides, as a shell's words about the folder `$1`. Its text counts for the image's name.
const FINISH: &str = r#"
rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/systemd/system/timers.target.wants/*
rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin
mkdir -p "$1"/etc/systemd/journald.conf.d "$1"/var/log/journal "$1"/home/me
printf '[Journal]\nStorage=persistent\n' > "$1"/etc/systemd/journald.conf.d/lab.conf
: > "$1"/etc/machine-id
"#;

/// Gives the image, and builds it when it is not in the cache.
pub(crate) fn ready(scratch: &Path) -> Result<PathBuf> {
    let (mirror, suite) = mirror()?;
    let cache = std::env::var_os("BOWLINE_LAB_CACHE").map_or_else(|| CACHE.into(), PathBuf::from);
    let image = cache.join(format!("image-{}", name(&suite)));
    if image.is_dir() {
        return Ok(image);
    }
    println!("Building Debian {suite} with {} …", PACKAGES.join(", "));
    fs::create_dir_all(&cache).with_context(|| format!("make {}", cache.display()))?;
    let began = Instant::now();
    let partial = cache.join(format!("partial-{}", std::process::id()));
    let built = build(&partial, scratch, &mirror, &suite)
        .and_then(|()| fs::rename(&partial, &image).context("give the image its name"));
    if built.is_err() {
        drop(fs::remove_dir_all(&partial));
    }
    // Another lab may have been quicker: its image is as good.
    if !image.is_dir() {
        built.context("build the hosts' image")?;
    }
    println!("{} is built, {:.0} s", image.display(), began.elapsed().as_secs_f64());
    Ok(image)
}

/// Changes whenever another image would be built.
fn name(suite: &str) -> String {
    let recipe = format!("{suite}\n{}\n{FINISH}", PACKAGES.join(" "));
    Sha256::of(recipe.as_bytes()).to_string().chars().take(12).collect()
}

fn build(into: &Path, scratch: &Path, mirror: &str, suite: &str) -> Result<()> {
    // Proxies and the like that the machine needs to reach its mirror.
    let options = scratch.join("apt.conf");
    fs::write(&options, run(Command::new("apt-config").args(["dump", "Acquire"]), "ask apt")?)?;
    let mut bootstrap = Command::new("mmdebstrap");
    bootstrap.args(["--quiet", "--variant=apt", "--mode=root", "--format=directory"]);
    bootstrap.arg(format!("--aptopt={}", options.display()));
    bootstrap.arg("--aptopt=APT::Install-Recommends \"false\"");
    for folder in ["man", "locale", "doc"] {
        bootstrap.arg(format!("--dpkgopt=path-exclude=/usr/share/{folder}/*"));
    }
    // An image that a power cut spoils never gets its name.
    bootstrap.arg("--dpkgopt=force-unsafe-io");
    bootstrap.arg(format!("--include={}", PACKAGES.join(",")));
    bootstrap.arg(suite).arg(into).arg(format!("deb {mirror} {suite} main"));
    run_within(&mut bootstrap, "mmdebstrap", BUILD_TIME)?;
    let mut finish = Command::new("sh");
    run(finish.args(["-euc", FINISH, "sh"]).arg(into), "finish the image").map(drop)
}

/// Where the machine has its own Debian from, and which.
fn mirror() -> Result<(String, String)> {
    let release = fs::read_to_string("/etc/os-release").context("read /etc/os-release")?;
    let suite = release.lines().find_map(|it| it.strip_prefix("VERSION_CODENAME="));
    let Some(suite) = suite else { bail!("/etc/os-release names no VERSION_CODENAME") };
    let mut targets = Command::new("apt-get");
    targets.args(["indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)"]);
    let targets = run(targets.arg("Created-By: Packages"), "ask apt for its mirrors")?;
    let Some(mirror) = mirror_of(&targets, suite) else {
        bail!("apt has no source for {suite}/main");
    };
    Ok((mirror.to_owned(), suite.to_owned()))
}

/// The mirror of a suite's main component, in apt's list of what it fetches.
fn mirror_of<'t>(targets: &'t str, suite: &str) -> Option<&'t str> {
    targets.lines().find_map(|line| {
        let mut words = line.split(' ');
        let mirror = words.next()?;
        (words.next() == Some(suite) && words.next() == Some("main")).then_some(mirror)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_the_one_of_the_suite_itself() {
        let targets = "http://a/debian-security/ stable-security main\nhttp://a/debian/ stable contrib\n\
                       http://b/debian/ stable main\n";
        for (suite, expected) in [("stable", Some("http://b/debian/")), ("next", None)] {
            assert_eq!(mirror_of(targets, suite), expected);
        }
    }

    #[test]
    fn another_suite_is_another_image() {
        assert_ne!(name("bookworm"), name("trixie"));
    }
}
