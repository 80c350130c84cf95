//! What happens in the loop, told at once to whoever listens.
//!
//! **Invariant:** the loop never waits for a listener: one that does not keep up is let go, and told so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Listeners at once: a few people and a dashboard.
const LISTENERS_MAX: usize = 16;

/// Events that wait for one listener: a deployment has some tens.
const WAITING_MAX: usize = 64;

/// Everybody who listens.
#[derive(Debug, Default)]
pub struct Events {
    listeners: Mutex<Vec<Listener>>,
}

#[derive(Debug)]
struct Listener {
    tell: Sender<Arc<str>>,
    lagged: Arc<AtomicBool>,
}

/// One who listens.
#[derive(Debug)]
pub struct Ear {
    /// Events, each in the form of the wire.
    pub heard: Receiver<Arc<str>>,
    lagged: Arc<AtomicBool>,
}

impl Ear {
    /// Whether it was let go because it was too slow.
    pub fn has_lagged(&self) -> bool {
        self.lagged.load(Ordering::Relaxed)
    }
}

impl Events {
    /// Listens from now on; `None` when too many do.
    pub fn listen(&self) -> Option<Ear> {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|it| !it.tell.is_closed());
        if listeners.len() >= LISTENERS_MAX {
            return None;
        }
        let (tell, heard) = channel(WAITING_MAX);
        let lagged = Arc::new(AtomicBool::new(false));
        listeners.push(Listener { tell, lagged: Arc::clone(&lagged) });
        Some(Ear { heard, lagged })
    }

    /// Tells everybody.
    pub fn publish(&self, event: &str, value: &impl Serialize) {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        if listeners.is_empty() {
            return;
        }
        // Plain data, which always has a JSON form.
        let data = serde_json::to_string(value).unwrap_or_default();
        let text: Arc<str> = format!("event: {event}\ndata: {data}\n\n").into();
        listeners.retain(|it| {
            let told = it.tell.try_send(Arc::clone(&text)).is_ok();
            it.lagged.store(!told, Ordering::Relaxed);
            told
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_that_does_not_keep_up_is_let_go_and_others_stay() {
        let events = Events::default();
        let mut slow = events.listen().unwrap();
        let mut quick = events.listen().unwrap();
        for number in 0..=WAITING_MAX {
            events.publish("phase", &number);
            assert!(quick.heard.try_recv().unwrap().contains(&number.to_string()));
        }
        assert!(slow.has_lagged() && !quick.has_lagged());
        let mut waiting = 0;
        while slow.heard.try_recv().is_ok() {
            waiting += 1;
        }
        assert_eq!(waiting, WAITING_MAX);
    }

    #[test]
    fn too_many_listeners_are_turned_away_until_some_go() {
        let events = Events::default();
        let ears: Vec<_> = (0..LISTENERS_MAX).map(|_| events.listen().unwrap()).collect();
        assert!(events.listen().is_none());
        drop(ears);
        assert!(events.listen().is_some());
    }
}
