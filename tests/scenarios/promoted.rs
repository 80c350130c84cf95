//! Production takes a revision once enough hosts of staging vouch for it with their own keys, whoever carries that there.
//!
//! **Invariant:** three hosts follow one branch, and nothing passes between them but lines of their record logs.

use std::fs;

use bowline_api::outcome::Outcome;
use bowline_api::record::{Kind, Record};
use bowline_host::record::newest;
use tests::agent::until;
use tests::binaries;
use tests::workshop::Workshop;

use crate::story::file;

const REPOSITORY: &str = "apiVersion: bowline/v1\nkind: Repository\nmetadata: {name: fleet}\nspec: {folders: [apps, hosts]}\n";

/// Two hosts of two, for a second.
const GATE: &str = "gates:\n  - {id: staging, environments: [production], \
    hosts: {environment: staging, healthy: \"60%\", for: 1s}}\n";

const PROBE: &str = "---\napiVersion: bowline/v1\nkind: Probe\nmetadata: {name: ready}\n\
    spec: {exec: {argv: [/bin/true]}, interval: 100ms, soak: 100ms, deadline: 10s}\n";

/// The hosts of one repository, which lies with the first.
struct Fleet {
    production: Workshop,
    staging: [Workshop; 2],
}

impl Fleet {
    /// All of them stand at the first commit under a policy with the gate; production waits.
    fn new() -> Self {
        let production = Workshop::new();
        let staging = [production.copy(), production.copy()];
        let url = format!("{:?}", production.repo().display().to_string());
        staging.iter().for_each(|it| it.fetch_from(&url, ""));
        let fleet = Self { production, staging };
        // Each makes its key at its first start.
        for host in fleet.hosts() {
            assert_eq!(host.once().exit, Some(0));
        }
        let shop = &fleet.production;
        shop.enact(&(shop.law(2) + GATE), &["alice"]);
        shop.write("bowline.yaml", REPOSITORY);
        for (at, host) in fleet.hosts().enumerate() {
            let said =
                String::from_utf8(host.run("ssh-keygen", &["-lf", "host.key.pub"]).stdout).unwrap();
            let key = said.split(' ').nth(1).unwrap();
            let environment = if at == 0 { "production" } else { "staging" };
            let text = format!(
                "apiVersion: bowline/v1\nkind: Host\nmetadata: {{name: web-{at}}}\n\
                 spec: {{keyFingerprint: \"{key}\", environment: {environment}}}\n"
            );
            shop.write(&format!("hosts/web-{at}.yaml"), text);
        }
        fleet
    }

    fn hosts(&self) -> impl Iterator<Item = &Workshop> {
        [&self.production].into_iter().chain(&self.staging)
    }

    /// Merges what the file of the application holds, and lets staging deploy it.
    fn merge(&self, content: &str) {
        let app = file("app", "/etc/app.conf", &format!("{content}\n"));
        self.production.write("apps/app.yaml", format!("{app}{PROBE}"));
        self.production.commit(content);
        for host in &self.staging {
            host.once().ended(Outcome::Committed);
        }
    }

    /// Carries what a host recorded to the notes.
    fn carry(&self, from: &Workshop) {
        let records = from.state().join("records").display().to_string();
        let bowline = binaries::bowline();
        let carry = ["attest", "receipts", "--repo", "repo", "--records", &records, "--note"];
        self.production.run(bowline.to_str().unwrap(), &carry);
    }

    /// A cycle of production in which it waits, with so many hosts of two.
    #[track_caller]
    fn waits(&self, hosts: usize) {
        let before = holds(&self.production);
        let told = self.production.once();
        let cycle = told.ended(Outcome::Pending);
        assert_eq!(cycle.code, "evidence-missing", "{cycle:#?}");
        assert_eq!(cycle.gates[0]["measured"], format!("{hosts} of 2 hosts"), "{cycle:#?}");
        assert_eq!(holds(&self.production), before);
    }
}

fn holds(host: &Workshop) -> String {
    fs::read_to_string(host.on_host("/etc/app.conf")).unwrap_or_default()
}

/// What a host vouched for, the newest first.
fn receipts(host: &Workshop) -> Vec<Record> {
    let records = newest(&host.state().join("records"), 100).unwrap();
    records.into_iter().filter(|it| it.kind == Kind::Healthy).collect()
}

/// Lets a host of staging look after itself until it vouches for its newest commit.
fn vouches(host: &Workshop, count: usize) {
    until("the host vouches", || {
        host.once().ended(Outcome::Unchanged);
        receipts(host).len() == count
    });
}

#[test]
fn production_deploys_what_enough_hosts_of_staging_ran_in_good_health() {
    let fleet = Fleet::new();
    fleet.merge("one");
    assert!(fleet.staging.iter().all(|it| receipts(it).is_empty()), "not before the time");
    fleet.waits(0);
    for (at, host) in fleet.staging.iter().enumerate() {
        vouches(host, 1);
        fleet.waits(at);
        fleet.carry(host);
    }
    let said = &receipts(&fleet.staging[0])[0];
    assert_eq!(said.healthy.as_ref().map(|it| it.lasting_ms), Some(1_000));
    assert_eq!(said.environment.as_deref(), Some("staging"));
    assert!(said.probes.iter().all(|it| it.passed) && said.probes.len() == 1, "{said:#?}");
    let told = fleet.production.once();
    told.ended(Outcome::Committed);
    assert_eq!(holds(&fleet.production), "one\n");
    let record = newest(&fleet.production.state().join("records"), 1).unwrap().remove(0);
    assert_eq!(record.gates[0]["signers"], serde_json::json!(["web-1", "web-2"]));
    assert_eq!(record.evidence.len(), 2, "{record:#?}");
    is_shown_to_an_auditor(&fleet.production);
    // Production is asked for nothing, and vouches for nothing.
    assert!(receipts(&fleet.production).is_empty());
    assert!(!fleet.production.state().join("steady.json").exists());
    // The next revision begins anew.
    fleet.merge("two");
    fleet.waits(0);
    vouches(&fleet.staging[0], 2);
    fleet.carry(&fleet.staging[0]);
    fleet.waits(1);
}

/// Follows the README of the archive of evidence, which holds the receipts that counted.
fn is_shown_to_an_auditor(host: &Workshop) {
    let at = |name: &str| host.folder().join(name).display().to_string();
    let bowline = binaries::bowline();
    let (settings, archive) = (at("agent.toml"), at("e.tar"));
    let root = host.root().display().to_string();
    let tip = host.tip();
    let evidence = ["evidence", &tip, "--config", &settings, "--root", &root, "--out", &archive];
    host.run(bowline.to_str().unwrap(), &evidence);
    host.run("mkdir", &["e"]);
    host.run("tar", &["-xf", "e.tar", "-C", "e"]);
    let folder = host.folder().join("e");
    let readme = fs::read_to_string(folder.join("README.txt")).unwrap();
    for step in readme.lines().filter_map(|it| it.strip_prefix("    $ ")) {
        let ended = host.command("sh").args(["-c", step]).current_dir(&folder).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{step}: {said}");
    }
    let keys = host.run("find", &["e/envelopes", "-path", "*/host/key.pem"]).stdout;
    assert_eq!(String::from_utf8(keys).unwrap().lines().count(), 2);
}
