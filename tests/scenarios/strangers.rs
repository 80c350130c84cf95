//! Somebody without rights makes folders, mounts and user namespaces around a host.
//!
//! **Invariant:** nothing that a stranger may do keeps the agent from starting, strands a host or
//! hinders a deployment of what is not theirs.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Child, Stdio};

use bowline_api::outcome::Outcome;
use tests::agent::{Told, until};
use tests::binaries;
use tests::workshop::Workshop;

use crate::story::{command, file, settled};

/// A user who may do nothing in particular.
const NOBODY: u32 = 65_534;

/// A process that goes on until this value goes, and what it made in namespaces of its own with it.
struct Keeper {
    child: Child,
}

impl Keeper {
    /// Runs a script in the workshop until it has made the file `ready`. `None` without the rights.
    fn begin(shop: &Workshop, before: &[&str], script: &str) -> Option<Self> {
        // Whoever runs the script may say that it is ready.
        let said = shop.folder().join("said");
        fs::create_dir_all(&said).unwrap();
        fs::set_permissions(&said, fs::Permissions::from_mode(0o777)).unwrap();
        let script = format!("set -e; {script}; touch said/ready; exec cat");
        let words = [before, &["/bin/sh", "-c", &script]].concat();
        let mut keeper = shop.command(words[0]);
        keeper.args(&words[1..]).stdin(Stdio::piped());
        let child = keeper.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut keeper = Self { child };
        let ended = |keeper: &mut Self| keeper.child.try_wait().unwrap().is_some();
        until("the keeper is ready", || said.join("ready").exists() || ended(&mut keeper));
        if said.join("ready").exists() {
            return Some(keeper);
        }
        assert!(std::env::var_os("BOWLINE_CI").is_none(), "mounting is not allowed");
        println!("left out: mounting, or being somebody else, is not allowed");
        None
    }

    /// Runs a cycle in the keeper's mount namespace.
    fn once(&self, shop: &Workshop) -> Told {
        let id = self.child.id().to_string();
        let inside = format!("--wd={}", shop.folder().display());
        once(shop, &["nsenter", "--mount", "--target", &id, &inside])
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs a cycle; the root is named as an installed agent names it.
fn once(shop: &Workshop, before: &[&str]) -> Told {
    let (agent, root) = (binaries::agent().display().to_string(), shop.root());
    let root = root.to_str().unwrap();
    let rest = [&agent, "--config", "agent.toml", "--root", root, "--once", "--json"];
    let words = [before, &rest].concat();
    Told::by(&shop.command(words[0]).args(&words[1..]).output().unwrap())
}

/// Lets somebody without rights own a folder of the host. `false` where that is not allowed.
fn give_away(folder: &Path) -> bool {
    fs::create_dir_all(folder).unwrap();
    let given = chown(folder, Some(NOBODY), Some(NOBODY)).is_ok();
    assert!(given || std::env::var_os("BOWLINE_CI").is_none(), "the tests have to run as root");
    if !given {
        println!("left out: the tests do not run as root");
    }
    given
}

const AS_NOBODY: [&str; 4] = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
const OWN_MOUNTS: [&str; 4] = ["unshare", "--mount", "--propagation", "private"];
const OWN_USERS: [&str; 5] = ["unshare", "--user", "--map-root-user", "--mount", "--"];

/// Asserts that a new revision of the host's file is put in place.
#[track_caller]
fn deploys(shop: &Workshop, cycle: impl FnOnce() -> Told) {
    shop.write("apps/app.yaml", file("app", "/etc/app.conf", "app two\n"));
    shop.commit("two");
    cycle().ended(Outcome::Committed);
}

#[test]
fn a_strangers_folder_on_a_mount_for_everybody_strands_nobody() {
    let shop = settled("");
    let mounted = "mkdir root/tmp; mount -t tmpfs -o mode=1777 all root/tmp; \
                   setpriv --reuid=65534 --regid=65534 --clear-groups mkdir -p root/tmp/.bowline-stage/x";
    let Some(keeper) = Keeper::begin(&shop, &OWN_MOUNTS, mounted) else { return };
    keeper.once(&shop).ended(Outcome::Unchanged);
    deploys(&shop, || keeper.once(&shop));
    let theirs = format!("/proc/{}/root{}", keeper.child.id(), shop.root().display());
    assert!(Path::new(&theirs).join("tmp/.bowline-stage/x").is_dir(), "it was touched");
}

#[test]
fn a_strangers_mount_namespace_names_no_stage() {
    let shop = settled("");
    if !give_away(&shop.on_host("/home")) {
        return;
    }
    let script = "mkdir -p root/home/m/.bowline-stage/x; mount -t tmpfs t root/home/m";
    let before = [&AS_NOBODY[..], &OWN_USERS].concat();
    let Some(_keeper) = Keeper::begin(&shop, &before, script) else { return };
    once(&shop, &[]).ended(Outcome::Unchanged);
    deploys(&shop, || once(&shop, &[]));
    assert!(shop.on_host("/home/m/.bowline-stage/x").is_dir(), "it was touched");
}

#[test]
fn a_foreign_stage_root_refuses_the_deployment_that_needs_it_and_no_more() {
    let shop = settled("");
    let stage = shop.on_host("/.bowline-stage");
    fs::create_dir_all(stage.join("x")).unwrap();
    fs::set_permissions(&stage, fs::Permissions::from_mode(0o777)).unwrap();
    once(&shop, &[]).ended(Outcome::Unchanged);
    shop.write("apps/app.yaml", file("app", "/etc/app.conf", "app two\n"));
    shop.commit("two");
    let told = once(&shop, &[]);
    let cycle = told.ended_for(Outcome::Refused, "unsafe-path");
    assert!(cycle.detail.contains(".bowline-stage"), "{cycle:#?}");
    assert!(stage.join("x").is_dir(), "it was touched");
    let read = fs::read_to_string(shop.on_host("/etc/app.conf")).unwrap();
    assert_eq!(read, "app one\n");
}

/// A user's filesystem, that does not let even root look into it.
const FUSE: &str = "exec 9<>/dev/fuse; mount -i -t fuse \
                    -o fd=9,rootmode=40000,user_id=65534,group_id=65534 none";

#[test]
fn a_users_own_filesystem_does_not_keep_the_agent_from_starting() {
    let shop = settled("");
    let mounted = format!("mkdir root/mnt; {FUSE} root/mnt");
    let Some(keeper) = Keeper::begin(&shop, &OWN_MOUNTS, &mounted) else { return };
    keeper.once(&shop).ended(Outcome::Unchanged);
    deploys(&shop, || keeper.once(&shop));
}

#[test]
fn a_users_own_filesystem_that_comes_during_a_deployment_does_not_keep_it_from_its_end() {
    let shop = settled("");
    fs::create_dir(shop.on_host("/mnt")).unwrap();
    let Some(keeper) = Keeper::begin(&shop, &OWN_MOUNTS, ": <>/dev/fuse") else { return };
    let mount = format!("{FUSE} $BOWLINE_ROOT/mnt");
    let mount =
        command("mount", &mount, "true", "/never").replace("spec:", "dependsOn: [File/app]\nspec:");
    let app = file("app", "/etc/app.conf", "app two\n");
    shop.write("apps/app.yaml", format!("{app}{mount}"));
    shop.commit("two");
    keeper.once(&shop).ended(Outcome::Committed);
}

#[test]
fn a_strangers_mount_over_a_managed_file_hinders_no_deployment() {
    let shop = settled("");
    let before = [&AS_NOBODY[..], &OWN_USERS].concat();
    let bind = "mount --bind /dev/null root/etc/app.conf";
    let Some(_keeper) = Keeper::begin(&shop, &before, bind) else { return };
    deploys(&shop, || once(&shop, &[]));
}

#[test]
fn a_mount_that_root_made_for_a_service_still_hinders_it() {
    // A service manager gives the service users of its own behind that, or not.
    for then in
        ["true", "exec unshare --user --map-root-user /bin/sh -c 'touch said/ready; exec cat'"]
    {
        let shop = settled("");
        let bind = format!("mount --bind /dev/null root/etc/app.conf; {then}");
        let Some(_keeper) = Keeper::begin(&shop, &OWN_MOUNTS, &bind) else { return };
        shop.write("apps/app.yaml", file("app", "/etc/app.conf", "app two\n"));
        shop.commit("two");
        let told = once(&shop, &[]);
        let cycle = told.ended_for(Outcome::Refused, "unsafe-path");
        assert!(cycle.detail.contains("mount point"), "{cycle:#?}");
    }
}
