//! A line to one remote, of whatever kind: it tells what references name, and brings objects.
//!
//! **Invariant:** what a stranger sent counts only once everything below the commit is here.

use bowline_model::object_id::ObjectId;
use git2::Oid;

use super::address::Address;
use super::bundle::Bundle;
use super::fetch_failure::FetchFailure;
use super::intake::{Intake, Wanted};
use super::remotes::Remotes;
use super::source::Remote;
use super::ssh::SshSession;
use super::watch::Watch;
use super::web::WebSession;
use super::{Repository, local, object_id, oid};

/// Ancestors that are named to a server, each twice as far away as the one before: it shares one of them
/// also when the branch was rewound.
const HAVES_MAX: usize = 12;

/// A line to a remote.
pub(super) enum Line<'w> {
    /// A repository on this machine.
    Local(Remote),
    /// A file on this machine.
    Bundle(Bundle),
    /// A program behind SSH.
    Ssh(SshSession<'w>),
    /// A web server.
    Web(Box<WebSession<'w>>),
}

impl<'w> Line<'w> {
    /// Opens a line; what is asked first says whether anybody is there.
    pub(super) fn to(
        sources: &Remotes,
        url: &str,
        watch: &'w Watch<'w>,
    ) -> Result<Self, FetchFailure> {
        match Address::of(url)? {
            Address::Local(path) => match Bundle::at(url, &path)? {
                Some(bundle) => Ok(Self::Bundle(bundle)),
                None => Remote::at(url, &path).map(Self::Local),
            },
            Address::Ssh(address) => {
                Ok(Self::Ssh(SshSession::with(&address, sources.access(), watch)))
            }
            Address::Web(address) => {
                let session = WebSession::with(sources, address, watch)?;
                Ok(Self::Web(Box::new(session)))
            }
        }
    }

    /// What references name: the branch, and then those that may be missing.
    pub(super) fn look(&mut self, names: &[&str]) -> Result<Vec<Option<Oid>>, FetchFailure> {
        let found = match self {
            Self::Local(remote) => {
                let (branch, others) = names.split_first().unwrap_or((&"", &[]));
                let tip = remote.resolve(branch)?;
                // Most repositories have no notes, and nobody needs them to have any.
                let others = others.iter().map(|it| remote.resolve(it).ok());
                return Ok(std::iter::once(Some(tip)).chain(others).collect());
            }
            Self::Bundle(bundle) => bundle.look(names),
            Self::Ssh(session) => session.look(names)?,
            Self::Web(session) => session.look(names)?,
        };
        Ok(found.iter().map(|it| it.as_ref().and_then(oid)).collect())
    }

    /// Brings what lies below a commit into the agent's repository; what lies below `known` is there.
    pub(super) fn bring(
        &mut self,
        own: &Repository,
        (tip, known): (Oid, Option<Oid>),
        reference: &str,
        watch: &Watch<'_>,
    ) -> Result<(), FetchFailure> {
        if let Self::Local(remote) = self {
            local::check_commit(remote, tip, reference)?;
            return own.copy_from(remote, (tip, known), watch);
        }
        // A branch that was rewound, or notes that are shared with it, may be here already.
        if own.missing_below(tip, known, watch)?.is_none() {
            return Ok(());
        }
        let thin = match self {
            Self::Bundle(bundle) => bundle.check(own).map(|()| true)?,
            _ => false,
        };
        let arrived = self.receive(own, Wanted { tip, known, reference, thin }, watch);
        if arrived.is_err() {
            own.turn_away();
        }
        arrived?;
        own.let_in()?;
        Ok(())
    }

    /// Receives objects beside the agent's repository; they are good when with them nothing is missing.
    fn receive(
        &mut self,
        own: &Repository,
        wanted: Wanted<'_>,
        watch: &Watch<'_>,
    ) -> Result<(), FetchFailure> {
        let (tip, haves) = (wanted.tip, haves(own, wanted.known));
        let mut intake = Intake::begin(own, wanted, watch)?;
        match self {
            Self::Local(_) => {}
            Self::Bundle(bundle) => bundle.pour(&mut intake, watch)?,
            Self::Ssh(session) => session.bring(&object_id(tip), &haves, &mut intake)?,
            Self::Web(session) => session.bring(&object_id(tip), &haves, &mut intake)?,
        }
        intake.end()
    }

    /// Ends it in good order.
    pub(super) fn end(self) {
        match self {
            // A web server sees the connection close.
            Self::Local(_) | Self::Bundle(_) | Self::Web(_) => {}
            Self::Ssh(session) => session.end(),
        }
    }
}

/// What is here, told by a commit and some of those that it is built on.
fn haves(own: &Repository, known: Option<Oid>) -> Vec<ObjectId> {
    let mut haves = Vec::new();
    let mut at = known;
    let (mut steps, mut next) = (0_u32, 0_u32);
    while let Some(id) = at.filter(|_| haves.len() < HAVES_MAX) {
        if steps == next {
            haves.push(object_id(id));
            next = (next * 2).max(1);
        }
        steps += 1;
        at = own.first_parent(id);
    }
    haves
}
