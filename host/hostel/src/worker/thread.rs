//! The thread of a worker: claims runs, reports what happened to them, renews leases, and ends.

mod claims;
mod reports;

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hostel_core::{ErrorKind, QueueName, RunFilter, RunId, State, TaskKey, Timestamp};

use super::claimed::Claimed;
use super::leases::{Leases, MARGIN};
use super::mailbox::{Mail, Mailbox, Order};
use super::prepared::Prepared;
use super::tasks::Tasks;
use super::window::Window;
use crate::calls::call_safely;
use crate::error::in_full;
use crate::host_state::HostState;
use crate::journal::{
    ExpireRequest, Fence, Journal, JournalEntry, JournalError, MAX_CLAIMED, Page, WorkerId, each_page,
};
use crate::run::now;
use crate::runner::Places;
use crate::standing::StandingClaim;

/// The pause after the journal could not be read or written, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// After this time, a run whose start is not recorded is read again when the journal has changed: it may have been cancelled.
const SLOW: Duration = Duration::from_millis(50);

/// The most runs whose start is not recorded that are read again at once. The more there are, the rarer each is.
const MAX_READ_AGAIN: usize = 64;

/// How often the journal may fail while all that is left to do is to give runs back.
const MAX_FAILED_RELEASES: u32 = 3;

/// How often a worker tries to prepare a run that this host cannot execute for now.
const MAX_TRIES: u32 = 5;

/// The pause before such a run is given back the first time; each later one is twice as long.
const POSTPONED: Duration = Duration::from_millis(500);

/// The most such runs whose tries are counted.
const MAX_TRIED: usize = 1_000;

/// The beginning of an attempt is recorded together with its end if that follows within this time: a short run costs one transaction.
const TOGETHER: Duration = Duration::from_millis(2);

/// Leases are renewed, and those of lost workers ended, so many times in the length of a lease.
const RENEWALS: u32 = 3;

/// Called with a run after something about it was recorded.
pub(super) type OnChange = Arc<dyn Fn(&JournalEntry) + Send + Sync>;

/// The settings of the thread.
pub(super) struct Duty {
    pub(super) host: Arc<HostState>,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) tasks: Arc<Tasks>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) worker: WorkerId,
    pub(super) queues: Vec<QueueName>,
    pub(super) leases: Arc<Leases>,
    /// What the worker would claim while it is idle.
    pub(super) standing: Arc<StandingClaim>,
    pub(super) window: Window,
    /// Counts the runs that rest or have computed for long.
    pub(super) places: Arc<Places>,
    pub(super) on_change: Option<OnChange>,
}

/// The thread, with the runs that the worker has claimed.
pub(super) struct WorkerThread {
    duty: Duty,
    runs: HashMap<RunId, Claimed>,
    /// The runs about which there may be something to write.
    dirty: HashSet<RunId>,
    /// Those whose attempts have begun, and when each will be dirty, in order: at most two for each attempt.
    begun: VecDeque<(Instant, RunId)>,
    order: Order,
    /// Whether a claim may find something: something has changed, or the last claim found as much as it asked for.
    may_claim: bool,
    /// Whether a submission claims for this worker, which claims nothing itself meanwhile.
    is_lent: bool,
    /// Whether runs of this worker may have been cancelled.
    may_be_cancelled: bool,
    /// The tasks that the last claim left out, because long runs of theirs execute here.
    left_out: Vec<TaskKey>,
    /// When the next run is due.
    next_due: Option<Timestamp>,
    next_renewal: Instant,
    /// After an error of the journal: when it is asked again, and the length of the pause.
    pause: Option<(Instant, Duration)>,
    /// How often it failed while all that was left to do was to give runs back.
    failed_releases: u32,
    /// Why the worker cannot go on.
    failure: Option<JournalError>,
    /// How often runs could not be prepared here.
    tries: HashMap<RunId, u32>,
}

impl WorkerThread {
    pub(super) fn new(duty: Duty) -> Self {
        let next_renewal = Instant::now();
        Self {
            duty,
            runs: HashMap::new(),
            dirty: HashSet::new(),
            begun: VecDeque::new(),
            order: Order::Serve,
            may_claim: true,
            is_lent: false,
            may_be_cancelled: false,
            left_out: Vec::new(),
            next_due: None,
            next_renewal,
            pause: None,
            failed_releases: 0,
            failure: None,
            tries: HashMap::new(),
        }
    }

    /// Works until an order ends it.
    pub(super) fn work(mut self) {
        while self.turn() {}
        for claimed in self.duty.standing.end() {
            claimed.release(&*self.duty.journal, now());
        }
        self.duty.leases.end();
        self.duty.mailbox.end(self.failure);
    }

    /// Does everything that there is to do now. `false` if nothing will follow.
    fn turn(&mut self) -> bool {
        let (mail, order) = self.duty.mailbox.take(self.wakes_at());
        self.read(mail, order);
        self.give_late_back();
        if self.duty.host.scheduler.is_closed() {
            self.order = self.order.max(Order::Drain);
        }
        self.take_standing();
        if !self.is_paused() {
            let worked = self.exchange();
            self.pause_after(worked);
            let is_done = !self.may_claim && !self.is_lent && self.pause.is_none();
            let is_idle = self.runs.is_empty() && is_done;
            // Before others learn that the worker is idle.
            if is_idle {
                self.leave_standing();
            }
            self.duty.mailbox.worked(self.runs.len(), is_idle);
        }
        // What a journal that fails does not take back comes free when its lease is over.
        let has_given_up = self.failed_releases >= MAX_FAILED_RELEASES;
        self.order == Order::Serve || !(self.runs.is_empty() || has_given_up)
    }

    /// When there is something to do without mail.
    fn wakes_at(&self) -> Option<Instant> {
        if let Some((until, _)) = self.pause {
            return Some(until);
        }
        // Without room, a run that is due has to wait for one that ends.
        let may_claim = self.order == Order::Serve && !self.is_lent;
        let due = self.next_due.filter(|_| may_claim && self.room().0.is_some());
        let due = due.map(|due| Instant::now() + due.since(now()));
        let begun = self.begun.front().map(|(until, _)| *until);
        due.into_iter().chain(begun).chain([self.next_renewal]).min()
    }

    fn is_paused(&self) -> bool {
        self.pause.is_some_and(|(until, _)| Instant::now() < until)
    }

    fn pause_after(&mut self, worked: Result<(), JournalError>) {
        let Err(error) = worked else {
            self.pause = None;
            return;
        };
        let longest = PAUSES.1.min(self.duty.leases.length() / MARGIN);
        let length = self.pause.map_or(PAUSES.0, |(_, length)| length * 2).min(longest);
        self.pause = Some((Instant::now() + length, length));
        if self.order > Order::Serve && self.runs.values().all(|claimed| claimed.is_released) {
            self.failed_releases += 1;
        }
        if is_lasting(&error) {
            return self.fail(error);
        }
        tracing::warn!("worker {}: {}; trying again in {length:?}", self.duty.worker, in_full(&error));
    }

    /// The journal will not work again: gives everything back, if that is possible, and ends.
    fn fail(&mut self, error: JournalError) {
        if self.failure.is_none() {
            tracing::error!("worker {}: {}; it ends", self.duty.worker, in_full(&error));
            self.failure = Some(error);
        }
        if self.order < Order::Release {
            self.order = Order::Release;
            self.stop_all();
        }
    }

    fn read(&mut self, mail: Mail, order: Order) {
        let Mail { prepared, begun, moved, journal_changed } = mail;
        self.may_claim |= journal_changed;
        self.may_be_cancelled |= journal_changed;
        self.dirty.extend(moved);
        let now = Instant::now();
        self.begun.extend(begun.into_iter().map(|run| (now + TOGETHER, run)));
        while let Some((_, run)) = self.begun.pop_front_if(|(until, _)| *until <= now) {
            self.dirty.insert(run);
        }
        for (run, fence, prepared) in prepared {
            self.prepared(run, fence, prepared);
        }
        if order > self.order {
            self.order = order;
            if order == Order::Release {
                self.stop_all();
            }
        }
    }

    fn prepared(&mut self, run: RunId, fence: Fence, prepared: Prepared) {
        // An earlier claim of the same run may have been lost.
        let claimed = self.runs.get_mut(&run).filter(|claimed| claimed.fence == fence);
        let Some(claimed) = claimed else { return prepared.abandon() };
        let is_accepted = matches!(prepared, Prepared::Accepted { .. });
        match prepared {
            Prepared::ShutDown => {
                claimed.is_released = true;
                self.order = self.order.max(Order::Drain);
            }
            Prepared::Postponed => {
                claimed.is_released = true;
                self.may_claim = true;
                if self.tries.len() >= MAX_TRIED {
                    self.tries.clear();
                }
                *self.tries.entry(run).or_default() += 1;
            }
            Prepared::Accepted { .. } | Prepared::Refused(_) | Prepared::OutOfTime(_) => {
                claimed.prepared(prepared);
                self.tries.remove(&run);
            }
        }
        if claimed.is_released || claimed.entry.state() == State::Cancelling {
            claimed.stop();
        }
        // It may have begun already, or ended.
        if is_accepted && !claimed.is_released && !claimed.has_ended() {
            self.begun.push_back((Instant::now() + TOGETHER, run));
        } else {
            self.dirty.insert(run);
        }
    }

    fn stop_all(&mut self) {
        for (run, claimed) in &mut self.runs {
            claimed.is_released = true;
            claimed.stop();
            self.dirty.insert(*run);
        }
    }

    /// Gives the runs back that were stopped because their leases could not be renewed: the journal may still take them.
    fn give_late_back(&mut self) {
        for run in self.duty.leases.take_late() {
            if let Some(claimed) = self.runs.get_mut(&run) {
                claimed.is_released = true;
                self.dirty.insert(run);
            }
        }
    }

    /// Stops and forgets runs that another worker may have.
    fn lose(&mut self, runs: impl IntoIterator<Item = RunId>, reason: &str) {
        for run in runs {
            tracing::warn!("worker {}: run {run} is stopped: {reason}", self.duty.worker);
            self.runs.get(&run).into_iter().for_each(Claimed::stop);
            self.forget(run);
        }
    }

    /// The worker no longer has the run.
    fn forget(&mut self, run: RunId) {
        self.runs.remove(&run);
        self.duty.leases.remove(run);
    }

    /// Everything that the journal is asked for.
    fn exchange(&mut self) -> Result<(), JournalError> {
        // First, so that nothing that is wrong with one run costs the others their leases.
        let renewed = self.renew();
        self.report().and(renewed)?;
        self.cancel()?;
        self.give_held_back()?;
        self.claim()
    }

    /// Reads a run that has changed in the journal.
    fn read_again(&mut self, run: RunId) -> Result<(), JournalError> {
        self.dirty.insert(run);
        let entry = self.duty.journal.get(run)?;
        let Some(claimed) = self.runs.get_mut(&run) else { return Ok(()) };
        match entry.filter(|entry| entry.claim().is_some_and(|claim| claim.fence == claimed.fence)) {
            Some(entry) => {
                let is_cancelled = entry.state() == State::Cancelling;
                claimed.entry = entry;
                if is_cancelled {
                    claimed.stop();
                }
            }
            None => self.lose([run], "another worker has it, or it was cancelled"),
        }
        Ok(())
    }

    /// Stops the runs that were cancelled.
    fn cancel(&mut self) -> Result<(), JournalError> {
        if !self.may_be_cancelled || self.runs.is_empty() {
            return Ok(());
        }
        let filter = RunFilter::new().states([State::Cancelling]);
        let journal = Arc::clone(&self.duty.journal);
        each_page::<JournalError>(&*journal, &filter, Page::first(Page::MAX_LIMIT), |found| {
            let is_new = |run: &RunId| {
                self.runs.get(run).is_some_and(|claimed| claimed.entry.state() != State::Cancelling)
            };
            let new: Vec<RunId> = found.runs.iter().map(|head| head.run).filter(is_new).collect();
            new.into_iter().try_for_each(|run| self.read_again(run))?;
            Ok(ControlFlow::Continue(()))
        })?;
        // A run that has not started ended at once when it was cancelled.
        self.read_slow_again()?;
        self.may_be_cancelled = false;
        self.report()
    }

    /// Reads some of the runs again whose start is not recorded.
    fn read_slow_again(&mut self) -> Result<(), JournalError> {
        let waiting = self.runs.values().filter(|claimed| !claimed.entry.state().is_executing()).count();
        let rounds = u32::try_from(waiting.div_ceil(MAX_READ_AGAIN)).unwrap_or(u32::MAX);
        let is_slow = |claimed: &Claimed| {
            !claimed.entry.state().is_executing() && claimed.read_at.elapsed() > SLOW.saturating_mul(rounds)
        };
        let slow = self.runs.iter().filter(|(_, claimed)| is_slow(claimed)).map(|(run, _)| *run);
        let slow: Vec<RunId> = slow.take(MAX_READ_AGAIN).collect();
        for run in slow {
            self.runs.get_mut(&run).into_iter().for_each(|claimed| claimed.read_at = Instant::now());
            self.read_again(run)?;
        }
        Ok(())
    }

    /// Renews the leases, and ends those of lost workers.
    fn renew(&mut self) -> Result<(), JournalError> {
        let began = Instant::now();
        if began < self.next_renewal {
            return Ok(());
        }
        let lease = self.duty.leases.length();
        let claims: Vec<_> = self.runs.iter().map(|(run, claimed)| (*run, claimed.fence)).collect();
        for claims in claims.chunks(MAX_CLAIMED) {
            let since = Instant::now();
            let over = self.duty.journal.renew(claims, now().after(lease))?;
            let over: HashSet<RunId> = over.into_iter().collect();
            let renewed = claims.iter().copied().filter(|(run, _)| !over.contains(run));
            self.duty.leases.renewed(renewed, since);
            self.lose(over, "its claim is over");
        }
        // In slices, each of which ends claims.
        loop {
            let expiry = self.duty.journal.expire(&ExpireRequest { now: now(), lease })?;
            for lost in &expiry.runs {
                tracing::warn!("run {} was lost with worker {}: {}", lost.run, lost.worker, lost.state);
                self.may_claim = true;
                if lost.state.is_terminal() {
                    self.tell_of_end(lost.run)?;
                }
            }
            if !expiry.more || expiry.runs.is_empty() {
                break;
            }
        }
        self.next_renewal = began + lease / RENEWALS;
        Ok(())
    }

    /// Tells of a run that ended without this worker having it.
    fn tell_of_end(&self, run: RunId) -> Result<(), JournalError> {
        let Some(on_change) = &self.duty.on_change else { return Ok(()) };
        let entry = self.duty.journal.get(run)?;
        entry.iter().for_each(|entry| call_safely(|| on_change(entry)));
        Ok(())
    }

    /// The worker has a run.
    fn add(&mut self, entry: JournalEntry, fence: Fence, claimed_at: Instant) {
        let run = entry.run();
        self.duty.leases.add(run, fence, claimed_at);
        self.runs.insert(run, Claimed::new(entry, fence, claimed_at));
    }

    fn begin(&mut self, entry: JournalEntry, claimed_at: Instant) {
        let Some(fence) = entry.claim().map(|claim| claim.fence) else { return };
        let run = entry.run();
        let tasks = Arc::clone(&self.duty.tasks);
        let (leases, mailbox) = (Arc::clone(&self.duty.leases), Arc::clone(&self.duty.mailbox));
        let tries = self.tries.get(&run).copied().unwrap_or(0);
        let delivery = Delivery { leases, mailbox, run, fence, prepared: None };
        let to_prepare = entry.clone();
        self.add(entry, fence, claimed_at);
        self.duty.host.scheduler.timers().spawn(async move {
            let prepared = match tasks.prepare(&to_prepare, &delivery.mailbox).await {
                Ok(prepared) => prepared,
                Err(reason) => postpone(run, reason, tries).await,
            };
            delivery.fill(prepared);
        });
    }
}

/// This host cannot execute the run for now. It is given back after a pause, so that this worker or another one tries again, and
/// ends after some tries.
async fn postpone(run: RunId, reason: String, tries: u32) -> Prepared {
    if tries + 1 >= MAX_TRIES {
        return Prepared::Refused(format!("{reason} (the worker tried {MAX_TRIES} times)"));
    }
    let pause = POSTPONED * 2_u32.pow(tries);
    tracing::warn!("run {run} cannot start here now: {reason}; it is given back in {pause:?}");
    tokio::time::sleep(pause).await;
    Prepared::Postponed
}

/// Whether the same request will fail again, however often it is repeated.
fn is_lasting(error: &JournalError) -> bool {
    // Damaged, or not writable for this user.
    matches!(error.kind(), ErrorKind::Internal | ErrorKind::Denied)
}

/// Delivers a prepared run to its worker when it is dropped, or stops it if the worker has ended. A run whose preparation was
/// given up, with the host, is delivered as such.
struct Delivery {
    leases: Arc<Leases>,
    mailbox: Arc<Mailbox>,
    run: RunId,
    fence: Fence,
    prepared: Option<Prepared>,
}

impl Delivery {
    /// Delivers it.
    fn fill(mut self, prepared: Prepared) {
        self.prepared = Some(prepared);
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let (run, fence) = (self.run, self.fence);
        let prepared = self.prepared.take().unwrap_or(Prepared::ShutDown);
        // At once, because the thread of the worker may hang.
        self.leases.accepted(run, fence, &prepared);
        let mut prepared = Some(prepared);
        self.mailbox.put(|mail| mail.prepared.extend(prepared.take().map(|prepared| (run, fence, prepared))));
        prepared.iter().for_each(Prepared::abandon);
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use super::*;

    #[test]
    fn a_run_that_cannot_be_prepared_ends_with_the_last_try() {
        let run = RunId::from_bytes([1; 16]);
        let prepared = block_on(postpone(run, "no memory".to_owned(), MAX_TRIES - 1));
        let Prepared::Refused(reason) = prepared else { panic!("it is tried again") };
        assert_eq!(reason, "no memory (the worker tried 5 times)");
    }

    #[test]
    fn a_worker_tries_again_unless_the_journal_is_damaged_or_locked_away() {
        let run = RunId::from_bytes([1; 16]);
        assert!(is_lasting(&JournalError::Damaged { run, problem: "its state" }));
        assert!(is_lasting(&JournalError::ReadOnly { reason: "it is newer" }));
        assert!(!is_lasting(&JournalError::Medium { action: "write", source: "disk full".into() }));
    }
}
