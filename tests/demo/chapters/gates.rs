//! Chapter 6: a merge needs somebody else's approval, and CI's word on how much of it is tested.
//!
//! **Invariant:** each word is signed by the program that a person or a CI job would run.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bowline_api::outcome::Outcome;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use tests::fleet::Person;
use tests::programs;

use super::shop;
use crate::course::follow;
use crate::story::Story;
use crate::world::World;

/// Reading a report, one signature, some notes.
const SIGNING: Duration = Duration::from_secs(30);

/// What stands before an Ed25519 key in a PEM file.
const SPKI_HEAD: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Lines that the shop's tests could reach.
const LINES: usize = 1000;

pub(super) fn tell(world: &mut World, story: &Story) -> Result<()> {
    story.chapter(6, "Somebody has to approve it, and CI to measure it");
    ask_for_evidence(world, story)?;
    too_few_tests(world, story)?;
    enough_tests(world, story)?;
    replay(world, story)
}

/// Alice signs a policy that asks for more than her signature.
fn ask_for_evidence(world: &mut World, story: &Story) -> Result<()> {
    story.say(
        "Alice signs a second policy: of each merge, Bob has to approve the change, and CI has to show that \
         80 % of the lines are tested. CI has a key of its own.",
    );
    let path = world.place.fleet.join(".bowline/policy.yaml");
    let policy = fs::read_to_string(&path).context("read the policy")?;
    let bob = fs::read_to_string(world.fleet.key(Person::Bob).with_extension("pub"))?;
    let ci = make_ci_key(world)?;
    let people = format!(
        "principals:\n  bob: {{kind: human, keys: [{{type: ssh, key: \"{}\"}}]}}\n  \
         ci: {{kind: robot, keys: [{{type: spki, key: \"{}\"}}]}}\n",
        bob.trim(),
        ci.replace('\n', "\\n"),
    );
    let next = policy
        .replace("version: 1\n", "version: 2\n")
        .replace("principals:\n", &people)
        .replace("merge:\n", "merge:\n  approvals: {principals: 1, from: [bob]}\n")
        .replace("gates: []\n", GATE);
    fs::write(&path, next).context("write the policy")?;
    story.output("approvals: {principals: 1, from: [bob]}");
    story.output(GATE);
    let key = world.fleet.key(Person::Alice).display().to_string();
    let path = path.display().to_string();
    bowline(world, &["trust", "sign-policy", &path, "--key", &key], 0)?;
    story.command("bowline trust sign-policy --key alice");
    let since = world.newest_record()?;
    let merge = world.fleet.merge(Person::Alice, "policy-2", "Ask for more", &[])?;
    attest(world, 850, &[], 0)?;
    story.command("bowline attest coverage --key ci.pem --note lcov.info");
    follow(world, story, since, &merge, Outcome::Committed)?;
    Ok(())
}

const GATE: &str = "gates:\n  - {id: coverage, predicate: \"https://in-toto.io/attestation/scai/v0.3\", \
                    signers: [ci],\n     attribute: LINE_COVERAGE, field: percent, min: 80}\n";

/// A merge whose tests reach too little waits, with the number, and what stands goes on.
fn too_few_tests(world: &mut World, story: &Story) -> Result<()> {
    story.say("Shop 1.3.0 has more workers and fewer tests. They reach 799 of 1000 lines:");
    let files = [shop::manifests(world.address, "1.3.0", 5)];
    let since = world.newest_record()?;
    let merge = world.fleet.merge(Person::Alice, "shop-1.3.0", "More workers", &files)?;
    story.command("bowline attest coverage --key ci.pem --note lcov.info");
    let said = attest(world, 799, &[], 1)?;
    story.output(&said);
    story.holds("CI is the first gate: it signs nothing, and its job fails.");
    story.say("Somebody lowers the limit in the job, and Bob approves. The hosts have limits of their own:");
    attest(world, 799, &["--min", "50"], 0)?;
    story.command("bowline attest coverage --min 50 --key ci.pem --note lcov.info");
    approve(world, story)?;
    let record = follow(world, story, since, &merge, Outcome::Pending)?;
    story.fact("why", &record.detail);
    ensure!(record.detail.contains("79.9"), "the number is not told: {}", record.detail);
    let answer = world.expect_shop("1.2.0")?;
    story.holds(&format!("It stays pending; the shop still answers {answer}"));
    Ok(())
}

/// More tests come as one more merge: it is approved and attested, and deploys both.
fn enough_tests(world: &mut World, story: &Story) -> Result<()> {
    story.say(
        "More tests are merged. They reach 851 lines, Bob approves, and the newest commit is good:",
    );
    let files = [more_tests()];
    let since = world.newest_record()?;
    let merge = world.fleet.merge(Person::Alice, "tests", "Test the workers", &files)?;
    attest(world, 851, &[], 0)?;
    approve(world, story)?;
    follow(world, story, since, &merge, Outcome::Committed)?;
    let answer = world.expect_shop("1.3.0")?;
    story.holds(&format!("The shop answers {answer}"));
    Ok(())
}

fn more_tests() -> (String, String) {
    ("apps/shop/tests.txt".to_owned(), "51 more\n".to_owned())
}

/// An approval counts once: the same change, merged once more, needs a new one. Something else comes in between, for
/// a merge that only brings back what stood in good health would need none.
fn replay(world: &mut World, story: &Story) -> Result<()> {
    story.say("The tests are taken back and merged once more, with Bob's old approval still in the notes:");
    let since = world.newest_record()?;
    let revert = world.fleet.revert_last(Person::Alice)?;
    attest(world, 850, &[], 0)?;
    approve(world, story)?;
    follow(world, story, since, &revert, Outcome::Committed)?;
    let since = world.newest_record()?;
    let files = [("apps/shop/notes.txt".to_owned(), "tests come next week\n".to_owned())];
    let between = world.fleet.merge(Person::Alice, "notes", "Note it", &files)?;
    attest(world, 850, &[], 0)?;
    approve(world, story)?;
    follow(world, story, since, &between, Outcome::Committed)?;
    let since = world.newest_record()?;
    let files = [more_tests()];
    let again = world.fleet.merge(Person::Alice, "tests-again", "Test the workers", &files)?;
    story.command("git merge -S tests-again");
    attest(world, 851, &[], 0)?;
    let record = follow(world, story, since, &again, Outcome::Pending)?;
    story.fact("why", &record.detail);
    let is_told = record.detail.contains("used for an earlier commit");
    ensure!(is_told, "it had to be the used approval: {}: {}", record.reason, record.detail);
    story.holds("A used approval does not count. Bob looks once more:");
    let since = world.newest_record()?;
    approve(world, story)?;
    follow(world, story, since, &again, Outcome::Committed)?;
    Ok(())
}

/// Makes CI's key, as `openssl genpkey -algorithm ed25519` would; gives the public half.
fn make_ci_key(world: &World) -> Result<String> {
    let failed = |_| anyhow::anyhow!("make a key for CI");
    let private = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(failed)?;
    let pair = Ed25519KeyPair::from_pkcs8(private.as_ref());
    let pair = pair.map_err(|_| anyhow::anyhow!("read the key that was made for CI"))?;
    let pem = |kind: &str, der: &[u8]| {
        format!("-----BEGIN {kind} KEY-----\n{}\n-----END {kind} KEY-----\n", STANDARD.encode(der))
    };
    let path = ci_key(world);
    fs::write(&path, pem("PRIVATE", private.as_ref())).context("write CI's key")?;
    Ok(pem("PUBLIC", &[&SPKI_HEAD, pair.public_key().as_ref()].concat()))
}

fn ci_key(world: &World) -> PathBuf {
    world.place.folder.join("ci.pem")
}

/// Has CI say how many lines its tests reach; the program must end with this code. Gives what it said.
fn attest(world: &World, reached: usize, more: &[&str], code: i32) -> Result<String> {
    let mut report = "SF:shop.rs\n".to_owned();
    for line in 1..=LINES {
        report += &format!("DA:{line},{}\n", u32::from(line <= reached));
    }
    report += "end_of_record\n";
    let file = world.place.folder.join("lcov.info");
    fs::write(&file, report).context("write the report")?;
    let texts = [&world.place.fleet, &ci_key(world), &file].map(|it| it.display().to_string());
    let [fleet, key, file] = texts.each_ref().map(String::as_str);
    let words = ["attest", "coverage", "--repo", fleet, "--rev", "main", "--key", key, "--note"];
    bowline(world, &[&words, more, &[file]].concat(), code)
}

/// Has Bob approve the newest merge.
fn approve(world: &World, story: &Story) -> Result<()> {
    let texts =
        [&world.place.fleet, &world.fleet.key(Person::Bob)].map(|it| it.display().to_string());
    let [fleet, key] = texts.each_ref().map(String::as_str);
    bowline(world, &["approve", "main", "--repo", fleet, "--key", key], 0)?;
    story.command("bowline approve main --key bob");
    Ok(())
}

/// Runs the people's program; it must end with this code. Gives what it said.
fn bowline(world: &World, words: &[&str], code: i32) -> Result<String> {
    let mut program = programs::sealed(&world.bowline, &world.place.folder);
    let doing = format!("bowline {}", words.first().unwrap_or(&""));
    let (ended, said) = programs::run_to_its_end(program.args(words), &doing, SIGNING)?;
    ensure!(
        ended == Some(code),
        "{doing} had to end with {code}, and ended with {ended:?}: {said}"
    );
    Ok(said)
}
