//! The rest between two cycles: waits for the next, and takes what is asked of it.
//!
//! **Invariant:** the loop ends here and nowhere else, unless something is broken.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use bowline_api::outcome::Outcome;
use bowline_engine::ending::Ending;
use bowline_engine::phase::{Ear, Event};
use bowline_engine::wish::{Order, Wish};
use bowline_host::door::clock;
use bowline_host::facts;
use bowline_host::failure::chain;

use super::joined::joined;
use super::{Host, Run};
use crate::cannot_start::opening;
use crate::driver::Halt;
use crate::errand::{self, Asked, Errand, Glance, Look, Want};
use crate::gear::Gear;

/// What the loop is up to between two cycles.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    /// When the remote is asked next, since boot.
    next_poll: Option<Duration>,
    /// Whether the cycle is a look that something on the host gave cause for.
    hinted: bool,
    /// What a single cycle did before it goes on with what it had put off.
    begun: Option<Box<Ending>>,
}

impl Host {
    pub(super) fn rest(
        &mut self,
        ending: Option<Box<Ending>>,
        wait: Duration,
        ear: Ear,
    ) -> Result<Event, Halt> {
        let is_end = ending.is_some();
        let stranded = ending.as_ref().is_some_and(|it| it.cycle.outcome == Outcome::Stranded);
        let again = ending.as_ref().is_some_and(|it| it.again);
        // Nothing was asked of the remote and nothing found: what was told before still holds.
        let hinted = mem::take(&mut self.agenda.hinted);
        let ending = ending.filter(|it| !hinted || self.is_news(it));
        // Before anybody hears that it is over: who asks then is told what stands.
        self.tell_standing();
        let followed = if self.is_testing { self.staged.as_ref() } else { self.standing.as_ref() };
        self.lookout.follow(&self.root, followed, self.settings.watches);
        match (ending, self.rehearsal.take()) {
            (Some(ending), Some(asker)) => {
                // Who asked may have gone meanwhile; nobody else hears of it.
                drop(asker.send(errand::rehearsal(self.shown.take(), &ending.cycle)));
                if ending.cycle.deployment.is_some() {
                    // An earlier deployment's end was owed, and came before what was asked.
                    self.conclude(ending);
                }
            }
            (Some(ending), None) => self.conclude(ending),
            (None, _) => {}
        }
        if self.board.is_stopping() {
            return Err(Halt::Stop);
        }
        if ear == Ear::Shut && self.run == Run::Always {
            return self.hold_on(wait);
        }
        if !stranded {
            self.settle_in()?;
        }
        self.board.ready();
        let is_single = matches!(self.run, Run::Once { recovering: false });
        // What could not be recorded is recorded first, and nothing else.
        let goes_on = is_end && is_single && ear == Ear::Open && self.is_to_go_on();
        match self.run {
            Run::Once { recovering: true } if !stranded => {
                self.run = Run::Once { recovering: false };
                self.ending = None;
                return self.wake(Asked { look: Look::Thorough, ..Asked::default() });
            }
            Run::Once { .. } if goes_on => {
                return self.wake(Asked { look: Look::Thorough, ..Asked::default() });
            }
            Run::Once { .. } if is_end => return Err(Halt::Stop),
            Run::Always if is_end => {}
            _ => return self.wake_at_once(),
        }
        let time = match (again || stranded, self.settings.interval.is_zero()) {
            (false, true) => None,
            _ => Some(jittered(wait)),
        };
        self.gear = self.gear.take().and_then(Gear::let_go);
        let time = self.until_poll(time, hinted);
        let asked = self.wait(time, stranded);
        if asked.stop {
            return Err(Halt::Stop);
        }
        self.board.tell(|status| status.waiting_for = None);
        self.refresh(asked.glance == Glance::Settings);
        self.wake(asked)
    }

    /// Whether a look that something gave cause for found something. What is tried out is not repaired: what is
    /// found of it is told once.
    fn is_news(&self, ending: &Ending) -> bool {
        let is_other = || self.ending.as_deref().is_none_or(|it| it.cycle != ending.cycle);
        ending.cycle.outcome != Outcome::Unchanged || (self.is_testing && is_other())
    }

    /// The next cycle begins without a wait: whoever asked meanwhile is answered by it, so it is theirs.
    fn wake_at_once(&mut self) -> Result<Event, Halt> {
        let asked = self.board.wait(Some(Duration::ZERO));
        if asked.stop {
            return Err(Halt::Stop);
        }
        self.refresh(asked.glance == Glance::Settings);
        self.wake(Asked { look: Look::Thorough, ..asked })
    }

    /// How long until the remote is asked.
    fn until_poll(&mut self, time: Option<Duration>, hinted: bool) -> Option<Duration> {
        let now = clock::since_boot();
        let fresh = time.map(|it| now.saturating_add(it));
        self.agenda.next_poll = next_poll(self.agenda.next_poll, fresh, hinted);
        self.agenda.next_poll.map(|it| it.saturating_sub(now))
    }

    /// Waits to finish what is decided; nobody is heard before that.
    fn hold_on(&mut self, wait: Duration) -> Result<Event, Halt> {
        self.tell_wait(Some(wait), false, None);
        self.tell_manager();
        if self.board.tarry(wait) {
            return Err(Halt::Stop);
        }
        self.board.tell(|status| status.waiting_for = None);
        self.wake_for(Wish::default())
    }

    /// Before the agent is ready, all that a cycle needs is open: until then it is still starting.
    fn settle_in(&mut self) -> Result<(), Halt> {
        if let Some(damage) = self.damage.take() {
            // What was open is ended; nothing new begins on what cannot be read.
            return Err(damage.into());
        }
        self.gear().map(drop)
    }

    /// Waits for the next cycle, and says for what.
    fn wait(&self, time: Option<Duration>, stranded: bool) -> Asked {
        let end = time.map(|it| clock::since_boot() + it);
        loop {
            let left = end.map(|it| it.saturating_sub(clock::since_boot()));
            let pause = self.board.pause(clock::wall());
            self.tell_wait(left, stranded, pause.as_ref());
            self.tell_manager();
            let mut asked = self.board.wait(sooner(left, pause.and_then(|it| it.until)));
            // A pause that began or ended is told; the wait goes on.
            if asked.glance != Glance::Pause {
                return asked;
            }
            asked.glance = Glance::None;
            if !asked.is_quiet() {
                return asked;
            }
        }
    }

    /// A cycle is over: keeps its ending, and tells everybody.
    fn conclude(&mut self, ending: Box<Ending>) {
        self.say(&ending);
        self.ending = Some(match self.agenda.begun.take() {
            Some(begun) => joined(begun, ending),
            None => ending,
        });
    }

    /// Whether the only cycle repaired what it could, and put off what waits for an archive. The engine puts that
    /// off once.
    fn is_to_go_on(&mut self) -> bool {
        // A repair may stand behind what is told of a newer revision; what has a deployment and went back is no repair.
        let is_kept = |it: &Ending| {
            let committed = it.cycle.outcome == Outcome::Committed;
            committed || (it.cycle.deployment.is_none() && !it.cycle.steps.is_empty())
        };
        let is_half = |it: &Ending| it.again && is_kept(it);
        self.agenda.begun = self.ending.take_if(|it| is_half(it));
        self.agenda.begun.is_some()
    }

    /// What people ask of the next cycle.
    fn wish(&mut self, asked: Asked) -> Wish {
        let paused = self.board.pause(clock::wall()).map(|it| it.line());
        let hint = asked.look == Look::Hint && asked.is_hint_at_most();
        let errand = asked.errand.filter(|it| !it.is_forsaken());
        let Some(Errand { want, rehearsal }) = errand else {
            self.agenda.hinted = hint;
            // New settings may ask for something else: that is more than a look.
            let thorough = !hint && asked.look != Look::None;
            return Wish { thorough, hint, paused, ..Wish::default() };
        };
        let dry = rehearsal.is_some();
        self.rehearsal = rehearsal;
        let order = match &want {
            Want::Sync | Want::Resume => None,
            Want::Retry => Some(Order::Retry),
            Want::Revert { because } => {
                let standing = self.standing.as_deref();
                let before = self.state.generation_before(standing).unwrap_or_else(|error| {
                    tracing::warn!(error = %chain(&error), "the generation before cannot be read");
                    None
                });
                Some(Order::Revert { to: before.map(Box::new), because: because.clone() })
            }
        };
        let paused = paused.filter(|_| want != Want::Resume);
        Wish { thorough: true, dry, paused, order, hint: false }
    }

    fn wake(&mut self, asked: Asked) -> Result<Event, Halt> {
        let wish = self.wish(asked);
        if !wish.dry {
            self.board.begin();
        }
        self.wake_for(wish)
    }

    fn wake_for(&mut self, wish: Wish) -> Result<Event, Halt> {
        self.settle_in()?;
        let facts = match (facts::read(&self.root), self.facts.take()) {
            (Ok(facts), _) => facts,
            (Err(error), Some(facts)) => {
                tracing::warn!(error = %chain(&error), "facts of an earlier look are used");
                facts
            }
            // Without facts manifests would seem to be for other hosts.
            (Err(error), None) => return Err(opening("read the host's facts")(error).into()),
        };
        self.facts = Some(facts.clone());
        let gear = self.gear()?;
        let (settings, next_deployment) = (Arc::clone(&gear.known), gear.records.next_seq());
        Ok(Event::Woke {
            settings,
            now: clock::since_boot(),
            wall: clock::wall(),
            facts,
            next_deployment,
            wish,
        })
    }
}

/// When the remote is asked next. A look in between, however it ended, puts that off for nobody: whoever
/// gives cause for looks would keep merges away.
fn next_poll(planned: Option<Duration>, fresh: Option<Duration>, hinted: bool) -> Option<Duration> {
    planned.filter(|_| hinted).into_iter().chain(fresh).min()
}

/// A fifth more or less, so that a fleet does not ask all at once.
fn jittered(wait: Duration) -> Duration {
    let grain = clock::since_boot().subsec_nanos() % 401;
    wait.saturating_mul(800 + grain) / 1000
}

/// The end of a pause is noticed when it comes.
fn sooner(time: Option<Duration>, until: Option<i64>) -> Option<Duration> {
    let left =
        until.map(|it| Duration::from_secs(it.saturating_sub(clock::wall()).max(0).unsigned_abs()));
    time.into_iter().chain(left).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_in_between_never_puts_off_a_poll() {
        let at = |it: u64| (it > 0).then(|| Duration::from_secs(it));
        for (planned, fresh, hinted, next) in [
            (60, 30, true, 30),
            (60, 90, true, 60),
            (60, 0, true, 60),
            (0, 30, true, 30),
            (60, 90, false, 90),
            (60, 0, false, 0),
        ] {
            let found = next_poll(at(planned), at(fresh), hinted);
            assert_eq!(found, at(next), "{planned} {fresh} {hinted}");
        }
    }
}
