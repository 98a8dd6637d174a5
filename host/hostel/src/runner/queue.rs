//! What a worker picks up next.
//!
//! Three queues, each first in, first out:
//!
//! - *ready*: guests that slept and were woken. They come first, so that runs in progress finish.
//! - *pending*: runs whose next attempt has not begun, those of higher priority first.
//! - *preempted*: guests that computed for a whole tick and yielded.
//!
//! Two rules keep short tasks fast without accumulating long ones:
//!
//! 1. *Time is shared equally.* After a preempted guest has computed for some time, the other queues get as much.
//! 2. *A computing guest holds a worker.* While as many guests are preempted as there are workers, pending runs are
//!    picked up only on probation: as long as they end within their first tick, the next one may follow. One that
//!    does not end joins the preempted guests. Then the door shuts for a while, twice as long for each guest too many,
//!    for runs of tasks that have a guest which was ever preempted. Those runs are *held*, and the others pass them.
//!    So a hundred endless loops cannot keep a short task out, and ten thousand long runs do not all begin at once.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

/// Out of this many turns, pending runs get at least one, however many guests were woken.
const PENDING_TURN: u32 = 8;

/// How long the door stays shut for the first guest too many.
const FIRST_CLOSING: Duration = Duration::from_millis(100);

/// The maximum number of doublings of that time: about a day.
const MOST_DOUBLINGS: u32 = 20;

/// What the queue needs to know of a queued item.
pub(crate) trait Queued {
    /// Identifies items that are likely to take equally long.
    type Task: Clone + Eq + Hash;

    /// The task of the item.
    fn task(&self) -> Self::Task;
}

/// The three queues, with their bounds. The code is pure: callers pass the current time.
pub(crate) struct Queue<J: Queued> {
    bounds: Bounds,
    ready: VecDeque<J>,
    pending: Lanes<J>,
    /// Pending runs that are held because the door is shut.
    held: Lanes<J>,
    preempted: VecDeque<J>,
    /// The tasks that have live guests which were ever preempted, and the number of these guests.
    long: HashMap<J::Task, usize>,
    /// The number of parked runs: they wait for others, for a slot, or for the time of their next attempt.
    parked: usize,
    /// The number of live guests, including sleeping ones.
    live: usize,
    turn: u32,
    /// Preempted guests wait until then, unless there is no other work.
    others_until: Duration,
    /// Pending runs wait until then while too many guests are preempted.
    shut_until: Duration,
}

/// Pending runs by priority, then in order of arrival.
struct Lanes<J> {
    /// Priority 0, the usual one.
    usual: VecDeque<J>,
    /// The other priorities; no lane is empty.
    others: BTreeMap<i32, VecDeque<J>>,
    length: usize,
}

/// The bounds of a [`Queue`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// The number of worker threads.
    pub(crate) workers: usize,
    /// The maximum number of pending and parked runs.
    pub(crate) pending: usize,
    /// The maximum number of live guests.
    pub(crate) live: usize,
}

/// The queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueFull;

/// What a worker picks up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<J> {
    /// A run that has not begun.
    Pending(J),
    /// A guest that was woken.
    Ready(J),
    /// A guest that yielded.
    Preempted(J),
}

impl<J> Next<J> {
    /// The item itself.
    pub(crate) const fn job(&self) -> &J {
        let (Self::Pending(job) | Self::Ready(job) | Self::Preempted(job)) = self;
        job
    }
}

impl<J: Queued> Queue<J> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            ready: VecDeque::new(),
            pending: Lanes::new(),
            held: Lanes::new(),
            preempted: VecDeque::new(),
            long: HashMap::new(),
            parked: 0,
            live: 0,
            turn: 0,
            others_until: Duration::ZERO,
            shut_until: Duration::ZERO,
        }
    }

    /// Adds a run.
    pub(crate) fn push_pending(&mut self, job: J, priority: i32) -> Result<(), QueueFull> {
        if !self.has_room() {
            return Err(QueueFull);
        }
        self.pending.push(job, priority);
        Ok(())
    }

    /// Whether another run may be added.
    pub(crate) fn has_room(&self) -> bool {
        self.length() < self.bounds.pending
    }

    /// Whether it is worth waking submitters that wait for room: an eighth of the room is free, or no run could leave more.
    pub(crate) fn has_much_room(&self) -> bool {
        let length = self.length();
        length <= self.bounds.pending / 8 * 7 || (self.pending.length == 0 && length < self.bounds.pending)
    }

    /// The number of pending and parked runs.
    fn length(&self) -> usize {
        self.pending.length + self.held.length + self.parked
    }

    /// Counts a parked run that was admitted before.
    pub(crate) fn park(&mut self) {
        self.parked += 1;
    }

    /// Queues a run that was parked.
    pub(crate) fn push_parked(&mut self, job: J, priority: i32) {
        self.parked = self.parked.saturating_sub(1);
        self.pending.push(job, priority);
    }

    /// Queues a run that was parked in front of all others of its priority, because it holds a slot that others wait
    /// for.
    pub(crate) fn push_parked_first(&mut self, job: J, priority: i32) {
        self.parked = self.parked.saturating_sub(1);
        self.pending.push_first(job, priority);
    }

    /// Removes a parked run that has ended.
    pub(crate) fn forget_parked(&mut self) {
        self.parked = self.parked.saturating_sub(1);
    }

    /// Adds a guest that was woken. There are at most as many as live guests.
    pub(crate) fn push_ready(&mut self, job: J) {
        self.ready.push_back(job);
    }

    /// Whether an item was added to queues that were empty except for computing guests.
    pub(crate) fn has_one_alone(&self) -> bool {
        self.ready.len() + self.pending.length == 1
    }

    /// Adds a guest that yielded at `now` after computing for `slice`; `first` if it had never been preempted before.
    pub(crate) fn push_preempted(&mut self, job: J, now: Duration, slice: Duration, first: bool) {
        if first {
            *self.long.entry(job.task()).or_default() += 1;
        }
        self.preempted.push_back(job);
        self.others_until = now + slice;
        let too_many = self.preempted.len().saturating_sub(self.bounds.workers);
        if first && too_many > 0 {
            let doublings = u32::try_from(too_many - 1).unwrap_or(MOST_DOUBLINGS).min(MOST_DOUBLINGS);
            self.shut_until = now + FIRST_CLOSING * 2_u32.pow(doublings);
        }
    }

    /// Takes the next work at `now`; `None` if there is none.
    pub(crate) fn pop(&mut self, now: Duration) -> Option<Next<J>> {
        self.turn = self.turn.wrapping_add(1);
        if now >= self.others_until && !self.preempted.is_empty() {
            return self.pop_preempted();
        }
        let pending_first = self.turn.is_multiple_of(PENDING_TURN);
        if pending_first && let Some(job) = self.pop_pending(now) {
            return Some(Next::Pending(job));
        }
        if let Some(job) = self.ready.pop_front() {
            return Some(Next::Ready(job));
        }
        self.pop_pending(now).map(Next::Pending).or_else(|| self.pop_preempted())
    }

    /// Records the end of a guest, and whether it `was_preempted` ever.
    pub(crate) fn ended(&mut self, job: &J, was_preempted: bool) {
        self.live = self.live.saturating_sub(1);
        if was_preempted {
            self.forget_long(&job.task());
        }
    }

    /// Records that a guest that was preempted now waits for something: as long as it does not compute, it says nothing about
    /// how long other runs of its task take.
    pub(crate) fn rests(&mut self, job: &J) {
        self.forget_long(&job.task());
    }

    /// How many guests that compute for long share each thread; at least one.
    pub(crate) fn share(&self) -> u32 {
        if self.preempted.len() <= self.bounds.workers {
            return 1;
        }
        u32::try_from(self.preempted.len() / self.bounds.workers.max(1)).unwrap_or(u32::MAX)
    }

    /// The number of runs that are pending, parked or live.
    pub(crate) fn unfinished(&self) -> usize {
        self.pending.length + self.held.length + self.parked + self.live
    }

    /// Takes all pending runs.
    pub(crate) fn drain_pending(&mut self) -> Vec<J> {
        let held = std::iter::from_fn(|| self.held.pop()).collect::<Vec<_>>();
        held.into_iter().chain(std::iter::from_fn(|| self.pending.pop())).map(|(job, _)| job).collect()
    }

    /// Takes everything in the queues.
    pub(crate) fn drain(&mut self) -> Vec<J> {
        let mut jobs = self.drain_pending();
        jobs.extend(self.ready.drain(..).chain(self.preempted.drain(..)));
        jobs
    }

    /// Takes the pending run that may begin, if there is one.
    fn pop_pending(&mut self, now: Duration) -> Option<J> {
        if self.live >= self.bounds.live {
            return None;
        }
        let is_open = self.preempted.len() < self.bounds.workers || now >= self.shut_until;
        let job = if is_open { self.pop_in_order() } else { self.pop_passing() }?;
        self.live += 1;
        Some(job)
    }

    /// Held runs arrived before the others of their priority.
    fn pop_in_order(&mut self) -> Option<J> {
        let is_held_first = self.held.highest() >= self.pending.highest();
        let lanes = if is_held_first { &mut self.held } else { &mut self.pending };
        lanes.pop().map(|(job, _)| job)
    }

    /// Holds the runs that have to wait for the door, once each, and takes the first one that may pass.
    fn pop_passing(&mut self) -> Option<J> {
        while let Some((job, priority)) = self.pending.pop() {
            if !self.long.contains_key(&job.task()) {
                return Some(job);
            }
            self.held.push(job, priority);
        }
        None
    }

    fn forget_long(&mut self, task: &J::Task) {
        if let Some(guests) = self.long.get_mut(task) {
            *guests -= 1;
            if *guests == 0 {
                self.long.remove(task);
            }
        }
    }

    fn pop_preempted(&mut self) -> Option<Next<J>> {
        self.preempted.pop_front().map(Next::Preempted)
    }
}

impl<J> Lanes<J> {
    fn new() -> Self {
        Self { usual: VecDeque::new(), others: BTreeMap::new(), length: 0 }
    }

    fn push(&mut self, job: J, priority: i32) {
        self.lane(priority).push_back(job);
    }

    fn push_first(&mut self, job: J, priority: i32) {
        self.lane(priority).push_front(job);
    }

    /// The lane of a priority, created if needed.
    fn lane(&mut self, priority: i32) -> &mut VecDeque<J> {
        self.length += 1;
        if priority == 0 { &mut self.usual } else { self.others.entry(priority).or_default() }
    }

    /// The highest priority in the queue; `None`, which compares lower than any priority, if it is empty.
    fn highest(&self) -> Option<i32> {
        let usual = (!self.usual.is_empty()).then_some(0);
        self.others.last_key_value().map(|(priority, _)| *priority).max(usual)
    }

    /// Takes the first run of the highest priority, and returns that priority too.
    fn pop(&mut self) -> Option<(J, i32)> {
        let highest = self.others.last_entry().filter(|lane| *lane.key() > 0 || self.usual.is_empty());
        let popped = match highest {
            None => self.usual.pop_front().map(|job| (job, 0)),
            Some(mut lane) => {
                let priority = *lane.key();
                let job = lane.get_mut().pop_front();
                if lane.get().is_empty() {
                    lane.remove();
                }
                job.map(|job| (job, priority))
            }
        };
        self.length -= usize::from(popped.is_some());
        popped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const TICK: Duration = Duration::from_millis(5);

    /// Every hundred thousand items belong to one task.
    impl Queued for u32 {
        type Task = u32;

        fn task(&self) -> u32 {
            self / 100_000
        }
    }

    fn queue(workers: usize) -> Queue<u32> {
        Queue::new(Bounds { workers, pending: 100, live: 50 })
    }

    #[test]
    fn runs_begin_in_the_order_in_which_they_came() {
        let mut queue = queue(1);
        (0..3).for_each(|job| queue.push_pending(job, 0).unwrap());
        let order: Vec<_> = std::iter::from_fn(|| queue.pop(MS)).collect();
        assert_eq!(order, [Next::Pending(0), Next::Pending(1), Next::Pending(2)]);
    }

    #[test]
    fn higher_priorities_begin_first() {
        let mut queue = queue(1);
        for (job, priority) in [(1, 0), (2, -1), (3, 5), (4, 0), (5, 5), (6, 7)] {
            queue.push_pending(job, priority).unwrap();
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop(MS)).collect();
        assert_eq!(order, [6, 3, 5, 1, 4, 2].map(Next::Pending));
    }

    #[test]
    fn who_holds_something_comes_before_those_who_do_not() {
        let mut queue = queue(1);
        queue.park();
        queue.push_pending(1, 0).unwrap();
        queue.push_pending(2, 1).unwrap();
        queue.push_parked_first(3, 0);
        let order: Vec<_> = std::iter::from_fn(|| queue.pop(MS)).collect();
        assert_eq!(order, [2, 3, 1].map(Next::Pending));
    }

    #[test]
    fn parked_runs_count_and_come_back_whatever_the_bound() {
        let mut queue = queue(1);
        (0..100).for_each(|_| queue.park());
        assert_eq!((queue.unfinished(), queue.push_pending(1, 0)), (100, Err(QueueFull)));
        queue.push_parked(2, 0);
        queue.forget_parked();
        assert_eq!((queue.unfinished(), queue.push_pending(1, 0)), (99, Ok(())));
        assert_eq!(queue.pop(MS), Some(Next::Pending(2)));
    }

    #[test]
    fn the_queue_is_bounded() {
        let mut queue = queue(1);
        (0..100).for_each(|job| queue.push_pending(job, 0).unwrap());
        assert_eq!(queue.push_pending(100, 0), Err(QueueFull));
        queue.pop(MS);
        assert_eq!(queue.push_pending(100, 0), Ok(()));
    }

    #[test]
    fn live_guests_are_bounded() {
        let mut queue = queue(1);
        (0..100).for_each(|job| queue.push_pending(job, 0).unwrap());
        assert_eq!(std::iter::from_fn(|| queue.pop(MS)).count(), 50);
        queue.ended(&0, false);
        assert_eq!(queue.pop(MS), Some(Next::Pending(50)));
        assert_eq!(queue.pop(MS), None);
    }

    #[test]
    fn woken_guests_come_first_and_pending_runs_come_too() {
        let mut queue = queue(1);
        (0..16).for_each(|job| queue.push_ready(job));
        (100..102).for_each(|job| queue.push_pending(job, 0).unwrap());
        let order: Vec<_> = (0..16).filter_map(|_| queue.pop(MS)).collect();
        let pending: Vec<_> = (0..16).filter(|&turn| matches!(order[turn], Next::Pending(_))).collect();
        assert_eq!(pending, [7, 15]);
    }

    #[test]
    fn a_preempted_guest_waits_as_long_as_it_computed() {
        let mut queue = queue(1);
        queue.push_preempted(1, 10 * MS, TICK, true);
        queue.push_ready(2);
        queue.push_ready(3);
        assert_eq!(queue.pop(12 * MS), Some(Next::Ready(2)));
        assert_eq!(queue.pop(15 * MS), Some(Next::Preempted(1)));
        assert_eq!(queue.pop(15 * MS), Some(Next::Ready(3)));
    }

    #[test]
    fn a_preempted_guest_goes_on_at_once_if_nothing_else_is_to_be_done() {
        let mut queue = queue(1);
        queue.push_preempted(1, 10 * MS, TICK, true);
        assert_eq!(queue.pop(10 * MS), Some(Next::Preempted(1)));
    }

    #[test]
    fn endless_loops_cannot_keep_a_short_task_out() {
        let mut queue = queue(2);
        for spinner in 0..2 {
            queue.push_preempted(spinner, 10 * MS, TICK, true);
        }
        for short in 100..150 {
            queue.push_pending(short, 0).unwrap();
            assert_eq!(
                queue.pop(11 * MS),
                Some(Next::Pending(short)),
                "ends within its tick, so the door stays open"
            );
            queue.ended(&short, false);
        }
    }

    #[test]
    fn whoever_is_not_known_to_take_long_passes_those_who_are() {
        let mut queue = queue(2);
        for spinner in 0..4 {
            queue.push_preempted(spinner, 10 * MS, TICK, true);
        }
        // The door is shut, and these are of the same task.
        (10..14).for_each(|spinner| queue.push_pending(spinner, 0).unwrap());
        queue.push_pending(14, 1).unwrap();
        for short in [200_000, 300_000] {
            queue.push_pending(short, 0).unwrap();
            assert_eq!(queue.pop(11 * MS), Some(Next::Pending(short)));
            queue.ended(&short, false);
        }
        assert_eq!(queue.pop(11 * MS), Some(Next::Preempted(0)), "none passes but them");
        assert_eq!(queue.unfinished(), 5);
        // After it opens, they come in their original order, before later arrivals.
        queue.push_pending(400_000, 0).unwrap();
        queue.others_until = Duration::MAX;
        let order: Vec<_> = (0..6).filter_map(|_| queue.pop(Duration::from_secs(1))).collect();
        assert_eq!(order, [14, 10, 11, 12, 13, 400_000].map(Next::Pending));
    }

    #[test]
    fn a_task_is_not_held_when_its_long_guests_have_ended() {
        let mut queue = queue(1);
        queue.push_preempted(1, 10 * MS, TICK, true);
        queue.push_preempted(2, 10 * MS, TICK, true);
        queue.push_preempted(100_000, 10 * MS, TICK, true);
        queue.push_pending(100_001, 0).unwrap();
        queue.ended(&100_000, true);
        assert_eq!(queue.pop(11 * MS), Some(Next::Pending(100_001)));
        queue.push_pending(3, 0).unwrap();
        queue.ended(&1, true);
        assert_eq!(queue.pop(11 * MS), Some(Next::Preempted(1)), "its other guest lives");
    }

    #[test]
    fn a_task_is_not_held_while_its_long_guests_sleep() {
        let mut queue = queue(1);
        queue.push_preempted(1, 10 * MS, TICK, true);
        queue.push_preempted(2, 10 * MS, TICK, true);
        queue.push_preempted(100_000, 10 * MS, TICK, true);
        queue.push_pending(100_001, 0).unwrap();
        queue.rests(&100_000);
        assert_eq!(queue.pop(11 * MS), Some(Next::Pending(100_001)));
        // It has computed for a tick again.
        queue.push_preempted(100_000, 11 * MS, TICK, true);
        queue.push_pending(100_002, 0).unwrap();
        assert_eq!(queue.pop(12 * MS), Some(Next::Preempted(1)));
    }

    #[test]
    fn long_tasks_do_not_all_begin_at_once() {
        let mut queue = Queue::new(Bounds { workers: 2, pending: 100_000, live: 100_000 });
        (0..10_000).for_each(|job| queue.push_pending(job, 0).unwrap());
        let mut now = Duration::ZERO;
        while now < Duration::from_secs(60) {
            let next = queue.pop(now).unwrap();
            now += TICK;
            let (job, first) = match next {
                Next::Pending(job) => (job, true),
                Next::Ready(job) | Next::Preempted(job) => (job, false),
            };
            queue.push_preempted(job, now, TICK, first);
        }
        let begun = queue.preempted.len();
        assert!((3..20).contains(&begun), "{begun} of 10,000 endless tasks began within a minute");
    }
}
