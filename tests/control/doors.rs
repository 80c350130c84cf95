//! Who is let in: tokens, sessions, and what stands between.

use bowline_model::digest::Sha256;
use tests::served::{Server, free_port, programs};

use crate::host::Host;
use crate::http::{Answer, ask_with};
use crate::service::{Folder, Service};

const HOST: &str = "Host: control.example";

fn settings() -> String {
    format!("[read]\ntokenSha256 = [\"{}\"]\n", Sha256::of(b"let me in"))
}

#[test]
fn the_digest_of_no_token_is_refused_at_the_start() {
    // As `printf %s "$TOKEN" | sha256sum` and `echo $TOKEN | sha256sum` give it where TOKEN is not set.
    for empty in [b"".as_slice(), b"\n"] {
        let folder = Folder::new();
        let file = folder.path().join("control.toml");
        let text = format!("[read]\ntokenSha256 = [\"{}\"]\n", Sha256::of(empty));
        std::fs::write(&file, text).unwrap();
        let mut command = std::process::Command::new(tests::binaries::control());
        let ended = command.arg("--config").arg(&file).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(2), "{said}");
        assert!(said.contains("read.tokenSha256") && said.contains("was TOKEN set?"), "{said}");
    }
}

fn login(service: &Service, lines: &[&str], body: &str) -> Answer {
    ask_with(service.address, "POST", "/login", &[&[HOST], lines].concat(), body)
}

#[test]
fn a_form_that_cannot_be_read_is_told_so_and_no_token_opens_nothing() {
    let service = Service::with(&settings());
    for (body, status) in [
        ("", 403),
        ("token=", 403),
        ("token=%20", 403),
        ("token=a b", 400),
        ("{\"token\": 1}", 400),
    ] {
        let answer = login(&service, &[], body);
        assert_eq!((answer.status, answer.header("set-cookie")), (status, ""), "{body:?}");
        assert_eq!(answer.kind, "text/html; charset=utf-8");
    }
    for token in ["", " "] {
        let line = format!("Authorization: Bearer {token}");
        assert_eq!(ask_with(service.address, "GET", "/metrics", &[HOST, &line], "").status, 401);
    }
}

#[test]
fn logins_are_logged_and_who_guesses_is_told_to_stop() {
    let service = Service::with(&settings());
    let right = login(&service, &[], "token=let+me+in");
    assert_eq!(right.status, 303);
    let cookie = right.header("set-cookie").split(';').next().unwrap().to_owned();
    let said = |word: &str| {
        tests::agent::until(word, || service.said().contains(word));
        service.said()
    };
    let log = said("a login peer=127.0.0.1 result=\"let in\"");
    assert!(!log.contains("let me in") && !log.contains("let+me+in"), "{log}");
    for _ in 0..60 {
        assert_eq!(login(&service, &[], "token=let+me+out").status, 403);
    }
    assert!(said("a login peer=127.0.0.1 result=\"refused\"").contains("no reader's"));
    let barred = login(&service, &[], "token=let+me+out");
    assert_eq!((barred.status, barred.header("set-cookie")), (429, ""));
    assert!(barred.header("retry-after").parse::<u64>().unwrap() <= 61, "{barred:?}");
    let with = |line: &str| ask_with(service.address, "GET", "/api/v1/hosts", &[HOST, line], "");
    with("Authorization: Bearer let me out").problem(429);
    assert_eq!(
        with("Authorization: Bearer let me in").status,
        200,
        "a right one counts from anywhere"
    );
    assert_eq!(with(&format!("Cookie: {cookie}")).status, 200, "who is in stays in");
    // Whoever says for whom they ask, and is no proxy that the settings name, is not believed.
    let other = ["X-Forwarded-For: 10.0.0.1, 192.0.2.7"];
    assert_eq!(login(&service, &other, "token=let+me+out").status, 429);
    assert_eq!(login(&service, &other, "token=let+me+in").status, 303);
    assert!(!service.said().contains("192.0.2.7"));
}

#[test]
fn a_proxy_that_the_settings_name_says_who_asks() {
    let service =
        Service::with(&format!("listen.trustedProxies = [\"127.0.0.1\"]\n{}", settings()));
    let other = login(&service, &["X-Forwarded-For: 10.0.0.1, 192.0.2.7"], "token=let+me+in");
    assert_eq!(other.status, 303);
    let word = "a login peer=192.0.2.7 result=\"let in\"";
    tests::agent::until(word, || service.said().contains(word));
}

#[test]
fn a_request_with_two_names_is_refused() {
    let service = Service::new();
    let own = format!("Host: {}", service.address);
    for lines in [[own.as_str(), "Host: control.example"], ["Host: control.example", own.as_str()]]
    {
        for path in ["/", "/healthz", "/api/v1/hosts"] {
            ask_with(service.address, "GET", path, &lines, "").problem(400);
        }
    }
    assert_eq!(ask_with(service.address, "GET", "/api/v1/hosts", &[&own], "").status, 200);
}

/// nginx as its manual's first example has it: the name that was asked for does not get through.
fn proxied(service: &Service) -> Option<(Folder, Server, std::net::SocketAddr)> {
    let nginx = programs(&["nginx"])?.remove(0);
    let (folder, port) = (Folder::new(), free_port());
    let place = folder.path().display();
    let text = format!(
        "daemon off; master_process off; pid {place}/pid; error_log {place}/error.log;\n\
         events {{}}\n\
         http {{ access_log off; client_body_temp_path {place}; proxy_temp_path {place};\n\
         fastcgi_temp_path {place}; uwsgi_temp_path {place}; scgi_temp_path {place};\n\
         server {{ listen 127.0.0.1:{port};\n\
         location / {{ proxy_pass http://{}; }} }} }}\n",
        service.address
    );
    std::fs::write(folder.path().join("nginx.conf"), text).unwrap();
    let mut command = std::process::Command::new(nginx);
    command.args(["-e", "error.log", "-p"]).arg(folder.path()).args(["-c", "nginx.conf"]);
    Some((folder, Server::start(command, port), ([127, 0, 0, 1], port).into()))
}

#[test]
fn without_a_token_no_proxy_is_answered() {
    let service = Service::new();
    let local = format!("Host: {}", service.address);
    for line in [
        "X-Forwarded-For: 192.0.2.1",
        "Forwarded: for=192.0.2.1",
        "Via: 1.1 p",
        "X-Real-IP: 192.0.2.1",
    ] {
        let answer = ask_with(service.address, "GET", "/board.json", &[&local, line], "");
        assert!(answer.problem(421).contains("tokenSha256"), "{line}");
    }
    let Some((_folder, _nginx, at)) = proxied(&service) else { return };
    for path in ["/", "/board.json", "/api/v1/hosts", "/metrics"] {
        assert_eq!(ask_with(at, "GET", path, &[HOST], "").status, 421, "{path}");
    }
    assert_eq!(ask_with(at, "GET", "/healthz", &[HOST], "").status, 200);
}

#[test]
fn behind_a_proxy_that_hides_the_name_people_log_in_by_the_public_address() {
    let service = Service::behind("https://control.example", &settings());
    Host::enrolled(&service, "web-1");
    let Some((_folder, _nginx, at)) = proxied(&service) else { return };
    let own = [HOST, "Origin: https://control.example", "Sec-Fetch-Site: same-origin"];
    let right = ask_with(at, "POST", "/login", &own, "token=let+me+in&next=%2Fhosts%2Fweb-1");
    assert_eq!((right.status, right.header("location")), (303, "/hosts/web-1"), "{right:?}");
    let cookie = right.header("set-cookie").to_owned();
    assert!(cookie.starts_with("__Host-bowline=") && cookie.ends_with("; Secure"), "{cookie}");
    let pair = format!("Cookie: {}", cookie.split(';').next().unwrap());
    assert_eq!(ask_with(at, "GET", "/hosts/web-1", &[HOST, &pair], "").status, 200);
    let foreign = [HOST, "Origin: https://evil.example"];
    assert_eq!(ask_with(at, "POST", "/login", &foreign, "token=let+me+in").status, 403);
}
