//! Manifests against each other: what meets, what misses, and in which order they come.

use std::collections::BTreeMap;

use super::Desired;
use crate::read::{Faults, manifests};

/// One manifest a line: kind, name, the rest of its document as flow YAML.
fn assemble(lines: &[(&str, &str, &str)]) -> Result<Desired, Faults> {
    let document = |(kind, name, rest): &(&str, &str, &str)| {
        let head = "---\napiVersion: bowline/v1\n";
        format!("{head}kind: {kind}\nmetadata: {{name: {name}}}\n{rest}\n")
    };
    let text: String = lines.iter().map(document).collect();
    let (found, faults) = manifests("a.yaml", text.as_bytes());
    assert!(faults.is_empty(), "{faults}");
    Desired::assemble(found)
}

fn order(desired: &Desired) -> Vec<String> {
    desired.resources().iter().map(|it| it.id().to_string()).collect()
}

/// Asserts exactly these faults, each with its place in the file.
fn refuses(lines: &[(&str, &str, &str)], expected: &[(u32, u32, &str, &str)]) {
    let faults = assemble(lines).unwrap_err();
    assert_eq!(faults.len(), expected.len(), "{faults}");
    for (fault, (line, column, field, says)) in faults.iter().zip(expected) {
        assert_eq!((fault.line, fault.column), (*line, *column), "{fault}");
        assert_eq!(fault.field, *field, "{fault}");
        assert!(fault.to_string().contains(says), "{fault} should say {says}");
    }
}

const A: &str = "spec: {path: /etc/a, content: x}";
const B: &str = "spec: {path: /etc/b, content: x}";

#[test]
fn parents_come_before_what_lies_in_them_and_the_rest_by_name() {
    let desired = assemble(&[
        ("File", "conf", "spec: {path: /srv/shop/etc/conf, content: x}"),
        ("Template", "z", "dependsOn: [File/last]\nspec: {path: /z, source: t}"),
        ("File", "last", "dependsOn: [Command/make]\nspec: {path: /last, content: x}"),
        ("Directory", "shop", "spec: {path: /srv/shop}"),
        ("Command", "make", "spec: {argv: [/bin/true], creates: /made}"),
        ("Directory", "a-etc", "spec: {path: /srv/shop/etc}"),
        ("Symlink", "b", "spec: {path: /b, target: /a}"),
        ("Probe", "up", "spec: {tcp: {address: \"127.0.0.1:80\"}}"),
    ]);
    let expected = [
        "Command/make",
        "Directory/shop",
        "Directory/a-etc",
        "File/conf",
        "File/last",
        "Probe/up",
        "Symlink/b",
        "Template/z",
    ];
    assert_eq!(order(&desired.unwrap()), expected);
}

#[test]
fn what_goes_away_goes_before_its_directory() {
    let desired = assemble(&[
        ("Directory", "a", "spec: {path: /srv/a, state: absent}"),
        ("File", "b", "spec: {path: /srv/a/b, state: absent}"),
    ]);
    assert_eq!(order(&desired.unwrap()), ["File/b", "Directory/a"]);
}

#[test]
fn the_order_of_writing_does_not_count() {
    let lines = [
        ("File", "b", B),
        ("File", "a", "dependsOn: [File/b]\nspec: {path: /etc/a, content: x}"),
        ("Directory", "etc", "spec: {path: /etc}"),
    ];
    let mut turned = lines;
    turned.reverse();
    let expected = ["Directory/etc", "File/b", "File/a"];
    assert_eq!(order(&assemble(&lines).unwrap()), expected);
    assert_eq!(order(&assemble(&turned).unwrap()), expected);
}

#[test]
fn circles_are_named_whole_and_once() {
    let needs =
        |on: &str, path: &str| format!("dependsOn: [{on}]\nspec: {{path: {path}, content: x}}");
    let one = needs("File/b", "/a");
    let two = needs("File/c", "/b");
    let three = needs("File/a", "/c");
    let (hanger, own) = (needs("File/a", "/d"), needs("File/e", "/e"));
    refuses(
        &[
            ("File", "c", &three),
            ("File", "a", &one),
            ("File", "b", &two),
            ("File", "d", &hanger),
            ("File", "e", &own),
        ],
        &[
            (11, 13, "dependsOn[0]", "File/a → File/b → File/c → File/a"),
            (29, 13, "dependsOn[0]", "File/e → File/e"),
        ],
    );
    // One of the needs may come from a parent directory.
    refuses(
        &[
            ("Directory", "d", "dependsOn: [File/f]\nspec: {path: /d}"),
            ("File", "f", "spec: {path: /d/f, content: x}"),
        ],
        &[(5, 13, "dependsOn[0]", "Directory/d → File/f → Directory/d")],
    );
}

#[test]
fn one_path_has_one_manifest() {
    refuses(
        &[("File", "a", A), ("Symlink", "l", "spec: {path: /etc/a, target: b}")],
        &[(10, 14, "spec.path", "File/a claims already (at a.yaml:2)")],
    );
    let web = "target: {matchLabels: {role: web}}\nspec: {path: /etc/a, content: x}";
    let db = "target: {matchLabels: {role: db}}\nspec: {path: /etc/a, content: x}";
    assert!(assemble(&[("File", "a", web), ("File", "b", db)]).is_ok());
    refuses(
        &[("File", "a", web), ("File", "b", A)],
        &[(11, 14, "spec.path", "File/a claims already")],
    );
}

#[test]
fn nothing_lies_below_a_file_or_below_what_should_be_gone() {
    refuses(
        &[("File", "a", A), ("File", "b", "spec: {path: /etc/a/b, content: x}")],
        &[(10, 14, "spec.path", "is no directory for File/a (at a.yaml:2)")],
    );
    refuses(
        &[
            ("Directory", "a", "spec: {path: /srv/a, state: absent}"),
            ("File", "b", "spec: {path: /srv/a/deep/b, content: x}"),
        ],
        &[(10, 14, "spec.path", "should be gone for Directory/a")],
    );
}

#[test]
fn a_unit_has_one_manifest_and_files_do_not_wait_for_it() {
    let shop = "spec: {name: shop.service}";
    refuses(
        &[("Unit", "shop.service", shop), ("Unit", "web", shop)],
        &[(10, 14, "spec.name", "the unit of Unit/shop.service (at a.yaml:2) again")],
    );
    let web = "target: {matchLabels: {role: web}}\nspec: {name: shop.service}";
    let db = "target: {matchLabels: {role: db}}\nspec: {name: shop.service}";
    assert!(assemble(&[("Unit", "a", web), ("Unit", "b", db)]).is_ok());
    let after = "dependsOn: [Unit/shop.service]\nspec: {argv: [/bin/true], creates: /made}";
    refuses(
        &[
            ("Unit", "shop.service", shop),
            ("Command", "after", after),
            ("File", "a", "dependsOn: [Command/after]\nspec: {path: /etc/a, content: x}"),
        ],
        &[(16, 13, "dependsOn[0]", "units are told last")],
    );
    let ordered = assemble(&[
        ("Unit", "shop.service", shop),
        ("Command", "after", after),
        ("Unit", "proxy.service", "dependsOn: [Command/after]\nspec: {}"),
    ]);
    let expected = ["Unit/shop.service", "Command/after", "Unit/proxy.service"];
    assert_eq!(order(&ordered.unwrap()), expected);
}

#[test]
fn kernel_interfaces_are_no_targets() {
    for path in ["/proc/sys/vm/swappiness", "/sys/x", "/dev/null"] {
        let spec = format!("spec: {{path: {path}, content: x}}");
        refuses(&[("File", "a", &spec)], &[(5, 14, "spec.path", "no manifest may change")]);
    }
}

#[test]
fn names_are_unique_and_needs_exist() {
    refuses(
        &[("File", "a", A), ("File", "a", B)],
        &[(9, 18, "metadata.name", "written twice (first at a.yaml:2)")],
    );
    let misses = "dependsOn: [File/a, File/web-confg]\nspec: {path: /etc/b, content: x}";
    refuses(
        &[
            ("File", "a", A),
            ("File", "b", misses),
            ("File", "web-config", "spec: {path: /c, content: x}"),
        ],
        &[(10, 21, "dependsOn[1]", "`File/web-config`")],
    );
}

#[test]
fn hosts_have_a_key_each_and_the_repository_is_one() {
    let host =
        format!("spec: {{keyFingerprint: \"SHA256:{}\", environment: prod}}", "A".repeat(43));
    refuses(
        &[("Host", "web-1", &host), ("Host", "web-2", &host)],
        &[(10, 24, "spec.keyFingerprint", "the key of web-1 (a.yaml:2) again")],
    );
    let repository = "spec: {folders: [apps]}";
    refuses(
        &[("Repository", "one", repository), ("Repository", "two", repository)],
        &[(8, 7, "kind", "a second manifest of kind Repository")],
    );
}

#[test]
fn a_host_gets_what_is_meant_for_it_and_nothing_on_a_guess() {
    let for_web = "target: {matchLabels: {role: web}}\nspec: {path: /etc/a, content: x}";
    let for_debian = "target: {matchFacts: {os.family: debian}}\nspec: {path: /etc/a, content: y}";
    let needs = "dependsOn: [File/a]\nspec: {path: /etc/b, content: x}";
    let labels = |role: &str| BTreeMap::from([("role".parse().unwrap(), role.parse().unwrap())]);
    let facts = |os: &str| BTreeMap::from([("os.family".to_owned(), os.to_owned())]);

    let desired = assemble(&[("File", "a", for_web), ("File", "b", needs)]).unwrap();
    let chosen = desired.select(&labels("web"), &facts("debian")).unwrap();
    assert_eq!(order(&chosen), ["File/a", "File/b"]);
    let fault = desired.select(&labels("db"), &facts("debian")).unwrap_err().to_string();
    let expected = "a.yaml:11:13: dependsOn[0]: File/a (a.yaml:2) is not for this host; \
                    expected the same target for both";
    assert_eq!(fault, expected);

    // Two targets that only meet on some hosts are judged where they meet.
    let desired = assemble(&[("File", "a", for_web), ("File", "b", for_debian)]).unwrap();
    assert_eq!(order(&desired.select(&labels("web"), &facts("redhat")).unwrap()), ["File/a"]);
    assert_eq!(order(&desired.select(&labels("db"), &facts("debian")).unwrap()), ["File/b"]);
    let fault = desired.select(&labels("web"), &facts("debian")).unwrap_err().to_string();
    assert!(fault.contains("claims already"), "{fault}");
}

#[test]
fn a_long_chain_is_sorted_without_a_deep_stack() {
    let spec = |it: usize| match it {
        0 => "spec: {argv: [/bin/true], creates: /made}".to_owned(),
        _ => format!("dependsOn: [Command/c{}]\nspec: {{argv: [/bin/true], creates: /m}}", it - 1),
    };
    let rest: Vec<_> = (0..900).map(|it| (format!("c{it}"), spec(it))).collect();
    let lines: Vec<_> =
        rest.iter().map(|(name, rest)| ("Command", name.as_str(), rest.as_str())).collect();
    let found = order(&assemble(&lines).unwrap());
    assert_eq!(found[899], "Command/c899");
}
