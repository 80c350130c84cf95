//! The running agent's cycle by metadata, without waiting ten minutes for each.
//!
//! The agent's own loop, engine and host run in a process of their own; only the clock that the
//! engine hears of at waking is set ahead, so that a look at every path is due each time.
//!
//! **Invariant:** everything else is the agent's: between two wakings lies one whole cycle.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result, ensure};
use bowline_agent::board::Board;
use bowline_agent::compose::compose;
use bowline_agent::driver::{self, Halt, Hands};
use bowline_agent::hands::Host;
use bowline_agent::{reload, report};
use bowline_engine::memory::LOOK_EVERY;
use bowline_engine::phase::{Effect, Event, Turn};
use bowline_engine::wish::Wish;
use bowline_model::mark::Mark;

use crate::bowline::Bowline;
use crate::contender::Contender as _;
use crate::figures::Figures;
use crate::weigh::{own_cpu_us, weigh};

/// The subcommand.
pub(crate) const NAME: &str = "--ahead";

/// Cycles at most: files are read in full every six hours, which is every 36th look.
const MOST: usize = 30;

/// Cycles before those that count: the first reads every file, and the allocator settles.
const WARM: usize = 2;

/// Measures cycles by metadata.
pub(crate) fn measure(bowline: &Bowline, runs: usize, figures: &mut Figures) -> Result<()> {
    let own = env::current_exe().context("find this program")?;
    let (settings, count) = (bowline.settings(), (runs + WARM).min(MOST).to_string());
    let words: [&OsStr; 4] =
        [NAME.as_ref(), settings.as_ref(), bowline.root().as_ref(), count.as_ref()];
    let weight = weigh(&own, &words, &[0])?;
    for line in weight.stdout.lines().skip(WARM) {
        figures.add_us(bowline.name(), "daemon by metadata", line.trim().parse()?);
    }
    Ok(())
}

/// Runs cycles and prints the CPU time of each, in microseconds.
pub(crate) fn cycles(words: &[OsString]) -> Result<()> {
    let [config, root, count] = words else { anyhow::bail!("not for people") };
    let count: usize = count.to_str().context("no number")?.parse()?;
    let loaded = reload::load(Path::new(config), Path::new(root))?;
    let board = Arc::new(Board::default());
    let stop = Arc::new(AtomicBool::new(false));
    let post = report::post(&loaded.settings);
    let agent = compose(loaded, Arc::clone(&board), post, stop, false)?;
    let mut hands = Ahead { host: agent.host, board, before: None, spent: Vec::new(), count };
    let halt = driver::run(agent.first, &mut hands);
    ensure!(matches!(halt, Halt::Stop), "the loop ended: {halt}");
    for spent in hands.spent {
        println!("{spent}");
    }
    Ok(())
}

/// The agent's hands, with a clock that is set ahead.
struct Ahead {
    host: Host,
    board: Arc<Board>,
    before: Option<i64>,
    spent: Vec<i64>,
    count: usize,
}

impl Ahead {
    /// Notes what was spent since the last rest; true when it was enough.
    fn note(&mut self) -> Result<bool> {
        let now = own_cpu_us()?;
        self.spent.extend(self.before.map(|before| now - before));
        self.before = Some(now);
        Ok(self.spent.len() >= self.count)
    }
}

impl Hands for Ahead {
    fn record(&mut self, marks: &[Mark]) -> Result<(), Halt> {
        self.host.record(marks)
    }

    fn perform(&mut self, effect: Effect) -> Result<Event, Halt> {
        let rests = matches!(effect, Effect::Rest { .. });
        if rests {
            let enough = self.note().map_err(|error| Halt::Fatal(error.to_string()))?;
            if enough {
                return Err(Halt::Stop);
            }
            self.board.ask_sync();
        }
        let event = self.host.perform(effect)?;
        Ok(match event {
            Event::Woke { settings, now, wall, facts, next_deployment, .. } if rests => {
                let ahead = u32::try_from(self.spent.len()).unwrap_or(u32::MAX);
                let now = now + LOOK_EVERY.saturating_mul(ahead);
                Event::Woke { settings, now, wall, facts, next_deployment, wish: Wish::default() }
            }
            other => other,
        })
    }

    fn watch(&mut self, turn: &Turn) {
        self.host.watch(turn);
    }
}
