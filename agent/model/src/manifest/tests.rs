//! Specs kind by kind: defaults, what belongs together, and the canonical form.

use super::{
    FileContent, Guard, Manifest, OnChange, ProbeMeans, Reach, Rollback, Spec, Validation,
};
use crate::read::manifests;

fn read(kind: &str, rest: &str) -> Result<Manifest, String> {
    let text = format!("apiVersion: bowline/v1\nkind: {kind}\nmetadata: {{name: a}}\n{rest}\n");
    let (mut found, faults) = manifests("a.yaml", text.as_bytes());
    match found.pop() {
        Some(manifest) if faults.is_empty() => Ok(manifest),
        _ => Err(faults.to_string()),
    }
}

fn canonical(manifest: &Manifest) -> String {
    serde_json::to_string(&serde_json::to_value(manifest).unwrap()).unwrap()
}

#[test]
fn defaults_are_those_of_the_design() {
    let file = read("File", "spec: {path: /a, content: x}").unwrap();
    let Spec::File(spec) = &file.spec else { panic!("{file:?}") };
    assert_eq!(spec.content, Some(FileContent::Inline("x".to_owned())));
    assert_eq!(
        canonical(&file),
        concat!(
            r#"{"apiVersion":"bowline/v1","dependsOn":[],"kind":"File","#,
            r#""metadata":{"annotations":{},"labels":{},"name":"a"},"notify":[],"#,
            r#""policy":{"adopt":"ifIdentical","drift":"repair","onConflict":"keepCopy","#,
            r#""prune":"auto","reboot":"never","requireReversible":false,"rollback":"auto","#,
            r#""writeStrategy":"exchange"},"#,
            r#""spec":{"content":"x","createOnly":false,"group":"root","mode":"0644","#,
            r#""owner":"root","path":"/a","sensitive":false,"state":"present"},"target":{}}"#,
        )
    );
    let probe = read("Probe", "spec: {http: {url: \"http://a/\"}}").unwrap();
    let shown = serde_json::to_value(&probe.spec).unwrap().to_string();
    assert_eq!(
        shown,
        concat!(
            r#"{"baseline":false,"deadline":"5m","failureThreshold":3,"#,
            r#""http":{"expect":{"json":{},"status":200},"insecure":false,"method":"GET","#,
            r#""url":"http://a/"},"interval":"5s","soak":"1m","successThreshold":3,"timeout":"3s"}"#,
        )
    );
}

#[test]
fn the_canonical_form_is_read_back_as_the_same() {
    for (kind, rest) in [
        ("File", "spec: {path: /a, contentFrom: {file: f}, validate: [/bin/x, \"%s\"]}"),
        ("File", "spec: {path: /a, state: absent}"),
        ("File", "policy: {rollback: {none: mail}}\nspec: {path: /a, content: \"\"}"),
        ("Template", "spec: {path: /a, source: t, values: {n: 1, l: [a, {b: 0.5}], t: true}}"),
        ("Directory", "spec: {path: /a, source: site, exclude: [\"*.bak\"], purgeUnmanaged: true}"),
        ("Directory", "spec: {path: /a, mode: \"2775\"}"),
        ("Symlink", "spec: {path: /a, target: ../b}"),
        ("Command", "spec: {argv: [/bin/x], unless: [/bin/y], undo: [/bin/z], runAs: shop}"),
        ("Probe", "spec: {exec: {argv: [/bin/x]}, soak: 0s}"),
        ("Probe", "spec: {unit: {name: a.service}}"),
        ("Unit", "spec: {name: a.service}"),
        ("Unit", "spec: {name: a.timer, dropIns: {a.conf: x}, state: any, onChange: reload}"),
        ("Unit", "spec: {name: a.service, masked: true}"),
        ("Probe", "spec: {tcp: {address: \"[::1]:80\"}, interval: 500ms, baseline: true}"),
    ] {
        let first = read(kind, rest).unwrap();
        // JSON is YAML, as far as this reader goes.
        let text = serde_json::to_string(&first).unwrap();
        let (again, faults) = manifests("b.yaml", text.as_bytes());
        assert!(faults.is_empty(), "{faults}\nof {text}");
        assert_eq!(canonical(&again[0]), canonical(&first));
        assert_eq!(again[0].digest().unwrap(), first.digest().unwrap());
    }
}

#[test]
fn the_digest_of_a_spec_ignores_names_and_defaults_that_are_written() {
    let short = read("File", "spec: {path: /a, content: x}").unwrap();
    let long = read("File", "policy: {prune: never}\nspec: {mode: \"644\", content: x, path: /a}");
    let other = read("File", "spec: {path: /a, content: y}").unwrap();
    let long = long.unwrap();
    assert_eq!(short.spec_digest().unwrap(), long.spec_digest().unwrap());
    assert_ne!(short.digest().unwrap(), long.digest().unwrap());
    assert_ne!(short.spec_digest().unwrap(), other.spec_digest().unwrap());
}

#[test]
fn what_does_not_belong_together_is_refused() {
    for (kind, spec, says) in [
        ("File", "{path: /a, state: absent, content: x}", "spec.state: content for a file that"),
        ("File", "{path: /a, content: x, createOnly: true, state: absent}", "createOnly"),
        (
            "Template",
            "{path: /a, source: t, secrets: {a: {from: age}}}",
            "secrets is not supported",
        ),
        ("Template", "{path: /a, source: t, values: {a-b: 1}}", "no template can name"),
        ("Template", "{path: /a, source: t, values: {facts: 1}}", "spec.values.facts"),
        ("Directory", "{path: /a, fileMode: \"0600\"}", "spec.fileMode: fileMode without source"),
        ("Directory", "{path: /a, exclude: [\"*\"]}", "exclude without source"),
        ("Directory", "{path: /a, source: s, state: absent}", "source with state absent"),
        ("Symlink", "{path: /a}", "spec.target: `target` is missing"),
        ("Symlink", "{path: /a, target: /a}", "a link to itself"),
        ("Command", "{argv: [/bin/x]}", "exactly one of creates, unless, onlyIf"),
        (
            "Command",
            "{argv: [/bin/x], creates: /a, onlyIf: [/bin/y]}",
            "spec.onlyIf: more than one",
        ),
        ("Command", "{argv: [/bin/x], creates: /a, timeout: 0s}", "spec.timeout: a timeout of 0s"),
        ("Command", "{argv: \"/bin/x\", creates: /a}", "a list"),
        ("Probe", "{}", "exactly one of http, tcp, exec, unit"),
        (
            "Probe",
            "{tcp: {address: \"a:1\"}, exec: {argv: [/b]}}",
            "spec.exec: more than one means",
        ),
        ("Probe", "{metric: a}", "metric is not supported by this version"),
        ("Probe", "{tcp: {address: a}}", "has no port"),
        ("Probe", "{tcp: {address: \"a:1\"}, interval: 1ms}", "spec.interval: interval of 1ms"),
        ("Probe", "{tcp: {address: \"a:1\"}, interval: 5}", "spec.interval"),
        ("Probe", "{tcp: {address: \"a:1\"}, successThreshold: 0}", "spec.successThreshold"),
        ("Probe", "{http: {url: \"http://a/\", insecure: true}}", "insecure without TLS"),
        (
            "Probe",
            "{http: {url: \"http://a/\", method: HEAD, expect: {bodyContains: x}}}",
            "no body",
        ),
        ("Probe", "{http: {url: \"http://a/\", expect: {status: 99}}}", "from 100 to 599"),
        ("Host", "{environment: prod, keyFingerprint: abc}", "SHA256:"),
        ("Repository", "{folders: []}", "0 folders"),
        ("Repository", "{folders: [apps, ../x]}", "spec.folders[1]"),
        ("Repository", "{folders: [a], rollout: {waves: [0]}}", "spec.rollout.waves[0]"),
        ("Repository", "{folders: [a], rollout: {waves: [\"200%\"]}}", "\"100%\""),
        ("Repository", "{folders: [a], minimumAgent: \"1.2\"}", "three numbers"),
    ] {
        let found = read(kind, &format!("spec: {spec}")).unwrap_err();
        assert!(found.contains(says), "{kind} {spec}: {found:?} should say {says:?}");
    }
    let found = read("Host", "target: {}\nspec: {environment: p, keyFingerprint: x}").unwrap_err();
    assert!(found.contains("target, which has no meaning for kind Host"), "{found}");
}

#[test]
fn what_a_unit_cannot_be_is_refused() {
    for (kind, spec, says) in [
        ("Unit", "{}", "spec.name: no unit's name"),
        ("Unit", "{name: shop}", "has no ending such as"),
        ("Unit", "{name: a.service, contents: \" \"}", "an empty unit file"),
        ("Unit", "{name: a.service, state: any}", "nothing is asked"),
        ("Unit", "{name: a.service, enabled: true, contents: \"[Service]\"}", "no [Install]"),
        ("Unit", "{name: a.service, masked: true, contents: x}", "files of its own"),
        ("Unit", "{name: a.service, masked: true, state: started}", "masked and started"),
        ("Unit", "{name: a.service, masked: true, enabled: true}", "masked and enabled"),
        ("Unit", "{name: a@.service, contents: x, state: started}", "runs itself"),
        ("Unit", "{name: a@.service, contents: x, enabled: true}", "enabled itself"),
        ("Unit", "{name: a.service, dropIns: {limits: x}}", "does not end with .conf"),
    ] {
        let found = read(kind, &format!("spec: {spec}")).unwrap_err();
        assert!(found.contains(says), "{kind} {spec}: {found:?} should say {says:?}");
    }
}

#[test]
fn a_unit_is_called_as_its_manifest_and_started_unless_something_else_is_said() {
    let text = "apiVersion: bowline/v1\nkind: Unit\nmetadata: {name: shop.service}\nspec: {}\n";
    let (found, faults) = manifests("a.yaml", text.as_bytes());
    assert!(faults.is_empty(), "{faults}");
    let Spec::Unit(unit) = &found[0].spec else { panic!("{found:?}") };
    assert_eq!((unit.name.as_str(), unit.wish().up), ("shop.service", Some(true)));
    assert_eq!(unit.file().as_str(), "/etc/systemd/system/shop.service");
    assert!(found[0].claims().is_empty(), "a unit that something else brings");
    for (spec, up, on_change) in [
        ("{name: a.service, masked: true}", Some(false), OnChange::Restart),
        ("{name: a@.service, contents: x}", None, OnChange::None),
        ("{name: a.service, contents: x, state: any}", None, OnChange::None),
        ("{name: a.service, contents: x}", Some(true), OnChange::Restart),
    ] {
        let manifest = read("Unit", &format!("spec: {spec}")).unwrap();
        let Spec::Unit(unit) = &manifest.spec else { panic!("{manifest:?}") };
        assert_eq!((unit.wish().up, unit.on_change), (up, on_change), "{spec}");
    }
}

#[test]
fn means_guards_and_reasons_are_typed() {
    let probe = read("Probe", "spec: {tcp: {address: \"db:5432\"}}").unwrap();
    assert!(matches!(&probe.spec, Spec::Probe(it) if matches!(it.means, ProbeMeans::Tcp(_))));
    let command = read("Command", "spec: {argv: [/bin/x], creates: /made}").unwrap();
    assert!(matches!(&command.spec, Spec::Command(it) if matches!(it.guard, Guard::Creates(_))));
    assert!(command.claims().is_empty());
    let tree = read("Directory", "policy: {rollback: {none: why}}\nspec: {path: /a, source: s}");
    let tree = tree.unwrap();
    assert_eq!(tree.policy.rollback, Rollback::None("why".to_owned()));
    assert_eq!(tree.claims()[0].reach, Reach::Tree);
    assert_eq!(tree.id().to_string(), "Directory/a");
}

/// The worked example of the language's description, cut to the kinds of this version.
const WORKED: &str = r#"
apiVersion: bowline/v1
kind: Template
metadata: {name: shop-config}
notify: [{unit: shop.service, action: restart}]
spec:
  path: /etc/shop/shop.toml
  group: shop
  mode: "0640"
  source: templates/shop.toml.j2
  values: {workers: "{{ facts.cpu.count * 2 }}"}
  validate: ["/opt/shop/current/bin/shop", "check-config", "%s"]
---
apiVersion: bowline/v1
kind: Probe
metadata: {name: shop-ready}
spec: {http: {url: "http://127.0.0.1:8080/readyz", expect: {status: 200, json: {version: "4.7.0"}}}, deadline: 5m, soak: 10m}
---
"#;

#[test]
fn the_worked_example_is_read() {
    let (found, faults) = manifests("shop.yaml", WORKED.as_bytes());
    assert!(faults.is_empty(), "{faults}");
    let Spec::Template(template) = &found[0].spec else { panic!("{found:?}") };
    assert!(template.validate.as_ref().is_some_and(Validation::is_staged));
    assert_eq!((template.owner.as_str(), template.group.as_str()), ("root", "shop"));
    assert_eq!(template.mode.to_string(), "0640");
    let Spec::Probe(probe) = &found[1].spec else { panic!("{found:?}") };
    assert_eq!((probe.deadline.to_string(), probe.soak.to_string()), ("5m".into(), "10m".into()));
    let ProbeMeans::Http(http) = &probe.means else { panic!("{probe:?}") };
    assert_eq!(http.expect.json["version"], "4.7.0");
    // The kinds that were cut say so; nothing calls them unknown.
    for kind in super::Kind::UNSUPPORTED {
        let found = read(kind, "spec: {}").unwrap_err();
        let says = format!("a.yaml:2:7: kind: kind {kind} is not supported by this version");
        assert!(found.starts_with(&says), "{found}");
    }
}
