//! Hosts without a network: bundles of real Git, imported by `bowline`, verified by the agent.
//!
//! **Invariant:** a bundle is transport: what it brings is judged as if a server had sent it.

use std::fs;

use bowline_api::outcome::Outcome;
use nix::unistd::Uid;
use tests::agent::Told;
use tests::binaries;
use tests::workshop::Workshop;

use super::{app, named, publish};

const NOTES: &str = "refs/notes/attestations";

/// A host that looks for bundles in a folder, and has deployed nothing. One person merges, another approves.
fn lonely() -> Workshop {
    let shop = Workshop::new();
    let approvals = "approvals: {principals: 1, from: [bob]}";
    let law =
        shop.law(2).replace("mergers: [alice, bob]", &format!("mergers: [alice], {approvals}"));
    shop.enact(&law, &["alice"]);
    shop.commit("two people");
    fs::create_dir(shop.folder().join("drop")).unwrap();
    let place = shop.folder().join("drop/fleet.bundle");
    shop.fetch_from(&format!("\"file://{}\"", place.display()), "");
    shop
}

/// Runs `bowline` in the workshop. Gives its exit code and what it said.
fn bowline(shop: &Workshop, words: &[&str]) -> (Option<i32>, String) {
    let out = shop.command(binaries::bowline()).args(words).output().unwrap();
    let said = [out.stdout, out.stderr].concat();
    (out.status.code(), String::from_utf8(said).unwrap())
}

/// Makes a bundle of the repository.
fn create(shop: &Workshop, name: &str, more: &[&str]) {
    let words = [&["bundle", "create", "--repo", "repo", name], more].concat();
    let (code, said) = bowline(shop, &words);
    assert_eq!(code, Some(0), "{said}");
}

/// Carries it to the host.
fn import(shop: &Workshop, name: &str) -> (Option<i32>, String) {
    bowline(shop, &["bundle", "import", name, "--config", "agent.toml", "--root", "root"])
}

fn imported(shop: &Workshop, name: &str) {
    let (code, said) = import(shop, name);
    assert_eq!(code, Some(0), "{said}");
}

fn approve(shop: &Workshop) {
    let (code, said) = bowline(shop, &["approve", "HEAD", "--repo", "repo", "--key", "bob.key"]);
    assert_eq!(code, Some(0), "{said}");
}

/// One cycle on a machine that has no network at all.
fn alone(shop: &Workshop) -> Told {
    // Where this is not root, root is made up: then nobody else is known to the machine.
    let lone = if Uid::effective().is_root() { "-n" } else { "-rn" };
    shop.once_under(&["unshare", lone])
}

#[test]
fn a_host_without_a_network_deploys_from_bundles_with_their_evidence() {
    let shop = lonely();
    publish(&shop, "app one\n");
    create(&shop, "one.bundle", &[]);
    imported(&shop, "one.bundle");
    // What nobody approved waits, also when it was carried by hand.
    alone(&shop).ended_for(Outcome::Pending, "approval-missing");
    approve(&shop);
    create(&shop, "one.bundle", &[]);
    imported(&shop, "one.bundle");
    alone(&shop).ended(Outcome::Committed);
    assert_eq!(app(&shop), "app one\n");
    assert_eq!(named(&shop, NOTES), shop.git(&["rev-parse", NOTES]));
    // Stock Git reads what stock Git made.
    shop.run("git", &["-C", "repo", "bundle", "verify", "-q", "../one.bundle"]);
    shop.run("git", &["clone", "-q", "-b", "main", "one.bundle", "clone"]);

    let first = shop.tip();
    publish(&shop, "app two\n");
    approve(&shop);
    create(&shop, "two.bundle", &["--since", &first]);
    let bytes = |name: &str| fs::metadata(shop.folder().join(name)).unwrap().len();
    assert!(bytes("two.bundle") < bytes("one.bundle"));
    imported(&shop, "two.bundle");
    alone(&shop).ended(Outcome::Committed);
    assert_eq!(app(&shop), "app two\n");
    alone(&shop).ended(Outcome::Unchanged);
    // An older one is a branch that was rewound.
    imported(&shop, "one.bundle");
    alone(&shop).ended_for(Outcome::Refused, "not-fast-forward");
    assert_eq!(app(&shop), "app two\n");
}

#[test]
fn a_bundle_that_builds_on_what_is_not_here_says_on_what() {
    let shop = lonely();
    publish(&shop, "app one\n");
    approve(&shop);
    let base = shop.tip();
    publish(&shop, "app two\n");
    approve(&shop);
    create(&shop, "part.bundle", &["--since", &base]);
    // The command refuses it, and so does the agent when it was copied by hand.
    fs::create_dir_all(shop.state()).unwrap();
    let (code, said) = import(&shop, "part.bundle");
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains(&base) && said.contains("hint: bring a bundle that begins earlier"),
        "{said}"
    );
    assert!(!shop.folder().join("drop/fleet.bundle").exists());
    fs::copy(shop.folder().join("part.bundle"), shop.folder().join("drop/fleet.bundle")).unwrap();
    let told = alone(&shop);
    let cycle = told.ended_for(Outcome::Failed, "bundle-prerequisite");
    assert!(cycle.detail.contains(&base), "{}", cycle.detail);
}

#[test]
fn a_version_3_bundle_is_read_and_one_of_sha_256_is_told() {
    let shop = lonely();
    publish(&shop, "app one\n");
    approve(&shop);
    let words = ["-C", "repo", "bundle", "create", "-q", "--version=3", "../three.bundle"];
    shop.run("git", &[&words[..], &["refs/heads/main", NOTES]].concat());
    imported(&shop, "three.bundle");
    alone(&shop).ended(Outcome::Committed);
    assert_eq!(app(&shop), "app one\n");
    shop.run("git", &["init", "-q", "-b", "main", "--object-format=sha256", "other"]);
    shop.run("git", &["-C", "other", "commit", "-q", "--allow-empty", "-m", "other"]);
    shop.run("git", &["-C", "other", "bundle", "create", "-q", "../drop/fleet.bundle", "main"]);
    alone(&shop).ended_for(Outcome::Failed, "object-format");
}

#[test]
fn attack_33_a_bundle_that_was_tampered_with_brings_nothing() {
    let shop = lonely();
    publish(&shop, "app one\n");
    approve(&shop);
    create(&shop, "good.bundle", &[]);
    let good = fs::read(shop.folder().join("good.bundle")).unwrap();
    let head = good.windows(2).position(|it| it == b"\n\n").unwrap() + 2;
    let put = |bytes: &[u8]| fs::write(shop.folder().join("drop/fleet.bundle"), bytes).unwrap();
    let tip = shop.tip();
    let mut flipped = good.clone();
    flipped[head + 40] ^= 1;
    for (what, bytes, code) in [
        ("a byte changed", flipped, "remote-damaged"),
        ("cut off", good[..good.len() - 30].to_vec(), "remote-damaged"),
        ("without its pack", good[..head].to_vec(), "remote-protocol"),
        ("without an end of its head", good[..head - 1].to_vec(), "bundle-malformed"),
        (
            "with another tip",
            [good[..head].to_vec(), good[head..].to_vec()].concat(),
            "remote-damaged",
        ),
        (
            "filtered",
            [b"# v3 git bundle\n@filter=blob:none\n", &good[16..]].concat(),
            "bundle-unsupported",
        ),
    ] {
        let bytes = match what {
            "with another tip" => replaced(&bytes, &tip, &"1".repeat(40)),
            _ => bytes,
        };
        put(&bytes);
        let told = alone(&shop);
        told.ended_for(Outcome::Failed, code);
        let arrived = shop.state().join("objects.git/arriving/pack");
        assert_eq!(fs::read_dir(arrived).unwrap().count(), 0, "{what}");
        assert!(!shop.on_host("/etc/app.conf").exists(), "{what}");
    }
    put(&good);
    alone(&shop).ended(Outcome::Committed);
}

/// The same bytes with a name in their head replaced.
fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|it| it == from.as_bytes()).unwrap();
    [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
}
