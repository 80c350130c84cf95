//! Gathers what a history can show for itself: notes, what was changed, whose work was merged.
//!
//! **Invariant:** nothing is judged: an envelope goes on to be judged when anybody known signed it, about
//! this commit. Junk is dropped before anything is counted, so it hides nothing.
//! **Invariant:** what no policy on the walk asks for is not looked for.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use bowline_model::bundle::{Beside, Bundle, Change, CommitEvidence, PathEvidence};
use bowline_model::change_set::ChangeSet;
use bowline_model::digest::Sha256;
use bowline_model::object_id::ObjectId;
use bowline_model::policy::{Asks, POLICY_PATH, Policy};
use bowline_model::trust_root::{Limits, TrustRoot};
use bowline_trust::commit::{Commit, object_id};
use bowline_trust::receipt::is_record;
use bowline_trust::root_statement::{RootSieve, RootWord};
use bowline_trust::sieve::{About, Sieve};
use bowline_trust::signed_policy;

use super::history::HistoryFailure;
use super::manifests::Sheaves;
use super::notes::Notes;
use super::{Repository, difference, oid, side};

/// Commits whose gates are looked at: whoever waits for an older one has stopped waiting.
pub(super) const CANDIDATES_MAX: usize = 64;

/// Envelopes that known keys signed, for all commits of a walk together.
const KEPT_BYTES_MAX: usize = 32 << 20;

/// Notes that are read for one walk, junk counted too.
pub(super) const READ_BYTES_MAX: usize = 256 << 20;

/// A note with more lines than this is a flood.
pub(super) const LINES_MAX: usize = 20_000;

/// Signatures that are checked for one walk: some seconds of one processor.
pub(super) const CHECKED_MAX: usize = 50_000;

/// Those for one commit: its junk leaves the others their part.
const CHECKED_EACH_MAX: usize = 16_384;

/// Commits that merges of one walk brought in.
const SIDE_BYTES_MAX: usize = 16 << 20;

/// Earlier states of a proposal that are looked at, and how far back it may have begun.
const EARLIER_MAX: usize = 64;

/// Policies that differ, on one walk; each is read once.
const POLICIES_MAX: usize = 1_024;

/// What is gathered with.
#[derive(Debug, Clone, Copy)]
pub struct Gathering<'a> {
    /// The commit of the notes, if there are any.
    pub notes: Option<&'a ObjectId>,
    /// Verified commits that wait for their gates, oldest first.
    pub waiting: &'a [ObjectId],
    /// When the head was last proved to be the branch's; older words on it are not looked at.
    pub fresh: Option<i64>,
    /// Whose policies count; without it any does, as for a look before a merge.
    pub root: Option<&'a TrustRoot>,
    /// The folder of the repository in which `bowline.yaml` lies; empty for its root.
    pub folder: &'a str,
    /// How much is looked at.
    pub limits: &'a Limits,
}

impl Repository {
    /// What a tree differs in from that of a commit; `None` when that is too much to list, or cannot be read.
    pub fn change(&self, base: &ObjectId, tree: &ObjectId) -> Option<ChangeSet> {
        difference::between(&self.odb, Some(self.tree_of(base)?), oid(tree)?)
    }

    /// Adds to a history what it can show for itself.
    ///
    /// # Errors
    /// When a commit that waits cannot be read.
    pub fn gather(
        &self,
        bundle: &mut Bundle,
        gathering: &Gathering<'_>,
    ) -> Result<(), HistoryFailure> {
        let mut gatherer = Gatherer::of(self, gathering);
        for id in gathering.waiting {
            bundle.waiting.push(self.commit_evidence(*id)?);
        }
        // The law of a commit's parent judges its approvals, its own policy names its gates.
        let mut parent = bundle.start.as_ref().and_then(|it| gatherer.law(it));
        let rulings = gathering.root.and_then(|it| gatherer.look_for_rulings(it, bundle));
        let Rulings { adopted, vouched } = rulings.unwrap_or_default();
        let mut laws = Vec::with_capacity(bundle.commits.len());
        let mut is_in = true;
        for (place, commit) in bundle.commits.iter().enumerate() {
            // What nobody let in is refused, and so is all above it: it makes no work.
            is_in = vouched == Some(place)
                || is_in
                    && (gathering.root.is_none()
                        || gatherer.lets_in(parent, commit)
                        || adopted.contains(&commit.id.to_string()));
            if !is_in && vouched.is_none_or(|it| it < place) {
                break;
            }
            let own = if is_in { gatherer.law(commit) } else { None };
            laws.push((parent, own));
            parent = own;
        }
        let known = laws.len();
        // For approvals the oldest first: where the limits are met, the walk comes as far, and goes on next time.
        // Below a checkpoint a new host asks for none.
        let above = vouched.map_or(0, |it| it + 1);
        let both = bundle.commits.iter_mut().zip(&laws);
        let (below, above): (Vec<_>, Vec<_>) =
            both.enumerate().partition(|(place, _)| *place < above);
        for (_, (commit, (parent, _))) in above.into_iter().chain(below) {
            gatherer.look_for_approvals(commit, *parent);
        }
        // For gates the newest first: whoever waits for an older one has stopped waiting.
        gatherer.begin_anew();
        let newest = bundle.commits.iter_mut().take(known).zip(laws).rev();
        let newest = newest.map(|(commit, (_, own))| (commit, own));
        let older = bundle.waiting.iter_mut().rev().map(|commit| (commit, None));
        for (commit, own) in newest.chain(older).take(CANDIDATES_MAX) {
            let own = own.or_else(|| gatherer.law(commit));
            gatherer.look_for_gates(commit, own);
        }
        // What gates cost leaves it its part.
        gatherer.begin_anew();
        gatherer.look_for_head(bundle, (known, parent), gathering.fresh);
        Ok(())
    }
}

/// What root keys say of the commits of a walk, as far as it matters for what else is looked for.
#[derive(Debug, Default)]
struct Rulings {
    /// Ids of commits that are adopted.
    adopted: BTreeSet<String>,
    /// Place of the newest commit that is vouched for.
    vouched: Option<usize>,
}

/// What was read so far.
pub(super) struct Gatherer<'a> {
    repository: &'a Repository,
    pub(super) notes: Option<Notes<'a>>,
    pub(super) root: Option<&'a TrustRoot>,
    limits: &'a Limits,
    places: HashMap<(ObjectId, Option<ObjectId>, Option<ObjectId>), Option<usize>>,
    pub(super) laws: Vec<(Asks, Sieve)>,
    pub(super) read: usize,
    kept: usize,
    pub(super) checked: usize,
    side: usize,
    sheaves: Sheaves<'a>,
}

impl<'a> Gatherer<'a> {
    fn of(repository: &'a Repository, gathering: &Gathering<'a>) -> Self {
        let notes = gathering.notes.and_then(|it| Notes::at(&repository.odb, it));
        let root = gathering.root;
        Self {
            repository,
            notes,
            root,
            limits: gathering.limits,
            places: HashMap::new(),
            laws: Vec::new(),
            read: 0,
            kept: 0,
            checked: 0,
            side: 0,
            sheaves: Sheaves::of(&repository.odb, gathering.folder),
        }
    }

    /// The place of a commit's policy among those that were read. One that the root did not sign asks for
    /// nothing: whoever may push could make the host busy with it.
    fn law(&mut self, commit: &CommitEvidence) -> Option<usize> {
        let PathEvidence::Blob { id, bytes } = &commit.policy else { return None };
        let name = |it: &PathEvidence| match it {
            PathEvidence::Blob { id, .. } => Some(*id),
            PathEvidence::Missing | PathEvidence::Other { .. } => None,
        };
        let key = (*id, name(&commit.policy_envelope), name(&commit.roots));
        if let Some(known) = self.places.get(&key) {
            return *known;
        }
        let policy = match self.root {
            Some(root) => signed_policy(root, commit),
            None => Policy::parse(POLICY_PATH, bytes).ok().map(Arc::new),
        };
        let policy = policy.filter(|_| self.laws.len() < POLICIES_MAX);
        let sieve =
            policy.and_then(|it| Some((it.asks(), Sieve::of(&it, self.limits.envelope_bytes)?)));
        let place = sieve.map(|it| {
            self.laws.push(it);
            self.laws.len() - 1
        });
        self.places.insert(key, place);
        place
    }

    /// Whether a merger of the law signed a commit.
    fn lets_in(&self, law: Option<usize>, commit: &CommitEvidence) -> bool {
        let Some((_, sieve)) = law.and_then(|it| self.laws.get(it)) else { return false };
        Commit::parse(&commit.raw, commit.id.format()).is_ok_and(|it| sieve.lets_in(&it))
    }

    fn asks(&self, law: usize) -> Asks {
        self.laws.get(law).map(|(asks, _)| *asks).unwrap_or_default()
    }

    /// Looks in the notes on each commit for what root keys say, the newest first. `None` where the branch's roots
    /// cannot be read: then the walk is refused.
    fn look_for_rulings(&mut self, root: &TrustRoot, bundle: &mut Bundle) -> Option<Rulings> {
        let notes = self.notes.as_ref()?;
        let sieve = RootSieve::of(root, bundle.commits.last()?)?;
        let mut rulings = Rulings::default();
        let (mut read, mut checked, mut kept) = (0, 0, 0);
        let most = usize::try_from(self.limits.envelopes).unwrap_or(usize::MAX);
        'walk: for (place, commit) in bundle.commits.iter_mut().enumerate().rev() {
            let note = notes.on(&commit.id).unwrap_or_default();
            read += note.len();
            if read > READ_BYTES_MAX {
                break;
            }
            let mut seen = BTreeSet::new();
            for line in note.split(|it| *it == b'\n').take(LINES_MAX) {
                let line = line.trim_ascii();
                let cost = sieve.cost(line);
                checked += cost;
                if checked > CHECKED_MAX {
                    tracing::warn!(commit = %commit.id.short(), "notes hold too many signatures");
                    break 'walk;
                }
                let is_new = cost > 0 && seen.insert(line.to_vec());
                let Some(word) = is_new.then(|| sieve.keeps(line, commit)).flatten() else {
                    continue;
                };
                match word {
                    RootWord::Adopts(commits) => rulings.adopted.extend(commits),
                    RootWord::Vouches => {
                        rulings.vouched.get_or_insert(place);
                    }
                }
                kept += 1;
                commit.beside.root_statements.push(Arc::from(line));
                if kept >= most {
                    break 'walk;
                }
            }
        }
        // What else is looked for has its own budgets.
        notes.begin_anew();
        Some(rulings)
    }

    /// Begins to count what is read and checked once more.
    fn begin_anew(&mut self) {
        (self.read, self.kept, self.checked) = (0, 0, 0);
        self.notes.iter().for_each(Notes::begin_anew);
    }

    /// Looks for what the law of a commit's parent asks of it.
    fn look_for_approvals(&mut self, commit: &mut CommitEvidence, law: Option<usize>) {
        let Some(law) = law.filter(|it| self.asks(*it).approvals) else { return };
        let Ok(parsed) = Commit::parse(&commit.raw, commit.id.format()) else { return };
        let beside = &mut commit.beside;
        beside.change = self.change(&parsed);
        if self.asks(law).authors {
            let left = SIDE_BYTES_MAX.saturating_sub(self.side);
            let found = side::commits(&self.repository.odb, &parsed, left);
            self.side += found.raw.iter().map(|it| it.len()).sum::<usize>();
            (beside.side, beside.side_cut_short) = (found.raw, found.cut_short);
        }
        let merged: Vec<_> = parsed.parents.iter().skip(1).copied().collect();
        let none = BTreeSet::new();
        self.attestations((commit.id, &parsed, &merged), (law, &none), beside);
        // Whoever approved may have seen an earlier state of it: looked for only where somebody is missing, and last.
        if beside.attestations.len() < self.approvals(law) {
            let earlier = self.earlier(&parsed, &merged);
            self.attestations((commit.id, &parsed, &earlier), (law, &none), beside);
        }
    }

    /// How many people a law asks to approve.
    fn approvals(&self, law: usize) -> usize {
        self.laws.get(law).map_or(0, |(_, sieve)| sieve.approvals())
    }

    /// What was the newest commit of the merged branches before their last ones, as far as they were pushed one by
    /// one. Nothing, where it is too far to where they began: there others' changes lie.
    fn earlier(&self, commit: &Commit, merged: &[ObjectId]) -> Vec<ObjectId> {
        let Some(first) = commit.parents.first() else { return Vec::new() };
        let main = self.repository.first_parents(first, EARLIER_MAX);
        let mut found = Vec::new();
        for branch in merged {
            let chain = self.repository.first_parents(branch, EARLIER_MAX);
            let own = chain.iter().position(|it| main.contains(it)).unwrap_or(0);
            found.extend(chain.into_iter().take(own).skip(1));
        }
        found.truncate(EARLIER_MAX);
        found
    }

    /// Looks for what a commit's own policy asks of it.
    fn look_for_gates(&mut self, commit: &mut CommitEvidence, own: Option<usize>) {
        let Some(own) = own.filter(|it| self.asks(*it).gates) else { return };
        let Ok(parsed) = Commit::parse(&commit.raw, commit.id.format()) else { return };
        let Some((_, sieve)) = self.laws.get(own) else { return };
        let (hears, reads) = (sieve.hears_emergencies(), sieve.reads_manifests());
        let mut named = Rc::default();
        if reads {
            let found = self.sheaves.in_tree(&parsed.tree);
            (commit.beside.manifests, named) = (found.raw, found.digests);
        }
        if hears && commit.beside.change.is_none() {
            commit.beside.change = self.change(&parsed);
        }
        let merged: Vec<_> = parsed.parents.iter().skip(1).copied().collect();
        self.attestations((commit.id, &parsed, &merged), (own, &named), &mut commit.beside);
        let raw = Arc::clone(&commit.raw);
        self.look_for_receipts((commit.id, &raw, parsed.tree), own, &mut commit.beside);
    }

    /// What a commit changes after its first parent; the first one of all changes everything.
    fn change(&self, commit: &Commit) -> Option<Change> {
        let before = match commit.parents.first() {
            Some(parent) => Some(self.repository.tree_of(parent)?),
            None => None,
        };
        let set = difference::between(&self.repository.odb, before, oid(&commit.tree)?)?;
        Some(change_of(&set.text(), commit.tree))
    }

    fn attestations(
        &mut self,
        (id, commit, merged): (ObjectId, &Commit, &[ObjectId]),
        (law, artifacts): (usize, &BTreeSet<Sha256>),
        beside: &mut Beside,
    ) {
        let (Some(notes), Some((_, sieve))) = (&self.notes, self.laws.get(law)) else { return };
        let change = beside.change.map(|it| it.sha256);
        let about = About { commit: id, tree: commit.tree, change, merged, artifacts };
        let change = beside.change.iter().map(|it| it.blob);
        let places = [id, commit.tree].into_iter().chain(change).chain(merged.iter().copied());
        let most = usize::try_from(self.limits.envelopes).unwrap_or(usize::MAX);
        let (mut seen, mut own) = (BTreeSet::new(), 0);
        for place in places {
            let note = notes.on(&place).unwrap_or_default();
            self.read += note.len();
            if self.read > READ_BYTES_MAX {
                return;
            }
            for line in note.split(|it| *it == b'\n').take(LINES_MAX) {
                let line = line.trim_ascii();
                // Receipts are looked for apart.
                if line.is_empty() || is_record(line) {
                    continue;
                }
                let cost = sieve.cost(line);
                (self.checked, own) = (self.checked + cost, own + cost);
                if self.checked > CHECKED_MAX || own > CHECKED_EACH_MAX {
                    tracing::warn!(commit = %id.short(), "its notes hold too many signatures");
                    return;
                }
                // The same word written in other ways is one word.
                let is_new = sieve.keeps(line, &about).is_some_and(|it| seen.insert(it));
                // What was looked at for approvals may stand there already.
                if !is_new || beside.attestations.iter().any(|it| **it == *line) {
                    continue;
                }
                self.kept += line.len();
                if self.kept > KEPT_BYTES_MAX || beside.attestations.len() >= most {
                    return;
                }
                beside.attestations.push(Arc::from(line));
            }
        }
    }
}

/// The name of a change, by its list; ids are of the same kind as the tree's.
pub fn change_of(list: &[u8], tree: ObjectId) -> Change {
    Change { sha256: Sha256::of(list), blob: object_id(tree.format(), "blob", list) }
}
