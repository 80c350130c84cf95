//! Measures how many durable records a second the control service takes:
//! `cargo run --release -p tests --bin bench-control`.
//!
//! Hosts send records that are signed before the clock starts. What is counted is the service's own CPU
//! time, read from the kernel, and what its database holds afterwards.
//!
//! **Invariant:** a run whose records are not all kept shows no figure.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a program of its own: it prints, starts programs and opens its own files"
)]

mod fleet;
mod idle;
mod load;
mod service;
mod way;

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Parser;
use tests::binaries;

use load::Host;
use service::Service;
use way::Way;

/// Measures how many durable records a second the control service takes
#[derive(Debug, Parser)]
#[command(name = "bench-control")]
struct Arguments {
    /// Hosts that send at once.
    #[arg(long, default_value_t = 32)]
    hosts: u32,
    /// Records of each.
    #[arg(long, default_value_t = 1000)]
    records: u64,
    /// Records in one request.
    #[arg(long, default_value = "1,10,100", value_delimiter = ',')]
    batch: Vec<usize>,
    /// Connections that are opened, used once, and left idle; 0 leaves that out.
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// Hosts on the board whose pages are timed; 0 leaves that out.
    #[arg(long, default_value_t = 10_000)]
    fleet: u32,
    /// The service's program; built with this program's profile when it is left out.
    #[arg(long, value_name = "FILE")]
    service: Option<PathBuf>,
}

fn main() -> ExitCode {
    match bench(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn bench(arguments: &Arguments) -> Result<()> {
    let program = arguments.service.clone().unwrap_or_else(binaries::control);
    println!(
        "| records a request | over | records | bytes each | records/s | CPU µs a record | peak MiB |"
    );
    println!("|---|---|---|---|---|---|---|");
    for batch in &arguments.batch {
        lap(arguments, &program, Way::Open, (*batch).max(1))?;
    }
    lap(arguments, &program, Way::Sealed, 1)?;
    if arguments.idle > 0 {
        idle::measure(&program, arguments.idle)?;
    }
    if arguments.fleet > 0 {
        fleet::measure(&program, arguments.fleet)?;
    }
    Ok(())
}

fn lap(arguments: &Arguments, program: &std::path::Path, way: Way, batch: usize) -> Result<()> {
    let service = Service::start(program, way)?;
    let mut hosts = Vec::new();
    for at in 0..arguments.hosts {
        let host = Host::new(service.folder(), &format!("bench-{at}"), arguments.records)?;
        host.enrol(&service)?;
        hosts.push(host);
    }
    let bytes: usize = hosts.iter().flat_map(|it| &it.lines).map(String::len).sum();
    let total = u64::from(arguments.hosts) * arguments.records;
    let cpu = service.cpu()?;
    let begun = Instant::now();
    let sent: Result<Vec<()>> = thread::scope(|scope| {
        let senders: Vec<_> =
            hosts.iter().map(|host| scope.spawn(|| host.send(&service, batch))).collect();
        let ended = senders.into_iter().map(|it| it.join());
        ended.map(|it| it.unwrap_or_else(|_| Err(anyhow::anyhow!("a sender panicked")))).collect()
    });
    sent?;
    let wall = begun.elapsed().as_secs_f64();
    let cpu = service.cpu()? - cpu;
    let kept = service.taken()?;
    ensure!(kept == total, "{kept} of {total} records are kept");
    let count = total as f64;
    println!(
        "| {batch} | {way} | {total} | {:.0} | {:.0} | {:.1} | {:.1} |",
        bytes as f64 / count,
        count / wall,
        cpu * 1e6 / count,
        service.peak_mib()?,
    );
    Ok(())
}
