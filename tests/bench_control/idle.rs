//! What an idle connection costs the service.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::load::ask;
use crate::service::Service;
use crate::way::Way;

/// What one may cost: design/performance.md.
const KIB_TARGET: f64 = 22.0;

/// How long idling is watched.
const WATCHED: Duration = Duration::from_secs(10);

/// Measures both ways.
pub(crate) fn measure(program: &Path, number: usize) -> Result<()> {
    println!(
        "\n| idle connections | over | RSS MiB before | after | KiB each (at most {KIB_TARGET}) | CPU µs to open | CPU ms/s | one more, ms |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    [Way::Open, Way::Sealed].into_iter().try_for_each(|way| measure_way(program, number, way))
}

/// Opens so many connections, asks once over each, and looks at the service's memory and CPU time.
fn measure_way(program: &Path, number: usize, way: Way) -> Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    let service = Service::start(program, way)?;
    let open = || -> Result<_> {
        let mut stream = service.connect()?;
        ask(&mut stream, "GET", "/healthz", b"")?;
        Ok(stream)
    };
    // What the first ones bring along is no cost of an idle one.
    let warm = (0..100).map(|_| open()).collect::<Result<Vec<_>>>()?;
    let (before, cpu) = (service.resident_mib()?, service.cpu()?);
    let held = (0..number).map(|_| open()).collect::<Result<Vec<_>>>().context("open them all")?;
    let after = service.resident_mib()?;
    let opening = (service.cpu()? - cpu) * 1e6 / held.len() as f64;
    let cpu = service.cpu()?;
    thread::sleep(WATCHED);
    let cpu = service.cpu()? - cpu;
    let begun = Instant::now();
    open()?;
    let answer = begun.elapsed();
    println!(
        "| {} | {way} | {before:.1} | {after:.1} | {:.1} | {opening:.0} | {:.1} | {:.1} |",
        held.len(),
        (after - before) * 1024.0 / held.len() as f64,
        cpu * 1e3 / WATCHED.as_secs_f64(),
        answer.as_secs_f64() * 1e3,
    );
    drop(warm);
    Ok(())
}
