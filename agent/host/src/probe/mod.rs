//! Runs probes: HTTP, TCP, programs, units.
//!
//! **Invariant:** a probe ends within its own time and answers; whatever went wrong is "not passed".

mod http;
mod judge;
mod tcp;
mod tls;
mod exec;
mod unit;

use std::io;
use std::time::Duration;

use bowline_model::manifest::probe::ProbeMeans;
use bowline_model::probe_call::Answer;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::door::root::Root;
use crate::service::ServiceManager;
use tls::Trust;

/// Probes under way at once: more would measure each other.
const AT_ONCE: usize = 32;

/// What a probe saw is one line that fits a status page.
const DETAIL_LETTERS_MAX: usize = 200;

/// One probe to run: its name, its means, and how long it may take.
pub type Call<'a> = (&'a str, &'a ProbeMeans, Duration);

/// What a probe saw, or why it is not content.
type Sighting = Result<String, String>;

/// Runs probes.
#[derive(Debug, Default)]
pub struct Prober {
    runtime: Option<Runtime>,
    trust: Trust,
}

impl Prober {
    /// A prober that has not run anything yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs all probes side by side; answers stand in the order of the calls.
    pub fn probe_all(
        &mut self,
        root: &Root,
        services: &ServiceManager,
        calls: &[Call<'_>],
    ) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(calls.len());
        for some in calls.chunks(AT_ONCE) {
            let sightings = self.probe_some(root, services, some);
            answers.extend(some.iter().zip(sightings).map(|((name, _, _), it)| answer(name, it)));
        }
        answers
    }

    /// Runs some probes, few enough to run at once.
    fn probe_some(
        &mut self,
        root: &Root,
        services: &ServiceManager,
        calls: &[Call<'_>],
    ) -> Vec<Sighting> {
        let mut sightings: Vec<Sighting> = vec![Err("it was not run".to_owned()); calls.len()];
        let runs: Vec<_> = calls.iter().enumerate().filter(|(_, it)| is_program(it)).collect();
        std::thread::scope(|scope| {
            // Programs wait in threads of their own, while this one serves the network.
            let threads: Vec<_> = runs
                .iter()
                .map(|(at, call)| (*at, scope.spawn(|| ask(root, services, call))))
                .collect();
            match self.look_out(root, calls) {
                Ok(seen) => seen.into_iter().for_each(|(at, it)| put(&mut sightings, at, it)),
                Err(error) => sightings.fill(Err(format!("no network in this process: {error}"))),
            }
            for (at, thread) in threads {
                let seen = thread.join().unwrap_or_else(|_| Err("the probe broke off".to_owned()));
                put(&mut sightings, at, seen);
            }
        });
        sightings
    }

    /// Runs those that go over the network.
    fn look_out(&mut self, root: &Root, calls: &[Call<'_>]) -> io::Result<Vec<(usize, Sighting)>> {
        if calls.iter().all(is_program) {
            return Ok(Vec::new());
        }
        let runtime = match self.runtime.take() {
            Some(runtime) => runtime,
            None => Builder::new_current_thread().enable_all().build()?,
        };
        let seen = runtime.block_on(async {
            let mut under_way = JoinSet::new();
            for (at, (_, means, limit)) in calls.iter().enumerate() {
                let limit = *limit;
                match means {
                    ProbeMeans::Http(probe) => {
                        let asked = http::Asked::of(probe, root, &self.trust, limit);
                        let look = async move { asked?.look().await };
                        under_way.spawn(async move { (at, within(limit, look).await) });
                    }
                    ProbeMeans::Tcp(probe) => {
                        let address = probe.address.as_str().to_owned();
                        let look = async move { tcp::look(&address).await };
                        under_way.spawn(async move { (at, within(limit, look).await) });
                    }
                    ProbeMeans::Exec(_) | ProbeMeans::Unit(_) => {}
                }
            }
            let mut seen = Vec::new();
            while let Some(done) = under_way.join_next().await {
                seen.extend(done.ok());
            }
            seen
        });
        self.runtime = Some(runtime);
        Ok(seen)
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        // A name that is still being resolved would hold up the end of the agent.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Gives up when the time is over.
async fn within(limit: Duration, look: impl Future<Output = Sighting>) -> Sighting {
    match timeout(limit, look).await {
        Ok(seen) => seen,
        Err(_) => Err(format!("no answer within {} ms", limit.as_millis())),
    }
}

/// Whether a program is asked, and nothing over the network.
fn is_program((_, means, _): &Call<'_>) -> bool {
    matches!(means, ProbeMeans::Exec(_) | ProbeMeans::Unit(_))
}

fn ask(root: &Root, services: &ServiceManager, (_, means, limit): &Call<'_>) -> Sighting {
    match means {
        ProbeMeans::Exec(probe) => exec::look(root, probe, *limit),
        ProbeMeans::Unit(probe) => unit::look(root, services, probe, *limit),
        ProbeMeans::Http(_) | ProbeMeans::Tcp(_) => Err("no program is asked for it".to_owned()),
    }
}

fn put(sightings: &mut [Sighting], at: usize, seen: Sighting) {
    if let Some(place) = sightings.get_mut(at) {
        *place = seen;
    }
}

/// Makes one short line of whatever was seen.
fn answer(name: &str, seen: Sighting) -> Answer {
    let (passed, text) = match seen {
        Ok(text) => (true, text),
        Err(text) => (false, text),
    };
    let plain = |it: char| if it.is_control() { ' ' } else { it };
    let detail = text.chars().map(plain).take(DETAIL_LETTERS_MAX).collect();
    Answer { name: name.to_owned(), passed, detail }
}

#[cfg(test)]
mod tests;
