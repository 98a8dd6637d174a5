//! The unit of scheduling: a run on its way from the queue to its end, and which of worker, waker and canceller may
//! access its guest.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use hostel_core::{RunId, Tag, TaskKey};

use super::places::{LONG, Places};
use super::queue::Queued;

/// Something that workers execute: a run.
pub(crate) trait Work: Send + Sync + Sized + 'static {
    /// Its status in the scheduler.
    fn position(&self) -> &Position;

    /// Its id.
    fn id(&self) -> RunId;

    /// Its task.
    fn task_key(&self) -> &TaskKey;

    /// Its tags, which determine its limits.
    fn tags(&self) -> &[Tag];

    /// Work of higher priority begins first.
    fn priority(&self) -> i32;

    /// Whether it waits for other runs before it may be queued.
    fn awaits_others(&self) -> bool;

    /// Whether it has ended.
    fn has_ended(&self) -> bool;

    /// Whether a poll of its guest may block the thread for as long as something outside takes: a disk, or code of the program.
    fn may_block(&self) -> bool;

    /// Its remaining time, if that is limited and has begun.
    fn time_left(&self) -> Option<Duration>;

    /// A limit has no free slot for it. `false` if it has ended.
    fn slot_awaited(&self) -> bool;

    /// It has a slot of each limit that applies. `false` if it has ended.
    fn slot_granted(&self) -> bool;

    /// Goes on with its current step, and polls its guest if it has one. Called by a worker that moved it to
    /// [`Phase::Polled`].
    fn begin(self: &Arc<Self>) -> Polled;

    /// Polls its guest once. Called by a worker that moved it to [`Phase::Polled`].
    fn poll(self: &Arc<Self>) -> Polled;

    /// Ends it because polling it panicked, which is a bug in the host.
    fn crash(self: &Arc<Self>, reason: String) -> Polled;

    /// Asks it to stop, and drops its guest if no worker polls it. `false` if it has ended otherwise.
    fn cancel(self: &Arc<Self>) -> bool;

    /// Asks it to stop. Work without a guest is cancelled immediately. `false` if it has ended otherwise.
    fn request_cancel(self: &Arc<Self>) -> bool;
}

/// The status of work in the scheduler.
///
/// The phase determines its queue, if any. A queue entry whose phase has moved on is stale, and is skipped when it is
/// taken out.
pub(crate) struct Position {
    phase: AtomicU8,
    was_preempted: AtomicBool,
    /// Whether it counts as live. Changed under the scheduler's lock.
    is_live: AtomicBool,
    /// Whether it has a slot of each limit that applies. Changed under the scheduler's lock.
    holds_slots: AtomicBool,
    /// How much longer its guest has computed than rested, in nanoseconds, if it is counted; at most [`MOST_COMPUTED`].
    computed: AtomicU64,
    /// When the last poll ended, in nanoseconds of the scheduler's clock, if it is counted.
    polled_until: AtomicU64,
    /// Whether it is counted as long.
    is_long: AtomicBool,
    /// Where it is counted while it rests, and when it is long.
    places: Option<Arc<Places>>,
}

/// A guest that has computed for hours and then rests is not long for hours.
const MOST_COMPUTED: u64 = 2 * nanos(LONG);

/// The nanoseconds of a time of the scheduler's clock, which has not run for centuries.
const fn nanos(time: Duration) -> u64 {
    time.as_nanos() as u64
}

/// The phases of work in the scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// In the queue of pending runs.
    Pending,
    /// A worker polls its guest. Also the phase of work that has ended.
    Polled,
    /// A worker polls its guest, which was woken during the poll.
    PolledAndWoken,
    /// Its guest waits for something, and is in no queue.
    Waiting,
    /// Its guest was woken, and is in the queue of ready guests.
    Ready,
    /// Its guest yielded, and is in the queue of preempted guests.
    Preempted,
    /// It has no guest, and waits outside all queues for something other than a worker.
    Parked,
    /// Like [`Phase::Parked`]: it waits for a slot of a limit.
    AtGate,
}

/// The result of polling work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Polled {
    /// It has ended, or was stopped.
    Ended,
    /// It waits for something.
    Waits,
    /// It computed for a whole tick, and yielded.
    GaveWay,
    /// It was stopped by another thread earlier, or is parked.
    Gone,
}

/// What a waker has to do after waking a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// Queue the work as ready.
    Queue,
    /// Nothing: the work is queued, or its worker will notice.
    Noted,
}

impl Position {
    /// The position of new work, which is counted in `places` while it rests and when it is long.
    pub(crate) fn new(places: Option<Arc<Places>>) -> Self {
        Self {
            phase: AtomicU8::new(Phase::Pending as u8),
            was_preempted: AtomicBool::new(false),
            is_live: AtomicBool::new(false),
            holds_slots: AtomicBool::new(false),
            computed: AtomicU64::new(0),
            polled_until: AtomicU64::new(0),
            is_long: AtomicBool::new(false),
            places,
        }
    }

    /// Moves from one phase to the next. `false` if the work was not in that phase.
    pub(crate) fn advance(&self, from: Phase, to: Phase) -> bool {
        let is_moved =
            self.phase.compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if is_moved {
            self.places.iter().for_each(|places| places.moved(from.rests(), to.rests()));
        }
        is_moved
    }

    /// Whether the work needs no thread, nor a slot, now.
    pub(crate) fn rests(&self) -> bool {
        let phase = self.phase.load(Ordering::Acquire);
        Phase::RESTING.iter().any(|resting| *resting as u8 == phase)
    }

    /// Whether it waits in the queue, without a guest.
    pub(crate) fn is_pending(&self) -> bool {
        self.phase.load(Ordering::Acquire) == Phase::Pending as u8
    }

    /// Whether its guest has computed for long, and does not rest now.
    pub(crate) fn is_long(&self) -> bool {
        self.is_long.load(Ordering::SeqCst) && !self.rests()
    }

    /// A poll that took so long has ended `now`, while so many computing guests shared each thread.
    pub(super) fn computed(&self, now: Duration, took: Duration, share: u32) {
        let Some(places) = &self.places else { return };
        self.polled_until.store(nanos(now), Ordering::Relaxed);
        let took = nanos(took.saturating_mul(share).min(LONG));
        self.balance(places, |computed| (computed + took).min(MOST_COMPUTED));
    }

    /// A poll begins `now`, after its guest has rested.
    pub(super) fn rested(&self, now: Duration) {
        let Some(places) = &self.places else { return };
        let rested = nanos(now).saturating_sub(self.polled_until.load(Ordering::Relaxed));
        self.balance(places, |computed| computed.saturating_sub(rested));
    }

    /// If two threads do so at once, one of the changes is lost, which is a slice of time.
    fn balance(&self, places: &Places, change: impl FnOnce(u64) -> u64) {
        let computed = change(self.computed.load(Ordering::Relaxed));
        self.computed.store(computed, Ordering::Relaxed);
        let is_long = computed >= nanos(LONG);
        match (self.is_long.swap(is_long, Ordering::SeqCst), is_long) {
            (false, true) => places.lengthened(),
            (true, false) => places.shortened(),
            (true, true) | (false, false) => {}
        }
    }

    /// Enters a phase in which no worker has the work.
    pub(super) fn settle(&self, phase: Phase) {
        let before = self.phase.swap(phase as u8, Ordering::AcqRel);
        let rested = Phase::RESTING.iter().any(|resting| *resting as u8 == before);
        self.places.iter().for_each(|places| places.moved(rested, phase.rests()));
    }

    /// Whether it has a slot of each limit that applies.
    pub(crate) fn holds_slots(&self) -> bool {
        self.holds_slots.load(Ordering::Relaxed)
    }

    pub(super) fn take_slots(&self) {
        self.holds_slots.store(true, Ordering::Relaxed);
    }

    /// Gives up its slots. `false` if it had none.
    pub(super) fn leave_slots(&self) -> bool {
        self.holds_slots.swap(false, Ordering::Relaxed)
    }

    /// It has begun.
    pub(super) fn enter_life(&self) {
        self.is_live.store(true, Ordering::Relaxed);
    }

    /// Whether it has begun, and neither ended nor been parked since.
    pub(super) fn is_live(&self) -> bool {
        self.is_live.load(Ordering::Relaxed)
    }

    /// It has ended or is parked. `false` if it was not live.
    pub(super) fn leave_life(&self) -> bool {
        self.is_live.swap(false, Ordering::Relaxed)
    }

    /// Records that its guest is preempted. `true` for the first time.
    pub(super) fn is_first_preemption(&self) -> bool {
        !self.was_preempted.swap(true, Ordering::Relaxed)
    }

    /// Whether its guest was ever preempted.
    pub(super) fn was_preempted(&self) -> bool {
        self.was_preempted.load(Ordering::Relaxed)
    }

    /// Returns whether its guest, which has ended, was ever preempted, and forgets it.
    pub(super) fn take_preempted(&self) -> bool {
        self.was_preempted.swap(false, Ordering::Relaxed)
    }

    /// Records that its guest was woken.
    pub(crate) fn wake(&self) -> Woken {
        loop {
            if self.advance(Phase::Polled, Phase::PolledAndWoken) {
                return Woken::Noted;
            }
            if self.advance(Phase::Waiting, Phase::Ready) || self.advance(Phase::Preempted, Phase::Ready) {
                return Woken::Queue;
            }
            let phase = self.phase.load(Ordering::Acquire);
            let settled = [Phase::Pending, Phase::Ready, Phase::PolledAndWoken, Phase::Parked, Phase::AtGate];
            if settled.iter().any(|&settled| settled as u8 == phase) {
                return Woken::Noted;
            }
            // The phase changed in between: try again.
        }
    }
}

impl Drop for Position {
    /// The work is not counted any more.
    fn drop(&mut self) {
        self.settle(Phase::Polled);
        let is_long = self.is_long.load(Ordering::SeqCst);
        self.places.iter().filter(|_| is_long).for_each(|places| places.shortened());
    }
}

impl Phase {
    /// The phases of work that needs no thread, nor a slot.
    const RESTING: [Self; 2] = [Self::Waiting, Self::Parked];

    fn rests(self) -> bool {
        Self::RESTING.contains(&self)
    }
}

impl<W: Work> Queued for Arc<W> {
    type Task = TaskKey;

    fn task(&self) -> TaskKey {
        self.task_key().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_up_queues_what_waits_and_is_noted_otherwise() {
        for (phase, woken, next) in [
            (Phase::Pending, Woken::Noted, Phase::Pending),
            (Phase::Polled, Woken::Noted, Phase::PolledAndWoken),
            (Phase::PolledAndWoken, Woken::Noted, Phase::PolledAndWoken),
            (Phase::Waiting, Woken::Queue, Phase::Ready),
            (Phase::Ready, Woken::Noted, Phase::Ready),
            (Phase::Preempted, Woken::Queue, Phase::Ready),
            (Phase::Parked, Woken::Noted, Phase::Parked),
            (Phase::AtGate, Woken::Noted, Phase::AtGate),
        ] {
            let position = Position::new(None);
            position.settle(phase);
            assert_eq!(position.wake(), woken, "{phase:?}");
            assert!(position.advance(next, Phase::Pending), "{phase:?} to {next:?}");
        }
    }

    #[test]
    fn work_is_counted_while_it_rests() {
        let places = Arc::new(Places::new(|| ()));
        let position = Position::new(Some(Arc::clone(&places)));
        assert!(position.advance(Phase::Pending, Phase::Polled));
        assert!(position.advance(Phase::Polled, Phase::Waiting));
        assert_eq!(places.resting(), 1);
        assert!(!position.advance(Phase::Polled, Phase::Waiting));
        assert_eq!((position.wake(), places.resting()), (Woken::Queue, 0));
        for (phase, resting) in
            [(Phase::Parked, 1), (Phase::Parked, 1), (Phase::AtGate, 0), (Phase::Parked, 1)]
        {
            position.settle(phase);
            assert_eq!(places.resting(), resting, "{phase:?}");
        }
        drop(position);
        assert_eq!(places.resting(), 0);
    }

    #[test]
    fn work_is_long_when_its_guest_has_computed_for_long() {
        const MS: Duration = Duration::from_millis(1);
        let places = Arc::new(Places::new(|| ()));
        let position = Position::new(Some(Arc::clone(&places)));
        let mut now = Duration::ZERO;
        let mut compute = |position: &Position, took: Duration, rest: Duration| {
            now += rest;
            if !rest.is_zero() {
                position.rested(now);
            }
            now += took;
            position.computed(now, took, 1);
        };
        assert!(position.is_pending());
        position.settle(Phase::Polled);
        assert!(!position.is_pending());
        (0..250).for_each(|_| compute(&position, 4 * MS, Duration::ZERO));
        assert!(position.is_long() && places.has_long());
        position.settle(Phase::Waiting);
        assert!(!position.is_long() && places.has_long(), "it rests");
        position.settle(Phase::Ready);
        assert!(position.is_long());
        // What it computes after a rest counts from there.
        compute(&position, MS, LONG);
        assert!(!position.is_long() && !places.has_long());
        // A guest that rests more than it computes is never long, and short rests make no difference.
        (0..10_000).for_each(|_| compute(&position, MS, 2 * MS));
        assert!(!position.is_long());
        (0..255).for_each(|_| compute(&position, 4 * MS, MS / 100));
        assert!(position.is_long() && places.has_long());
        (0..10_000).for_each(|_| compute(&position, 4 * MS, Duration::ZERO));
        compute(&position, MS, 2 * LONG);
        assert!(!position.is_long(), "there is a bound");
        position.computed(now, LONG / 10, 10);
        assert!(position.is_long(), "it has shared its thread with nine others");
        drop(position);
        assert!(!places.has_long());
        // Work that nobody counts.
        let position = Position::new(None);
        position.rested(LONG);
        position.computed(LONG, LONG, 1);
        assert!(!position.is_long());
    }
}
