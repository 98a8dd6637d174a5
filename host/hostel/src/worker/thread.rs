//! The thread of a worker: claims runs, reports what happened to them, renews leases, and ends.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::journal::{
    Append, ClaimRequest, ExpireRequest, Fence, Journal, JournalConflict, JournalEntry, JournalError,
    MAX_CLAIMED, Page, WorkerId,
};
use hostel_core::{Event, QueueName, RunFact, RunFilter, RunId, State, Timestamp};

use super::claimed::{Claimed, Execution, Report};
use super::mailbox::{Mail, Mailbox, Order};
use super::prepared::Prepared;
use super::tasks::Tasks;
use super::window::Window;
use crate::calls::call_safely;
use crate::course::call_hooks_of;
use crate::host_state::HostState;
use crate::run::now;

/// The pause after the journal could not be read or written, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// After this time, a run whose start is not recorded is read again when the journal has changed: it may have been cancelled.
const SLOW: Duration = Duration::from_millis(50);

/// A worker stops a run whose lease it could not renew this long before the lease ends, as a fraction of the lease.
const MARGIN: u32 = 6;

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
    pub(super) lease: Duration,
    pub(super) window: Window,
    pub(super) on_change: Option<OnChange>,
}

/// The thread, with the runs that the worker has claimed.
pub(super) struct WorkerThread {
    duty: Duty,
    runs: HashMap<RunId, Claimed>,
    /// The runs about which there may be something to write.
    dirty: HashSet<RunId>,
    order: Order,
    /// Whether a claim may find something: something has changed, or the last claim found as much as it asked for.
    may_claim: bool,
    /// Whether runs of this worker may have been cancelled.
    may_be_cancelled: bool,
    /// When the next run is due.
    next_due: Option<Timestamp>,
    next_renewal: Instant,
    /// After an error of the journal: when it is asked again, and the length of the pause.
    pause: Option<(Instant, Duration)>,
}

impl WorkerThread {
    pub(super) fn new(duty: Duty) -> Self {
        let next_renewal = Instant::now();
        Self {
            duty,
            runs: HashMap::new(),
            dirty: HashSet::new(),
            order: Order::Serve,
            may_claim: true,
            may_be_cancelled: false,
            next_due: None,
            next_renewal,
            pause: None,
        }
    }

    /// Works until an order ends it.
    pub(super) fn work(mut self) {
        loop {
            let (mail, order) = self.duty.mailbox.take(self.wakes_at());
            self.read(mail, order);
            self.stop_what_is_late();
            if self.duty.host.scheduler.is_closed() {
                self.order = self.order.max(Order::Drain);
            }
            if self.is_paused() {
                continue;
            }
            let worked = self.exchange();
            self.pause_after(worked);
            let is_idle = self.runs.is_empty() && !self.may_claim && self.pause.is_none();
            self.duty.mailbox.worked(self.runs.len(), is_idle);
            if self.order > Order::Serve && self.runs.is_empty() {
                break;
            }
        }
        self.duty.mailbox.end();
    }

    /// When there is something to do without mail.
    fn wakes_at(&self) -> Option<Instant> {
        if let Some((until, _)) = self.pause {
            return Some(until);
        }
        // Without room, a run that is due has to wait for one that ends.
        let due = self.next_due.filter(|_| self.order == Order::Serve && self.room() > 0);
        let due = due.map(|due| Instant::now() + due.since(now()));
        Some(due.map_or(self.next_renewal, |due| due.min(self.next_renewal)))
    }

    fn is_paused(&self) -> bool {
        self.pause.is_some_and(|(until, _)| Instant::now() < until)
    }

    fn pause_after(&mut self, worked: Result<(), JournalError>) {
        let Err(error) = worked else {
            self.pause = None;
            return;
        };
        let longest = PAUSES.1.min(self.duty.lease / MARGIN);
        let length = self.pause.map_or(PAUSES.0, |(_, length)| length * 2).min(longest);
        tracing::warn!("worker {}: {error}; trying again in {length:?}", self.duty.worker);
        self.pause = Some((Instant::now() + length, length));
    }

    fn read(&mut self, mail: Mail, order: Order) {
        let Mail { prepared, moved, journal_changed } = mail;
        self.may_claim |= journal_changed;
        self.may_be_cancelled |= journal_changed;
        self.dirty.extend(moved);
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
        if !claimed.prepared(prepared) {
            claimed.is_released = true;
            self.order = self.order.max(Order::Drain);
        }
        if claimed.is_released || claimed.entry.state() == State::Cancelling {
            claimed.stop();
        }
        self.dirty.insert(run);
    }

    fn stop_all(&mut self) {
        for (run, claimed) in &mut self.runs {
            claimed.is_released = true;
            claimed.stop();
            self.dirty.insert(*run);
        }
    }

    /// Stops the runs whose leases could not be renewed, before another worker can have them.
    fn stop_what_is_late(&mut self) {
        let now = Instant::now() + self.duty.lease / MARGIN;
        self.lose(|claimed| claimed.lease_ends <= now, "its lease could not be renewed");
    }

    /// Stops and forgets the runs that another worker may have.
    fn lose(&mut self, is_lost: impl Fn(&Claimed) -> bool, reason: &str) {
        let worker = &self.duty.worker;
        self.runs.retain(|run, claimed| {
            let is_lost = is_lost(claimed);
            if is_lost {
                tracing::warn!("worker {worker}: run {run} is stopped: {reason}");
                claimed.stop();
            }
            !is_lost
        });
    }

    /// Everything that the journal is asked for.
    fn exchange(&mut self) -> Result<(), JournalError> {
        // First, so that nothing that is wrong with one run costs the others their leases.
        let renewed = self.renew();
        self.report().and(renewed)?;
        self.cancel()?;
        self.claim()
    }

    /// Writes what happened to the runs.
    fn report(&mut self) -> Result<(), JournalError> {
        while !self.dirty.is_empty() {
            let some: Vec<RunId> = self.dirty.iter().copied().take(MAX_CLAIMED).collect();
            let mut appends = Vec::new();
            for run in &some {
                match self.runs.get(run).map(|claimed| self.report_of(claimed)) {
                    Some(Report::Facts(append)) => appends.push(append),
                    Some(Report::Release) => self.release(*run)?,
                    Some(Report::Nothing) | None => {}
                }
            }
            if appends.iter().any(|append| append.facts.iter().any(|(_, fact)| is_end_of_attempt(fact))) {
                // Before the end is visible, so that a reader who sees it finds the whole log.
                self.duty.tasks.flush_logs();
            }
            let answers =
                if appends.is_empty() { Vec::new() } else { self.duty.journal.append_all(&appends)? };
            some.iter().for_each(|run| _ = self.dirty.remove(run));
            let mut written = Ok(());
            for (append, answer) in appends.iter().zip(answers) {
                written = written.and(self.written(append, answer));
            }
            written?;
        }
        Ok(())
    }

    fn report_of(&self, claimed: &Claimed) -> Report {
        let report = claimed.report(self.duty.host.random());
        let is_preparing = matches!(claimed.execution, Execution::Preparing);
        if claimed.is_released && is_preparing { Report::Release } else { report }
    }

    /// Gives a run back.
    fn release(&mut self, run: RunId) -> Result<(), JournalError> {
        let Some(claimed) = self.runs.get(&run) else { return Ok(()) };
        match self.duty.journal.release(now(), run, claimed.fence) {
            Ok(_) | Err(JournalError::Conflict(_) | JournalError::NotFound { .. }) => {
                self.runs.remove(&run);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// The journal's answer about the facts of one run.
    fn written(&mut self, append: &Append, answer: Result<u64, JournalError>) -> Result<(), JournalError> {
        let run = append.run;
        let Some(claimed) = self.runs.get_mut(&run) else { return Ok(()) };
        match answer {
            Ok(_) => self.recorded(append),
            Err(JournalError::Conflict(JournalConflict::Version { .. })) => return self.read_again(run),
            Err(error @ (JournalError::Conflict(_) | JournalError::NotFound { .. })) => {
                tracing::warn!("worker {}: run {run} is lost: {error}", self.duty.worker);
                claimed.stop();
                self.runs.remove(&run);
            }
            Err(error) => {
                self.dirty.insert(run);
                return Err(error);
            }
        }
        Ok(())
    }

    /// The facts are durable: hooks may be called now.
    fn recorded(&mut self, append: &Append) {
        let Some(claimed) = self.runs.get_mut(&append.run) else { return };
        let before = claimed.entry.state();
        if let Err(error) = claimed.entry.append(append) {
            tracing::error!("run {}: the journal accepts what its rules refuse: {error}", append.run);
        }
        let state = claimed.entry.state();
        if let Some(on_change) = &self.duty.on_change {
            call_safely(|| on_change(&claimed.entry));
        }
        if let Execution::Accepted { future, task } = &claimed.execution {
            if !before.is_executing()
                && append.facts.iter().any(|(_, fact)| *fact == RunFact::Event(Event::Started))
            {
                let began = if before == State::AwaitingRetry { State::Retrying } else { State::Running };
                call_hooks_of(task, future, began);
            }
            if state.is_terminal() {
                call_hooks_of(task, future, state);
            }
        }
        if claimed.entry.claim().is_none() {
            self.duty.window.ended(claimed.claimed_at.elapsed());
            self.runs.remove(&append.run);
            self.may_claim = true;
        }
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
            None => {
                self.lose(|claimed| claimed.entry.run() == run, "another worker has it, or it was cancelled")
            }
        }
        Ok(())
    }

    /// Stops the runs that were cancelled.
    fn cancel(&mut self) -> Result<(), JournalError> {
        if !self.may_be_cancelled || self.runs.is_empty() {
            return Ok(());
        }
        let filter = RunFilter::new().states([State::Cancelling]);
        let mut page = Page::first(Page::MAX_LIMIT);
        loop {
            let found = self.duty.journal.find(&filter, page)?;
            let is_new = |run: &RunId| {
                self.runs.get(run).is_some_and(|claimed| claimed.entry.state() != State::Cancelling)
            };
            let new: Vec<RunId> = found.runs.iter().map(|head| head.run).filter(is_new).collect();
            new.into_iter().try_for_each(|run| self.read_again(run))?;
            let Some(next) = found.next else { break };
            page.after = Some(next);
        }
        // A run that has not started ended at once when it was cancelled.
        let is_slow =
            |claimed: &Claimed| !claimed.entry.state().is_executing() && claimed.claimed_at.elapsed() > SLOW;
        let slow: Vec<RunId> =
            self.runs.iter().filter(|(_, claimed)| is_slow(claimed)).map(|(run, _)| *run).collect();
        slow.into_iter().try_for_each(|run| self.read_again(run))?;
        self.may_be_cancelled = false;
        self.report()
    }

    /// Renews the leases, and ends those of lost workers.
    fn renew(&mut self) -> Result<(), JournalError> {
        let began = Instant::now();
        if began < self.next_renewal {
            return Ok(());
        }
        let claims: Vec<_> = self.runs.iter().map(|(run, claimed)| (*run, claimed.fence)).collect();
        for claims in claims.chunks(MAX_CLAIMED) {
            let over = self.duty.journal.renew(claims, now().after(self.duty.lease))?;
            let over: HashSet<RunId> = over.into_iter().collect();
            for (run, _) in claims.iter().filter(|(run, _)| !over.contains(run)) {
                if let Some(claimed) = self.runs.get_mut(run) {
                    claimed.lease_ends = began + self.duty.lease;
                }
            }
            self.lose(|claimed| over.contains(&claimed.entry.run()), "its claim is over");
        }
        // In slices, each of which ends claims.
        loop {
            let expiry = self.duty.journal.expire(&ExpireRequest { now: now(), lease: self.duty.lease })?;
            for lost in &expiry.runs {
                tracing::warn!("run {} was lost with worker {}: {}", lost.run, lost.worker, lost.state);
                self.may_claim = true;
            }
            if !expiry.more || expiry.runs.is_empty() {
                break;
            }
        }
        self.next_renewal = began + self.duty.lease / RENEWALS;
        Ok(())
    }

    /// Claims runs that are due, as many as there is room for.
    fn claim(&mut self) -> Result<(), JournalError> {
        let began = Instant::now();
        let is_due = self.next_due.is_some_and(|due| due <= now());
        if self.order > Order::Serve || !(self.may_claim || is_due) {
            return Ok(());
        }
        let limit = self.room();
        if limit == 0 {
            return Ok(());
        }
        let request = ClaimRequest {
            worker: self.duty.worker.clone(),
            limit,
            now: now(),
            lease: self.duty.lease,
            queues: self.duty.queues.clone(),
            tasks: self.duty.tasks.claimed(),
            is_idle: self.runs.is_empty(),
        };
        let claimed = self.duty.journal.claim(&request)?;
        self.may_claim = claimed.len() == limit;
        self.next_due = None;
        claimed.into_iter().for_each(|entry| self.begin(entry, began));
        if self.may_claim { Ok(()) } else { self.look_ahead(&request) }
    }

    /// How many more runs the worker may claim. A run that crashed before executes alone.
    fn room(&self) -> usize {
        if self.runs.values().any(|claimed| claimed.entry.crashes() > 0) {
            return 0;
        }
        self.duty.window.size().saturating_sub(self.runs.len()).min(MAX_CLAIMED)
    }

    /// Finds out when the next run is due.
    fn look_ahead(&mut self, request: &ClaimRequest) -> Result<(), JournalError> {
        self.next_due = self.duty.journal.next_due(request)?;
        Ok(())
    }

    fn begin(&mut self, entry: JournalEntry, claimed_at: Instant) {
        let Some(fence) = entry.claim().map(|claim| claim.fence) else { return };
        let run = entry.run();
        let (tasks, mailbox) = (Arc::clone(&self.duty.tasks), Arc::clone(&self.duty.mailbox));
        let delivery = Delivery { mailbox, run, fence, prepared: None };
        let to_prepare = entry.clone();
        self.runs.insert(run, Claimed::new(entry, fence, claimed_at, self.duty.lease));
        self.duty.host.scheduler.timers().spawn(async move {
            let prepared = tasks.prepare(&to_prepare, &delivery.mailbox).await;
            delivery.fill(prepared);
        });
    }
}

const fn is_end_of_attempt(fact: &RunFact) -> bool {
    matches!(fact, RunFact::AttemptEnded { .. })
}

/// Delivers a prepared run to its worker when it is dropped, or stops it if the worker has ended. A run whose preparation was
/// given up, with the host, is delivered as such.
struct Delivery {
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
        let mut prepared = Some(self.prepared.take().unwrap_or(Prepared::ShutDown));
        self.mailbox.put(|mail| mail.prepared.extend(prepared.take().map(|prepared| (run, fence, prepared))));
        prepared.iter().for_each(Prepared::abandon);
    }
}
