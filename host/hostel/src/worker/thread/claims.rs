//! Which runs the worker claims, and which it gives back because others can execute them sooner.

use std::time::Instant;

use hostel_core::TaskKey;
use hostel_core::journal::MAX_LEFT_OUT;

use super::WorkerThread;
use crate::journal::{ClaimRequest, JournalEntry, JournalError, MAX_CLAIMED};
use crate::run::now;
use crate::standing::ClaimedRuns;
use crate::worker::mailbox::Order;
use crate::worker::window::{Load, Room};

/// The most runs that are given back at once, each by a transaction of its own. The rest follow in the next turn.
const MAX_GIVEN_BACK: usize = 64;

impl WorkerThread {
    /// Claims runs that are due, as many as there is room for.
    pub(super) fn claim(&mut self) -> Result<(), JournalError> {
        let began = Instant::now();
        let is_due = self.next_due.is_some_and(|due| due <= now());
        if self.order > Order::Serve
            || self.is_lent
            || !(self.may_claim || is_due || !self.left_out.is_empty())
        {
            return Ok(());
        }
        let (room, long) = self.room();
        let (limit, without) = if room.any > 0 { (room.any, Vec::new()) } else { (room.others, long) };
        // What was left out and no longer is may be due already.
        self.may_claim |= self.left_out.iter().any(|task| !without.contains(task));
        let limit = limit.min(MAX_CLAIMED);
        if limit == 0 || !(self.may_claim || is_due) {
            return Ok(());
        }
        let request = self.request(limit, without);
        let claimed = self.duty.journal.claim(&request)?;
        self.may_claim = claimed.len() == limit;
        self.next_due = None;
        self.left_out.clone_from(&request.without);
        claimed.into_iter().for_each(|entry| self.begin(entry, began));
        if self.may_claim { Ok(()) } else { self.look_ahead(&request) }
    }

    fn request(&self, limit: usize, without: Vec<TaskKey>) -> ClaimRequest {
        ClaimRequest {
            worker: self.duty.worker.clone(),
            limit,
            now: now(),
            lease: self.duty.leases.length(),
            queues: self.duty.queues.clone(),
            tasks: self.duty.tasks.claimed(),
            without,
            is_idle: self.runs.is_empty(),
        }
    }

    /// Leaves the claim that the idle worker would make for those who submit runs.
    pub(super) fn leave_standing(&self) {
        let limit = self.room().0.any.min(MAX_CLAIMED);
        if self.order == Order::Serve && limit > 0 {
            self.duty.standing.leave(self.request(limit, Vec::new()));
        }
    }

    /// Takes that claim back, and begins the runs that were claimed with it.
    pub(super) fn take_standing(&mut self) {
        let (claimed, is_lent) = self.duty.standing.take_back();
        self.is_lent = is_lent;
        for ClaimedRuns { entries, began, is_full } in claimed {
            self.may_claim |= is_full;
            for entry in entries {
                if self.order == Order::Serve {
                    self.begin(entry, began);
                } else {
                    self.add_to_release(entry, began);
                }
            }
        }
    }

    /// The worker has a run that it gives back.
    fn add_to_release(&mut self, entry: JournalEntry, claimed_at: Instant) {
        let Some(fence) = entry.claim().map(|claim| claim.fence) else { return };
        let run = entry.run();
        self.add(entry, fence, claimed_at);
        self.runs.get_mut(&run).into_iter().for_each(|claimed| claimed.is_released = true);
        self.dirty.insert(run);
    }

    /// How many more runs the worker may claim, and the tasks of its long runs. Nothing is claimed beside a run that executes alone, nor while
    /// the guests of its runs have all memory: another worker may have some. If it
    /// may not claim runs of any task, the mailbox gets mail when a run goes to rest.
    pub(super) fn room(&self) -> (Room, Vec<TaskKey>) {
        let claimed = self.runs.len();
        // Nothing was claimed together with it, and nothing is claimed after it.
        let is_alone = claimed == 1 && self.runs.values().any(|claimed| claimed.entry.is_solo());
        if is_alone || (claimed > 0 && !self.duty.host.engine.has_room()) {
            return (Room::default(), Vec::new());
        }
        let room = || {
            let (load, long) = self.load();
            (self.duty.window.room(load), long)
        };
        let first = room();
        if first.0.any > 0 || self.duty.window.is_full(claimed) {
            return first;
        }
        self.duty.places.call_next();
        room()
    }

    /// What the worker has to do, and the tasks of its long runs: all, or one more than a claim can leave out.
    fn load(&self) -> (Load, Vec<TaskKey>) {
        let places = &self.duty.places;
        let mut load = Load { claimed: self.runs.len(), resting: places.resting(), ..Load::default() };
        let mut tasks: Vec<(&TaskKey, usize)> = Vec::new();
        if places.has_long() {
            for claimed in self.runs.values().filter(|claimed| claimed.is_long()) {
                load.long += 1;
                if let Some((_, runs)) = tasks.iter_mut().find(|(task, _)| *task == claimed.task()) {
                    *runs += 1;
                } else if tasks.len() <= MAX_LEFT_OUT {
                    tasks.push((claimed.task(), 1));
                }
            }
        }
        load.long_tasks = tasks.len();
        load.counted = self.duty.window.counted(tasks.iter().map(|(_, runs)| *runs));
        (load, tasks.into_iter().map(|(task, _)| task.clone()).collect())
    }

    /// When there are as many long runs as threads, the host holds further runs of their tasks. Gives those back that were claimed before
    /// and have not begun, since another worker may be idle.
    pub(super) fn give_held_back(&mut self) -> Result<(), JournalError> {
        if self.order > Order::Serve || !self.duty.places.has_long() {
            return Ok(());
        }
        for claimed in self.runs.values_mut().filter(|claimed| !claimed.is_counted && claimed.is_long()) {
            claimed.is_counted = true;
            self.duty.window.freed(claimed.claimed_at.elapsed());
        }
        let (load, long) = self.load();
        if !self.duty.window.is_taken(load) {
            return Ok(());
        }
        let held = self.runs.iter_mut().filter(|(_, claimed)| {
            !claimed.is_released && claimed.is_pending() && long.contains(claimed.task())
        });
        for (run, claimed) in held.take(MAX_GIVEN_BACK) {
            claimed.is_released = true;
            claimed.stop();
            self.dirty.insert(*run);
        }
        self.report()
    }

    /// Finds out when the next run is due.
    fn look_ahead(&mut self, request: &ClaimRequest) -> Result<(), JournalError> {
        self.next_due = self.duty.journal.next_due(request)?;
        Ok(())
    }
}
