//! `bowline status`, `history`, `show`, `sync`: a word with an agent; here with one that only speaks.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::thread::{self, JoinHandle};

use bowline_api::outcome::Outcome;
use bowline_api::status::{Last, Quarantined, Status};

use crate::sealed::{Said, Sealed};

/// Answers one request at the socket `agent.sock`, and gives its first line.
fn serve(sealed: &Sealed, status: &str, body: String) -> JoinHandle<String> {
    let path = sealed.path("agent.sock");
    drop(std::fs::remove_file(&path));
    let listener = UnixListener::bind(path).unwrap();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        let mut piece = [0; 1024];
        while !asked.ends_with(b"\r\n\r\n") {
            let length = stream.read(&mut piece).unwrap();
            asked.extend_from_slice(&piece[..length]);
        }
        stream.write_all((head + &body).as_bytes()).unwrap();
        String::from_utf8(asked).unwrap().lines().next().unwrap().to_owned()
    })
}

fn ask(sealed: &Sealed, arguments: &[&str]) -> Said {
    sealed.bowline(&[arguments, &["--socket", "agent.sock"]].concat())
}

fn status(outcome: Outcome) -> Status {
    let last = Last {
        deployment: "d000002".into(),
        revision: None,
        outcome,
        reason: "ProbeFailed".into(),
        code: "probe-failed".into(),
        detail: "web: status 500, expected 200".into(),
        at: "2026-11-01T00:00:00Z".into(),
    };
    Status {
        name: "web-1".into(),
        version: "0.1.0".into(),
        phase: "rest".into(),
        last: Some(last),
        warnings: vec!["look here".into()],
        ..Status::default()
    }
}

#[test]
fn status_exits_as_the_last_cycle_ended() {
    let sealed = Sealed::new();
    for outcome in Outcome::ALL {
        let body = serde_json::to_string(&status(outcome)).unwrap();
        let server = serve(&sealed, "200 OK", body);
        let stdout = format!(
            "host          web-1 (bowline 0.1.0)\nphase         rest\n\
             last outcome  d000002 {outcome}: ProbeFailed: web: status 500, expected 200 \
             at 2026-11-01T00:00:00Z\n\
             hint          look at what the probe saw, correct the change, and merge again: it is not \
             tried again as it is\nwarning: look here\n"
        );
        ask(&sealed, &["status"]).is(i32::from(outcome.exit_code()), &stdout, "");
        assert_eq!(server.join().unwrap(), "GET /v1/status HTTP/1.1");
    }
}

#[test]
fn what_is_quarantined_is_shown_with_what_to_do_about_it() {
    let sealed = Sealed::new();
    let of = |resources: Vec<String>| Quarantined {
        revision: format!("main@sha1:{}", "0123456789".repeat(4)),
        resources,
        reason: "HealthCheckFailed: Probe/web was not ready within 5m".into(),
        at: "2026-11-01T00:00:00Z".into(),
    };
    let many = (0..10).map(|it| format!("File/{it}")).collect();
    let quarantine = vec![of(vec!["File/web".into(), "Probe/web".into()]), of(many)];
    let status = Status { name: "web-1".into(), quarantine, ..Status::default() };
    let server = serve(&sealed, "200 OK", serde_json::to_string(&status).unwrap());
    let rest = "\x20 revision   main@sha1:OID
  since      2026-11-01T00:00:00Z
  why        HealthCheckFailed: Probe/web was not ready within 5m
  retry      merge a change to one of these resources, or take the change out; or order `bowline retry`
";
    let stdout = format!(
        "host  web-1 (bowline )\nquarantined  File/web, Probe/web\n{rest}\
         quarantined  File/0, File/1, File/2, File/3, File/4, File/5, File/6, File/7 and 2 more\n{rest}"
    );
    ask(&sealed, &["status"]).is(0, &stdout, "");
    server.join().unwrap();
}

#[test]
fn json_is_what_the_agent_said() {
    let sealed = Sealed::new();
    let server = serve(&sealed, "200 OK", "{\"name\":\"web-1\",\"later\":[1]}".to_owned());
    ask(&sealed, &["status", "--json"]).is(0, "{\"later\":[1],\"name\":\"web-1\"}\n", "");
    server.join().unwrap();
}

const RECORD: &str = r#"{"v":1,"host":"web-1","seq":2,"prev":"00","at":"2026-11-01T00:00:00Z",
    "kind":"deployment","deployment":"d000002","revision":"main@sha1:0123456789abcdef0123456789abcdef01234567",
    "base":null,"outcome":"reverted","reason":"ProbeFailed","detail":"status 500","trustSha256":"00",
    "policy":null,"steps":{"changed":2,"byKind":{"File":2}},"proof":{"before":"ab","after":"ab"},
    "probes":[{"name":"web","passed":false,"detail":"status 500"}],
    "conflicts":[{"path":"/srv/a","kept":"/srv/a.theirs","detail":"changed meanwhile"}]}"#;

#[test]
fn history_has_a_line_for_each_record() {
    let sealed = Sealed::new();
    let server = serve(&sealed, "200 OK", format!("[{RECORD}]"));
    let stdout = "2026-11-01T00:00:00Z  reverted   d000002  main@SHORT  ProbeFailed: status 500\n";
    ask(&sealed, &["history"]).is(0, stdout, "");
    assert_eq!(server.join().unwrap(), "GET /v1/history HTTP/1.1");
}

#[test]
fn one_record_is_shown_in_full() {
    let sealed = Sealed::new();
    let server = serve(&sealed, "200 OK", RECORD.to_owned());
    let stdout = "\
deployment  d000002
outcome     reverted
reason      ProbeFailed: status 500
at          2026-11-01T00:00:00Z
host        web-1
revision    main@sha1:OID
steps       2 (2 File)
proof       as before, sha256:ab
record      2 after 00
probe: web failed, status 500
conflict: /srv/a: changed meanwhile; theirs is kept at /srv/a.theirs
";
    ask(&sealed, &["show", "d000002"]).is(0, stdout, "");
    assert_eq!(server.join().unwrap(), "GET /v1/deployments/d000002 HTTP/1.1");
}

#[test]
fn sync_asks_for_a_cycle() {
    let sealed = Sealed::new();
    let server = serve(&sealed, "202 Accepted", "{\"asked\":true}".to_owned());
    let stdout = "asked for a cycle; `bowline status` tells how it ends\n";
    ask(&sealed, &["sync"]).is(0, stdout, "");
    assert_eq!(server.join().unwrap(), "POST /v1/sync HTTP/1.1");
}

#[test]
fn a_problem_is_told_in_the_agents_words() {
    let sealed = Sealed::new();
    let problem = r#"{"title":"no such deployment","status":404,"detail":"this host has none"}"#;
    let server = serve(&sealed, "404 Not Found", problem.to_owned());
    let stderr = "error: no such deployment: this host has none\n\
                  hint: `bowline history` lists the ids\n";
    ask(&sealed, &["show", "d9"]).is(1, "", stderr);
    server.join().unwrap();
    let server = serve(&sealed, "500 Oops", "oops".to_owned());
    let stderr = "error: the agent answered /v1/status with status 500\n";
    ask(&sealed, &["status"]).is(1, "", stderr);
    server.join().unwrap();
}

#[test]
fn an_answer_that_is_no_status_is_not_shown() {
    let sealed = Sealed::new();
    for body in ["7", "\"hello\"", "hello", "{\"last\":{\"outcome\":\"fine\"}}"] {
        let server = serve(&sealed, "200 OK", body.to_owned());
        let said = ask(&sealed, &["status"]);
        assert_eq!((said.code, said.stdout.as_str()), (1, ""), "{body}: {said:?}");
        server.join().unwrap();
    }
}

#[test]
fn the_agent_is_found_by_its_settings() {
    let sealed = Sealed::new();
    let fine = || "{\"name\":\"web-1\"}".to_owned();
    let stdout = "host  web-1 (bowline )\n";
    // A written path is relative to the file; a default lies below the root.
    sealed.write("etc/agent.toml", "[source]\nurl = \"repo\"\n[api]\nsocket = \"../agent.sock\"\n");
    let server = serve(&sealed, "200 OK", fine());
    sealed.bowline(&["status", "--config", "etc/agent.toml"]).is(0, stdout, "");
    server.join().unwrap();
    sealed.write("plain.toml", "[source]\nurl = \"repo\"\n");
    std::fs::create_dir_all(sealed.path("root/run/bowline")).unwrap();
    let server = serve(&sealed, "200 OK", fine());
    std::fs::rename(sealed.path("agent.sock"), sealed.path("root/run/bowline/agent.sock")).unwrap();
    sealed.bowline(&["status", "--config", "plain.toml", "--root", "root"]).is(0, stdout, "");
    server.join().unwrap();
    sealed.write("none.toml", "[source]\nurl = \"repo\"\n[api]\nsocket = \"\"\n");
    let stderr = "error: HERE/none.toml has the agent listen nowhere\n\
                  hint: set [api] socket or listen\n";
    for verb in [&["status"][..], &["history"], &["sync"], &["show", "d1"]] {
        sealed.bowline(&[verb, &["--config", "none.toml"]].concat()).is(2, "", stderr);
    }
    let both = ["status", "--config", "none.toml", "--socket", "agent.sock"];
    assert_eq!(sealed.bowline(&both).code, 2);
}

#[test]
fn nobody_there_is_a_failure_with_a_hint() {
    let sealed = Sealed::new();
    let stderr = "error: reach the agent at agent.sock\ncaused by: No such file or directory (os error 2)\n\
                  hint: is bowline-agent running? name its settings with --config, or its socket with --socket\n";
    ask(&sealed, &["status"]).is(1, "", stderr);
}

#[test]
fn an_id_or_an_address_that_is_none_is_a_mistake() {
    let sealed = Sealed::new();
    let stderr = "error: \"../status\" is not the id of a deployment\nhint: `bowline history` lists the ids\n";
    ask(&sealed, &["show", "../status"]).is(2, "", stderr);
    let said = sealed.bowline(&["status", "--url", "https://127.0.0.1:1"]);
    assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{said:?}");
}
