//! Releases on the real agent: fetched, unpacked, linked, kept, repaired, and taken back to the byte.
//!
//! **Invariant:** archives are packed by real programs; what is fetched comes from real servers.

mod fetching;
mod killed;
mod slow;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use bowline_api::outcome::Outcome;
use bowline_api::record::Kind;
use bowline_model::digest::Sha256;
use tests::agent::Told;
use tests::binaries;
use tests::picture::Picture;
use tests::workshop::Workshop;

use crate::story::{file, probe};
use crate::units::unit;

/// Folders that every host here has.
const FOLDERS: &str = "---\napiVersion: bowline/v1\nkind: Directory\nmetadata: {name: opt}\n\
                       spec: {path: /opt}\n---\napiVersion: bowline/v1\nkind: Directory\n\
                       metadata: {name: opt-shop}\nspec: {path: /opt/shop}\n";

/// Packs a release, the same bytes each time, into the workshop's depot. Gives its digest.
fn pack(shop: &Workshop, number: u8) -> Sha256 {
    let folder = shop.folder().join(format!("release-{number}"));
    fs::create_dir_all(folder.join("bin")).unwrap();
    fs::create_dir_all(shop.folder().join("depot")).unwrap();
    let program = folder.join("bin/shop");
    fs::write(&program, format!("#!/bin/sh\necho {number}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.join("readme"), "the same in each\n").unwrap();
    let archive = depot(shop, number);
    let from = folder.display().to_string();
    let tar = archive.with_extension("");
    let into = tar.display().to_string();
    let fixed =
        ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "-cf", &into, "-C", &from, "."];
    shop.run("tar", &fixed);
    shop.run("gzip", &["-nf", &into]);
    Sha256::of(&fs::read(archive).unwrap())
}

/// Where a release lies in the depot.
fn depot(shop: &Workshop, number: u8) -> PathBuf {
    shop.folder().join(format!("depot/shop-{number}.tar.gz"))
}

/// Puts a packed release on the host itself. Gives its digest.
fn bring(shop: &Workshop, number: u8) -> Sha256 {
    let sha256 = pack(shop, number);
    let on_host = shop.on_host("/depot");
    fs::create_dir_all(&on_host).unwrap();
    fs::copy(depot(shop, number), on_host.join(format!("shop-{number}.tar.gz"))).unwrap();
    sha256
}

/// The manifest of a release.
fn artifact(url: &str, sha256: &Sha256, rest: &str) -> String {
    format!(
        "---\napiVersion: bowline/v1\nkind: Artifact\nmetadata: {{name: shop}}\n\
         notify: [{{unit: shop.service, action: restart}}]\n\
         spec: {{url: {url:?}, sha256: \"{sha256}\", releasesDir: /opt/shop/releases, link: \
         /opt/shop/current{rest}}}\n"
    )
}

/// The same for one that lies on the host.
fn local(shop: &Workshop, number: u8) -> String {
    let sha256 = bring(shop, number);
    artifact(&format!("file:///depot/shop-{number}.tar.gz"), &sha256, "")
}

fn merge(shop: &Workshop, manifests: &[&str]) {
    shop.write("apps/app.yaml", format!("{FOLDERS}{}", manifests.concat()));
    shop.commit("change");
}

/// What the program of the linked release says.
fn says(shop: &Workshop) -> String {
    let out = shop.run(shop.on_host("/opt/shop/current/bin/shop").to_str().unwrap(), &[]);
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

/// Releases on the host.
fn releases(shop: &Workshop) -> Vec<String> {
    let entries = fs::read_dir(shop.on_host("/opt/shop/releases")).unwrap();
    let mut names: Vec<String> =
        entries.map(|it| it.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names.iter().map(|it| it.split('-').nth(1).unwrap().to_owned()).collect()
}

/// What of fetching is left half-done in the state.
fn leftovers(shop: &Workshop) -> Vec<String> {
    let Ok(entries) = fs::read_dir(shop.state().join("cache/artifacts")) else { return Vec::new() };
    let paths = entries.map(|it| it.unwrap().path());
    let half = paths.filter(|it| !it.join("listing").exists());
    half.map(|it| it.display().to_string()).collect()
}

#[test]
fn releases_come_and_go_and_are_taken_back_to_the_byte() {
    let shop = Workshop::new();
    merge(&shop, &[&local(&shop, 1)]);
    shop.once().ended(Outcome::Committed);
    assert_eq!((says(&shop).as_str(), releases(&shop)), ("1", vec!["1".to_owned()]));
    shop.once().ended(Outcome::Unchanged);
    merge(&shop, &[&local(&shop, 2)]);
    shop.once().ended(Outcome::Committed);
    assert_eq!(says(&shop), "2");
    let bad = local(&shop, 3);
    let before = Picture::whole(&shop.root());
    merge(&shop, &[&bad, &probe("[/bin/false]")]);
    let told = shop.once();
    let cycle = told.ended_for(Outcome::Reverted, "probe-failed");
    assert!(cycle.proof.as_ref().is_some_and(|it| it.before == it.after), "{cycle:#?}");
    assert_eq!(Picture::whole(&shop.root()), before);
    shop.once().ended_for(Outcome::Held, "quarantined");
    // Three stay, the fourth goes.
    for number in [4, 5] {
        merge(&shop, &[&local(&shop, number)]);
        shop.once().ended(Outcome::Committed);
        assert_eq!(says(&shop), number.to_string());
    }
    assert_eq!(releases(&shop), ["2", "4", "5"]);
    // One that still stands is gone back to by its link alone, without its archive.
    fs::remove_dir_all(shop.on_host("/depot")).unwrap();
    fs::remove_dir_all(shop.state().join("cache/artifacts")).unwrap();
    let four = artifact(
        "file:///depot/shop-4.tar.gz",
        &Sha256::of(&fs::read(depot(&shop, 4)).unwrap()),
        "",
    );
    merge(&shop, &[&four]);
    let told = shop.once();
    let steps = &told.ended(Outcome::Committed).steps;
    assert_eq!(steps.iter().filter(|it| it.resource == "Artifact/shop").count(), 1, "{steps:#?}");
    assert_eq!((says(&shop).as_str(), releases(&shop).len()), ("4", 3));
    // The artifact leaves, and all of it goes, but for what somebody changed.
    fs::write(shop.on_host("/opt/shop/current/notes"), "mine").unwrap();
    merge(&shop, &[]);
    shop.once().ended(Outcome::Committed);
    let left = Picture::whole(&shop.on_host("/opt/shop"));
    assert!(!shop.on_host("/opt/shop/current").exists());
    assert_eq!(releases(&shop), ["4"], "{left:#?}");
    // It is told until nothing is in its way, and goes then.
    let told = shop.once();
    let warnings = &told.ended(Outcome::Unchanged).warnings;
    assert!(warnings.iter().any(|it| it.contains("not empty")), "{told:#?}");
    let mine = fs::read_dir(shop.on_host("/opt/shop/releases")).unwrap().next().unwrap().unwrap();
    fs::remove_file(mine.path().join("notes")).unwrap();
    shop.once().ended(Outcome::Committed);
    assert!(!shop.on_host("/opt/shop/releases").exists());
    let told = shop.once();
    let warnings = &told.ended(Outcome::Unchanged).warnings;
    assert!(!warnings.iter().any(|it| it.contains("not empty")), "{told:#?}");
}

#[test]
fn what_drifted_is_repaired_from_what_was_fetched_and_waits_without() {
    let shop = Workshop::new();
    let app = file("app", "/opt/app.conf", "one");
    merge(&shop, &[&local(&shop, 1), &app]);
    shop.once().ended(Outcome::Committed);
    let whole = Picture::whole(&shop.on_host("/opt"));
    let away = shop.folder().join("depot.away");
    fs::rename(shop.on_host("/depot"), &away).unwrap();
    let program = shop.on_host("/opt/shop/current/bin/shop");
    fs::write(&program, "worse").unwrap();
    shop.once().ended(Outcome::Committed);
    assert_eq!(Picture::whole(&shop.on_host("/opt")), whole);
    let records = bowline_host::record::newest(&shop.state().join("records"), 1).unwrap();
    assert_eq!(records[0].kind, Kind::Drift, "{records:?}");
    // A file of the cache that is not what it was is found out when it is used; then all of it is fetched.
    fs::write(&program, "worse").unwrap();
    let cache = shop.state().join("cache/artifacts");
    let entry = fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path();
    for one in fs::read_dir(&entry).unwrap().map(|it| it.unwrap().path()) {
        if one.file_name().unwrap() != "listing" {
            fs::write(one, "spoilt").unwrap();
        }
    }
    shop.once().ended_for(Outcome::Failed, "artifact-away");
    assert!(!entry.exists());
    // Without the archive only what needs it waits.
    fs::write(shop.on_host("/opt/app.conf"), "worse").unwrap();
    let told = shop.once();
    let warns = |told: &Told, of: &str| {
        told.cycle.as_ref().unwrap().warnings.iter().any(|it| it.starts_with(of))
    };
    assert_eq!(told.ended(Outcome::Committed).steps.len(), 1, "{told:#?}");
    assert!(warns(&told, "artifact-missing"), "{told:#?}");
    assert_eq!(fs::read_to_string(shop.on_host("/opt/app.conf")).unwrap(), "one");
    assert_eq!(fs::read_to_string(&program).unwrap(), "worse");
    let told = shop.once();
    assert_eq!(told.ended(Outcome::Unchanged).code, "drift-detected", "{told:#?}");
    assert!(warns(&told, "artifact-missing"), "{told:#?}");
    fs::rename(away, shop.on_host("/depot")).unwrap();
    // A single cycle goes on until both are mended, and tells of both.
    fs::write(shop.on_host("/opt/app.conf"), "worse").unwrap();
    let steps = shop.once().ended(Outcome::Committed).steps.clone();
    let paths: Vec<_> = steps.iter().filter_map(|it| it.path.as_deref()).collect();
    assert_eq!(paths.len(), 2, "{paths:?}");
    assert!(paths[0].ends_with("app.conf") && paths[1].ends_with("bin/shop"), "{paths:?}");
    assert_eq!(Picture::whole(&shop.on_host("/opt")), whole);
    shop.once().ended(Outcome::Unchanged);
}

#[test]
fn a_service_and_its_settings_go_with_the_release_and_come_back_with_it() {
    let shop = Workshop::new();
    shop.manage_units();
    let folders = ["/etc/systemd", "/etc/systemd/system"].map(|path| {
        let name = path.rsplit('/').next().unwrap();
        format!(
            "---\napiVersion: bowline/v1\nkind: Directory\nmetadata: {{name: {name}}}\nspec: {{path: {path}}}\n"
        )
    });
    let settings = |text: &str| {
        shop.write("apps/templates/shop.j2", format!("{text} {{{{ workers }}}}\n"));
        "---\napiVersion: bowline/v1\nkind: Template\nmetadata: {name: shop}\n\
         dependsOn: [Artifact/shop]\nnotify: [{unit: shop.service, action: restart}]\n\
         spec: {path: /opt/shop/shop.toml, source: templates/shop.j2, values: {workers: 4}}\n"
            .to_owned()
    };
    let needs = "metadata: {name: shop.service}\ndependsOn: [Template/shop]\n";
    let service = |text: &str| {
        unit("shop.service", text, "").replace("metadata: {name: shop.service}\n", needs)
    };
    let all = |release: &str, settings: &str, unit: &str| {
        merge(&shop, &[&folders.concat(), release, settings, unit]);
    };
    let (one, two, three) = (local(&shop, 1), local(&shop, 2), local(&shop, 3));
    all(&one, &settings("one"), &service("one"));
    shop.once().ended(Outcome::Committed);
    assert_eq!(shop.told_units(), ["daemon-reload", "enable shop.service", "start shop.service"]);
    // Another release and nothing else: the service hears of it.
    all(&two, &settings("one"), &service("one"));
    shop.once().ended(Outcome::Committed);
    assert_eq!(shop.told_units(), ["restart shop.service"]);
    let before = (Picture::whole(&shop.root()), shop.units());
    all(&three, &settings("three"), &service("refuses"));
    shop.once().ended_for(Outcome::Reverted, "unit-failed");
    assert_eq!((Picture::whole(&shop.root()), shop.units()), before);
    assert_eq!(says(&shop), "2");
}

#[test]
fn an_ordered_revert_needs_neither_the_archive_nor_its_server() {
    let shop = Workshop::new();
    for number in [1, 2] {
        merge(&shop, &[&local(&shop, number)]);
        shop.once().ended(Outcome::Committed);
    }
    fs::remove_dir_all(shop.on_host("/depot")).unwrap();
    fs::remove_dir_all(shop.state().join("cache/artifacts")).unwrap();
    let service = shop.serve();
    let (code, said, why) = shop.bowline(&["revert", "--reason", "slow", "--wait"]);
    assert_eq!((code, says(&shop).as_str()), (0, "1"), "{said}{why}");
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn a_plan_shows_a_release_that_nobody_fetched_and_leaves_nothing_behind() {
    let shop = Workshop::new();
    merge(&shop, &[&local(&shop, 1)]);
    let before = Picture::whole(shop.folder());
    let mut command = shop.command(binaries::bowline());
    command.args(["plan", "--config", "agent.toml", "--root", "root"]).env("TMPDIR", shop.folder());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    for path in ["/bin/shop", "/readme", "/opt/shop/current"] {
        assert!(text.contains(path), "{text}");
    }
    assert_eq!(Picture::whole(shop.folder()), before);
}
