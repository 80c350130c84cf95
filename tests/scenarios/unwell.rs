//! Applications that are not well, and undo steps that fail for good.
//!
//! **Invariant:** a trial ends by its deadline and soak; a host that cannot be proved back is stranded.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bowline_api::outcome::Outcome;

use crate::story::{command, file, probe, settled};

/// An application on loopback that answers each request with the status that `answer` gives for its
/// number; 0 is no answer at all. It ends with the test's process.
fn application(answer: impl Fn(usize) -> u16 + Send + 'static) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut silent = Vec::new();
        for stream in listener.incoming().take(1000) {
            let Ok(mut stream) = stream else { return };
            let number = count.fetch_add(1, Ordering::SeqCst);
            let mut request = [0; 1024];
            if stream.read(&mut request).is_err() {
                continue;
            }
            match answer(number) {
                0 => silent.push(stream),
                status => {
                    let text = format!(
                        "HTTP/1.1 {status} X\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
                    );
                    drop(stream.write_all(text.as_bytes()));
                }
            }
        }
    });
    (port, asked)
}

fn http(port: u16, times: &str) -> String {
    format!(
        "---\napiVersion: bowline/v1\nkind: Probe\nmetadata: {{name: web}}\nspec: {{http: {{url: \"http://127.0.0.1:{port}/\"}}, {times}}}\n"
    )
}

const QUICK: &str = "interval: 200ms, timeout: 300ms, successThreshold: 2, failureThreshold: 2, deadline: 3s, soak: 1s";

#[test]
fn fault_24_probes_that_flap_hang_or_fail_in_their_soak() {
    type Answer = fn(usize) -> u16;
    let cases: [(&str, Answer, Outcome); 5] = [
        ("always well", |_| 200, Outcome::Committed),
        ("late, but in time", |number| if number < 3 { 503 } else { 200 }, Outcome::Committed),
        ("flaps", |number| if number % 2 == 0 { 200 } else { 500 }, Outcome::Reverted),
        ("hangs", |_| 0, Outcome::Reverted),
        ("fails in its soak", |number| if number < 3 { 200 } else { 500 }, Outcome::Reverted),
    ];
    for (what, answer, outcome) in cases {
        let (port, asked) = application(answer);
        let shop = settled("");
        let two = file("app", "/etc/app.conf", "app two\n");
        shop.write("apps/app.yaml", format!("{two}{}", http(port, QUICK)));
        shop.commit("two");
        let began = Instant::now();
        let told = shop.once();
        let cycle = told.ended(outcome);
        // Deadline and soak, a last look, and what a busy machine takes beside.
        assert!(began.elapsed() < Duration::from_secs(20), "{what}: {:?}", began.elapsed());
        assert!(asked.load(Ordering::SeqCst) > 1, "{what}");
        let text = fs::read_to_string(shop.on_host("/etc/app.conf")).unwrap();
        let stays = outcome == Outcome::Committed;
        assert_eq!(text, if stays { "app two\n" } else { "app one\n" }, "{what}: {cycle:#?}");
        if !stays {
            assert_eq!(cycle.code, "probe-failed", "{what}");
        }
    }
}

#[test]
fn fault_25_an_undo_that_fails_for_good_strands_the_host_and_keeps_everything() {
    let shop = settled("");
    let broken = command("broken", "touch $BOWLINE_ROOT/etc/made", "exit 1", "/etc/made");
    let two = file("app", "/etc/app.conf", "app two\n");
    shop.write("apps/app.yaml", format!("{two}{broken}{}", probe("[/bin/false]")));
    shop.commit("two");
    let told = shop.once();
    let cycle = told.ended_for(Outcome::Stranded, "stranded");
    assert!(cycle.detail.contains("cannot be taken back"), "{cycle:#?}");
    assert!(cycle.detail.contains("not ready"), "it says why it was taken back: {cycle:#?}");
    // Everything is kept: journal and stage.
    let journal = fs::read_dir(shop.state().join("journal")).unwrap().count();
    assert_eq!(journal, 2);
    assert!(shop.on_host("/.bowline-stage").is_dir());
    // It stays so until a person comes, and nothing more is touched.
    shop.once().ended_for(Outcome::Stranded, "stranded");
    assert!(shop.on_host("/etc/made").exists());
}
