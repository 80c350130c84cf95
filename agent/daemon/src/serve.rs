//! Runs the agent: one cycle, or as a service until it is told to stop.
//!
//! **Invariant:** the transaction has a thread of its own; tokio serves everything else on another.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bowline_api::cycle::Cycle;
use bowline_host::failure::chain;
use bowline_host::settings::Settings;
use bowline_host::state::State;
use thiserror::Error;
use tokio::sync::{Semaphore, oneshot};

use crate::api::{self, CannotListen, Rules, Served};
use crate::board::Board;
use crate::cannot_start::CannotStart;
use crate::compose::{Agent, compose};
use crate::driver::{self, Halt};
use crate::herald::{Herald, Summons};
use crate::lookout;
use crate::reload::{self, Loaded};
use crate::report::{self, Reporter};
use crate::signals::{NoRuntime, Signals, runtime};

/// How the agent ended.
#[derive(Debug)]
pub enum Ended {
    /// After one cycle.
    Cycle(Box<Cycle>),
    /// On request.
    Stopped,
}

/// Why the agent ended before its time.
#[derive(Debug, Error)]
pub enum Fell {
    /// It could not start.
    #[error(transparent)]
    Start(#[from] CannotStart),
    /// The local API could not be opened.
    #[error(transparent)]
    Listen(#[from] CannotListen),
    /// Nothing may be written after this.
    #[error("{0}")]
    Halt(Halt),
    /// Nothing could be run beside the loop.
    #[error(transparent)]
    Runtime(#[from] NoRuntime),
}

impl Fell {
    /// The exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Start(error) => error.exit_code(),
            // The disk failed a barrier: a person looks before anything is written again.
            Self::Halt(Halt::Fatal(_)) => 3,
            Self::Halt(_) | Self::Listen(_) | Self::Runtime(_) => 1,
        }
    }
}

impl Fell {
    /// What a person can do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Start(error) => error.hint(),
            Self::Halt(Halt::Fatal(_)) => "look after the disk, then start the agent again",
            Self::Halt(_) | Self::Listen(_) | Self::Runtime(_) => "",
        }
    }
}

/// Runs one whole cycle on this thread.
pub fn once(loaded: Loaded, signals: Signals) -> Result<Ended, Fell> {
    let board = Arc::new(Board::default());
    let stop = Arc::new(AtomicBool::new(false));
    let (ears, flag) = (Arc::clone(&board), Arc::clone(&stop));
    signals.await_end(move || ask_stop(&ears, &flag))?;
    let known = loaded.settings.clone();
    let post = report::post(&known);
    let agent = compose(loaded, Arc::clone(&board), Arc::clone(&post), Arc::clone(&stop), true)?;
    let reporter = Reporter::of(&known, &board, &post, stop);
    let mut ended = drive(agent)?;
    if let (Ended::Cycle(cycle), Some(reporter)) = (&mut ended, reporter) {
        let told = runtime()?.block_on(reporter.run_once()).map_err(Fell::Halt)?;
        cycle.warnings.extend(told.warning().into_iter().chain(told.spool_warning()));
    }
    Ok(ended)
}

fn drive(agent: Agent) -> Result<Ended, Fell> {
    let Agent { mut host, first, lock } = agent;
    let halt = driver::run(first, &mut host);
    drop(lock);
    match halt {
        Halt::Stop => Ok(match host.ending() {
            Some(ending) => Ended::Cycle(Box::new(ending.cycle.clone())),
            None => Ended::Stopped,
        }),
        Halt::Start(error) => Err(Fell::Start(error)),
        other => Err(Fell::Halt(other)),
    }
}

/// Runs as a service.
pub fn always(loaded: Loaded, signals: Signals, summons: &Summons) -> Result<Ended, Fell> {
    let board = Arc::new(Board::with(Herald::for_summons(summons)));
    let stop = Arc::new(AtomicBool::new(false));
    let first = loaded.settings.clone();
    let post = report::post(&first);
    let agent = compose(loaded, Arc::clone(&board), Arc::clone(&post), Arc::clone(&stop), false)?;
    let reporter = Reporter::of(&first, &board, &post, Arc::clone(&stop));
    let watch = agent.host.lookout.watch();
    let Signals { runtime, mut terminate, mut interrupt, mut hang_up } = signals;
    runtime.block_on(async {
        let doors = api::open(first.socket.as_deref(), first.listen.as_deref(), &board).await?;
        let (told, over) = oneshot::channel();
        let worker = thread::Builder::new().name("transaction".to_owned());
        worker
            .spawn(move || {
                // The receiver is gone only when the process is ending anyway.
                drop(told.send(drive(agent)));
            })
            .map_err(NoRuntime::from)?;
        let served = Served {
            board: Arc::clone(&board),
            state: State::view(&first.state),
            records: first.state.join("records"),
            rules: Arc::new(Rules {
                listen: first.listen.clone(),
                token_file: first.api_token.clone(),
                group: doors.group,
            }),
            readers: Arc::new(Semaphore::new(1)),
        };
        let mut over = over;
        let serving = api::serve(doors, served);
        let reporting = async {
            match reporter {
                Some(reporter) => reporter.run().await,
                None => pending().await,
            }
        };
        let watching = lookout::run(watch, &board);
        tokio::pin!(serving, reporting, watching);
        loop {
            tokio::select! {
                ended = &mut over => {
                    return ended.unwrap_or(Err(Fell::Halt(Halt::Fatal(
                        "the transaction's thread ended without a word".to_owned(),
                    ))));
                }
                _ = terminate.recv() => ask_stop(&board, &stop),
                _ = interrupt.recv() => ask_stop(&board, &stop),
                _ = hang_up.recv() => ask_reload(&board, &first),
                () = &mut serving => {}
                () = &mut watching => {}
                halt = &mut reporting => return Err(Fell::Halt(halt)),
            }
        }
    })
}

/// The files are judged at once, so that whoever asks hears of it also during a long deployment; the
/// loop takes them up between two cycles.
fn ask_reload(board: &Board, settings: &Settings) {
    board.herald().reloading();
    tracing::info!("asked to read the settings again");
    if let Err(stale) = reload::read(settings) {
        let detail = chain(&stale);
        tracing::warn!(detail, "settings are not taken up");
        board.note(vec![detail]);
    }
    board.ask_reload();
    board.herald().reloaded();
}

fn ask_stop(board: &Board, stop: &AtomicBool) {
    tracing::info!("asked to stop: at the next barrier");
    board.herald().stopping();
    stop.store(true, Ordering::Relaxed);
    board.ask_stop();
}
