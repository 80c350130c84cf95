//! The service asked by schemathesis, a program of others, whatever its description allows and forbids.

use std::path::Path;
use std::process::Command;

use bowline_api::outcome::Outcome;

use crate::host::Host;
use crate::service::Service;

#[test]
fn whatever_is_asked_is_answered_as_described() {
    // Where it stands is said by CI, which puts it into a folder of its own.
    let program = std::env::var_os("BOWLINE_SCHEMATHESIS").unwrap_or("schemathesis".into());
    if Command::new(&program).arg("--version").output().is_err() {
        assert!(std::env::var_os("BOWLINE_CI").is_none(), "schemathesis is missing");
        println!(
            "left out: schemathesis is missing (PyPI has it; tests/control/requirements.txt says which version)"
        );
        return;
    }
    let service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    host.tell(&"a1".repeat(20), None, Outcome::Committed);
    host.tell(&"b2".repeat(20), Some(&"a1".repeat(20)), Outcome::Reverted);
    assert_eq!(service.send(&host.all()).status, 200);
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("control/schemathesis.toml");
    let asked = Command::new(program)
        .arg("--config-file")
        .arg(config)
        .arg("run")
        .arg(format!("http://{}/openapi.json", service.address))
        .env(
            "SCHEMATHESIS_HOOKS",
            Path::new(env!("CARGO_MANIFEST_DIR")).join("control/serializers.py"),
        )
        // Python leaves nothing beside the sources, and what is found stays in the service's folder.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(service.folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&asked.stdout).into_owned();
    assert!(asked.status.success(), "{said}\n{}", String::from_utf8_lossy(&asked.stderr));
    let tested = said.lines().find_map(|it| it.trim().strip_prefix("Tested: ")).unwrap();
    assert!(tested.trim().parse::<u32>().unwrap() >= 20, "{said}");
    assert_eq!(service.get("/healthz").status, 200);
    assert_eq!(service.seq("web-1"), 2, "nothing of it was taken");
}
