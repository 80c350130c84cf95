//! Bad inputs, each with the place that must be named.

mod hostile;

use super::{Faults, manifests};

/// A well-formed document, for what stands around the bad one.
const GOOD: &str = "apiVersion: bowline/v1\nkind: Directory\nmetadata: {name: etc-shop}\n\
                    spec: {path: /etc/shop}\n";

/// A File with this spec; its lines begin in line 5.
fn file_with(spec: &str) -> String {
    let head = "apiVersion: bowline/v1\nkind: File\nmetadata: {name: a}\nspec:\n";
    let lines = spec.lines().map(|it| format!("  {it}\n"));
    format!("{head}{}", lines.collect::<String>())
}

fn faults(text: &str) -> Faults {
    manifests("a.yaml", text.as_bytes()).1
}

/// Asserts that the text has exactly this fault.
fn refuses(text: &str, place: (u32, u32), field: &str, says: &str) {
    let found = faults(text);
    let shown = found.to_string();
    assert_eq!(found.len(), 1, "of\n{text}\ncame\n{shown}");
    let fault = found.iter().next().unwrap();
    assert_eq!((fault.line, fault.column), place, "{shown}\nof\n{text}");
    assert_eq!(fault.field, field, "{shown}");
    assert!(shown.contains(says), "{shown:?} should say {says:?}");
}

#[test]
fn a_slip_in_a_field_is_named_where_it_stands() {
    for (spec, place, field, says) in [
        ("pth: /a\ncontent: x", (5, 8), "spec.pth", "expected `path` (did you mean that?)"),
        ("path: /a\ncontent: x\nrecurse: true", (7, 12), "spec.recurse", "one of path, content"),
        ("content: x", (4, 1), "spec.path", "`path` is missing"),
        ("path: /a", (4, 1), "spec", "neither content nor contentFrom"),
        (
            "path: /a\ncontent: x\ncontentFrom: {file: b}",
            (7, 3),
            "spec.contentFrom",
            "exactly one of them",
        ),
        ("path: /a\ncontent: x\nmode: 0644", (7, 9), "spec.mode", r#"expected "0644" in quotes"#),
        ("path: /a\ncontent: x\nmode: 644", (7, 9), "spec.mode", "octal text in quotes"),
        ("path: /a\ncontent: x\nmode: 0o644", (7, 9), "spec.mode", r#""0o644" in quotes"#),
        ("path: /a\ncontent: x\nmode: \"0888\"", (7, 9), "spec.mode", "octal digits"),
        ("path: /a/../b\ncontent: x", (5, 9), "spec.path", "has a `..` in it"),
        ("path: a\ncontent: x", (5, 9), "spec.path", "is not absolute"),
        ("path: /\ncontent: x", (5, 9), "spec.path", "is the root itself"),
        ("path: /a\ncontentFrom: {file: ../b}", (6, 23), "spec.contentFrom.file", "`..`"),
        ("path: /a\ncontent: 5", (6, 12), "spec.content", "the number 5 without quotes"),
        ("path: /a\ncontent: 1.10", (6, 12), "spec.content", r#""1.10" in quotes"#),
        ("path: /a\ncontent: true", (6, 12), "spec.content", "the boolean true without quotes"),
        ("path: /a\ncontent: x\nsensitive: yes", (7, 14), "spec.sensitive", "true or false"),
        ("path: /a\ncontent: x\nsensitive: \"true\"", (7, 14), "spec.sensitive", "a boolean"),
        ("path: /a\ncontent: x\nowner: Root", (7, 10), "spec.owner", "user or group"),
        ("path: /a\ncontent: x\nstate: gone", (7, 10), "spec.state", "one of present, absent"),
        ("path: /a\ncontent: x\nstate: absnt", (7, 10), "spec.state", "`absent`"),
        ("path: /a\ncontent: x\nvalidate: [nginx]", (7, 3), "spec.validate", "absolute path"),
        ("path: /a\ncontent: x\nvalidate: [/b, \"%s %s\"]", (7, 3), "spec.validate", "than once"),
        ("path: /a\ncontentFrom: {url: u}", (6, 22), "spec.contentFrom.url", "not supported"),
    ] {
        refuses(&file_with(spec), place, field, says);
    }
}

#[test]
fn the_envelope_is_judged_too() {
    let with = |line: &str| format!("{GOOD}{line}\n");
    for (text, place, field, says) in [
        (with("colour: red"), (5, 9), "colour", "unknown field"),
        (with("dependson: []"), (5, 1), "dependson", "`dependsOn`"),
        (with("dependsOn: [File/a, etc]"), (5, 21), "dependsOn[1]", "has no `/`"),
        (with("dependsOn: [Package/nginx]"), (5, 13), "dependsOn[0]", "not supported by this"),
        (with("notify: [{unit: shop, action: restart}]"), (5, 17), "notify[0].unit", ".service"),
        (with("policy: {rollback: none}"), (5, 20), "policy.rollback", "none without a reason"),
        (with("policy: {prune: no}"), (5, 17), "policy.prune", "true or false"),
        (with("policy: {prune: nevr}"), (5, 17), "policy.prune", "`never`"),
        (with("target: {matchLabels: {role: 7}}"), (5, 30), "target.matchLabels.role", "quotes"),
        (GOOD.replace("bowline/v1", "bowline/v2"), (1, 13), "apiVersion", "`bowline/v1`"),
        (GOOD.replace("Directory", "Directry"), (2, 7), "kind", "`Directory`"),
        (GOOD.replace("Directory", "Package"), (2, 7), "kind", "kind Package is not supported"),
        (GOOD.replace("kind: Directory", "a: b"), (1, 1), "kind", "`kind` is missing"),
        (GOOD.replace("etc-shop", "Etc"), (3, 18), "metadata.name", "a-z"),
        ("just text\n".to_owned(), (1, 1), "kind", "missing"),
    ] {
        refuses(&text, place, field, says);
    }
    // A slip in the envelope does not hide one in the spec.
    let both = with("colour: red").replace("path:", "pth:");
    assert_eq!(faults(&both).len(), 2);
}
