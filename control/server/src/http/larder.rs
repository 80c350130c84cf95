//! Answers that are dear to make: made once for all who ask for the same, and kept for a moment.
//!
//! **Invariant:** one of a kind is made at a time; who would have to wait behind many is told to come again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, Semaphore};

use super::answer::Refusal;
use crate::door;

/// Who waits while one is made. All that ask for the same are answered at once then.
const WAITING_MAX: usize = 128;

/// Different ones that are kept: parts of a list that people look at in the same second.
const KEPT_MAX: usize = 16;

/// One kind of answers, by what was asked.
#[derive(Debug)]
pub(super) struct Larder<K, V> {
    kept: Mutex<Vec<Jar<K, V>>>,
    waiting: Semaphore,
    lasts: Duration,
}

#[derive(Debug)]
struct Jar<K, V> {
    key: K,
    until: Instant,
    value: Arc<V>,
}

impl<K: PartialEq, V> Larder<K, V> {
    /// Answers last so long after they were made.
    pub(super) fn new(lasts: Duration) -> Self {
        Self { kept: Mutex::default(), waiting: Semaphore::new(WAITING_MAX), lasts }
    }

    /// The answer to this; made when there is none that lasts.
    pub(super) async fn get(
        &self,
        key: K,
        make: impl Future<Output = Result<V, Refusal>>,
    ) -> Result<Arc<V>, Refusal> {
        let crowd = || Refusal::busy("too many ask for this at once: ask again in a moment");
        let seat = self.waiting.try_acquire().map_err(|_full| crowd())?;
        let mut kept = self.kept.lock().await;
        drop(seat);
        let now = door::now();
        kept.retain(|it| it.until > now);
        if let Some(found) = kept.iter().find(|it| it.key == key) {
            return Ok(Arc::clone(&found.value));
        }
        let value = Arc::new(make.await?);
        if kept.len() >= KEPT_MAX {
            kept.remove(0);
        }
        kept.push(Jar { key, until: door::now() + self.lasts, value: Arc::clone(&value) });
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::task::JoinSet;
    use tokio::time::sleep;

    use super::*;

    #[tokio::test]
    async fn sixty_who_ask_at_once_are_answered_by_one() {
        let larder = Arc::new(Larder::<u32, u32>::new(Duration::from_mins(1)));
        let made = Arc::new(AtomicU32::new(0));
        let mut asked = JoinSet::new();
        for _ in 0..60 {
            let (larder, made) = (Arc::clone(&larder), Arc::clone(&made));
            asked.spawn(async move {
                let work = async {
                    sleep(Duration::from_millis(20)).await;
                    Ok(made.fetch_add(1, Ordering::Relaxed))
                };
                *larder.get(7, work).await.unwrap()
            });
        }
        assert!(asked.join_all().await.iter().all(|it| *it == 0));
        assert_eq!(made.load(Ordering::Relaxed), 1);
        for key in 8..40 {
            larder.get(key, async { Ok(key) }).await.unwrap();
        }
        assert_eq!(larder.kept.lock().await.len(), KEPT_MAX);
    }

    #[tokio::test]
    async fn a_failure_is_not_kept_and_nothing_outlasts_its_time() {
        let larder = Larder::<(), u32>::new(Duration::ZERO);
        assert!(larder.get((), async { Err(Refusal::busy("not now")) }).await.is_err());
        for number in 0..3 {
            assert_eq!(*larder.get((), async { Ok(number) }).await.unwrap(), number);
        }
    }
}
