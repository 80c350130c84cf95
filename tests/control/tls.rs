//! TLS that the service ends itself: which, for whom, and what becomes of everybody else.

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tests::agent::until;
use tests::authority::Authority;
use tests::binaries;
use tests::programs::run_to_its_end;

use crate::http::{connect, head, read};
use crate::sealed::{Sealed, TOKEN};
use crate::service::{Folder, Service};
use crate::strangers::from_elsewhere;

/// How long a service may take to find that it cannot start.
const TIME: Duration = Duration::from_secs(30);

#[test]
fn tls_1_2_and_1_3_are_spoken_and_nothing_older() {
    let sealed = Sealed::with("");
    for (version, is_spoken) in [("-tls1_2", true), ("-tls1_3", true), ("-tls1_1", false)] {
        // OpenSSL itself offers old versions only when it is told to fear nothing.
        let more = [version, "-alpn", "h2,http/1.1", "-cipher", "ALL:@SECLEVEL=0"];
        let Some((is_done, told)) = sealed.shake(&more) else { return };
        assert_eq!(is_done, is_spoken, "{version}: {told}");
        assert_eq!(told.contains("ALPN protocol: http/1.1"), is_spoken, "{version}: {told}");
    }
    let (_, told) = sealed.shake(&["-alpn", "h2"]).unwrap();
    assert!(told.contains("no application protocol"), "{told}");
    let (is_done, told) = sealed.shake(&["-tls1_2", "-reconnect"]).unwrap();
    assert!(is_done && told.matches("New, TLSv1.2").count() > 4, "{told}");
    assert!(!told.contains("Reused, "), "no session is resumed: {told}");
    let answer = sealed.curl("/healthz", &[]).unwrap();
    assert_eq!((answer.code, answer.status), (Some(0), 200), "{answer:?}");
    // Nobody else's word is taken for the service's.
    let other =
        sealed.curl("/healthz", &["--capath", "/nonexistent", "--cacert", "server.key.pem"]);
    assert_ne!(other.unwrap().code, Some(0));
}

#[test]
fn who_speaks_plain_http_to_it_is_told_to_use_tls() {
    let sealed = Sealed::with("");
    let address = sealed.service.address;
    let large = vec![b'x'; 1 << 20];
    for (method, body) in [("GET", b"".as_slice()), ("POST", &large)] {
        let answer = crate::http::try_ask(address, method, "/healthz", Some(TOKEN), body).unwrap();
        let detail = answer.problem(400);
        assert!(detail.contains("https://") && !detail.contains(TOKEN), "{detail}");
    }
    assert!(sealed.service.figure("tls_handshakes_total{result=\"failed\"}") >= 2);
    assert!(sealed.service.figure("tls_handshakes_total{result=\"ok\"}") >= 1);
    until("it is logged", || sealed.service.said().contains("a TLS handshake failed"));
}

#[test]
fn handshakes_that_do_not_end_stop_nobody_and_are_over_in_time() {
    let sealed = Sealed::with("limits.headTime = \"2s\"\n");
    let begun = Instant::now();
    let half = [b"\x16".as_slice(), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b""];
    let mut slow: Vec<_> = (0..200).map(|_| connect(sealed.service.address)).collect();
    for (at, stream) in slow.iter_mut().enumerate() {
        stream.write_all(half[at % half.len()]).unwrap();
    }
    let asked = Instant::now();
    assert_eq!(sealed.service.get("/healthz").status, 200);
    assert!(asked.elapsed() < Duration::from_millis(1500), "{:?}", asked.elapsed());
    for stream in &mut slow {
        // The client's own patience is a minute: an error here means that nothing was limited.
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"");
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert!(sealed.service.figure("tls_handshakes_total{result=\"failed\"}") >= 200);
}

/// An alert that ends a handshake, in a record of its own.
const FATAL: &[u8] = b"\x15\x03\x03\x00\x02\x02";

#[test]
fn what_is_no_tls_is_no_trouble() {
    let sealed = Sealed::with("limits.headTime = \"1s\"\n");
    let endless = [b"\x16\x03\x01\xff\xff".as_slice(), &[1; 70_000]].concat();
    let (plain, silence) = (b"HTTP/1.1 400 ".as_slice(), b"".as_slice());
    for (sent, answer) in [
        (b"\x16\x03\x01\0\x02\x01\0".as_slice(), silence),
        (b"\x16\x03\x01\0\x04\x02\0\0\0", FATAL),
        (&[0; 64], plain),
        (b"\x80\x2e\x01", plain),
        (&endless, FATAL),
    ] {
        let mut stream = connect(sealed.service.address);
        stream.write_all(sent).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        assert!(bytes.starts_with(answer), "{bytes:?}");
        assert_eq!(bytes.is_empty(), answer.is_empty(), "{bytes:?}");
    }
    assert_eq!(sealed.service.get("/healthz").status, 200);
}

/// A client's hello of the largest size, but for its end.
fn unfinished_hello() -> Vec<u8> {
    let mut hello = Vec::new();
    for _ in 0..4 {
        hello.extend_from_slice(b"\x16\x03\x01\x40\x00");
        hello.extend_from_slice(&[0; 0x4000]);
    }
    // It says that it has 65,520 bytes.
    hello[5..9].copy_from_slice(b"\x01\x00\xff\xf0");
    hello.truncate(60_000);
    hello
}

#[test]
fn large_handshakes_that_do_not_end_hold_little_together_and_stop_nobody() {
    let sealed = Sealed::with("limits.headTime = \"1m\"\n");
    let (before, hello) = (sealed.service.resident_kib(), unfinished_hello());
    let mut held: Vec<_> = (0..1000).map(|_| from_elsewhere(sealed.service.address)).collect();
    for stream in &mut held {
        // One that is let go in the middle has heard enough.
        drop(stream.write_all(&hello));
    }
    until("those that are too many are let go", || {
        sealed.service.figure("tls_handshakes_total{result=\"failed\"}") > 900
    });
    let more = sealed.service.peak_kib().saturating_sub(before);
    assert!(more < 40 << 10, "{more} KiB are held for nobody");
    drop(held);
}

#[test]
fn who_gets_no_place_is_let_go_without_a_handshake() {
    let sealed = Sealed::with("limits.connections = 1\nlimits.headTime = \"20s\"\n");
    let idle = TcpStream::connect(sealed.service.address).unwrap();
    let mut late = connect(sealed.service.address);
    late.write_all(b"\x16\x03\x01\x02\0\x01").unwrap();
    let mut bytes = Vec::new();
    // A reset is an answer, too.
    late.read_to_end(&mut bytes).unwrap_or_default();
    assert_eq!(bytes, b"", "nothing is said in the clear, and no handshake begun");
    drop(idle);
    until("a place is free again", || {
        let mut stream = sealed.connect();
        stream.write_all(head("GET", "/healthz", None, 0).as_bytes()).is_ok()
            && read(&mut stream).is_some_and(|it| it.status == 200)
    });
}

#[test]
fn an_end_that_was_meant_is_told_over_tls() {
    for is_stopped in [false, true] {
        let time = if is_stopped { "50s" } else { "1s" };
        let mut sealed = Sealed::with(&format!("limits.headTime = \"{time}\"\n"));
        let mut stream = sealed.connect();
        let kept = head("GET", "/healthz", None, 0).replace("close", "keep-alive");
        stream.write_all(kept.as_bytes()).unwrap();
        let mut begin = [0; 12];
        stream.read_exact(&mut begin).unwrap();
        assert_eq!(&begin, b"HTTP/1.1 200");
        if is_stopped {
            sealed.service.signal(Signal::SIGTERM);
        }
        // Without close_notify this is an error: the end may then be somebody's on the way.
        stream.read_to_end(&mut Vec::new()).unwrap();
        if is_stopped {
            assert_eq!(sealed.service.wait(), Some(0));
        }
    }
}

#[test]
fn a_login_over_tls_has_a_cookie_that_goes_over_tls_only() {
    let sealed = Sealed::with(&Sealed::readers());
    let form = ["--data-urlencode", &format!("token={TOKEN}"), "-c", "jar"];
    let origin = format!("Origin: {}", sealed.url(""));
    let Some(answer) = sealed.curl("/login", &[form.as_slice(), &["-H", &origin]].concat()) else {
        return;
    };
    assert_eq!(answer.status, 303, "{answer:?}");
    let cookie = answer.text.lines().find(|it| it.starts_with("set-cookie: ")).unwrap();
    assert!(cookie.contains("__Host-bowline=") && cookie.contains("; Secure"), "{cookie}");
    assert_eq!(sealed.curl("/", &["-b", "jar"]).unwrap().status, 200);
    assert_eq!(sealed.curl("/", &[]).unwrap().status, 303);
    let clear = format!("Origin: http://{}", sealed.service.address);
    let foreign = sealed.curl("/login", &[form.as_slice(), &["-H", &clear]].concat()).unwrap();
    assert_eq!(foreign.status, 403, "{foreign:?}");
}

/// Starts the service with files that cannot be used; gives what it says.
fn refused(folder: &Folder, tls: &str) -> String {
    let file = folder.path().join("control.toml");
    fs::write(&file, format!("listen.address = \"127.0.0.1:0\"\nstore.file = \"c.db\"\n{tls}"))
        .unwrap();
    let mut command = std::process::Command::new(binaries::control());
    command.arg("--config").arg(&file);
    let (code, said) = run_to_its_end(&mut command, "refuse to start", TIME).unwrap();
    assert_eq!(code, Some(2), "{tls}: {said}");
    assert!(said.contains("hint: "), "{said}");
    said
}

#[test]
fn files_that_cannot_be_used_end_the_start_and_say_what_to_do() {
    let folder = Folder::new();
    let authority = Authority::new(folder.path(), "own");
    for name in ["one", "two"] {
        authority.issue(name, "127.0.0.1");
    }
    let path = |name: &str| folder.path().join(name);
    fs::copy(path("one.key.pem"), path("open.pem")).unwrap();
    fs::set_permissions(path("open.pem"), Permissions::from_mode(0o640)).unwrap();
    fs::write(path("half.pem"), &fs::read(path("one.cert.pem")).unwrap()[..200]).unwrap();
    fs::set_permissions(path("half.pem"), Permissions::from_mode(0o600)).unwrap();
    for (certificate, key, client_ca, said) in [
        ("one.cert.pem", "", "", "tls.keyFile"),
        ("", "one.key.pem", "", "tls.certFile"),
        ("", "", "own.ca.pem", "tls.clientCaFile"),
        ("none.pem", "one.key.pem", "", "none.pem"),
        ("one.cert.pem", "none.pem", "", "none.pem"),
        ("one.cert.pem", "one.key.pem", "none.pem", "none.pem"),
        ("one.cert.pem", "two.key.pem", "", "does not go with the key"),
        ("own.ca.pem", "one.key.pem", "", "does not go with the key"),
        ("one.key.pem", "one.key.pem", "", "one.key.pem holds no certificate in PEM"),
        ("half.pem", "one.key.pem", "", "half.pem is no PEM"),
        ("one.cert.pem", "half.pem", "", "half.pem holds no plain private key in PEM"),
        ("one.cert.pem", "one.key.pem", "one.key.pem", "one.key.pem holds no certificate in PEM"),
        ("one.cert.pem", "open.pem", "", "open.pem holds a private key and has mode 0640"),
        (".", "one.key.pem", "", "plain file"),
    ] {
        let tls = format!(
            "tls.certFile = \"{certificate}\"\ntls.keyFile = \"{key}\"\ntls.clientCaFile = \"{client_ca}\"\n"
        );
        let shown = refused(&folder, &tls);
        assert!(shown.contains(said), "{said} is not in {shown}");
        assert!(!shown.contains("BEGIN"), "{shown}");
    }
    assert!(
        refused(&folder, "tls.certFile = \"one.cert.pem\"\ntls.keyFile = \"open.pem\"\n")
            .contains("chmod 600")
    );
    assert!(!path("c.db").exists(), "nothing was begun");
}

#[test]
fn plain_http_beyond_this_machine_is_warned_of() {
    let mut service = Service::with(&Sealed::readers());
    assert_eq!(service.stop(), Some(0));
    let file = service.folder.path().join("control.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("127.0.0.1:0", "0.0.0.0:0")).unwrap();
    assert!(!service.said().contains("in the clear"));
    service.start();
    until("it warns", || service.said().contains("tokens travel in the clear"));
}

#[test]
fn the_manuals_commands_make_certificates_that_work() {
    let Some(_) = tests::served::programs(&["openssl", "curl"]) else { return };
    let manual = fs::read_to_string("../control/README.md").unwrap();
    let script = manual.split("```sh\n").find(|it| it.starts_with("new() {")).unwrap();
    let script = script.split("```").next().unwrap();
    let folder = Folder::new();
    let mut shell = std::process::Command::new("sh");
    let made = shell.args(["-ec", script]).current_dir(folder.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let tls = "tls.certFile = \"control.pem\"\ntls.keyFile = \"control.key\"\ntls.clientCaFile = \"ca.pem\"\n";
    let service = Service::under(folder, &[], tls);
    let at = format!("control.example:443:{}", service.address);
    let ask = |more: &[&str]| {
        let mut curl = std::process::Command::new("curl");
        curl.args(["-q", "-sS", "-o", "answer", "-w", "%{http_code}", "--cacert", "ca.pem"]);
        curl.args(["--connect-to", &at, "--data-binary", ""]).args(more);
        curl.arg("https://control.example/agent/v1/records");
        let output = curl.current_dir(service.folder.path()).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    assert_eq!(ask(&[]), "403");
    assert_eq!(ask(&["--cert", "web-1.pem", "--key", "web-1.key"]), "400");
}
