//! One branch for two environments: each host waits for its own gates, and is what the merged manifests call its key.
//!
//! **Invariant:** both hosts follow one repository, at its one branch, and nothing tells them apart but their keys.

use bowline_api::outcome::Outcome;
use tests::agent::Told;
use tests::binaries;
use tests::workshop::Workshop;

use crate::story::file;

const REPOSITORY: &str = "apiVersion: bowline/v1\nkind: Repository\nmetadata: {name: fleet}\nspec: {folders: [apps, hosts]}\n";

const GATES: &str = "gates:\n  - {id: tests, predicate: \"https://in-toto.io/attestation/test-result/v0.1\", \
    signers: [ci], environments: [production]}\n";

const REPORT: &str =
    "<testsuite name=\"a\" tests=\"1\"><testcase classname=\"a\" name=\"b\"/></testsuite>";

/// Two hosts of one repository, which lies with the first.
struct Fleet {
    production: Workshop,
    staging: Workshop,
}

impl Fleet {
    /// Both have keys and stand at the first commit.
    fn new() -> Self {
        let production = Workshop::new();
        let staging = production.copy();
        // Each makes its key at its first start.
        let url = format!("{:?}", production.repo().display().to_string());
        staging.fetch_from(&url, "");
        for host in [&production, &staging] {
            assert_eq!(host.once().exit, Some(0));
        }
        Self { production, staging }
    }

    /// Commits a host's place in the fleet, by its own key.
    fn enrol(&self, host: &Workshop, name: &str, environment: &str) {
        let said = host.run("ssh-keygen", &["-lf", "host.key.pub"]).stdout;
        let said = String::from_utf8(said).unwrap();
        let key = said.split(' ').nth(1).unwrap();
        let text = format!(
            "apiVersion: bowline/v1\nkind: Host\nmetadata: {{name: {name}}}\n\
             spec: {{keyFingerprint: \"{key}\", environment: {environment}}}\n"
        );
        self.production.write(&format!("hosts/{name}.yaml"), text);
    }

    /// Merges what the file of the application holds.
    fn merge(&self, content: &str) {
        let app = file("app", "/etc/app.conf", &format!("{content}\n"));
        self.production.write("apps/app.yaml", app);
        self.production.commit(content);
    }

    /// CI says that the newest commit's tests passed.
    fn attest(&self) {
        let shop = &self.production;
        std::fs::write(shop.folder().join("junit.xml"), REPORT).unwrap();
        let bowline = binaries::bowline();
        let attest =
            ["attest", "tests", "--repo", "repo", "--key", "ci.pem", "--note", "junit.xml"];
        shop.run(bowline.to_str().unwrap(), &attest);
    }
}

/// What a host's file holds.
fn holds(host: &Workshop) -> String {
    std::fs::read_to_string(host.on_host("/etc/app.conf")).unwrap_or_default()
}

/// The gates that a cycle names.
fn gates(told: &Told) -> Vec<&str> {
    let cycle = told.cycle.as_ref().unwrap();
    cycle.gates.iter().map(|it| it["id"].as_str().unwrap()).collect()
}

/// A cycle that waits for tests, with the host as it was.
#[track_caller]
fn waits(host: &Workshop) {
    let before = holds(host);
    let told = host.once();
    assert_eq!(told.ended(Outcome::Pending).code, "evidence-missing", "{told:#?}");
    assert_eq!((gates(&told), holds(host)), (vec!["tests"], before));
}

/// A cycle that deploys this.
#[track_caller]
fn deploys(host: &Workshop, content: &str) {
    let told = host.once();
    told.ended(Outcome::Committed);
    assert_eq!(holds(host), format!("{content}\n"));
}

/// A fleet whose policy asks production for tests, at its first revision under it.
fn settled() -> Fleet {
    let fleet = Fleet::new();
    let shop = &fleet.production;
    shop.run("openssl", &["genpkey", "-algorithm", "ed25519", "-out", "ci.pem"]);
    let pem = shop.run("openssl", &["pkey", "-in", "ci.pem", "-pubout"]).stdout;
    let pem = String::from_utf8(pem).unwrap().replace('\n', "\\n");
    let robot =
        format!("principals:\n  ci: {{kind: robot, keys: [{{type: spki, key: \"{pem}\"}}]}}\n");
    shop.enact(&(shop.law(2).replace("principals:\n", &robot) + GATES), &["alice"]);
    shop.write("bowline.yaml", REPOSITORY);
    fleet.enrol(&fleet.production, "web-1", "production");
    fleet.enrol(&fleet.staging, "web-2", "staging");
    fleet.merge("one");
    deploys(&fleet.staging, "one");
    waits(&fleet.production);
    fleet.attest();
    deploys(&fleet.production, "one");
    fleet
}

#[test]
fn a_production_host_waits_for_its_gate_while_a_staging_host_deploys_at_once() {
    let fleet = settled();
    fleet.merge("two");
    let told = fleet.staging.once();
    told.ended(Outcome::Committed);
    assert!(gates(&told).is_empty(), "nothing is said of gates of others: {told:#?}");
    waits(&fleet.production);
    // What the host's own settings call it is nothing to go by.
    let settings = fleet.production.folder().join("agent.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    let other = text.replace("\"web-1\"", "\"web-2\"\nlabels = { environment = \"staging\" }");
    assert_ne!(text, other);
    std::fs::write(settings, other).unwrap();
    waits(&fleet.production);
    fleet.attest();
    deploys(&fleet.production, "two");
    assert_eq!(holds(&fleet.staging), "two\n");
}

#[test]
fn a_merge_that_takes_a_host_out_of_production_waits_for_productions_gate() {
    let fleet = settled();
    fleet.enrol(&fleet.production, "web-1", "staging");
    fleet.merge("two");
    waits(&fleet.production);
    fleet.merge("three");
    waits(&fleet.production);
    deploys(&fleet.staging, "three");
    // Tested, it is let out; from then on it is what it was called.
    fleet.attest();
    deploys(&fleet.production, "three");
    fleet.merge("four");
    deploys(&fleet.production, "four");
}
