//! `/metrics`, judged by Prometheus' own tools: its linter, and a server that scrapes it.
//!
//! **Invariant:** what is asserted was read back out of Prometheus.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tests::agent::until;
use tests::workshop::Workshop;

use crate::story::settled;

/// Whether Prometheus is here. In CI it must be; elsewhere its absence is told.
fn is_here() -> bool {
    let here = ["promtool", "prometheus"].iter().all(|it| {
        let mut command = Command::new(it);
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|it| it.success())
    });
    assert!(here || std::env::var_os("BOWLINE_CI").is_none(), "prometheus is missing");
    if !here {
        println!("needs promtool and prometheus: apt-get install prometheus");
    }
    here
}

fn free() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn listening() -> (Workshop, String) {
    let (shop, address) = (settled(""), free());
    let path = shop.folder().join("agent.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, text.replace("[api]\n", &format!("[api]\nlisten = \"{address}\"\n"))).unwrap();
    (shop, address)
}

/// The body of an answer; `None` while nobody answers well.
fn get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.contains(" 200 ").then(|| body.to_owned())
}

/// A server of the test's own; ended with it.
struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn the_linter_finds_nothing_and_a_real_prometheus_scrapes_the_outcome() {
    if !is_here() {
        return;
    }
    let (shop, address) = listening();
    let settings = shop.folder().join("agent.toml");
    let text = fs::read_to_string(&settings).unwrap();
    // Nobody is there: what waits for it is measured all the same.
    fs::write(settings, text + "[control]\nurl = \"http://127.0.0.1:9\"\n").unwrap();
    let service = shop.serve();
    let waits = "bowline_spool_waiting_records 1";
    until("what waits is measured", || {
        get(&address, "/metrics").is_some_and(|it| it.contains(waits))
    });
    let ended = "bowline_last_outcome{outcome=\"unchanged\"} 1";
    until("a cycle is measured", || get(&address, "/metrics").is_some_and(|it| it.contains(ended)));
    let page = get(&address, "/metrics").unwrap();
    let mut lint = shop.command("promtool");
    let lint = lint.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut lint = lint.stderr(Stdio::piped()).spawn().unwrap();
    lint.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let found = lint.wait_with_output().unwrap();
    assert!(found.status.success(), "{page}\n{}", String::from_utf8_lossy(&found.stderr));
    let web = free();
    let config = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: bowline\n  \
         static_configs: [{{targets: [\"{address}\"]}}]\n"
    );
    fs::write(shop.folder().join("prometheus.yml"), config).unwrap();
    let mut server = shop.command("prometheus");
    server.args(["--config.file=prometheus.yml", "--storage.tsdb.path=tsdb"]);
    server.arg(format!("--web.listen-address={web}"));
    let server = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let _server = Prometheus(server);
    let sample = |query: &str, value: &str| {
        let found = get(&web, &format!("/api/v1/query?query={query}")).unwrap_or_default();
        found.contains(&format!(",\"{value}\"]"))
    };
    let last = "bowline_last_outcome%7Boutcome%3D%22unchanged%22%7D";
    until("Prometheus has the sample", || sample(last, "1"));
    until("the generation is there too", || sample("bowline_generation", "1"));
    assert!(sample("bowline_spool_acked_sequence", "0"));
    // The policy's own words: 2099-01-01.
    assert!(sample("bowline_policy_version", "1"));
    assert!(sample("bowline_policy_expires_timestamp_seconds", "4070908800"));
    assert!(sample("bowline_ready", "1") && sample("bowline_paused", "0"));
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn figures_move_with_what_happens_and_their_labels_stay_few() {
    let (shop, address) = listening();
    let service = shop.serve();
    let figure = |name: &str| {
        let page = get(&address, "/metrics").unwrap();
        let line =
            page.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
        line.unwrap_or_else(|| panic!("{name} is not in {page}")).parse::<f64>().unwrap()
    };
    let polls =
        |result: &str| figure(&format!("bowline_polls_total{{result=\"{result}\"}}")) as i64;
    until("the first cycle is over", || polls("unchanged") == 1);
    assert_eq!((polls("changed"), polls("failed")), (0, 0));
    let before = figure("bowline_fetched_bytes_total");
    assert_eq!(figure("bowline_quarantined_changes") as i64, 0);
    shop.write(
        "apps/bad.yaml",
        crate::story::file("bad", "/etc/bad", "bad\n") + &crate::story::probe("[/bin/false]"),
    );
    shop.commit("bad");
    let said = shop.bowline(&["sync", "--wait"]);
    assert_eq!(said.0, 1, "{said:?}");
    assert_eq!((polls("changed"), polls("failed")), (1, 0));
    assert!(figure("bowline_fetched_bytes_total") > before);
    assert_eq!(figure("bowline_cycles_total{outcome=\"reverted\"}") as i64, 1);
    assert_eq!(figure("bowline_last_outcome{outcome=\"reverted\"}") as i64, 1);
    assert_eq!(figure("bowline_last_outcome{outcome=\"unchanged\"}") as i64, 0);
    assert!(figure("bowline_outcome_timestamp_seconds{outcome=\"reverted\"}") > 1e9);
    assert_eq!(figure("bowline_quarantined_changes") as i64, 1);
    assert!(figure("bowline_phase_seconds_total{phase=\"revert\"}") > 0.0);
    assert_eq!(shop.bowline(&["pause", "--reason", "x"]).0, 0);
    assert_eq!(figure("bowline_paused") as i64, 1);
    assert_eq!(shop.bowline(&["resume"]).0, 0);
    fs::rename(shop.repo(), shop.folder().join("away")).unwrap();
    service.sync();
    until("a poll failed", || polls("failed") >= 1);
    let page = get(&address, "/metrics").unwrap();
    assert!(page.lines().count() < 150, "{page}");
    assert_eq!(service.stop(), Some(0));
}
