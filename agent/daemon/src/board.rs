//! What the loop tells the local API, and what the local API asks of the loop.
//!
//! **Invariant:** the API never waits for the loop: it reads the last word. Only who asks what a cycle
//! would do waits for that cycle.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_api::status::{Control, Status};
use bowline_host::door::clock;
use bowline_host::pause::Pause;

use crate::errand::{Asked, Busy, Errand, Glance, Look};
use crate::events::Events;
use crate::herald::Herald;
use crate::meters::Meters;

/// Shared between the loop and the local API.
#[derive(Debug, Default)]
pub struct Board {
    status: Mutex<Status>,
    notes: Mutex<Vec<String>>,
    untried: Mutex<Option<String>>,
    asked: Mutex<Queue>,
    bell: Condvar,
    pause: Mutex<Option<Pause>>,
    ready: AtomicBool,
    herald: Herald,
    events: Events,
    meters: Meters,
}

/// What waits for the loop, and how many cycles it has begun.
#[derive(Debug, Default)]
struct Queue {
    asked: Asked,
    begun: u64,
}

impl Board {
    /// A board whose loop is told to a service manager.
    pub fn with(herald: Herald) -> Self {
        Self { herald, ..Self::default() }
    }

    /// Who speaks to the service manager.
    pub fn herald(&self) -> &Herald {
        &self.herald
    }

    /// Who listens to what happens.
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// What the loop counts.
    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    /// The last status, and what a person should know of the settings.
    pub fn status(&self) -> Status {
        let mut status = lock(&self.status).clone();
        status.warnings.extend(lock(&self.notes).iter().cloned());
        status.warnings.extend(lock(&self.untried).clone());
        let control = status.control.as_ref();
        let told = [control.and_then(Control::warning), control.and_then(Control::spool_warning)];
        status.warnings.extend(told.into_iter().flatten());
        status
    }

    /// What a person should know of the settings, from now on.
    pub fn note(&self, notes: Vec<String>) {
        *lock(&self.notes) = notes;
    }

    /// Why the branch of this host's own is not tried out, from now on.
    pub fn note_untried(&self, why: Option<String>) {
        *lock(&self.untried) = why;
    }

    /// Changes the status.
    pub fn tell(&self, change: impl FnOnce(&mut Status)) {
        change(&mut lock(&self.status));
    }

    /// What an earlier process left is ended.
    pub fn ready(&self) {
        self.ready.store(true, Ordering::Relaxed);
        self.herald.ready();
    }

    /// Whether what an earlier process left is ended.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// The pause, if one holds at this time.
    pub fn pause(&self, wall: i64) -> Option<Pause> {
        lock(&self.pause).clone().filter(|it| it.holds(wall))
    }

    /// The pause that an earlier process kept.
    pub fn remember(&self, pause: Option<Pause>) {
        *lock(&self.pause) = pause;
    }

    /// Puts another pause in the place of the one that was, once `keep` made that durable. Gives the
    /// one that was.
    pub fn set_pause<E>(
        &self,
        pause: Option<Pause>,
        keep: impl FnOnce(Option<&Pause>) -> Result<(), E>,
    ) -> Result<Option<Pause>, E> {
        let mut held = lock(&self.pause);
        keep(pause.as_ref())?;
        Ok(std::mem::replace(&mut *held, pause))
    }

    /// Asks for a cycle now. Gives the number of the cycle that answers it.
    pub fn ask_sync(&self) -> u64 {
        let mut queue = lock(&self.asked);
        queue.asked.look = Look::Thorough;
        queue.asked.knocked = true;
        self.bell.notify_all();
        queue.begun + 1
    }

    /// Asks for something else than the newest revision. Gives the number of the cycle that answers it.
    pub fn ask(&self, errand: Errand) -> Result<u64, Busy> {
        let mut queue = lock(&self.asked);
        if queue.asked.errand.as_ref().is_some_and(|it| !it.is_forsaken()) {
            return Err(Busy);
        }
        queue.asked.errand = Some(errand);
        queue.asked.knocked = true;
        self.bell.notify_all();
        Ok(queue.begun + 1)
    }

    /// A cycle begins.
    pub fn begin(&self) {
        lock(&self.asked).begun += 1;
    }

    /// The number of the cycle that was begun last.
    pub fn number(&self) -> u64 {
        lock(&self.asked).begun
    }

    /// Asks the resting loop to tell anew what it waits for.
    pub fn ask_look(&self) {
        self.glance(Glance::Pause);
    }

    /// Asks for another look at settings and trust file, and for a cycle under them.
    pub fn ask_reload(&self) {
        self.glance(Glance::Settings);
    }

    fn glance(&self, glance: Glance) {
        let mut queue = lock(&self.asked);
        queue.asked.glance = queue.asked.glance.max(glance);
        self.bell.notify_all();
    }

    /// Something on the host may have changed: asks for a look.
    pub fn hint(&self) {
        let mut queue = lock(&self.asked);
        queue.asked.look = queue.asked.look.max(Look::Hint);
        self.bell.notify_all();
    }

    /// Asks for the end.
    pub fn ask_stop(&self) {
        lock(&self.asked).asked.stop = true;
        self.bell.notify_all();
    }

    /// Whether the end was asked for.
    pub fn is_stopping(&self) -> bool {
        lock(&self.asked).asked.stop
    }

    /// Waits until something is asked, or the time is up; `None` waits without end. What was asked for
    /// is taken, but for the end, which stays.
    pub fn wait(&self, time: Option<Duration>) -> Asked {
        self.wait_until(time, |asked| !asked.is_quiet()).asked.take()
    }

    /// Waits for a time, unless the end is asked for; true when it was. What follows may take as long as
    /// the allowance, of which the service manager hears after the wait: each slice took it back.
    pub fn linger(&self, time: Duration, allowance: Duration) -> bool {
        let stop = self.wait_until(Some(time), |asked| asked.stop).asked.stop;
        self.herald.beat(allowance);
        stop
    }

    /// Waits for a time, or until somebody asks for something; true when that is the end. What was asked
    /// for is not taken: it waits for a loop that listens.
    pub fn tarry(&self, time: Duration) -> bool {
        let mut queue = self.wait_until(Some(time), |asked| asked.stop || asked.knocked);
        queue.asked.knocked = false;
        queue.asked.stop
    }

    /// Waits in slices, so that the service manager hears that the loop still turns.
    fn wait_until(
        &self,
        time: Option<Duration>,
        enough: impl Fn(&Asked) -> bool,
    ) -> MutexGuard<'_, Queue> {
        let end = time.map(|it| clock::since_boot().saturating_add(it));
        loop {
            let left = end.map(|it| it.saturating_sub(clock::since_boot()));
            let slice = left.into_iter().chain(self.herald.slice()).min();
            let queue = lock(&self.asked);
            let more = |queue: &mut Queue| !enough(&queue.asked);
            let queue = match slice {
                Some(slice) => {
                    let waited = self.bell.wait_timeout_while(queue, slice, more);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.bell.wait_while(queue, more).unwrap_or_else(PoisonError::into_inner),
            };
            if enough(&queue.asked) || left.is_some_and(|it| it.is_zero()) {
                return queue;
            }
            drop(queue);
            self.herald.beat(Duration::ZERO);
        }
    }
}

/// A thread that panicked while holding the board left plain values, which are as good as before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errand::Want;

    #[test]
    fn a_request_is_taken_once_and_an_end_stays() {
        let board = Board::default();
        board.ask_sync();
        assert_eq!(board.wait(None).look, Look::Thorough);
        assert!(board.wait(Some(Duration::ZERO)).is_quiet());
        board.ask_stop();
        assert!(board.wait(None).stop && board.wait(None).stop);
    }

    #[test]
    fn a_loop_that_does_not_listen_is_woken_once_and_leaves_what_was_asked() {
        let board = Board::default();
        assert_eq!(board.ask(Errand { want: Want::Retry, rehearsal: None }), Ok(1));
        // Longer than any test may take: it returns because somebody knocked.
        assert!(!board.tarry(Duration::from_hours(1)));
        assert!(!board.tarry(Duration::ZERO));
        assert_eq!(board.number(), 0, "nothing has answered it yet");
        assert_eq!(board.wait(None).errand.map(|it| it.want), Some(Want::Retry));
        board.ask_stop();
        assert!(board.tarry(Duration::from_hours(1)));
    }

    #[test]
    fn a_hint_wakes_a_loop_that_rests_and_no_other() {
        let board = Board::default();
        board.hint();
        assert!(!board.tarry(Duration::ZERO));
        let asked = board.wait(None);
        assert!(asked.look == Look::Hint && asked.is_hint_at_most());
        assert!(board.wait(Some(Duration::ZERO)).is_quiet());
    }

    #[test]
    fn one_errand_waits_and_the_next_cycle_answers_it() {
        let board = Board::default();
        let errand = || Errand { want: Want::Retry, rehearsal: None };
        assert_eq!((board.ask(errand()), board.ask(errand())), (Ok(1), Err(Busy)));
        assert_eq!(board.wait(None).errand.map(|it| it.want), Some(Want::Retry));
        board.begin();
        assert_eq!((board.ask(errand()), board.ask_sync()), (Ok(2), 2));
    }

    #[test]
    fn a_pause_that_cannot_be_kept_does_not_hold() {
        let board = Board::default();
        let pause = || {
            Some(Pause {
                holder: "root".to_owned(),
                reason: "upgrade".to_owned(),
                since: 0,
                until: Some(10),
            })
        };
        assert_eq!(board.set_pause(pause(), |_| Err("full")), Err("full"));
        assert_eq!(board.pause(1), None);
        assert_eq!(board.set_pause::<()>(pause(), |_| Ok(())), Ok(None));
        assert_eq!((board.pause(9), board.pause(10)), (pause(), None));
    }
}
