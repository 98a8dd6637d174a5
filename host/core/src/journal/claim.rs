//! Claims: which worker may go on with a run, and until when.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{QueueName, RunId, State, TaskKey, Timestamp};

/// The most runs that are claimed, or whose leases are renewed, in one call.
pub const MAX_CLAIMED: usize = 1_000;

/// The most tasks that a claim [leaves out](ClaimRequest::without).
pub const MAX_LEFT_OUT: usize = 64;

/// A claim that leaves out tasks may miss runs behind more than this many of theirs. A driver looks past that many in each queue, so that
/// the cost of a claim is bounded.
pub const MAX_PASSED: usize = 1_000;

/// The most claims that end in one call of [`Journal::expire`](super::Journal::expire).
pub const MAX_EXPIRED: usize = 500;

/// The longest lease.
pub const MAX_LEASE: Duration = Duration::from_hours(1);

/// How often a run may crash: how many of its leases may be over. With the last one it ends
/// [`Crashed`](crate::State::Crashed).
pub const MAX_CRASHES: u32 = 3;

/// The number of crashes from which a run executes alone. A run that takes its worker down can affect the runs beside it at most twice,
/// because it executes alone afterwards. So no run reaches [`MAX_CRASHES`] because of another run of its worker.
pub const SOLO_CRASHES: u32 = 2;

const _: () = assert!(SOLO_CRASHES < MAX_CRASHES);

/// The name of a worker. The journal compares and shows it, and takes nothing from it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WorkerId(Arc<str>);

/// The number of a claim, larger than that of every earlier claim of any run in the same journal. What a worker writes with
/// an old fence is refused, however late it comes.
///
/// Source: M. Kleppmann, "How to do distributed locking", 2016.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(u64);

/// The right of one worker to go on with a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The worker.
    pub worker: WorkerId,
    /// The claim's number.
    pub fence: Fence,
    /// When the lease ends. The claim is over when [`Journal::expire`](super::Journal::expire) finds that this has passed, and
    /// not before: only then may another worker have the run.
    pub until: Timestamp,
}

/// A request for runs that are due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRequest {
    /// Who will execute them.
    pub worker: WorkerId,
    /// How many at most; up to [`MAX_CLAIMED`].
    pub limit: usize,
    /// The time.
    pub now: Timestamp,
    /// How long the worker has each run without renewing.
    pub lease: Duration,
    /// The queues to claim from; none for all.
    pub queues: Vec<QueueName>,
    /// The tasks whose runs to claim; none for all.
    pub tasks: Vec<TaskKey>,
    /// The tasks whose runs not to claim; up to [`MAX_LEFT_OUT`]. A claim that leaves out any gets no run that executes
    /// [alone](super::JournalEntry::is_solo) and does not drain for one, and may miss runs behind more than [`MAX_PASSED`] that it leaves out.
    pub without: Vec<TaskKey>,
    /// Whether the worker executes nothing else now, so that it may get a run that executes [alone](super::JournalEntry::is_solo). Such
    /// a run is claimed only if it is the first in order, and then nothing else with it. A worker that is not idle claims nothing behind such a run, unless another one does so.
    pub is_idle: bool,
}

/// A request to end the claims whose leases are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpireRequest {
    /// The time.
    pub now: Timestamp,
    /// The length of the caller's own leases. The caller makes this request at least three times in it, as does every other worker;
    /// so if half of it passed without one, nobody could write.
    pub lease: Duration,
}

/// What happened between two [requests to end claims](ExpireRequest), if the time between them is not plausible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// For this long, nobody could renew a lease: it is too long for a journal to which workers can write. A process that was stopped in
    /// the middle of a write holds the lock of a database for as long; a machine may have been suspended, or its clock put forward.
    Stall(Duration),
    /// The clock was put back by this much, which is more than the longest lease, since this time.
    PutBack {
        /// By how much.
        by: Duration,
        /// The time of the request before. Leases that end after it were measured with the old clock.
        since: Timestamp,
    },
}

/// The claims that have ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Those whose leases ended first come first; at most [`MAX_EXPIRED`].
    pub runs: Vec<Expired>,
    /// Whether more are over, for another call.
    pub more: bool,
}

/// When the leases of all claims end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseEnds {
    /// The one that ends first.
    pub first: Timestamp,
    /// The one that ends last.
    pub last: Timestamp,
}

/// A claim whose lease was over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// The run.
    pub run: RunId,
    /// The worker that was lost, or too slow.
    pub worker: WorkerId,
    /// The run's state now.
    pub state: State,
    /// How often a lease of the run was over so far.
    pub crashes: u32,
}

impl ExpireRequest {
    /// What happened since the last request of this kind.
    pub fn gap(&self, last: Timestamp) -> Option<Gap> {
        let (silence, back) = (self.now.since(last), last.since(self.now));
        if back > MAX_LEASE {
            Some(Gap::PutBack { by: back, since: last })
        } else {
            (silence > Duration::ZERO && silence >= self.lease / 2).then_some(Gap::Stall(silence))
        }
    }

    /// When a lease ends after a gap. During a stall, leases do not run, and none becomes longer than one that was renewed now. If the
    /// clock was put back, so are the ends of leases. A clock that was put back by less than that changes no lease: those of workers
    /// that were lost before end that much later.
    pub fn after_gap(&self, until: Timestamp, gap: Gap) -> Timestamp {
        match gap {
            Gap::Stall(stall) => until.max(until.after(stall).min(self.now.after(self.lease))),
            Gap::PutBack { since, .. } if until > since => self.now.after(until.since(since)),
            Gap::PutBack { .. } => until,
        }
    }
}

impl ClaimRequest {
    /// Whether it asks for runs of this task in this queue.
    pub fn serves(&self, queue: &QueueName, task: &TaskKey) -> bool {
        (self.queues.is_empty() || self.queues.contains(queue))
            && (self.tasks.is_empty() || self.tasks.contains(task))
            && !self.without.contains(task)
    }

    /// Whether it can get a run that executes [alone](super::JournalEntry::is_solo).
    pub fn gets_solo(&self) -> bool {
        self.is_idle && self.without.is_empty()
    }
}

impl WorkerId {
    /// A worker of this name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Fence {
    /// The fence with this number; a journal gives them out.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
