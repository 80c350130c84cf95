//! witness, a program of others: a gate takes the provenance that it exports, for the artifact that it saw made.

use std::process::Command;
use std::sync::Arc;

use bowline_host::repository::{Repository, view};
use bowline_model::bundle::RawManifests;
use bowline_model::digest::Sha256;
use bowline_model::trust_root::TrustRoot;
use jiff::Timestamp;

use crate::attest::fleet;
use crate::sealed::Sealed;

/// Who witness says built it, where no forge's attestor says more.
const BUILDER: &str = "https://witness.dev/witness-default-builder@v0.1";

/// Where witness is. In CI it must be; elsewhere its absence is told.
fn witness() -> Option<String> {
    let program = std::env::var("BOWLINE_WITNESS").unwrap_or("witness".to_owned());
    let said = Command::new(&program).args(["run", "--help"]).output();
    let here = said.is_ok_and(|it| String::from_utf8_lossy(&it.stdout).contains("attestor-slsa"));
    assert!(here || std::env::var_os("BOWLINE_CI").is_none(), "witness is missing");
    if !here {
        println!("left out: needs witness (Debian sid has it), named by BOWLINE_WITNESS");
    }
    here.then_some(program)
}

/// A fleet whose gate asks who built `tool`, which one of its manifests names.
fn place() -> Sealed {
    let sealed = fleet(&format!(
        "  - {{id: built, predicate: https://slsa.dev/provenance/v1, signers: [ci, scanner], \
         builders: [\"{BUILDER}\"], maxAge: 1h}}\n"
    ));
    let digest = Sha256::of(b"program");
    sealed.write(
        "fleet/apps/tool.yaml",
        format!(
            "apiVersion: bowline/v1\nkind: Artifact\nmetadata: {{name: tool}}\nspec: {{url: \
             \"file:///tool\", sha256: \"{digest}\", extract: none, releasesDir: /srv/tools, link: \
             /srv/tool}}\n"
        ),
    );
    sealed.merge("alice", "tool");
    sealed
}

/// Lets witness see how a program is made, and notes what it exports.
fn build(sealed: &Sealed, witness: &str, (key, content): (&str, &str), exported: &str) {
    sealed.run(".", "sh", &["-c", "rm -rf work out.json*; mkdir work; git init -q work"]);
    let script = format!(
        "cd work && git -c user.name=a -c user.email=a@example.org commit -q --allow-empty -m x && \
         {witness} run --step build --signer-file-key-path ../{key} --outfile ../out.json \
         --attestations git,slsa --attestor-slsa-export -- sh -c 'printf {content} > tool' 2>&1"
    );
    sealed.run(".", "sh", &["-c", &script]);
    let head = sealed.git("fleet", &["rev-parse", "HEAD"]).trim().to_owned();
    let file = format!("../{exported}");
    sealed.git("fleet", &["notes", "--ref=attestations", "append", "-F", &file, &head]);
}

/// What is said of the newest commit with all that is noted on it and what its manifests name: a code, empty once the
/// gate is met.
fn code(sealed: &Sealed) -> String {
    let folder = sealed.path("fleet").display().to_string();
    let bytes = std::fs::read(sealed.path("fleet.trust.yaml")).unwrap();
    let root = TrustRoot::parse("trust.yaml", &bytes).unwrap();
    let repository = Repository::view(&folder).unwrap();
    let tip = view::tip_of(&folder, "refs/heads/main").unwrap();
    let anchor = root.anchor.commit;
    let mut bundle = repository.history(&tip, &anchor, 100).unwrap();
    let of = |paths: &[&str]| {
        let read = |it: &&str| {
            let bytes = sealed.read(&format!("fleet/{it}")).into_bytes();
            ((*it).to_owned(), Arc::from(bytes))
        };
        RawManifests::Files(Arc::new(paths.iter().map(read).collect()))
    };
    // Below the newest commit no manifest names an artifact.
    for commit in &mut bundle.commits {
        commit.beside.manifests = of(&["bowline.yaml"]);
    }
    let newest = bundle.commits.last_mut().unwrap();
    newest.beside.manifests = of(&["bowline.yaml", "apps/tool.yaml"]);
    let noted = "git -C fleet notes --ref=attestations show HEAD 2>/dev/null || true";
    let noted = sealed.run(".", "sh", &["-c", noted]);
    let lines = noted.lines().filter(|it| !it.is_empty());
    newest.beside.attestations = lines.map(|it| it.as_bytes().into()).collect();
    let now = Timestamp::now();
    let verdict = bowline_trust::verify(&root, Sha256::of(&bytes), None, &bundle, now);
    verdict.code().map_or("", |it| it.as_str()).to_owned()
}

#[test]
fn a_host_counts_the_provenance_that_witness_exports() {
    let Some(witness) = witness() else { return };
    for key in ["ed.pem", "ec.pem"] {
        let sealed = place();
        let other = ["genpkey", "-algorithm", "ed25519", "-out", "other.pem"];
        sealed.run(".", "openssl", &other);
        assert_eq!(code(&sealed), "evidence-missing");
        for (what, key, content, exported) in [
            ("the collection is no provenance", key, "program", "out.json"),
            ("another program was built", key, "another", "out.json-slsa.json"),
            ("a stranger built it", "other.pem", "program", "out.json-slsa.json"),
        ] {
            build(&sealed, &witness, (key, content), exported);
            assert_eq!(code(&sealed), "evidence-missing", "{key}: {what}");
        }
        build(&sealed, &witness, (key, "program"), "out.json-slsa.json");
        assert_eq!(code(&sealed), "", "{key}");
    }
}
