//! What is shown of records that are odd, and of paths that are none.

use rusqlite::Connection;

use crate::host::Host;
use crate::service::Service;

fn commit() -> String {
    "a1".repeat(20)
}

#[test]
fn a_record_that_cannot_be_read_is_told_loudly_with_its_envelope() {
    let service = Service::new();
    let host = Host::enrolled(&service, "web-1");
    assert_eq!(service.send(&host.chatter("d1", &["", ""])).status, 200);
    // As an older version took it: a number that no JSON value of this one holds.
    let db = Connection::open(service.folder.path().join("store/control.db")).unwrap();
    let sql = "UPDATE record SET payload =
                 CAST(replace(CAST(payload AS TEXT), '{\"v\":1,', '{\"v\":1,\"x\":1e999,') AS BLOB)
               WHERE id & 255 = 2";
    assert_eq!(db.execute(sql, []).unwrap(), 1);
    let page = service.get("/deployments/web-1/d1").body;
    assert_eq!(page.matches("<article").count(), 2, "{page}");
    assert!(page.contains("This record cannot be read"), "{page}");
    assert!(page.contains("Not verified: do not trust this record"), "{page}");
    let told = service.get("/deployments/web-1/d1.json").json()["records"][0].clone();
    assert!(told["record"].is_null() && told["unreadable"].is_string(), "{told}");
    let path = told["envelope"].as_str().unwrap();
    assert!(page.replace("&#38;", "&").contains(path), "{path} in {page}");
    assert!(service.get(path).body.starts_with("{\"payload\":\""));
}

#[test]
fn names_in_a_record_cannot_move_the_text_around_them() {
    let service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    host.tell_as(&commit(), |it| {
        it.durations.insert("\u{202e}ylppa".to_owned(), 5);
        it.durations.insert("ylppa".to_owned(), 6);
        it.steps.by_kind.insert("\u{202e}eliF".to_owned(), 1);
        it.gates = vec![serde_json::json!({"\u{202e}etag": "\u{202e}x"})];
    });
    assert_eq!(service.send(&host.all()).status, 200);
    let page = service.get("/deployments/web-1/@1").body;
    assert!(!page.contains('\u{202e}'), "{page}");
    assert!(page.contains("ylppa′") && page.contains("6 ms") && page.contains("eliF"), "{page}");
}

#[test]
fn a_twin_is_found_whatever_a_host_calls_its_deployment() {
    let service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    for id in ["../../x?y#z", "a.json", "\u{202e}d", "d 1"] {
        host.tell_as(&commit(), |it| it.deployment = id.to_owned());
    }
    assert_eq!(service.send(&host.all()).status, 200);
    for (seq, asked) in [(1, "..%2f..%2fx%3fy%23z"), (2, "a.json.html"), (4, "d%201")] {
        let page = service.get(&format!("/deployments/web-1/{asked}"));
        assert_eq!(page.status, 200, "{asked}");
        let link = page.body.split("rel=\"alternate\"").nth(1).unwrap();
        let twin = link.split("href=\"").nth(1).unwrap().split('"').next().unwrap();
        let twin = service.get(twin).json();
        assert_eq!(twin["records"][0]["seq"], seq, "{asked}: {twin}");
    }
}

#[test]
fn a_path_that_cannot_be_read_is_a_problem_like_any_other() {
    let service = Service::new();
    for path in ["/api/v1/hosts/%ff", "/assets/%ff", "/hosts/%ff.json", "/deployments/a/%ff.json"] {
        assert!(service.get(path).problem(400).contains("UTF-8"), "{path}");
    }
    for path in ["/hosts/%ff", "/deployments/%ff/a"] {
        let page = service.get(path);
        assert_eq!((page.status, page.kind.as_str()), (400, "text/html; charset=utf-8"), "{path}");
        assert!(page.header("content-security-policy").contains("default-src 'none'"), "{path}");
    }
}

#[test]
fn an_asset_is_kept_only_under_its_own_digest() {
    let service = Service::new();
    let page = service.get("/").body;
    for name in ["style.css", "live.js"] {
        let own = page.split(&format!("/assets/{name}?v=")).nth(1).unwrap();
        let own = format!("/assets/{name}?v={}", own.split('"').next().unwrap());
        assert!(service.get(&own).header("cache-control").contains("immutable"), "{own}");
        for other in ["", "?v=", "?v=whatever", "?w=1"] {
            let kept = service.get(&format!("/assets/{name}{other}"));
            assert_eq!(kept.header("cache-control"), "no-cache", "{name}{other}");
        }
    }
    assert_eq!(service.get("/assets/icon.svg?v=").header("cache-control"), "no-cache");
}

#[test]
fn all_keys_that_wait_are_counted() {
    let service = Service::new();
    Host::enrolled(&service, "web-1");
    for _ in 0..53 {
        assert_eq!(Host::new("web-1").enrol(&service).status, 202);
    }
    let board = service.get("/board.json").json();
    assert_eq!(board["waitingKeys"], 53);
    assert_eq!(board["waiting"].as_array().unwrap().len(), 50);
    let page = service.get("/").body;
    assert!(
        page.contains("53 keys wait for a person; here are the 50 that wait longest"),
        "{page}"
    );
}
