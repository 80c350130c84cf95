//! The one writer: what waits is done in one transaction, and answered after its commit.
//!
//! **Invariant:** nobody is answered before what they asked for is durable.
//! **Invariant:** a job that fails takes no other job with it; a lock of somebody else's fails all that wait.
//! **Invariant:** after a failed sync nothing more is written.

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::super::failure::{StoreFailure, doing};
use super::lineage::Log;

/// Jobs done in one transaction: enough to share a sync among all that wait, few enough that memory and
/// the write-ahead log stay small (each brings at most 1 MiB).
pub(super) const GROUP_MAX: usize = 64;

/// Something to do in a transaction.
pub(super) trait Job: Send {
    /// Does it; it may be rolled back and done again.
    fn run(&mut self, db: &Connection) -> Result<(), StoreFailure>;

    /// Answers whoever waits.
    fn answer(self: Box<Self>, ended: Result<(), StoreFailure>);
}

struct Task<T, F> {
    work: F,
    made: Option<T>,
    reply: oneshot::Sender<Result<T, StoreFailure>>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnMut(&Connection) -> Result<T, StoreFailure> + Send,
{
    fn run(&mut self, db: &Connection) -> Result<(), StoreFailure> {
        self.made = Some((self.work)(db)?);
        Ok(())
    }

    fn answer(self: Box<Self>, ended: Result<(), StoreFailure>) {
        let Self { made, reply, .. } = *self;
        // Whoever asked may have gone away; what was done stays done.
        drop(reply.send(ended.and_then(|()| made.ok_or(StoreFailure::Closed))));
    }
}

/// Packs work and the place of its answer.
pub(super) fn job<T, F>(work: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T, StoreFailure>>)
where
    T: Send + 'static,
    F: FnMut(&Connection) -> Result<T, StoreFailure> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (Box::new(Task { work, made: None, reply }), answer)
}

/// Works until nobody can ask any more.
pub(super) fn work(mut db: Connection, mut queue: mpsc::Receiver<Box<dyn Job>>) {
    let mut halted = false;
    let mut log = Log::of(&mut db);
    while let Some(first) = queue.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP_MAX
            && let Ok(next) = queue.try_recv()
        {
            group.push(next);
        }
        if halted {
            for job in group {
                job.answer(Err(StoreFailure::SyncFailed));
            }
            continue;
        }
        halted = settle(&mut db, &mut log, group);
        // Those who waited have their answers.
        halted = halted || log.fold(&db).is_err();
    }
}

/// Does a group in one transaction; when that fails, each job in its own. Says whether a sync failed.
fn settle(db: &mut Connection, log: &mut Log, mut group: Vec<Box<dyn Job>>) -> bool {
    let ended = transact(db, log, &mut group);
    let mut halted = matches!(ended, Err(StoreFailure::SyncFailed));
    if let Err(StoreFailure::Locked { doing }) = ended {
        // Each would wait for the same lock, one after the other, while others line up behind.
        for job in group {
            job.answer(Err(StoreFailure::Locked { doing }));
        }
        return false;
    }
    if ended.is_ok() || halted || group.len() == 1 {
        let mut ended = Some(ended);
        for job in group {
            let failed = || if halted { Err(StoreFailure::SyncFailed) } else { Ok(()) };
            job.answer(ended.take().unwrap_or_else(failed));
        }
        return halted;
    }
    for mut job in group {
        let ended = if halted {
            Err(StoreFailure::SyncFailed)
        } else {
            transact(db, log, std::slice::from_mut(&mut job))
        };
        halted |= matches!(ended, Err(StoreFailure::SyncFailed));
        job.answer(ended);
    }
    halted
}

fn transact(
    db: &mut Connection,
    log: &mut Log,
    jobs: &mut [Box<dyn Job>],
) -> Result<(), StoreFailure> {
    let begin = db.transaction_with_behavior(TransactionBehavior::Immediate);
    let tx = begin.map_err(doing("begin a transaction"))?;
    log.begin(&tx)?;
    for job in jobs {
        job.run(&tx)?;
    }
    tx.commit().map_err(doing("commit"))?;
    log.committed();
    Ok(())
}
