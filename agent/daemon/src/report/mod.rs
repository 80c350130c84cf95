//! Sends the host's records to the control service, beside the loop and never in its way.
//!
//! **Invariant:** a record counts as sent when the service acknowledged it; until then it stays.
//! **Invariant:** nothing that the service answers changes what the host does; it only changes what is sent.

mod answers;
mod pace;
mod post;
mod standing;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bowline_api::status::{Control as Told, Reporting};
use bowline_host::control::{AckedFile, Link, Taken};
use bowline_host::door::clock;
use bowline_host::record::{Most, Outbox, Spool};
use bowline_host::settings::{Control, Settings};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::board::Board;
use crate::driver::Halt;

pub use post::{Letters, Post};

use pace::Pace;
use standing::Standing;

/// What the service takes at once.
const MOST: Most = Most { lines: 4096, bytes: 1 << 20 };

/// Where the service stands is asked with one record: its answer names the newest that it has.
const FIRST_MOST: Most = Most { lines: 1, bytes: 1 };

/// How long a single cycle may wait at its end for records to be sent.
const ONCE_TIME: Duration = Duration::from_secs(5);

/// Where the loop leaves its records, as settings say.
pub fn post(settings: &Settings) -> Arc<Post> {
    let spool = match &settings.control {
        None => Spool::of_nobody(settings.spool),
        Some(control) => {
            let known = AckedFile::within(&settings.state).read(&control.url.to_string());
            Spool::acknowledged(settings.spool, known.unwrap_or_default())
        }
    };
    Arc::new(Post::new(Arc::new(spool)))
}

/// What comes after a step.
#[derive(Debug)]
enum Next {
    /// Another one.
    Again,
    /// Nothing, until there is a new record.
    Idle,
    /// Another one after a while: the failure is the world's, and may be over soon.
    Later(Option<Duration>),
    /// Another one after a long while: a person has to do something.
    Slow,
}

/// Sends records.
#[derive(Debug)]
pub struct Reporter {
    control: Control,
    host: String,
    letters: watch::Receiver<Option<Letters>>,
    spool: Arc<Spool>,
    outbox: Outbox,
    file: AckedFile,
    link: Link,
    stop: Arc<AtomicBool>,
    standing: Standing,
    pace: Pace,
    acked: u64,
    /// How far records were acknowledged when the service last wanted earlier ones.
    turned: Option<u64>,
    most: Most,
    /// Whether the service took the key, as far as is known.
    is_known: bool,
    /// Whether the service just said that it does not know the key.
    is_strange: bool,
    /// Whether the log's end is known to be durable.
    is_settled: bool,
}

impl Reporter {
    /// Somebody who sends records where settings say; `None` where they say nothing.
    pub fn of(
        settings: &Settings,
        board: &Arc<Board>,
        post: &Post,
        stop: Arc<AtomicBool>,
    ) -> Option<Self> {
        let control = settings.control.clone()?;
        let url = control.url.to_string();
        let file = AckedFile::within(&settings.state);
        let known = file.read(&url);
        Some(Self {
            host: board.status().name,
            letters: post.subscribe(),
            spool: Arc::clone(post.spool()),
            outbox: Outbox::of(&settings.state.join("records")),
            file,
            link: Link::new(&control, Arc::clone(&stop)),
            stop,
            standing: Standing::begin(Arc::clone(board), url, Arc::clone(post.spool())),
            pace: Pace::default(),
            acked: known.unwrap_or_default(),
            turned: None,
            most: if known.is_some() { MOST } else { FIRST_MOST },
            is_known: known.is_some(),
            is_strange: false,
            is_settled: false,
            control,
        })
    }

    /// Sends records until the agent ends. Ends by itself only when nothing may be written any more.
    pub async fn run(mut self) -> Halt {
        loop {
            let Some(letters) = self.letters.borrow_and_update().clone() else {
                if self.letters.changed().await.is_err() {
                    return Halt::Stop;
                }
                continue;
            };
            let wait = match self.step(&letters).await {
                Ok(Next::Again) => continue,
                Ok(Next::Later(asked)) => Some(self.pace.next(asked, chance())),
                Ok(Next::Slow) => Some(self.pace.slow(chance())),
                Ok(Next::Idle) => None,
                Err(halt) => return halt,
            };
            match wait {
                Some(wait) => self.rest(wait).await,
                None if self.letters.changed().await.is_err() => return Halt::Stop,
                None => {}
            }
        }
    }

    /// Waits. New records are counted meanwhile, and do not cut it short: others would come each time.
    async fn rest(&mut self, wait: Duration) {
        let rest = sleep(wait);
        tokio::pin!(rest);
        loop {
            tokio::select! {
                () = &mut rest => return,
                changed = self.letters.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let kept = self.letters.borrow_and_update().as_ref().map_or(0, |it| it.kept);
                    self.standing.count(self.acked, kept, &self.outbox);
                }
            }
        }
    }

    /// Sends what is there at the end of a single cycle, for a short time. Gives how it then stands.
    pub async fn run_once(mut self) -> Result<Told, Halt> {
        let Some(letters) = self.letters.borrow_and_update().clone() else {
            return Ok(self.standing.told().clone());
        };
        let whole = async {
            while let Next::Again = self.step(&letters).await? {}
            Ok::<(), Halt>(())
        };
        if let Ok(done) = timeout(ONCE_TIME, whole).await {
            done?;
        } else {
            let why = format!("not all was taken within {} s", ONCE_TIME.as_secs());
            self.standing.tell(Reporting::Unreachable, Some(why));
        }
        Ok(self.standing.told().clone())
    }

    /// A note that is ahead of the records is of others: those that stand here may never have been sent.
    fn forget_where_it_stands(&mut self) {
        tracing::warn!(noted = self.acked, "more records were noted as sent than there are");
        self.acked = 0;
        self.spool.acknowledge(0);
        (self.most, self.is_known) = (FIRST_MOST, false);
    }

    /// One request, or the word that none is needed.
    async fn step(&mut self, letters: &Letters) -> Result<Next, Halt> {
        if self.acked > letters.kept {
            self.forget_where_it_stands();
        }
        self.standing.count(self.acked, letters.kept, &self.outbox);
        if !self.is_settled {
            if let Err(error) = self.outbox.settle() {
                return self.unreadable(&error);
            }
            self.is_settled = true;
        }
        if !self.is_known
            && let Some(next) = self.enrol(letters).await
        {
            return Ok(next);
        }
        let parcel = match self.outbox.after(self.acked, letters.kept, self.most) {
            Ok(parcel) => parcel,
            Err(error) => return self.unreadable(&error),
        };
        let Some(parcel) = parcel else {
            if self.is_known {
                self.standing.tell(Reporting::Reporting, None);
            }
            return Ok(Next::Idle);
        };
        let (first, count) = (parcel.first, parcel.count);
        Ok(match self.link.send(parcel.body.into()).await {
            Ok(Taken::Acked(acked)) => self.acknowledged(acked, first, letters),
            Ok(Taken::Broken(broken)) => self.broken(&broken, first, letters),
            Ok(Taken::NotTaken(None, why)) => self.unknown(why),
            Ok(Taken::NotTaken(Some(state), why)) => self.stands(state, why),
            Ok(Taken::TooMany(_)) if count > 1 => {
                self.most = Most { lines: count / 2, bytes: self.most.bytes };
                Next::Again
            }
            Ok(Taken::TooMany(why)) => {
                self.standing.tell(Reporting::Unreachable, Some(why));
                Next::Slow
            }
            Err(failure) => {
                if failure.is_busy() {
                    // It may have no room for many, and always has some for few.
                    self.most = Most { lines: (count / 2).max(1), bytes: self.most.bytes };
                }
                self.failed(&failure)
            }
        })
    }
}

/// A number in 0..1000 that differs from host to host.
fn chance() -> u32 {
    clock::since_boot().subsec_nanos() % 1000
}
