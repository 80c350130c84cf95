//! A repository behind a real web server: nginx and `git http-backend`.
//!
//! **Invariant:** a secret of the agent's is nowhere but in its own file and in the request it is for.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use bowline_api::outcome::Outcome;
use bowline_api::status::Status;
use tests::agent::until;
use tests::authority::Authority;
use tests::nginx::Nginx;
use tests::workshop::Workshop;

use super::{app, named, prepared, publish};
use crate::story::settled;

/// What a poll may cost, both ways and heads included, where there are notes beside the branch: 0.7 KiB.
const POLL_BYTES_MAX: u64 = 717;

/// A secret that must not be found anywhere.
const CANARY: &str = "canary7Kx9";

/// What nginx asks of whoever comes.
fn locked(shop: &Workshop) -> String {
    let file = shop.folder().join("accounts");
    fs::write(&file, format!("deploy:{{PLAIN}}{CANARY}\n")).unwrap();
    format!("auth_basic git;\nauth_basic_user_file {};", file.display())
}

fn secret(shop: &Workshop, name: &str, text: &str) {
    let path = shop.folder().join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn an_unchanged_remote_costs_one_small_request_however_many_branches_it_has() {
    let shop = prepared();
    let Some(nginx) = Nginx::start(&shop, "") else { return };
    nginx.become_source(&shop, "");
    shop.once().ended(Outcome::Committed);
    shop.git(&["notes", "--ref=attestations", "add", "-m", "{}", "HEAD"]);
    shop.once().ended(Outcome::Unchanged);
    let mut costs = Vec::new();
    for branches in [0, 200] {
        for at in 0..branches {
            shop.git(&["update-ref", &format!("refs/heads/side-{at}"), "HEAD"]);
        }
        nginx.forget();
        shop.once().ended(Outcome::Unchanged);
        let requests = nginx.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        assert_eq!(requests[0].what, "POST /repo/git-upload-pack");
        costs.push(requests[0].bytes);
    }
    println!("a poll with 1 and 201 branches: {costs:?} bytes both ways");
    assert!(costs[0] == costs[1] && costs[0] <= POLL_BYTES_MAX, "{costs:?}");
}

#[test]
fn what_is_new_comes_with_one_more_request_in_version_2() {
    let shop = prepared();
    let Some(nginx) = Nginx::start(&shop, "") else { return };
    nginx.become_source(&shop, "");
    shop.once().ended(Outcome::Committed);
    publish(&shop, "app two\n");
    shop.git(&["notes", "--ref=attestations", "add", "-m", "{}", "HEAD"]);
    nginx.forget();
    shop.once().ended(Outcome::Committed);
    assert_eq!(app(&shop), "app two\n");
    assert_eq!(nginx.requests().len(), 3, "the list, the branch and the notes");
    let notes = shop.git(&["rev-parse", "refs/notes/attestations"]);
    assert_eq!(named(&shop, "refs/notes/attestations"), notes);
    // A rewind brings nothing, and is refused as it is from a path.
    shop.move_branch(&shop.git(&["rev-parse", "HEAD~1"]));
    nginx.forget();
    shop.once().ended_for(Outcome::Refused, "not-fast-forward");
    assert_eq!(nginx.requests().len(), 1);
    assert_eq!(app(&shop), "app two\n");
}

#[test]
fn a_server_that_only_knows_version_0_is_asked_in_version_0() {
    let shop = prepared();
    let Some(nginx) = Nginx::start_old(&shop) else { return };
    nginx.become_source(&shop, "");
    shop.once().ended(Outcome::Committed);
    publish(&shop, "app two\n");
    nginx.forget();
    shop.once().ended(Outcome::Committed);
    assert_eq!(app(&shop), "app two\n");
    assert!(nginx.requests().iter().any(|it| it.what == "GET /repo/info/refs"));
}

#[test]
fn tls_is_believed_by_the_named_authority_only() {
    let shop = prepared();
    let authority = Authority::new(shop.folder(), "good");
    authority.issue("server", "127.0.0.1");
    authority.issue("client", "web-1");
    drop(Authority::new(shop.folder(), "other"));
    let ask = format!(
        "ssl_verify_client on;\nssl_client_certificate {};",
        shop.folder().join("good.ca.pem").display()
    );
    let Some(nginx) = Nginx::start_secure(&shop, &ask) else { return };
    let own = "clientCert = \"client.cert.pem\"\nclientKey = \"client.key.pem\"\n";
    for (more, code) in [
        (format!("caFile = \"other.ca.pem\"\n{own}"), "tls"),
        (own.to_owned(), "tls"),
        (format!("caFile = \"none.pem\"\n{own}"), "tls"),
        // Nginx finishes the handshake, and then refuses the request.
        ("caFile = \"good.ca.pem\"\n".to_owned(), "remote-refused"),
    ] {
        nginx.become_source(&shop, &more);
        shop.once().ended_for(Outcome::Failed, code);
    }
    nginx.become_source(&shop, &format!("caFile = \"good.ca.pem\"\n{own}"));
    shop.once().ended(Outcome::Committed);
    assert_eq!(app(&shop), "app one\n");
}

#[test]
fn accounts_are_shown_to_their_server_and_to_nobody_else() {
    let shop = settled("");
    let Some(nginx) = Nginx::start(&shop, &locked(&shop)) else { return };
    let mut said = String::new();
    secret(&shop, "wrong", &format!("deploy:{CANARY}x"));
    secret(&shop, "bearer", CANARY);
    secret(&shop, "odd", &format!("deploy:{CANARY}\u{1}"));
    secret(&shop, "other.netrc", &format!("machine git.example login deploy password {CANARY}\n"));
    fs::write(shop.folder().join("open"), format!("deploy:{CANARY}")).unwrap();
    for (more, code) in [
        ("", "remote-denied"),
        ("tokenFile = \"wrong\"\n", "remote-denied"),
        ("tokenFile = \"bearer\"\n", "remote-denied"),
        ("netrcFile = \"other.netrc\"\n", "remote-denied"),
        ("tokenFile = \"odd\"\n", "remote-credentials"),
        ("tokenFile = \"open\"\n", "remote-credentials"),
        ("tokenFile = \"none\"\n", "remote-credentials"),
    ] {
        nginx.become_source(&shop, more);
        let told = shop.once();
        told.ended_for(Outcome::Failed, code);
        said.push_str(&format!("{told:?}"));
    }
    secret(&shop, "token", &format!("deploy:{CANARY}\n"));
    secret(&shop, "netrc", &format!("machine 127.0.0.1 login deploy password {CANARY}\n"));
    for (more, content) in [("tokenFile = \"token\"\n", "a\n"), ("netrcFile = \"netrc\"\n", "b\n")]
    {
        publish(&shop, content);
        nginx.become_source(&shop, more);
        let told = shop.once();
        told.ended(Outcome::Committed);
        said.push_str(&format!("{told:?}"));
        assert_eq!(app(&shop), content);
    }
    assert!(!said.contains(CANARY), "{said}");
    assert_eq!(holders(&shop.state()), Vec::<String>::new());
    assert_eq!(holders(&shop.root()), Vec::<String>::new());
}

/// Files below a folder in which the secret stands.
fn holders(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(holders(&path));
        } else if let Ok(bytes) = fs::read(&path)
            && bytes.windows(CANARY.len()).any(|it| it == CANARY.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn a_redirect_within_the_server_is_followed_and_one_away_from_tls_is_not() {
    let shop = prepared();
    Authority::new(shop.folder(), "good").issue("server", "127.0.0.1");
    let Some(plain) = Nginx::start(&shop, "") else { return };
    let away = format!(
        "location /moved/ {{ rewrite ^/moved/(.*)$ /repo/$1 permanent; }}\n\
         location /away/ {{ rewrite ^/away/(.*)$ {}/$1 redirect; }}\n\
         location /other/ {{ return 302 /login; }}\n\
         location /loop/ {{ return 307 $request_uri; }}",
        plain.url("/repo")
    );
    let Some(secure) = Nginx::start_secure(&shop, &away) else { return };
    for (path, code) in
        [("/away", "remote-redirect"), ("/other", "remote-redirect"), ("/loop", "remote-redirect")]
    {
        shop.fetch_from(&format!("\"{}\"", secure.url(path)), "caFile = \"good.ca.pem\"\n");
        shop.once().ended_for(Outcome::Failed, code);
    }
    assert!(plain.requests().is_empty());
    shop.fetch_from(&format!("\"{}\"", secure.url("/moved")), "caFile = \"good.ca.pem\"\n");
    shop.once().ended(Outcome::Committed);
    assert_eq!(app(&shop), "app one\n");
}

#[test]
fn remotes_of_every_kind_are_tried_in_their_order_and_each_failure_is_named() {
    let shop = prepared();
    let Some(nginx) = Nginx::start(&shop, "") else { return };
    let nowhere = "\"ssh://nobody@127.0.0.1:1/a\", \"/nowhere/at/all\"";
    shop.fetch_from(&format!("[{nowhere}, \"{}\"]", nginx.url("/none")), "timeout = \"20s\"\n");
    let told = shop.once();
    let detail = told.ended_for(Outcome::Failed, "remote-ssh").detail.clone();
    for part in
        ["127.0.0.1:1/a: ssh failed", "/nowhere/at/all: there is no", "/none: the server answers"]
    {
        assert!(detail.contains(part), "{detail}");
    }
    shop.fetch_from(&format!("[{nowhere}, \"{}\"]", nginx.url("/repo")), "timeout = \"20s\"\n");
    shop.once().ended(Outcome::Committed);
}

#[test]
fn certificates_that_are_renewed_are_read_without_a_restart() {
    let shop = prepared();
    let authority = Authority::new(shop.folder(), "good");
    authority.issue("server", "127.0.0.1");
    authority.issue("known", "web-1");
    let other = Authority::new(shop.folder(), "other");
    other.issue("client", "web-1");
    let ask = format!(
        "ssl_verify_client on;\nssl_client_certificate {};",
        shop.folder().join("good.ca.pem").display()
    );
    let Some(nginx) = Nginx::start_secure(&shop, &ask) else { return };
    let replace = |name: &str, with: &str| {
        let aside = shop.folder().join("aside");
        fs::copy(shop.folder().join(with), &aside).unwrap();
        fs::rename(aside, shop.folder().join(name)).unwrap();
    };
    replace("ca.pem", "other.ca.pem");
    let own = "clientCert = \"client.cert.pem\"\nclientKey = \"client.key.pem\"\n";
    nginx.become_source(&shop, &format!("caFile = \"ca.pem\"\n{own}"));
    let service = shop.serve();
    let failed_for = |code: &str| {
        until(code, || service.tell::<Status>("/v1/status").last.is_some_and(|it| it.code == code));
    };
    failed_for("tls");
    replace("ca.pem", "good.ca.pem");
    service.sync();
    failed_for("remote-refused");
    // Half a renewal changes nothing, and is told.
    replace("client.cert.pem", "known.cert.pem");
    service.sync();
    let warned = || {
        let warnings = service.tell::<Status>("/v1/status").warnings;
        warnings.iter().any(|it| it.contains("does not go with"))
    };
    until("it is told", warned);
    replace("client.key.pem", "known.key.pem");
    service.sync();
    until("the revision is deployed", || shop.on_host("/etc/app.conf").exists());
    assert!(!warned());
    // What cannot be used does not take away what could.
    fs::write(shop.folder().join("ca.pem"), "rubbish").unwrap();
    publish(&shop, "app two\n");
    service.sync();
    until("the merge is deployed", || app(&shop) == "app two\n");
    let warnings = service.tell::<Status>("/v1/status").warnings;
    assert!(warnings.iter().any(|it| it.contains("those before stay in force")), "{warnings:?}");
    assert_eq!(service.stop(), Some(0));
}
