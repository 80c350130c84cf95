//! Where the agent stands, what may happen, and what it asks of the world.
//!
//! **Invariant:** one effect at a time; each has one event that answers it, or [`Event::Failed`].
//! **Invariant:** phases of a changed host hold the transaction, which its marks can rebuild.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bowline_api::cycle::PlanView;
use bowline_api::record::Record;
use bowline_model::bundle::Bundle;
use bowline_model::change::Change;
use bowline_model::counted::Counted;
use bowline_model::duration::Span;
use bowline_model::generation::{Generation, Ledger};
use bowline_model::high_water::HighWater;
use bowline_model::host_path::HostPath;
use bowline_model::manifest::ProbeMeans;
use bowline_model::mark::Mark;
use bowline_model::object_id::ObjectId;
use bowline_model::policy::Policy;
use bowline_model::probe_call::Answer;
use bowline_model::release::{Archive, Wanted};
use bowline_model::steady::Steady;
use bowline_model::step::{Check, Handler, Step};
use bowline_model::survey::{Sight, Survey};
use bowline_model::tree::{Content, Tree};

use crate::compile::Material;
use crate::ending::Ending;
pub use crate::event::{Event, Failure, Weight};
use crate::memory::Memory;
use crate::plan::{Plan, Validation};
pub use crate::settlement::Settlement;
use crate::testing::{Candidate, Offer, Tested, Testing};
use crate::transaction::Transaction;
use crate::trial::Trial;
use crate::verify::{Judged, Verified};
use crate::wish::Wish;

/// The engine's whole state.
#[derive(Debug, Clone)]
pub struct State {
    /// Where it stands.
    pub phase: Phase,
    /// What it remembers.
    pub memory: Memory,
}

/// One turn: the state to be in, what to make durable first, and then what to do.
#[derive(Debug)]
pub struct Turn {
    /// The next state.
    pub state: State,
    /// Records to make durable before the effect.
    pub marks: Vec<Mark>,
    /// The effect.
    pub effect: Effect,
}

/// What a cycle is about.
#[derive(Debug, Clone, Default)]
pub struct Quest {
    /// What people ask of it.
    pub wish: Wish,
    /// What the branch of this host's own holds, and who says so.
    pub offer: Offer,
    /// What is tried out of it once a look finds what stands as it should be.
    pub candidate: Option<Candidate>,
    /// What is tried out of it.
    pub testing: Option<Testing>,
    /// The change that is left when an earlier generation is gone back to.
    pub leaving: Option<Vec<Change>>,
    /// Whether something waits that the next cycle can do at once.
    pub is_unfinished: bool,
    /// Archives that were looked for and are not here.
    pub absent: BTreeSet<Archive>,
    /// Now, since boot.
    pub now: Duration,
    /// Now, in seconds since 1970: for signatures' validity and for people.
    pub wall: i64,
    /// How the cycle ends if nothing has to be done: what was said of the newest revision.
    pub ending: Option<Ending>,
    /// The verdict on the source, for status.
    pub judged: Option<Box<Judged>>,
    /// The policy in force, under which the host is looked at.
    pub law: Option<Arc<Policy>>,
    /// Whether the host was found as it should be; `None` where nobody looked.
    pub in_order: Option<bool>,
    /// Whether it was seen to what others' gates ask of this host.
    pub is_vouched: bool,
}

/// A revision, and the host as it was seen for it.
#[derive(Debug, Clone)]
pub struct Looked {
    /// The revision, compiled.
    pub compiled: Arc<crate::compile::Compiled>,
    /// What was asked for.
    pub survey: Box<Survey>,
    /// What was seen.
    pub sight: Box<Sight>,
}

/// Where the agent stands.
#[derive(Debug, Clone)]
pub enum Phase {
    /// Nothing in hand.
    Resting,
    /// Waits for the repository's answer.
    Fetching(Quest),
    /// Waits until the marks are durable.
    Marking(Quest, Option<Box<Verified>>, Box<Bundle>),
    /// Waits for the listed tree.
    Exporting(Quest, Box<Verified>),
    /// Waits for contents of files.
    Reading(Quest, Box<Verified>, Box<Tree>, Material, u32),
    /// Waits for an archive.
    Obtaining(Quest, Box<Verified>, Box<Tree>, (Material, u32), Box<Wanted>),
    /// Waits to hear how the host stands.
    Observing(Quest, Arc<crate::compile::Compiled>, Box<Survey>),
    /// Waits for the archive of a release of which a member has to be staged.
    Supplying(Quest, Box<Looked>, Box<Wanted>, Means),
    /// Waits to hear whether the host is well before it is changed; counts looks.
    Baselining(Quest, Box<Plan>, u32),
    /// Waits until a plan is shown that nobody carries out.
    Showing(Quest),
    /// Waits until everything new is staged.
    Staging(Quest, Box<Plan>, Box<Transaction>),
    /// Between two batches of steps.
    Applying(Quest, Box<Plan>, Box<Transaction>),
    /// All files stand; waits for programs that judge them.
    Checking(Quest, Box<Plan>, Box<Transaction>),
    /// Waits until units are told.
    Notifying(Quest, Box<Plan>, Box<Transaction>),
    /// Waits for probes.
    Probing(Quest, Box<Transaction>, Box<Trial>),
    /// Every probe is content, and nothing is decided: stays so until something moves.
    Testing(Box<Transaction>, Box<Tested>),
    /// The same; waits to hear whether something moved.
    Asking(Quest, Box<Transaction>, Box<Tested>),
    /// The same; waits to hear whether the host still is as it is tried out.
    Minding(Quest, Box<Transaction>, Box<Tested>, Box<Survey>),
    /// Decided to keep; waits until the generation is durable.
    Keeping(Quest, Box<Transaction>),
    /// On the way back; counts failed tries.
    Undoing(Quest, Box<Transaction>, u32),
    /// Waits until restored units are told.
    Retelling(Quest, Box<Transaction>),
    /// Waits to hear whether the host is back; counts failed tries.
    Proving(Quest, Box<Transaction>, u32),
    /// Waits until what failed is remembered.
    Remembering(Quest, Box<Transaction>, Option<bowline_api::record::Proof>),
    /// Decided, and the decision cannot be kept durably yet: that comes before anything else.
    Deferred(Box<Transaction>),
    /// Over; waits until the stages are clean; counts failed tries.
    Cleaning(Quest, Box<Transaction>, u32),
    /// Taken back; waits to hear how what stands again is doing; counts looks.
    Rechecking(Box<Record>, Box<Ending>, u32),
    /// Over; waits until it is recorded.
    Recording(Box<Record>, Box<Ending>),
    /// Over, and it could not be recorded yet: that comes before anything else.
    Owing(Box<Record>, Box<Ending>),
    /// Waits until it is durable since when the host is in good health.
    Steadying(Quest, Box<Steady>),
    /// Waits to hear whether the host still is in good health, after these times; counts looks and keeps answers.
    Vouching(Quest, Vec<Span>, Vec<Answer>, u32),
    /// The host vouched for these times; waits until it is recorded.
    Vouched(Quest, Vec<Span>),
    /// Over without a transaction; waits until the new generation is durable.
    Adopting(Quest, Box<Ending>, Arc<Ledger>),
    /// A person is needed.
    Stranded(Box<Ending>),
}

/// What the engine asks of the world.
#[derive(Debug, Clone)]
pub enum Effect {
    /// The cycle is over: wait, then wake the engine.
    Rest {
        /// How it ended; `None` right after a start.
        ending: Option<Box<Ending>>,
        /// How long to wait at most.
        wait: Duration,
        /// Whether people are heard meanwhile.
        ear: Ear,
    },
    /// Ask the repository for first-parent history above a commit.
    Fetch {
        /// From here on.
        from: ObjectId,
        /// Commits that were verified and wait for their gates.
        waiting: Vec<ObjectId>,
        /// When the head was last proved to be the branch's, in seconds since 1970.
        fresh: Option<i64>,
        /// Ask the remote, or only what is here.
        means: Means,
    },
    /// Keep how far was verified, and before that what counted.
    Mark(Box<HighWater>, Vec<Counted>),
    /// List a commit's tree.
    Export(ObjectId),
    /// Read files of a commit.
    Read {
        /// The commit.
        commit: ObjectId,
        /// The files.
        paths: Vec<String>,
    },
    /// Say what an archive holds; unless it is here it is fetched, if that is meant.
    Obtain(Box<Wanted>, Means),
    /// Look at the host.
    Observe(Box<Survey>),
    /// Prepare everything new.
    Stage(Box<Staging>),
    /// Carry out steps.
    Apply {
        /// Their deployment.
        deployment: String,
        /// Its stages.
        stages: Vec<String>,
        /// The steps.
        steps: Vec<Step>,
    },
    /// Run programs that judge what was applied.
    Check(Vec<Check>),
    /// Tell units.
    Notify(Vec<Handler>),
    /// Run probes, not before a time.
    Probe {
        /// Since boot.
        not_before: Duration,
        /// Which, and how.
        calls: Vec<Call>,
    },
    /// Make an end durable: what is committed, or what failed.
    Settle(Box<Settlement>),
    /// Take steps back, last first.
    Undo {
        /// Their deployment.
        deployment: String,
        /// Its stages.
        stages: Vec<String>,
        /// The steps, in their order.
        steps: Vec<Step>,
        /// Wait until then, since boot, after a failed try.
        wait: Duration,
    },
    /// Look at paths and units again.
    Prove {
        /// The paths.
        paths: Vec<HostPath>,
        /// The units.
        units: Vec<String>,
    },
    /// Clean the stages of a deployment.
    Clean {
        /// Which.
        deployment: String,
        /// What its slots hold.
        slots: Slots,
        /// Wait this long first, after a failed try.
        wait: Duration,
    },
    /// Keep since when the host is in good health. It may be lost: then that begins anew.
    Steady(Box<Steady>),
    /// Show a plan that nobody carries out.
    Show(Box<PlanView>),
    /// Record what happened; the journal is no longer needed after that.
    Record(Box<Record>),
}

/// Whether people are heard in a rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ear {
    /// The next cycle is theirs.
    Open,
    /// Something that was decided has to be finished first: what they ask waits for the next rest, so
    /// that no ending of something else looks like its answer.
    Shut,
}

/// Whether to ask the remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// Ask the remote.
    Remote,
    /// Only what an earlier fetch brought.
    Local,
}

/// What the slots of a finished transaction hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slots {
    /// New objects; nothing was displaced.
    Abandoned,
    /// New objects, taken back.
    Reverted,
    /// What was displaced.
    Committed,
}

/// What to stage.
#[derive(Debug, Clone)]
pub struct Staging {
    /// The deployment.
    pub deployment: String,
    /// The steps.
    pub steps: Vec<Step>,
    /// Where each one's content comes from.
    pub contents: Vec<Content>,
    /// Programs that judge staged files.
    pub validations: Vec<Validation>,
    /// What will stand if it is committed: made durable now, so that a decision can be finished
    /// without Git.
    pub generation: Box<Generation>,
}

/// One probe to run.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// How.
    pub means: ProbeMeans,
    /// How long it may take.
    pub timeout: Duration,
}
