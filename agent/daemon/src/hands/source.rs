//! The half of the hands that reads: repository, tree, host.
//!
//! **Invariant:** nothing outside the state folder is written here.

use std::sync::Arc;
use std::time::Duration;

use bowline_engine::phase::{Effect, Event, Means};
use bowline_engine::testing::Offer;
use bowline_host::artifact::{ArtifactFailure, Store};
use bowline_host::command::Commands;
use bowline_host::failure::{OsFailure, chain};
use bowline_host::observe::Observer;
use bowline_host::repository::blobs::BlobCache;
use bowline_host::repository::evidence::Gathering;
use bowline_host::repository::fetch::{Branches, FetchFailure, FetchLimits, Tips};
use bowline_host::repository::history::HistoryFailure;
use bowline_model::host_path::HostPath;
use bowline_model::object_id::ObjectId;
use bowline_model::release::{Archive, Wanted};
use bowline_model::survey::{Depth, Seen, Sight, Survey};

use super::failures::{failure, told};
use super::{Host, Run};
use crate::board::Board;
use crate::driver::Halt;
use crate::gear::Gear;
use crate::meters::Polled;
use crate::patience::{of_proof, of_survey};

/// The steps of `done` that failed become an event, the others go on.
macro_rules! or_tell {
    ($done:expr) => {
        match $done {
            Ok(value) => value,
            Err(error) => return Ok(Event::Failed(failure(&error)?)),
        }
    };
}
pub(super) use or_tell;

/// Bytes that are read without a word to the service manager: half a minute's on a slow disk.
const BYTES_PER_BEAT: u64 = 1 << 30;

/// Packing what is needed takes seconds; a slow disk and a long history have this long.
const RENEWAL_TIME: Duration = Duration::from_mins(10);

/// Commits that are tried out before they are merged: a person's work of some days.
const TESTING_COMMITS_MAX: usize = 64;

/// Codes that say that the agent's own copy of the repository is not whole.
const BROKEN_COPY: [&str; 2] = ["missing-object", "repository"];

impl Host {
    /// Reads from the repository; a copy that is not whole is made anew, to be fetched again.
    pub(super) fn read_source(&mut self, effect: Effect) -> Result<Event, Halt> {
        let event = match effect {
            Effect::Fetch { from, waiting, fresh, means } => {
                self.fetch(&from, (&waiting, fresh), means)
            }
            Effect::Export(commit) => self.export(&commit),
            Effect::Read { commit, paths } => self.read(&commit, &paths),
            other => return Ok(super::unasked(&other)),
        }?;
        if let Event::Failed(failure) = &event
            && BROKEN_COPY.contains(&failure.code.as_str())
        {
            tracing::warn!(detail = failure.detail, "the fetched repository is begun anew");
            or_tell!(self.renew()?);
        }
        Ok(event)
    }

    /// Begins the repository anew with what this host has verified and committed.
    fn renew(&mut self) -> Result<Result<(), FetchFailure>, Halt> {
        let known = [
            self.state.high_water().ok().flatten().map(|it| it.head),
            self.standing.as_ref().map(|it| it.revision.commit),
            self.state
                .generation_before(self.standing.as_deref())
                .ok()
                .flatten()
                .map(|it| it.revision.commit),
        ];
        let keep: Vec<_> = known.into_iter().flatten().collect();
        // What follows has its own time as well.
        self.board.herald().beat(RENEWAL_TIME + self.settings.fetch_timeout);
        let stop = Arc::clone(&self.stop);
        Ok(self.gear()?.repository.renew(&keep, RENEWAL_TIME, &stop))
    }

    /// The branch that is tried out on this host alone. A single cycle tries nothing out: it ends at once.
    fn own_branch(&self) -> Option<String> {
        let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
        let name = &self.name;
        let is_wanted = self.settings.testing && self.run == Run::Always;
        // What Git would not have in a name is nobody's branch.
        let fits = !name.is_empty()
            && name.chars().all(is_plain)
            && !name.contains("..")
            && !name.ends_with('.')
            && name.strip_suffix(".lock").is_none();
        (is_wanted && fits).then(|| format!("refs/heads/testing-{name}"))
    }

    fn fetch(
        &mut self,
        from: &ObjectId,
        (waiting, fresh): (&[ObjectId], Option<i64>),
        means: Means,
    ) -> Result<Event, Halt> {
        if means == Means::Remote {
            let gear = self.gear()?;
            let most = gear.known.trust.limits.pack_bytes.as_bytes();
            if or_tell!(gear.repository.is_overgrown(most)) {
                tracing::info!("the fetched repository has grown too large, and is begun anew");
                or_tell!(self.renew()?);
            }
        }
        let testing = self.own_branch();
        let Self { gear, settings, root, state, post, stop, board, .. } = self;
        let Gear { known, remotes, repository, .. } = Gear::of(gear, settings, root, state, post)?;
        let most = usize::try_from(known.trust.limits.commits_per_walk).unwrap_or(usize::MAX);
        let tips = match means {
            Means::Remote => {
                let limits = FetchLimits {
                    bytes: known.trust.limits.pack_bytes.as_bytes(),
                    timeout: settings.fetch_timeout,
                };
                // What cannot be read is replaced by what is fetched.
                let before = repository.local_tip().ok().flatten();
                let wanted = Branches { branch: &settings.ref_name, testing: testing.as_deref() };
                let fetched = repository.fetch(remotes, wanted, &limits, stop);
                let polled = match &fetched {
                    Ok(tips) if before == Some(tips.branch) => Polled::Unchanged,
                    Ok(_) => Polled::Changed,
                    Err(_) => Polled::Failed,
                };
                board.meters().poll(polled, remotes.take_received());
                board.note_untried(remotes.untried());
                or_tell!(fetched)
            }
            // Without a tip there is only what was verified: the walk begins and ends there.
            Means::Local => {
                let branch = or_tell!(repository.local_tip()).unwrap_or(*from);
                Tips { branch, testing: None, place: 0 }
            }
        };
        let mut bundle = or_tell!(repository.history(&tips.branch, from, most));
        // Names that cannot be read are replaced by good ones at the next fetch.
        let notes = repository.notes().ok().flatten();
        let (root, limits) = (Some(&*known.trust), &known.trust.limits);
        let (notes, folder) = (notes.as_ref(), settings.folder.as_str());
        let gathering = Gathering { notes, waiting, fresh, root, folder, limits };
        or_tell!(repository.gather(&mut bundle, &gathering));
        let above = |tip| {
            let mut offered = repository.history(&tip, &tips.branch, TESTING_COMMITS_MAX)?;
            repository.gather(&mut offered, &Gathering { waiting: &[], ..gathering })?;
            Ok::<_, HistoryFailure>(offered)
        };
        // What is only tried out holds nobody up.
        let offered = tips.testing.and_then(|tip| match above(tip) {
            Ok(offered) => Some(Box::new(offered)),
            Err(error) => {
                let error = chain(&error);
                tracing::warn!(error, "the branch of this host's own cannot be read");
                None
            }
        });
        let place = (means == Means::Remote).then_some(tips.place);
        Ok(Event::Fetched(Box::new(bundle), Offer { bundle: offered, place }))
    }

    fn export(&mut self, commit: &ObjectId) -> Result<Event, Halt> {
        // Known for one listing only: there may be ten thousands, and the next may be hours away.
        let mut blobs = BlobCache::open(&self.blobs);
        let gear = self.gear()?;
        gear.was_read = true;
        let tree = or_tell!(gear.repository.tree(commit, &mut blobs));
        if let Err(error) = blobs.save() {
            // The cache only saves work; its loss is no failure of the cycle.
            tracing::warn!(error = %chain(&error), "the blob cache is not kept");
        }
        Ok(Event::Exported(Box::new(tree)))
    }

    fn read(&mut self, commit: &ObjectId, paths: &[String]) -> Result<Event, Halt> {
        told(self.gear()?.repository.contents(commit, paths).map(Event::Contents))
    }

    /// Fetches an archive, unless it is here or only looked for.
    pub(super) fn obtain(&mut self, wanted: &Wanted, means: Means) -> Result<Event, Halt> {
        let store = Store::of(&self.settings, &self.stop);
        if let Some(listing) = store.known(&wanted.archive) {
            return Ok(Event::Obtained(Box::new(listing)));
        }
        if means == Means::Local {
            return told(Err(ArtifactFailure::Away { url: wanted.url.shown().to_owned() }));
        }
        let before = or_tell!(self.state.generation_before(self.standing.as_deref()));
        let standing = self.standing.iter().map(AsRef::as_ref).chain(&before);
        let current = standing.flat_map(|it| &it.releases).filter(|it| !it.is_earlier());
        let standing: Vec<Archive> = current.map(|it| it.archive.clone()).collect();
        tracing::info!(url = wanted.url.shown(), "an archive is fetched");
        let obtained = store.obtain(&self.root, wanted, &standing);
        self.board.meters().receive(store.received());
        if self.board.is_stopping() {
            return Err(Halt::Stop);
        }
        told(obtained.map(|it| Event::Obtained(Box::new(it))))
    }

    pub(super) fn observe(&mut self, survey: &Survey) -> Result<Event, Halt> {
        self.lookout.renew(&self.root);
        let mut observer = Observer::of(&self.root, &mut self.stat_cache);
        let beat = || self.board.herald().beat(of_survey(survey));
        let forms =
            or_tell!(look(&mut observer, (&survey.paths, survey.depth), &self.board, beat)?);
        let mut listings = Vec::new();
        for folder in &survey.listings {
            listings.push(or_tell!(observer.list(folder)));
        }
        let guards = or_tell!(Commands::of(&self.root).guards(&survey.guards));
        let units = or_tell!(self.services.ask(&self.root, &survey.units));
        Ok(Event::Seen(Sight { forms, listings, guards, units }))
    }

    pub(super) fn prove(&mut self, paths: &[HostPath], units: &[String]) -> Result<Event, Halt> {
        let mut observer = Observer::of(&self.root, &mut self.stat_cache);
        let beat = || self.board.herald().beat(of_proof(paths.len(), units.len()));
        let seen = or_tell!(look(&mut observer, (paths, Depth::Full), &self.board, beat)?);
        let units = or_tell!(self.services.ask(&self.root, units));
        Ok(Event::Proved { seen, units })
    }
}

/// Looks at every path. How long that takes is up to whoever writes the files, so the service manager hears
/// of it by `beat`, and the agent's end is not kept waiting.
fn look(
    observer: &mut Observer<'_>,
    (paths, depth): (&[HostPath], Depth),
    board: &Board,
    beat: impl Fn(),
) -> Result<Result<Vec<Seen>, OsFailure>, Halt> {
    let (mut seen, mut told) = (Vec::with_capacity(paths.len()), 0);
    for path in paths {
        if board.is_stopping() {
            return Err(Halt::Stop);
        }
        if observer.bytes_read().saturating_sub(told) > BYTES_PER_BEAT {
            told = observer.bytes_read();
            beat();
        }
        match observer.look(path, depth) {
            Ok(found) => seen.push(found),
            Err(failure) => return Ok(Err(failure)),
        }
    }
    Ok(Ok(seen))
}
