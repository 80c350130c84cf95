//! A commit that slipped through: it holds the host up until a root key adopts it, and it alone.
//!
//! **Invariant:** what an adoption lets in is told with its reason, in the cycle and in the record.

use bowline_api::outcome::Outcome;
use bowline_host::record;
use bowline_trust::root_statement::{Adoption, Named, assemble, bytes_to_sign};
use serde_json::json;
use tests::workshop::Workshop;

use super::{evil, good, host, refused};

/// Writes an adoption of a commit by somebody into its note.
fn adopt(shop: &Workshop, commit: &str, key: &str) {
    let at = |when: &str| {
        let output = shop.run("date", &["-u", "-d", when, "+%Y-%m-%dT%H:%M:%SZ"]);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let adoption: Adoption = serde_json::from_value(json!({
        "repoUri": "git+https://git.example/ops/fleet",
        "ref": "refs/heads/main",
        "reason": "a web edit, looked at",
        "issued": at("now"),
        "expires": at("tomorrow"),
    }))
    .unwrap();
    let named = Named::of(commit.parse().unwrap(), &shop.raw(commit));
    let statement = adoption.statement(&[named]);
    let signature = shop.sign("bowline-root", key, &bytes_to_sign(&statement));
    let line = assemble(&statement, &[signature]).unwrap();
    let line = str::from_utf8(&line).unwrap();
    shop.git(&["notes", "--ref=attestations", "append", "-m", line, commit]);
}

/// Commits what is there without a signature.
fn slip(shop: &Workshop) -> String {
    shop.git(&["add", "-A"]);
    shop.git(&["-c", "commit.gpgsign=false", "commit", "-q", "-m", "a web edit"]);
    shop.tip()
}

#[test]
fn an_unsigned_commit_is_deployed_once_a_root_key_adopts_it() {
    let shop = host();
    good(&shop);
    let commit = slip(&shop);
    refused(&shop, "unsigned", "before");
    adopt(&shop, &commit, "bob");
    refused(&shop, "unsigned", "adopted by somebody who is no root key");
    adopt(&shop, &commit, "alice");
    let told = shop.once();
    let cycle = told.cycle.as_ref().unwrap();
    assert_eq!((cycle.outcome, told.exit), (Outcome::Committed, Some(0)), "{told:#?}");
    let [adopted] = cycle.adopted.as_slice() else { panic!("{told:#?}") };
    assert_eq!(
        (&adopted["commit"], &adopted["code"], &adopted["reason"], &adopted["signers"][0]),
        (
            &commit.as_str().into(),
            &"unsigned".into(),
            &"a web edit, looked at".into(),
            &"alice".into()
        )
    );
    let warnings = cycle.warnings.join("\n");
    assert!(warnings.contains("came in by adoption: a web edit, looked at"), "{warnings}");
    assert_eq!(std::fs::read_to_string(shop.on_host("/etc/app.conf")).unwrap(), "app two\n");
    let record = record::newest(&shop.state().join("records"), 1).unwrap().remove(0);
    assert_eq!(record.adopted, cycle.adopted);
    // What comes after it is judged as ever.
    evil(&shop);
    slip(&shop);
    refused(&shop, "unsigned", "after");
}
