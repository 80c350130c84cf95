//! Manifests and trees that cannot be used, honestly signed.
//!
//! **Invariant:** the error says where and what; nothing is changed; the next good revision is applied.

use std::fs;

use bowline_api::outcome::Outcome;
use tests::agent::Told;
use tests::picture::Picture;
use tests::workshop::Workshop;

use crate::story::{command, file, settled};

/// Offers something bad, and something good after it. Gives what was said of the bad.
#[track_caller]
fn offered(shop: &Workshop, bad: &dyn Fn(&Workshop), what: &str) -> Told {
    let before = Picture::whole(&shop.root());
    let good = shop.git(&["rev-parse", "HEAD^{tree}"]);
    bad(shop);
    let told = shop.once();
    assert_eq!(Picture::whole(&shop.root()), before, "{what}: {told:#?}");
    // The branch never goes back: a new merge takes the bad one out.
    shop.commit_tree(&good);
    shop.git(&["reset", "-q", "--hard"]);
    shop.once().ended(Outcome::Committed);
    assert_eq!(Picture::whole(&shop.root()), before, "{what}: after it was taken out");
    told
}

/// A manifest that is refused with this code, and with words that name place and fault.
#[track_caller]
fn refused(shop: &Workshop, manifest: impl AsRef<[u8]>, code: &str, words: &[&str]) {
    let what = String::from_utf8_lossy(manifest.as_ref()).chars().take(200).collect::<String>();
    let offer = |shop: &Workshop| {
        shop.write("apps/bad.yaml", manifest.as_ref());
        shop.commit("bad");
    };
    let told = offered(shop, &offer, &what);
    let cycle = told.ended_for(Outcome::Refused, code);
    for word in words {
        assert!(cycle.detail.contains(word), "{word:?} is not said of {what}: {cycle:#?}");
    }
}

fn document(kind: &str, name: &str, spec: &str) -> String {
    format!("apiVersion: bowline/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n{spec}")
}

#[test]
fn bad_input_in_a_manifest_is_told_with_file_and_line() {
    let shop = settled("");
    let good = file("good", "/etc/good", "x\n");
    for (manifest, line, says) in [
        (document("File", "a", "  path: /etc/a\n  content: x\n  colour: red\n"), 7, "colour"),
        (document("File", "a", "  path: /etc/a\n  content: x\n  mode: 0644\n"), 7, "mode"),
        (document("File", "a", "  path: etc/a\n  content: x\n"), 5, "path"),
        (document("File", "a", "  path: /../a\n  content: x\n"), 5, "path"),
        (document("File", "a", "  path: /etc/a\n"), 4, "content"),
        (document("Fil", "a", "  path: /etc/a\n"), 2, "Fil"),
        (format!("{good}---\n{}", document("File", "b", "  path: [\n")), 12, ""),
        (document("Command", "c", "  argv: [/bin/true]\n"), 4, "unless"),
        (document("Command", "c", "  argv: [true]\n  creates: /x\n"), 5, "argv"),
        (document("File", "a", "  path: /etc/a\n  path: /etc/b\n  content: x\n"), 6, "path"),
    ] {
        refused(&shop, &manifest, "invalid-manifest", &[&format!("apps/bad.yaml:{line}:"), says]);
    }
}

#[test]
fn bad_input_that_is_no_yaml_or_a_bomb_is_told_with_file_and_line() {
    let shop = settled("");
    let junk: Vec<u8> =
        (0..1024_u32).flat_map(|it| it.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    refused(&shop, junk, "invalid-manifest", &["apps/bad.yaml:"]);
    let level =
        |it: u32| format!("a{it}: &a{it} [{}]\n", vec![format!("*a{}", it - 1); 9].join(", "));
    let bomb: String =
        std::iter::once("a0: &a0 [x]\n".to_owned()).chain((1..9).map(level)).collect();
    refused(&shop, bomb, "invalid-manifest", &["apps/bad.yaml:1:", "anchor"]);
    refused(
        &shop,
        format!("a: {}\n", "[".repeat(5_000)),
        "invalid-manifest",
        &["apps/bad.yaml:1:"],
    );
    refused(&shop, vec![b'#'; 9 << 20], "too-large", &["apps/bad.yaml"]);
    refused(&shop, "\0\0\0", "invalid-manifest", &["apps/bad.yaml:1:"]);
}

#[test]
fn bad_input_that_does_not_fit_together_names_both_sides() {
    let shop = settled("");
    let after = |name: &str, other: &str| {
        file(name, &format!("/etc/{name}"), "x\n")
            .replace("spec:", &format!("dependsOn: [File/{other}]\nspec:"))
    };
    let circle = format!("{}{}", after("a", "b"), after("b", "a"));
    refused(&shop, circle, "invalid-manifest", &["apps/bad.yaml:", "File/a", "File/b"]);
    let twice = file("rival", "/etc/app.conf", "x\n");
    refused(&shop, twice, "invalid-manifest", &["apps/bad.yaml:", "File/app", "apps/app.yaml:"]);
    let same = file("app", "/etc/other", "x\n");
    refused(&shop, same, "invalid-manifest", &["File/app", "apps/bad.yaml:"]);
    refused(&shop, after("a", "nobody"), "invalid-manifest", &["apps/bad.yaml:", "File/nobody"]);
    let source = document("Directory", "d", "  path: /etc/d\n  source: files/none\n");
    refused(&shop, source, "invalid-manifest", &["apps/bad.yaml:", "files/none"]);
    let lonely = file("lonely", "/no/such/folder/a", "x\n");
    refused(&shop, lonely, "missing-parent", &["apps/bad.yaml:", "/no/such/folder"]);
}

#[test]
fn bad_input_at_a_path_of_the_agents_own_is_refused() {
    let shop = settled("");
    for path in ["/.bowline-stage/x", "/etc/systemd/system/bowline-agent.service"] {
        let manifest = file("own", path, "x\n");
        refused(&shop, manifest, "invalid-manifest", &["apps/bad.yaml:", path]);
    }
}

#[test]
fn bad_input_of_somebody_elses_object_is_not_overwritten() {
    let shop = settled("");
    fs::write(shop.on_host("/etc/theirs"), "theirs\n").unwrap();
    refused(&shop, file("a", "/etc/theirs", "x\n"), "not-ours", &["apps/bad.yaml:", "/etc/theirs"]);
}

#[test]
fn bad_input_of_a_huge_file_is_refused_in_time() {
    let shop = settled("");
    let huge = |shop: &Workshop| {
        shop.git(&["config", "core.looseCompression", "1"]);
        shop.write("apps/files/huge", "");
        let file = fs::OpenOptions::new().write(true).open(shop.repo().join("apps/files/huge"));
        // Zeros that take no room on a disk, and next to none in a pack.
        file.unwrap().set_len(1 << 30).unwrap();
        shop.commit("huge");
    };
    let told = offered(&shop, &huge, "a file of a gigabyte");
    let cycle = told.cycle.as_ref().unwrap();
    assert_eq!(cycle.code, "too-large", "{told:#?}");
}

#[test]
fn bad_input_of_a_hundred_thousand_and_one_files_is_refused() {
    let shop = settled("");
    let many = |shop: &Workshop| {
        let blob = shop.put("blob", b"x");
        let line = |it: u32| format!("100644 blob {blob}\tf{it:06}");
        let list: Vec<String> = (0..=100_000).map(line).collect();
        fs::write(shop.folder().join("list"), list.join("\n") + "\n").unwrap();
        let many = shop.make_tree("list");
        shop.git(&["read-tree", "--prefix=apps/files", &many]);
        let tree = shop.git(&["write-tree"]);
        shop.commit_tree(&tree);
    };
    let told = offered(&shop, &many, "too many files");
    let cycle = told.cycle.as_ref().unwrap();
    assert_eq!((cycle.outcome, cycle.code.as_str()), (Outcome::Refused, "too-large"), "{told:#?}");
}

#[test]
fn bad_input_of_a_program_that_hangs_ends_in_time() {
    let shop = settled("");
    let hangs = command("hangs", "sleep 600", "true", "/never")
        .replace("creates:", "timeout: 300ms\n  creates:");
    let before = Picture::whole(&shop.root());
    shop.write("apps/bad.yaml", hangs);
    shop.commit("hangs");
    shop.once().ended_for(Outcome::Reverted, "command-timeout");
    assert_eq!(Picture::whole(&shop.root()), before);
}
