//! A path becomes something else: a file becomes a folder with content, and a file again.
//!
//! **Invariant:** what becomes of it is taken back as one piece.

use std::fs;

use bowline_api::outcome::Outcome;
use tests::picture::Picture;

use crate::story::{file, probe, settled};

/// A folder where something else may stand.
const FOLDER: &str = "---\napiVersion: bowline/v1\nkind: Directory\nmetadata: {name: d}\n\
                      policy: {adopt: always}\nspec: {path: /etc/d}\n";

#[test]
fn a_file_becomes_a_folder_with_content_and_is_taken_back() {
    let shop = settled("");
    fs::write(shop.on_host("/etc/d"), "plain").unwrap();
    let before = Picture::whole(&shop.root());
    let app = file("app", "/etc/app.conf", "app one\n");
    let inner = file("inner", "/etc/d/inner.conf", "inner\n");
    let merge = |probe: &str| {
        shop.write("apps/app.yaml", format!("{app}{FOLDER}{inner}{probe}"));
        shop.commit("a folder");
    };
    merge(&probe("[/bin/false]"));
    shop.once().ended(Outcome::Reverted);
    assert_eq!(Picture::whole(&shop.root()), before);
    merge("");
    shop.once().ended(Outcome::Committed);
    assert_eq!(fs::read_to_string(shop.on_host("/etc/d/inner.conf")).unwrap(), "inner\n");
}
