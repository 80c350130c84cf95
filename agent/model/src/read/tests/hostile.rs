//! Hostile, mangled and merely odd files: each ends in a clear fault, none in a crash or a guess.

use serde_json::Value;

use super::{GOOD, faults, file_with};
use crate::read::{MAX_BYTES, manifests, one};

#[test]
fn yaml_that_could_mislead_is_refused() {
    let deep = format!("a: {}1{}\n", "[".repeat(70), "]".repeat(70));
    let bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n";
    for (text, place, field, says) in [
        ("a: &x 1\n", (1, 4), "a", "an anchor"),
        ("a: !!str 1\n", (1, 4), "a", "a tag"),
        ("<<: {a: 1}\n", (1, 1), "", "a merge key"),
        ("a: 1\nb: 2\na: 3\n", (3, 1), "a", "first in line 1"),
        ("8080: a\n", (1, 1), "", "no text"),
        ("true: a\n", (1, 1), "", "no text"),
        ("[a]: b\n", (1, 1), "", "a key that is a list or a map"),
        ("%YAML 1.2\n---\na: 1\n", (1, 1), "", "a directive"),
        ("a:\n\tb: 1\n", (2, 2), "a", "spaces as indentation, not tabs"),
        ("a: [1\n", (2, 1), "a", "not readable as YAML"),
        ("a: 1\n...\nb: 1\n", (3, 1), "", "second document"),
        (&deep, (1, 67), "a", "deeper than 64"),
        ("a: yes\n", (1, 4), "a", "true or false"),
        ("a: .inf\n", (1, 4), "a", "in quotes"),
    ] {
        let found = faults(text);
        let fault = found.iter().next().unwrap_or_else(|| panic!("{text} is accepted"));
        assert!(found.to_string().contains(says), "{found} should say {says}");
        assert_eq!((fault.line, fault.column), place, "{found}");
        assert!(fault.field.starts_with(field), "{found}");
    }
    let found = faults(bomb).to_string();
    assert!(found.contains("an anchor") && found.contains("an alias"), "{found}");
}

#[test]
fn floods_end_at_their_limits() {
    let wide = format!("a: [{}]\n", "1, ".repeat(100_001));
    assert!(faults(&wide).to_string().contains("more than 100000 values"));
    let large = format!("a: {}\n", "x".repeat(MAX_BYTES));
    assert!(faults(&large).to_string().contains("the limit is 1048576"));
    let bad = format!("a: [{}]\n", "yes, ".repeat(1_000));
    assert_eq!(faults(&bad).len(), 50);
    let keys: Vec<_> = (0..40_000).map(|it| format!("k{it}: 1")).collect();
    let found = faults(&keys.join("\n"));
    assert_eq!(found.len(), 1, "a large map is read, and only then judged");
}

#[test]
fn binary_junk_is_one_clear_fault() {
    let found = manifests("a.yaml", b"\x7fELF\x02\x01\x01\x00\xff\xfe").1.to_string();
    assert_eq!(found, "a.yaml:1:9: bytes that are not UTF-8; expected text in UTF-8",);
}

#[test]
fn every_document_is_judged_and_empty_ones_are_skipped() {
    let text = format!("# head\n---\n{GOOD}---\na: [\n---\nkind: File\n---\n{GOOD}---\n");
    let (found, faults) = manifests("a.yaml", text.as_bytes());
    assert_eq!(found.len(), 2, "{faults}");
    assert_eq!((found[0].origin.line, found[1].origin.line), (3, 12));
    let lines: Vec<u32> = faults.iter().map(|it| it.line).collect();
    assert_eq!(lines, [9, 10, 10], "{faults}");
}

#[test]
fn one_document_is_exactly_one() {
    let read = |text: &str| one::<Value>("trust.yaml", text.as_bytes());
    assert_eq!(read("a: 1\n---\n").unwrap()["a"], 1);
    for (text, says) in [
        ("", "1:1: no document"),
        ("# only words\n", "1:1: no document"),
        ("a: 1\n---\nb: 1\n", "3:1: a second document"),
        ("a: 1\n---\n[\n", "not readable"),
    ] {
        let found = read(text).unwrap_err().to_string();
        assert!(found.contains(says), "{found} should say {says}");
    }
}

#[test]
fn what_stands_in_quotes_is_text_and_blocks_keep_their_lines() {
    let text = "a: \"yes\"\nb: '0644'\non: 5\nc: |\n  one\n  \ttwo\nd: >-\n  three\n  four\n";
    let value: Value = one("a.yaml", text.as_bytes()).unwrap();
    let expected = r#"{"a":"yes","b":"0644","c":"one\n\ttwo\n","d":"three four","on":5}"#;
    assert_eq!(value.to_string(), expected);
}

#[test]
fn styles_that_all_readers_share_are_accepted() {
    for text in [
        "a: plain\n  over two lines\n",
        "a: >\n  folded\n  text\n\n    more indented\n  end\n\n",
        "a: |2-\n    kept indent\n  text\n",
        "a: |+\n  kept end\n\n\n",
        "a: \"two\n  lines \\\n  joined\\u2028\"\n",
        "a: 'it''s\n  quoted'\n",
        "a:\n- b: 1\n  c: [x, {d: e}]\n-\n  - f\n",
        "? a\n: b\n",
        "{a: b, \"c\": [1, -2, 0.5, ~, true], d: }\n",
        "a: b # comment\n# another\n\nc: \"# none\"\n",
        "a: http://x/#y\nb: x:y\nc: -x\nd: a, b\n",
        "--- # head\na: 1\n",
        "a: \u{e4}\u{1f680}\n",
    ] {
        let read = one::<Value>("a.yaml", text.as_bytes());
        assert!(read.is_ok(), "{text}: {}", read.unwrap_err());
    }
}

#[test]
fn no_mangled_file_ends_the_reader() {
    let seed = format!("# head\n---\n{GOOD}---\n{}", file_with("path: /a\ncontent: |\n  x\n  y"));
    let marks = b"\n\t {}[]:,-?&*!|>'\"%@`#~<=.0x\\\xff\x00";
    // A fixed sequence: the same files in every run.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for _ in 0..3_000 {
        let mut bytes = seed.clone().into_bytes();
        for _ in 0..=next(6) {
            if bytes.is_empty() {
                break;
            }
            let at = next(bytes.len());
            let mark = marks[next(marks.len())];
            match next(4) {
                0 => bytes[at] = mark,
                1 => bytes.insert(at, mark),
                2 => drop(bytes.remove(at)),
                _ => bytes.truncate(at.max(1)),
            }
        }
        let (found, faults) = manifests("a.yaml", &bytes);
        let end = bytes.split(|it| *it == b'\n').count();
        for fault in &faults {
            assert!(fault.line >= 1 && fault.line as usize <= end + 1, "{fault}");
            assert!(fault.column >= 1, "{fault}");
        }
        assert!(found.len() <= 6);
    }
}

#[test]
fn where_two_readers_disagree_a_person_is_asked() {
    for (text, place, says) in [
        // A key `name:first` without a value, or a text `name:first:`?
        ("# head\n---\na: {name:first:}\n", (3, 15), "plainer YAML"),
        ("a: {b\n  c: d}\n", (2, 4), "plainer YAML"),
        // A text `?b`, or a map with the key `b`? Both readers are content, with other values.
        ("---\na: 1\nc: [x, ?b]\n", (3, 8), "plainer YAML"),
        ("a: 1\nc: |\n  x", (3, 3), "a line end at the end of the file"),
    ] {
        let found = faults(text);
        assert!(found.to_string().contains("understand differently"), "{found}");
        assert!(found.to_string().contains(says), "{found} should say {says}");
        let fault = found.iter().next().unwrap();
        assert_eq!((fault.line, fault.column), place, "{found}");
    }
}
