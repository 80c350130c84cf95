//! What the repository shows to users is true.
//!
//! **Invariant:** example manifests parse, compile and plan; default settings resolve.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bowline_host::settings;
use tests::history::live;
use tests::sim_host::SimHost;
use tests::village::{Files, Village};

use crate::files::root;

/// Files of a folder, by their paths in it.
fn files_of(folder: &Path) -> Files {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let inner = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(inner, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

/// The key of the first host that the example names: the example is planned as that host sees it.
fn first_fingerprint(files: &Files) -> String {
    let hosts = files.iter().filter(|(path, _)| path.starts_with("hosts/"));
    let words = hosts.flat_map(|(_, text)| text.split_whitespace());
    let key = words.map(|it| it.trim_matches(['"', '}', ','])).find(|it| it.starts_with("SHA256:"));
    key.unwrap_or("SHA256:none").to_owned()
}

#[test]
fn every_example_is_planned_and_applied() {
    let mut examples = 0;
    for entry in fs::read_dir(root().join("manifests")).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        examples += 1;
        let files = files_of(&folder);
        let mut host = SimHost::new(Village::new(&files));
        host.fingerprint = first_fingerprint(&files);
        for path in [
            "/etc",
            "/srv",
            "/var",
            "/var/lib",
            "/opt",
            "/usr",
            "/usr/local",
            "/var/www",
            "/etc/nginx",
            "/etc/systemd",
            "/etc/systemd/system",
        ] {
            host.put_folder(path);
        }
        live(&mut host, 1);
        let cycle = &host.endings[0].cycle;
        let shown = format!("{}: {cycle:#?}", folder.display());
        assert_eq!(cycle.outcome.word(), "committed", "{shown}");
        assert!(!cycle.steps.is_empty(), "{shown}");
    }
    assert!(examples >= 3, "only {examples} examples were found");
}

#[test]
fn the_default_settings_resolve_and_name_every_key() {
    let file = Path::new("/etc/bowline/agent.toml");
    let text = "[source]\nurl = \"/srv/fleet.git\"\n";
    let resolved = settings::resolve(text, file, Path::new("/")).unwrap();
    let filled = settings::DEFAULTS.replace("url = []", "url = \"/srv/fleet.git\"");
    assert_eq!(settings::resolve(&filled, file, Path::new("/")).unwrap(), resolved);
}
