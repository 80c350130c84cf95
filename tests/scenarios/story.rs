//! The deployments that everything is done to: small, and each kind of step is in them.
//!
//! **Invariant:** every story says how the host stood before, and how it stands if all goes well.

use bowline_api::outcome::Outcome;
use tests::picture::Picture;
use tests::workshop::Workshop;

/// What stands before: a folder, two files and a link.
const FIRST: &str = r#"apiVersion: bowline/v1
kind: Directory
metadata: {name: etc}
spec: {path: /etc}
---
apiVersion: bowline/v1
kind: File
metadata: {name: app}
spec: {path: /etc/app.conf, content: "app one\n"}
---
apiVersion: bowline/v1
kind: File
metadata: {name: old}
spec: {path: /etc/old.conf, content: "old one\n"}
---
apiVersion: bowline/v1
kind: Symlink
metadata: {name: link}
spec: {path: /etc/current, target: one}
"#;

/// What is wanted then: alters a folder, makes a folder and a file in it, replaces a file and a link,
/// removes a file, and runs a command that can be taken back.
const SECOND: &str = r#"apiVersion: bowline/v1
kind: Directory
metadata: {name: etc}
spec: {path: /etc, mode: "0750"}
---
apiVersion: bowline/v1
kind: Directory
metadata: {name: srv}
spec: {path: /srv}
---
apiVersion: bowline/v1
kind: File
metadata: {name: app}
spec: {path: /etc/app.conf, mode: "0640", content: "app two\n"}
---
apiVersion: bowline/v1
kind: File
metadata: {name: new}
spec: {path: /srv/new.conf, content: "new two\n"}
---
apiVersion: bowline/v1
kind: Symlink
metadata: {name: link}
spec: {path: /etc/current, target: two}
---
apiVersion: bowline/v1
kind: Command
metadata: {name: seed}
dependsOn: [File/app]
spec:
  argv: [/bin/sh, -c, "echo seeded > $BOWLINE_ROOT/etc/seed"]
  undo: [/bin/sh, -c, "rm -f $BOWLINE_ROOT/etc/seed"]
  creates: /etc/seed
"#;

/// A probe by a program.
pub(crate) fn probe(argv: &str) -> String {
    format!(
        "---\napiVersion: bowline/v1\nkind: Probe\nmetadata: {{name: judge}}\nspec: {{exec: {{argv: {argv}}}, \
         interval: 100ms, successThreshold: 1, failureThreshold: 1, deadline: 100ms, soak: 0s}}\n"
    )
}

/// A file at a path with a text.
pub(crate) fn file(name: &str, path: &str, content: &str) -> String {
    format!(
        "---\napiVersion: bowline/v1\nkind: File\nmetadata: {{name: {name}}}\n\
         spec: {{path: {path}, content: {content:?}}}\n"
    )
}

/// A command that is run as long as a path is not there.
pub(crate) fn command(name: &str, script: &str, undo: &str, creates: &str) -> String {
    format!(
        "---\napiVersion: bowline/v1\nkind: Command\nmetadata: {{name: {name}}}\nspec:\n  \
         argv: [/bin/sh, -c, {script:?}]\n  undo: [/bin/sh, -c, {undo:?}]\n  creates: {creates}\n"
    )
}

/// A host with one generation, and a second revision that waits in the repository.
#[derive(Debug)]
pub(crate) struct Story {
    /// Before the second revision is tried.
    pub(crate) shop: Workshop,
    /// How the host stands then.
    pub(crate) old: Picture,
    /// How it stands when the second revision was kept; the same as before when it never is.
    pub(crate) new: Picture,
    /// How the second revision ends when nothing happens.
    pub(crate) ends: Outcome,
}

impl Story {
    /// A revision that is kept.
    pub(crate) fn kept() -> Self {
        Self::of(&format!("{SECOND}{}", probe("[/bin/true]")), Outcome::Committed)
    }

    /// A revision that is taken back.
    pub(crate) fn taken_back() -> Self {
        Self::of(&format!("{SECOND}{}", probe("[/bin/false]")), Outcome::Reverted)
    }

    /// The very first cycle of a host: nothing stands yet, no state, no key.
    pub(crate) fn first() -> Self {
        let shop = Workshop::new();
        shop.write("apps/base.yaml", FIRST);
        shop.commit("one");
        Self::told(shop, Outcome::Committed)
    }

    fn of(second: &str, ends: Outcome) -> Self {
        let shop = Workshop::new();
        shop.write("apps/base.yaml", FIRST);
        shop.commit("one");
        shop.once().ended(Outcome::Committed);
        shop.write("apps/base.yaml", second);
        shop.commit("two");
        Self::told(shop, ends)
    }

    /// A host before its newest revision, which ends so.
    pub(crate) fn told(shop: Workshop, ends: Outcome) -> Self {
        let old = Picture::of(&shop.root());
        let copy = shop.copy();
        copy.once().ended(ends);
        let new = Picture::of(&copy.root());
        assert_eq!(ends == Outcome::Committed, old != new, "the story tells nothing");
        Self { shop, old, new, ends }
    }
}

/// A host with one committed generation that holds `/etc/app.conf` and what else is given.
pub(crate) fn settled(more: &str) -> Workshop {
    let shop = Workshop::new();
    shop.write("apps/app.yaml", format!("{}{more}", file("app", "/etc/app.conf", "app one\n")));
    shop.commit("one");
    shop.once().ended(Outcome::Committed);
    shop
}
