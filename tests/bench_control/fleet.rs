//! What the pages of a large fleet cost.

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::load::{Host, ask};
use crate::service::Service;
use crate::way::Way;

/// How often each page is asked.
const TIMES: u32 = 20;

/// Fills the board with so many hosts, and times the pages.
pub(crate) fn measure(program: &Path, number: u32) -> Result<()> {
    let service = Service::start(program, Way::Open)?;
    let mut stream = service.connect()?;
    let host = Host::new(service.folder(), "fleet-0", 3)?;
    host.enrol(&service)?;
    host.send(&service, 3)?;
    // The others are that one's rows under other names: enrolling each would take the time of the keys.
    service.multiply(number)?;
    println!("\n| page of {number} hosts | KiB | ms |");
    println!("|---|---|---|");
    for path in [
        "/",
        "/?limit=500",
        "/?outcome=committed&name=9999",
        "/board.json?limit=500",
        "/matrix",
        "/hosts/fleet-0",
        "/deployments/fleet-0/@2",
    ] {
        let begun = Instant::now();
        let mut bytes = 0;
        for _ in 0..TIMES {
            bytes = ask(&mut stream, "GET", path, b"")?.len();
        }
        ensure!(bytes > 1000 || path.contains("name="), "{path} is empty");
        let each = begun.elapsed().as_secs_f64() * 1e3 / f64::from(TIMES);
        println!("| {path} | {:.0} | {each:.1} |", bytes as f64 / 1024.0);
    }
    Ok(())
}
