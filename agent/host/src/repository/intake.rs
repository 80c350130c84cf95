//! Takes a pack from a stranger into the agent's repository.
//!
//! A confined process of its own ([`unpack`](super::unpack)) puts it together; the agent passes bytes on.
//!
//! **Invariant:** it is read beside the repository, and becomes part of it only when it is let in.
//! **Invariant:** its objects are counted before the first is unpacked, its bytes while they come.
//! **Invariant:** a pack that is not whole leaves nothing that is ever read.
//! **Invariant:** what the process says is a stranger's word: bounded, and believed only of itself.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::Once;
use std::time::Duration;

use git2::{ObjectType, Oid};
use nix::sys::signal::Signal;

use super::arrivals::{clear_arrivals, is_pair};
use super::fetch_failure::FetchFailure;
use super::pack_index;
use super::room::Room;
use super::unpack::{self, Answer, Found, Task};
use super::watch::Watch;
use super::{ARRIVALS, Repository, RepositoryFailure, object_id, objects_in};
use crate::door::confined::{Bounds, Lack, is_open, seconds};
use crate::door::dialogue::{Dialogue, Heard};
use crate::door::{files, lent};
use crate::failure::OsFailure;
use crate::wire::BadAnswer;
use crate::wire::bad_answer::plain;

/// `PACK`, the version, and how many objects follow.
const HEAD_BYTES: usize = 12;

/// Memory to put a pack together in: half of what the agent's unit allows both. A list of two million objects
/// fits, and so does each difference between objects of which two are smaller than this.
const MEMORY: u64 = 512 << 20;

/// The program itself, its libraries and its stack.
const PROGRAM_BYTES: u64 = 256 << 20;

/// The index of two million objects is smaller.
const INDEX_BYTES: u64 = 128 << 20;

/// Its answer is one line.
const ANSWER_BYTES_MAX: usize = 4 << 10;

/// How long the process may take to end when it has answered.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What a pack is to bring.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The commit.
    pub(super) tip: Oid,
    /// One below which everything is here.
    pub(super) known: Option<Oid>,
    /// What names it over there.
    pub(super) reference: &'a str,
    /// Whether its differences may build on objects that are here and not in it.
    pub(super) thin: bool,
}

/// A pack on its way in.
pub(super) struct Intake<'i> {
    own: &'i Repository,
    watch: &'i Watch<'i>,
    wanted: Wanted<'i>,
    /// What the process may leave on the disk.
    room: Room,
    /// The process; none when it has answered.
    process: Option<Dialogue>,
    head: Vec<u8>,
}

impl<'i> Intake<'i> {
    /// Makes room for a pack, and starts who unpacks it.
    pub(super) fn begin(
        own: &'i Repository,
        wanted: Wanted<'i>,
        watch: &'i Watch<'i>,
    ) -> Result<Self, FetchFailure> {
        clear_arrivals(&own.folder).map_err(RepositoryFailure::from)?;
        let task = own.task(&wanted, watch)?;
        let process = Dialogue::confined(&[unpack::WORD.to_owned(), task], &own.folder)
            .map_err(RepositoryFailure::from)?;
        Ok(Self::with(own, wanted, watch, process))
    }

    /// Lets a process that is started already unpack.
    fn with(
        own: &'i Repository,
        wanted: Wanted<'i>,
        watch: &'i Watch<'i>,
        process: Dialogue,
    ) -> Self {
        let most = watch.bytes_max().saturating_add(INDEX_BYTES.saturating_mul(2));
        let room = Room::of(own.folder.join(ARRIVALS), most);
        Self { own, watch, wanted, room, process: Some(process), head: Vec::new() }
    }

    /// Takes the next bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), FetchFailure> {
        let watch = self.watch;
        watch.check()?;
        if self.head.len() < HEAD_BYTES {
            let more = HEAD_BYTES - self.head.len();
            self.head.extend(bytes.iter().take(more));
            if self.head.len() == HEAD_BYTES {
                watch.count(0, self.objects()?)?;
            }
        }
        self.demand_room()?;
        let go_on = || watch.check().is_ok() && self.room.is_kept();
        let told = self.process.as_mut().map(|it| it.tell(bytes, go_on));
        match told {
            Some(Ok(Heard::Something)) => Ok(()),
            Some(Ok(Heard::Stopped)) => {
                watch.check()?;
                self.demand_room()?;
                Err(self.died("does not take the pack".to_owned()))
            }
            // It is gone, and has said why.
            Some(Ok(Heard::End) | Err(_)) | None => match self.answer()? {
                Found::Whole => Err(self.died("was done before the pack was".to_owned())),
                found => self.judge(found),
            },
        }
    }

    /// Ends it: everything is put together, complete and named, and waits to be let in.
    pub(super) fn end(mut self) -> Result<(), FetchFailure> {
        if self.head.len() < HEAD_BYTES {
            return Err(self.watch.answer(BadAnswer::Cut));
        }
        let found = self.answer()?;
        self.judge(found)?;
        self.watch.check()
    }

    /// How many objects the pack says it has.
    fn objects(&self) -> Result<usize, FetchFailure> {
        let malformed = |what| self.watch.answer(BadAnswer::Malformed(what));
        let (name, rest) = self.head.split_at_checked(8).unwrap_or_default();
        if name != b"PACK\0\0\0\x02" {
            return Err(malformed("the pack is none of version 2"));
        }
        Ok(rest.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)))
    }

    /// What the process says of the whole pack. It is gone after that.
    fn answer(&mut self) -> Result<Found, FetchFailure> {
        let watch = self.watch;
        let Some(mut process) = self.process.take() else {
            return Err(self.died("has answered already".to_owned()));
        };
        process.no_more();
        let mut said = Vec::new();
        loop {
            match process.hear(&mut said, || watch.check().is_ok() && self.room.is_kept()) {
                Ok(Heard::Something) if said.len() <= ANSWER_BYTES_MAX => {}
                Ok(Heard::Something) => return Err(self.died("answers too much".to_owned())),
                Ok(Heard::End) => break,
                Ok(Heard::Stopped) => {
                    watch.check()?;
                    self.demand_room()?;
                }
                Err(error) => return Err(self.died(format!("cannot be heard: {error}"))),
            }
        }
        let (status, words) = process.end(LAST_WORDS);
        self.ended(status, &plain(words.as_bytes()))?;
        let answer: Answer = serde_json::from_slice(&said)
            .map_err(|_| self.died(format!("answers \"{}\"", plain(&said))))?;
        if is_open(&answer.lacks) {
            return Err(FetchFailure::Unconfined { url: watch.url.clone() });
        }
        tell_once(&answer.lacks);
        Ok(answer.found)
    }

    /// How the process ended.
    fn ended(&self, status: Option<ExitStatus>, words: &str) -> Result<(), FetchFailure> {
        let Some(status) = status else { return Err(self.died("does not end".to_owned())) };
        let url = self.watch.url.clone();
        match (status.code(), status.signal().and_then(|it| Signal::try_from(it).ok())) {
            (Some(0), _) => Ok(()),
            (_, Some(Signal::SIGXFSZ)) => {
                let limit = format!("{} bytes", self.watch.bytes_max());
                Err(FetchFailure::TooLarge { url, limit })
            }
            (_, Some(Signal::SIGXCPU)) => Err(self.watch.timed_out()),
            (_, Some(signal)) => Err(self.died(format!("was ended by {signal}{}", after(words)))),
            (code, None) => {
                let code = code.unwrap_or_default();
                Err(self.died(format!("ended with exit code {code}{}", after(words))))
            }
        }
    }

    /// Judges what the process says by what lies there.
    fn judge(&self, found: Found) -> Result<(), FetchFailure> {
        let url = self.watch.url.clone();
        match found {
            Found::Whole => self.arrived(),
            Found::Missing(id) => {
                let missing = id.parse().unwrap_or_else(|_| object_id(self.wanted.tip));
                Err(FetchFailure::Incomplete { url, missing })
            }
            Found::NoCommit(found) => {
                let (reference, found) =
                    (self.wanted.reference.to_owned(), plain(found.as_bytes()));
                Err(FetchFailure::NotACommit { url, reference, found })
            }
            Found::Damaged(words) => {
                let source = git2::Error::from_str(&plain(words.as_bytes()));
                Err(self.watch.failure("unpack what came from", source))
            }
            Found::NoMemory => {
                let limit = format!("can be unpacked in {} MiB of memory", MEMORY >> 20);
                Err(FetchFailure::TooLarge { url, limit })
            }
            Found::TooMany => Err(self.watch.too_many()),
            Found::Late => Err(self.watch.timed_out()),
            Found::Unconfined => Err(FetchFailure::Unconfined { url }),
            Found::Unwritten(words) => {
                let source = git2::Error::from_str(&plain(words.as_bytes()));
                Err(self.own.failure("write objects", source).into())
            }
        }
    }

    /// Whether one pack with its index lies there, and the commit in it or here.
    fn arrived(&self) -> Result<(), FetchFailure> {
        let folder = self.own.folder.join(ARRIVALS);
        let names = files::names(&folder, 2).map_err(|_| self.died("left too much".to_owned()))?;
        let is_pair = matches!(names.as_slice(), [index, pack] if is_pair(index, pack));
        if !is_pair || !names.iter().all(|it| files::is_plain(&folder.join(it))) {
            return Err(self.died("left something else than a pack".to_owned()));
        }
        // Whatever reads objects later believes what the index says of places.
        if let [index, pack] = names.as_slice() {
            pack_index::check(&folder.join(index), &folder.join(pack))
                .map_err(|bad| self.died(format!("left {bad}")))?;
        }
        let both = objects_in(&self.own.with_arrivals());
        let both = both.map_err(|source| self.own.failure("open the objects", source))?;
        match both.read_header(self.wanted.tip) {
            Ok((_, ObjectType::Commit)) => Ok(()),
            _ => Err(self.died("left a pack without the commit".to_owned())),
        }
    }

    /// Demands that what lies there is no more than a pack on its way.
    fn demand_room(&self) -> Result<(), FetchFailure> {
        if self.room.is_kept() {
            return Ok(());
        }
        Err(self.died("writes more than a pack and its index".to_owned()))
    }

    fn died(&self, what: String) -> FetchFailure {
        FetchFailure::Unpack { url: self.watch.url.clone(), what }
    }
}

impl Repository {
    /// What the process is told on its command line.
    fn task(&self, wanted: &Wanted<'_>, watch: &Watch<'_>) -> Result<String, FetchFailure> {
        let own = self.pack_lengths()?.iter().fold(0_u64, |sum, it| sum.saturating_add(*it));
        // The pack on its way is mapped while it is written and while it is read.
        let mapped = watch.bytes_max().saturating_add(INDEX_BYTES).saturating_mul(2);
        let task = Task {
            parent: nix::unistd::getpid().as_raw(),
            as_nobody: lent::is_able() && lent::is_nobodys(&self.folder.join(ARRIVALS)),
            bounds: Bounds {
                memory: MEMORY,
                mapped: mapped.saturating_add(own).saturating_add(PROGRAM_BYTES),
                file: watch.bytes_max().saturating_add(INDEX_BYTES),
                seconds: seconds(watch.left()),
            },
            millis: u64::try_from(watch.left().as_millis()).unwrap_or(u64::MAX),
            tip: wanted.tip.to_string(),
            known: wanted.known.map(|it| it.to_string()),
            thin: wanted.thin,
        };
        let fail = |error: serde_json::Error| {
            OsFailure::new("tell of a pack", &self.folder, std::io::Error::other(error))
        };
        Ok(serde_json::to_string(&task).map_err(fail).map_err(RepositoryFailure::from)?)
    }
}

fn after(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

/// Says once what this kernel could not take away from the process.
fn tell_once(lacks: &[Lack]) {
    static SAID: Once = Once::new();
    if !lacks.is_empty() {
        SAID.call_once(|| {
            tracing::warn!(?lacks, "this kernel confines less what unpacks a remote's objects");
        });
    }
}

#[cfg(test)]
mod tests;
