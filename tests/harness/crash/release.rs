//! The releases of a journey: packed by real programs, and put on a host before it is recorded.
//!
//! **Invariant:** what a manifest asks for lies on the host, so that a state is whole by itself.

use std::fs;

use bowline_model::digest::Sha256;

use super::yard::{Plot, Yard};

/// Packs a release and puts it on a host. Gives the manifests that ask for it.
pub fn bring(yard: &Yard, plot: &Plot, number: u8) -> String {
    let shop = yard.shop();
    let folder = shop.folder().join(format!("release-{number}"));
    fs::create_dir_all(folder.join("bin")).unwrap();
    fs::write(folder.join("bin/shop"), format!("release {number}\n")).unwrap();
    fs::write(folder.join("readme"), "the same in each\n").unwrap();
    let tar = plot.folder.join(format!("root/shop-{number}.tar"));
    let (from, into) = (folder.display().to_string(), tar.display().to_string());
    shop.run("tar", &["--sort=name", "--mtime=@0", "-cf", &into, "-C", &from, "."]);
    shop.run("gzip", &["-nf", &into]);
    let sha256 = Sha256::of(&fs::read(tar.with_extension("tar.gz")).unwrap());
    format!(
        "apiVersion: bowline/v1\nkind: Directory\nmetadata: {{name: shop}}\nspec: {{path: /etc/shop}}\n---\n\
         apiVersion: bowline/v1\nkind: Artifact\nmetadata: {{name: shop}}\nspec: {{url: \
         \"file:///shop-{number}.tar.gz\", sha256: \"{sha256}\", releasesDir: /etc/shop/releases, link: \
         /etc/shop/current}}\n"
    )
}
