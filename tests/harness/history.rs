//! Runs an agent on a simulated host through cycles, faults and restarts.
//!
//! **Invariant:** a restart knows only what was durable.

use std::time::Duration;

use bowline_agent::driver;
use bowline_engine::memory::{Durable, Memory};
use bowline_engine::phase::Quest;
use bowline_engine::recover::{Left, recover};

use crate::sim_host::SimHost;

/// Restarts before a history counts as endless.
const RESTARTS_MAX: usize = 20;

/// Runs until all cycles are over, restarting after every power cut.
pub fn live(host: &mut SimHost, cycles: u32) {
    host.cycles = cycles;
    for _ in 0..RESTARTS_MAX {
        host.dark = false;
        let memory = memory_of(host);
        let quest = Quest { wall: host.wall, now: host.clock, ..Quest::default() };
        let first = recover(memory, Left::Marks(host.disk.journal.clone()), quest);
        let halt = driver::run(first, host);
        if !host.dark {
            assert!(matches!(halt, driver::Halt::Stop), "{halt}\n{}", host.log.join("\n"));
            return;
        }
        // The cycle that the power cut ended is run again.
        host.cycles = host.cycles.max(1);
    }
    panic!("restarted {RESTARTS_MAX} times without an end:\n{}", host.log.join("\n"));
}

fn memory_of(host: &SimHost) -> Memory {
    let durable = Durable {
        high_water: host.disk.high_water.clone(),
        generation: host.disk.generation.clone(),
        ledger: host.disk.ledger.clone(),
        steady: host.disk.steady.clone(),
    };
    Memory::at_start("sim".to_owned(), Duration::from_mins(1), durable, host.facts())
}
