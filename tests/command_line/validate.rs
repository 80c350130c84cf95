//! `bowline validate`: every fault, with its place.

use crate::sealed::Sealed;

const GOOD: &str =
    "apiVersion: bowline/v1\nkind: Directory\nmetadata: {name: a}\nspec: {path: /srv/a}\n";

const REPOSITORY: &str =
    "apiVersion: bowline/v1\nkind: Repository\nmetadata: {name: fleet}\nspec: {folders: [apps]}\n";

fn file(name: &str, path: &str, rest: &str) -> String {
    format!(
        "apiVersion: bowline/v1\nkind: File\nmetadata: {{name: {name}}}\n{rest}spec:\n  path: {path}\n\
         \x20 content: {name}\n"
    )
}

#[test]
fn what_is_valid_is_counted() {
    let sealed = Sealed::new();
    sealed.write("a.yaml", GOOD);
    sealed.bowline(&["validate", "a.yaml"]).is(0, "1 manifest in 1 file: valid\n", "");
}

#[test]
fn every_fault_of_every_file_is_named_with_its_place() {
    let sealed = Sealed::new();
    sealed.write("m/a.yaml", GOOD.replace("path", "pth"));
    sealed.write("m/b.yaml", file("b", "relative", "") + "  mode: 0644\n");
    sealed.write("m/c.yaml", GOOD.replace("/srv/a", "/srv/c").replace("name: a", "name: c"));
    let stderr = "\
m/a.yaml:4:13: spec.pth: unknown field `pth`; expected `path` (did you mean that?)
m/b.yaml:7:9: spec.mode: `0644` without quotes, which readers take for different numbers; \
expected \"0644\" in quotes, or a plain decimal number
";
    sealed.bowline(&["validate", "m"]).is(1, "1 manifest in 3 files: 2 faults\n", stderr);
}

#[test]
fn faults_between_files_are_found() {
    let sealed = Sealed::new();
    sealed.write("a.yaml", file("a", "/srv/x", ""));
    sealed.write("b.yaml", file("b", "/srv/x", "dependsOn: [File/c]\n"));
    let said = sealed.bowline(&["validate", "a.yaml", "b.yaml"]);
    let stderr = "\
b.yaml:4:13: dependsOn[0]: File/c is not written anywhere; expected `File/a` (did you mean that?)
b.yaml:6:9: spec.path: a path that File/a claims already (at a.yaml:1); expected one manifest for \
one path, or targets that no host has both of
";
    said.is(1, "2 manifests in 2 files: 2 faults\n", stderr);
}

#[test]
fn a_circle_of_dependencies_is_a_fault() {
    let sealed = Sealed::new();
    let two = file("a", "/srv/a", "dependsOn: [File/b]\n")
        + "---\n"
        + &file("b", "/srv/b", "dependsOn: [File/a]\n");
    sealed.write("a.yaml", two);
    let said = sealed.bowline(&["validate", "a.yaml"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.starts_with("a.yaml:"), "{said:?}");
}

#[test]
fn a_repository_is_read_as_the_agent_reads_it() {
    let sealed = Sealed::new();
    sealed.write("fleet/bowline.yaml", REPOSITORY);
    sealed.write("fleet/apps/a.yaml", GOOD);
    // Neither is a manifest: one lies in a folder of contents, the other in none that is listed.
    sealed.write("fleet/apps/files/b.yaml", "not: a manifest\n");
    sealed.write("fleet/other/c.yaml", "not: a manifest\n");
    sealed.bowline(&["validate", "fleet"]).is(0, "2 manifests in 2 files: valid\n", "");
    sealed.bowline_in("fleet", &["validate", "."]).is(0, "2 manifests in 2 files: valid\n", "");
    let said = sealed.bowline(&["validate", "."]);
    said.is(0, "2 manifests in 2 files: valid\n", "");
}

#[test]
fn one_file_of_a_repository_is_seen_with_all_others() {
    let sealed = Sealed::new();
    sealed.write("fleet/bowline.yaml", REPOSITORY);
    sealed.write("fleet/apps/a.yaml", GOOD);
    sealed.write("fleet/apps/b.yaml", file("b", "/srv/a/b", "dependsOn: [Directory/a]\n"));
    sealed.write("fleet/apps/c.yaml", file("c", "/srv/c", "dependsOn: [File/none]\n"));
    let said = sealed.bowline(&["validate", "fleet/apps/b.yaml"]);
    said.is(0, "1 manifest in 1 file: valid\n", "");
    let said = sealed.bowline_in("fleet/apps", &["validate", "c.yaml"]);
    let stderr = "c.yaml:4:13: dependsOn[0]: File/none is not written anywhere; \
                  expected a manifest of this repository\n";
    said.is(1, "1 manifest in 1 file: 1 fault\n", stderr);
}

#[test]
fn a_source_that_is_not_in_the_repository_is_a_fault() {
    let sealed = Sealed::new();
    sealed.write("fleet/bowline.yaml", REPOSITORY);
    let manifest = file("a", "/srv/a", "");
    let manifest = manifest.replace("content: a", "contentFrom: {file: apps/files/a.txt}");
    sealed.write("fleet/apps/a.yaml", manifest);
    let stderr = "fleet/apps/a.yaml:6:3: spec.contentFrom.file: apps/files/a.txt is not in the \
                  repository; expected a path below the repository's folder\n";
    let said = sealed.bowline(&["validate", "fleet"]);
    said.is(1, "2 manifests in 2 files: 1 fault\n", stderr);
    sealed.write("fleet/apps/files/a.txt", "a\n");
    assert_eq!(sealed.bowline(&["validate", "fleet"]).code, 0);
}

#[test]
fn a_bad_policy_of_a_repository_is_a_fault() {
    let sealed = Sealed::new();
    sealed.write("fleet/bowline.yaml", REPOSITORY);
    sealed.write("fleet/.bowline/policy.yaml", "version: one\n");
    let said = sealed.bowline(&["validate", "fleet"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.starts_with("fleet/.bowline/policy.yaml:1:"), "{said:?}");
}

#[test]
fn what_cannot_be_read_is_a_mistake() {
    let sealed = Sealed::new();
    sealed.bowline(&["validate", "none.yaml"]).is(2, "", "error: there is no file none.yaml\n");
}

#[test]
fn a_target_that_no_host_has_is_a_warning() {
    let sealed = Sealed::new();
    let repository = REPOSITORY.replace("[apps]", "[apps, hosts]");
    sealed.write("fleet/bowline.yaml", repository);
    let host = format!(
        "apiVersion: bowline/v1\nkind: Host\nmetadata: {{name: web-1}}\nspec: {{keyFingerprint: \
         \"SHA256:{}\", environment: production, labels: {{role: web}}}}\n",
        "A".repeat(43)
    );
    sealed.write("fleet/hosts/web-1.yaml", host);
    sealed.write("fleet/apps/a.yaml", file("a", "/srv/a", "target: {matchLabels: {role: web}}\n"));
    let facts = "target: {matchFacts: {os.family: debian}}\n";
    sealed.write("fleet/apps/b.yaml", file("b", "/srv/b", facts));
    sealed.bowline(&["validate", "fleet"]).is(0, "4 manifests in 4 files: valid\n", "");
    let target = "target: {matchLabels: {role: wbe}}\n";
    sealed.write("fleet/apps/c.yaml", file("c", "/srv/c", target));
    let stdout = "5 manifests in 5 files: valid, 1 warning\n";
    let stderr = "warning: fleet/apps/c.yaml:4:10: target.matchLabels: no Host has the labels \
                  {role: wbe}; expected labels of a manifest of kind Host\n";
    sealed.bowline(&["validate", "fleet"]).is(0, stdout, stderr);
    sealed.bowline(&["validate", "--strict", "fleet"]).is(1, stdout, stderr);
    // Loose files know no hosts.
    let said = sealed.bowline(&["validate", "fleet/apps/a.yaml", "fleet/apps/c.yaml"]);
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn manifests_in_a_folder_that_is_not_listed_are_a_warning() {
    let sealed = Sealed::new();
    sealed.write("fleet/bowline.yaml", REPOSITORY);
    sealed.write("fleet/apps/a.yaml", GOOD);
    sealed.write("fleet/more/b.yaml", GOOD.replace("name: a", "name: b"));
    sealed.write("fleet/more/ci.yml", "stages: [test]\n");
    let stderr = "warning: fleet/more/b.yaml:1:1: Directory/b is in no folder that bowline.yaml lists; \
                  expected its folder in spec.folders\n";
    let said = sealed.bowline(&["validate", "fleet"]);
    said.is(0, "2 manifests in 2 files: valid, 1 warning\n", stderr);
}

#[test]
fn a_source_may_lie_beside_its_manifest() {
    let sealed = Sealed::new();
    sealed.write("fleet/bowline.yaml", REPOSITORY);
    let manifest =
        file("a", "/srv/a", "").replace("content: a", "contentFrom: {file: files/a.txt}");
    sealed.write("fleet/apps/a.yaml", manifest);
    sealed.write("fleet/apps/files/a.txt", "a\n");
    sealed.bowline(&["validate", "fleet"]).is(0, "2 manifests in 2 files: valid\n", "");
}
