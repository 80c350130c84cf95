//! A database that is not whole.
//!
//! **Invariant:** nothing is acknowledged into a file that is known to be damaged.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use serde_json::json;

use crate::host::Host;
use crate::service::Service;

/// Writes over all pages but the first, as a disk or a copy gone wrong does.
fn spoil(file: &Path) {
    let length = fs::metadata(file).unwrap().len();
    assert!(length > 100 << 10, "{length}");
    let spoilt = OpenOptions::new().write(true).open(file).unwrap();
    let garbage = vec![0x5a; usize::try_from(length).unwrap() - 4096];
    spoilt.write_all_at(&garbage, 4096).unwrap();
}

#[test]
fn a_damaged_database_ends_the_service_and_lets_it_not_begin() {
    let mut service = Service::new();
    let mut host = Host::enrolled(&service, "web-1");
    host.tell_many(200);
    assert_eq!(service.send(&host.all()).json(), json!({"acked": 200}));
    // The log is folded into the file at the end.
    service.stop();
    service.start();
    let file = service.folder.path().join("store/control.db");
    let whole = fs::read(&file).unwrap();
    spoil(&file);
    let answer = service.get("/api/v1/deployments?limit=500");
    assert!(answer.problem(500).contains("restore a backup"), "{answer:?}");
    assert_eq!(service.wait(), Some(3));
    assert!(service.said().contains("damaged"), "{}", service.said());
    let told = service.verb(&[]);
    assert_eq!(told.status.code(), Some(3), "{told:?}");
    assert!(String::from_utf8_lossy(&told.stderr).contains("damaged"), "{told:?}");
    for name in ["control.db-wal", "control.db-shm"] {
        drop(fs::remove_file(file.with_file_name(name)));
    }
    fs::write(&file, whole).unwrap();
    service.start();
    assert_eq!(service.send(&host.all()).json(), json!({"acked": 200}));
}
