//! The host and the repository that histories begin with.
//!
//! **Invariant:** the change creates, replaces, removes and runs, so that every kind of step is met.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use bowline_model::form::Form;
use tests::history::live;
use tests::sim_host::SimHost;
use tests::village::{Files, Village};

const REPOSITORY: &str =
    "apiVersion: bowline/v1\nkind: Repository\nmetadata: {name: fleet}\nspec: {folders: [apps]}\n";

pub(crate) fn file(name: &str, path: &str, text: &str) -> String {
    format!(
        "---\napiVersion: bowline/v1\nkind: File\nmetadata: {{name: {name}}}\nspec: {{path: {path}, content: \"{text}\"}}\n"
    )
}

pub(crate) fn probe(spec: &str) -> String {
    format!(
        "---\napiVersion: bowline/v1\nkind: Probe\nmetadata: {{name: ready}}\nspec: {{exec: {{argv: [/bin/true]}}, {spec}}}\n"
    )
}

fn command() -> String {
    "---\napiVersion: bowline/v1\nkind: Command\nmetadata: {name: index}\nspec: {argv: [/bin/index, build], \
     unless: [/bin/index, build], undo: [/bin/index, drop]}\n"
        .to_owned()
}

pub(crate) fn files(manifests: &[String]) -> Files {
    BTreeMap::from([
        ("bowline.yaml".to_owned(), REPOSITORY.to_owned()),
        ("apps/all.yaml".to_owned(), manifests.concat()),
    ])
}

pub(crate) const QUICK: &str =
    "interval: 1s, successThreshold: 1, failureThreshold: 2, deadline: 5s, soak: 2s";

/// The desired state of the first revision.
pub(crate) fn first() -> Files {
    files(&[file("a", "/etc/a", "a1"), file("b", "/etc/b", "b1"), file("c", "/etc/c", "c1")])
}

/// What the second revision asks for: one replaced, one kept, one removed, one new, one command.
pub(crate) fn second() -> Files {
    files(&[
        file("a", "/etc/a", "a2"),
        file("b", "/etc/b", "b1"),
        file("d", "/etc/d", "d2"),
        command(),
        probe(QUICK),
    ])
}

/// A third revision that carries the second's change and one of its own.
pub(crate) fn third() -> Files {
    files(&[
        file("a", "/etc/a", "a2"),
        file("b", "/etc/b", "b3"),
        file("d", "/etc/d", "d2"),
        command(),
        probe(QUICK),
    ])
}

/// A host on which the first revision is committed.
pub(crate) fn settled() -> SimHost {
    static SETTLED: OnceLock<SimHost> = OnceLock::new();
    SETTLED.get_or_init(settle).clone()
}

fn settle() -> SimHost {
    let mut host = SimHost::new(Village::new(&first()));
    host.put_folder("/etc");
    live(&mut host, 1);
    let said: Vec<_> = host.endings.iter().map(|it| &it.cycle).collect();
    assert_eq!(host.disk.generation.as_ref().map(|it| it.number), Some(1), "{said:#?}");
    host.endings.clear();
    host.disk.records.clear();
    host.effects = 0;
    host.log.clear();
    host
}

/// Forms after a history without faults that merges the second revision.
pub(crate) fn merged() -> BTreeMap<String, Form> {
    let mut host = settled();
    host.village.merge(&second(), 1);
    live(&mut host, 1);
    assert_eq!(host.disk.generation.as_ref().map(|it| it.number), Some(2), "{:#?}", host.endings);
    host.forms()
}
