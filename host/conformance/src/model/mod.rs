//! Random operations beside a model that is as simple as can be: a list of runs, searched from its start.

mod compare;
mod operation;
mod run;

use std::cmp::Reverse;
use std::time::Duration;

use hostel_core::journal::{
    Cancellation, ClaimRequest, ExpireRequest, Fence, Journal, JournalConflict, JournalEntry, JournalError,
    LimitScope, MAX_CRASHES, MAX_EXPIRED, Pause, Prune, Retention, RunLimit, Submitted,
};
use hostel_core::{Amendment, Event, RunFact, State, Timestamp, UniqueMode};
use proptest::collection::vec;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use self::operation::{Operation, operation};
use self::run::{ModelRun, queue_name, task_key};
use crate::Make;
use crate::world::{
    LEASE, STARTED, append, at, cancelled, completed, event, failed, id, ids, request, retry_at,
};

/// How many sequences of operations are tried.
const SEQUENCES: u32 = 150;

/// How long a sequence is.
const LENGTH: std::ops::Range<usize> = 1..60;

#[derive(Default)]
struct Model {
    runs: Vec<ModelRun>,
    now: u64,
    arrivals: u64,
    events: u64,
    removed: u64,
    /// When leases were last looked at.
    beat: Option<u64>,
    limit: Option<u32>,
    /// Until when.
    pause: Option<Option<u64>>,
    /// Whether a limit or a pause was ever set.
    has_limits: bool,
    /// All fences that were given out, with their runs.
    fences: Vec<(u64, Fence)>,
}

/// Tries random sequences of operations.
///
/// # Panics
///
/// If a journal answers other than the model, or has other runs than it.
pub(crate) fn check(make: Make<'_>) {
    let config = Config { cases: SEQUENCES, failure_persistence: None, ..Config::default() };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let outcome = TestRunner::new_with_rng(config, random).run(&vec(operation(), LENGTH), |operations| {
        let journal = make();
        let mut model = Model { now: 1, ..Model::default() };
        for operation in &operations {
            model.now += 7;
            model.carry_out(&*journal, operation);
            model.compare(&*journal);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

/// A claim.
struct Asked {
    limit: usize,
    queue: Option<u8>,
    /// The task that is left out.
    without: Option<u8>,
    is_idle: bool,
    worker: u8,
}

impl Asked {
    fn request(&self, now: u64) -> ClaimRequest {
        let queues = self.queue.into_iter().map(queue_name).collect();
        let without = self.without.into_iter().map(task_key).collect();
        let request = request(&self.worker.to_string(), self.limit, now);
        ClaimRequest { queues, without, is_idle: self.is_idle, ..request }
    }

    fn fits(&self, run: &ModelRun) -> bool {
        let is_left_out = self.without.is_some_and(|task| task == run.task() || run.is_solo());
        self.queue.is_none_or(|queue| queue == run.queue) && !is_left_out
    }
}

impl Model {
    fn run(&mut self, number: u64) -> Option<&mut ModelRun> {
        self.runs.iter_mut().find(|run| run.number == number)
    }

    /// The fence of the run's claim, or one that is none.
    fn fence(&mut self, number: u64, is_stale: bool) -> Option<Fence> {
        let actual = self.run(number).and_then(|run| run.claim).map(|(fence, _)| fence);
        if !is_stale {
            return actual;
        }
        let stale = self.fences.iter().rev().find(|(run, fence)| *run == number && Some(*fence) != actual);
        Some(stale.map_or(Fence::new(u64::MAX), |(_, fence)| *fence))
    }

    fn carry_out(&mut self, journal: &dyn Journal, operation: &Operation) {
        match *operation {
            Operation::Submit { run, priority, due, queue, key } => {
                self.submit(journal, ModelRun::new(run, self.arrivals, priority, due, queue, key));
            }
            Operation::SubmitAndClaim { run, key, limit, is_idle, worker } => {
                let new = ModelRun::new(run, self.arrivals, 0, None, 0, key);
                self.submit_and_claim(
                    journal,
                    new,
                    &Asked { limit, queue: None, without: None, is_idle, worker },
                );
            }
            Operation::Append { run, fact, is_stale, is_other_version } => {
                self.append(journal, run, fact, is_stale, is_other_version);
            }
            Operation::Claim { limit, queue, without, is_idle, worker } => {
                self.claim(journal, &Asked { limit, queue, without, is_idle, worker });
            }
            Operation::Renew { run, is_stale } => self.renew(journal, run, is_stale),
            Operation::Release { run, is_stale } => self.release(journal, run, is_stale),
            Operation::Expire { may_stall } => self.expire(journal, may_stall),
            Operation::Cancel { run } => self.cancel(journal, run),
            Operation::Retry { run } => self.retry(journal, run),
            Operation::Remove { run } => self.remove(journal, run),
            Operation::MarkSeen { run } => self.mark_seen(journal, run),
            Operation::Limit { max } => {
                let limit = RunLimit { max_running: max, rate: None };
                journal.set_limit(&LimitScope::Tag("odd".into()), limit).unwrap();
                (self.limit, self.has_limits) = (max, true);
            }
            Operation::Pause { nanos } => {
                let until = nanos.map(|nanos| self.now + nanos);
                let pause = Pause { until: until.map(at), reason: "".into() };
                journal.pause(&LimitScope::Queue(queue_name(0)), pause).unwrap();
                (self.pause, self.has_limits) = (Some(until), true);
            }
            Operation::Resume => {
                journal.resume(&LimitScope::Queue(queue_name(0))).unwrap();
                self.pause = None;
            }
            Operation::Amend { run, priority, due, queue } => {
                self.amend(journal, run, priority, due, queue);
            }
            Operation::Prune { age, keep } => self.prune(journal, age, keep),
            Operation::Retain { completed, failed } => self.retain(journal, completed, failed),
            Operation::Wait { nanos } => self.now += nanos,
        }
    }

    fn submit(&mut self, journal: &dyn Journal, new: ModelRun) {
        let answer = journal.submit(at(self.now), &[new.spec()]);
        self.submitted(new, answer);
    }

    fn submit_and_claim(&mut self, journal: &dyn Journal, new: ModelRun, asked: &Asked) {
        let now = at(self.now);
        match journal.submit_and_claim(now, &[new.spec()], &asked.request(self.now)) {
            Ok((submitted, claimed)) => {
                self.submitted(new, Ok(submitted));
                self.claimed(asked, &claimed);
            }
            Err(error) => self.submitted(new, Err(error)),
        }
    }

    /// Compares the answer to a submission, and does the same.
    fn submitted(&mut self, new: ModelRun, answer: Result<Vec<Submitted>, JournalError>) {
        let (now, number) = (self.now, new.number);
        if let Some(run) = self.run(number) {
            let is_same = |mode| matches!(mode, Some(UniqueMode::Debounce { .. }));
            let (priority, due, queue) = run.submitted.unwrap_or((run.priority, run.due, run.queue));
            let due = due == new.due || (is_same(run.key) && is_same(new.key));
            if due && (priority, queue, run.key) == (new.priority, new.queue, new.key) {
                assert_eq!(answer.unwrap(), [Submitted::Existing]);
            } else {
                let other = JournalConflict::OtherSpec { run: id(number) };
                assert!(matches!(answer, Err(JournalError::Conflict(found)) if found == other));
            }
            return;
        }
        let holder = self.holder(&new);
        match (new.key, holder) {
            (None, _) | (_, None) => {
                assert_eq!(answer.unwrap(), [Submitted::New]);
                self.store(new, now);
            }
            (Some(UniqueMode::Reject), Some(holder)) => {
                let taken = JournalConflict::key_taken(&new.spec(), id(holder));
                assert!(matches!(answer, Err(JournalError::Conflict(found)) if found == taken));
            }
            (Some(mode), Some(holder)) => {
                let run = self.run(holder).expect("the holder is there");
                if mode == UniqueMode::Existing || run.attempts > 0 {
                    assert_eq!(answer.unwrap(), [Submitted::Duplicate { of: id(holder) }]);
                    return;
                }
                assert_eq!(answer.unwrap(), [Submitted::Replaced { of: id(holder) }]);
                let first = run.debounced.unwrap_or(now);
                assert!(run.apply(now, Event::CancelRequested));
                self.events += 1;
                self.store(new, first);
            }
        }
    }

    /// The unfinished run that has the key of this one.
    fn holder(&self, of: &ModelRun) -> Option<u64> {
        let has_key =
            |run: &&ModelRun| run.key.is_some() && run.queue == of.queue && !run.state.is_terminal();
        self.runs.iter().find(has_key).map(|run| run.number)
    }

    fn store(&mut self, mut new: ModelRun, first: u64) {
        if let Some(UniqueMode::Debounce { wait, most }) = new.key {
            new.due = Some((at(self.now).after(wait)).min(at(first).after(most)).unix_nanos());
            (new.state, new.debounced) = (State::Scheduled, Some(first));
        }
        self.arrivals += 1;
        self.events += 1;
        self.runs.push(new);
    }

    fn append(
        &mut self,
        journal: &dyn Journal,
        number: u64,
        fact: u8,
        is_stale: bool,
        is_other_version: bool,
    ) {
        let (now, fence) = (self.now, self.fence(number, is_stale));
        let (event, fact) = self.fact(fact);
        let Some(run) = self.run(number) else {
            let error = append(journal, number, 1, fence, now, [fact]).unwrap_err();
            assert!(matches!(error, JournalError::NotFound { .. }), "{error}");
            return;
        };
        let expected = run.version + u64::from(is_other_version);
        let answer = append(journal, number, expected, fence, now, [fact]);
        let actual = run.claim.map(|(fence, _)| fence);
        let mut changed = run.clone();
        if fence != actual {
            let conflict = JournalConflict::Fence { run: id(number), given: fence, actual };
            assert!(matches!(answer, Err(JournalError::Conflict(found)) if found == conflict));
        } else if is_other_version {
            let conflict = JournalConflict::Version { run: id(number), expected, actual: run.version };
            assert!(matches!(answer, Err(JournalError::Conflict(found)) if found == conflict));
        } else if changed.apply(now, event) {
            assert_eq!(answer.unwrap(), changed.version);
            *run = changed;
            self.events += 1;
        } else {
            assert!(matches!(answer, Err(JournalError::Conflict(JournalConflict::Fact { index: 0, .. }))));
        }
    }

    /// A fact by a random number: those that take a run on more often than others.
    fn fact(&self, number: u8) -> (Event, RunFact) {
        let due = self.now + 40;
        match number % 8 {
            0 => (Event::Completed, completed()),
            1 => (Event::Failed, failed()),
            2 => (Event::Cancelled, cancelled()),
            3 | 4 => (Event::RetryPlanned { due: at(due) }, retry_at(due)),
            5 => (Event::RolledBack, event(Event::RolledBack)),
            _ => (Event::Started, STARTED),
        }
    }

    fn claim(&mut self, journal: &dyn Journal, asked: &Asked) {
        let (now, request) = (self.now, asked.request(self.now));
        let next = journal.next_due(&request).unwrap().map(Timestamp::unix_nanos);
        let (first, _) = self.claimable(1, asked);
        if !self.has_limits {
            let timed = self.next_timed(|run| asked.fits(run) && (asked.is_idle || !run.is_solo()));
            assert_eq!(next, if first.is_empty() { timed } else { Some(now) });
        } else if !first.is_empty() {
            assert_eq!(next, Some(now));
        }
        self.claimed(asked, &journal.claim(&request).unwrap());
    }

    /// Compares the answer to a claim, and does the same.
    fn claimed(&mut self, asked: &Asked, claimed: &[JournalEntry]) {
        let (now, worker) = (self.now, asked.worker);
        let (expected, bar) = self.claimable(asked.limit, asked);
        if let Some(run) = bar.and_then(|bar| self.run(bar)) {
            run.drainer = Some(worker);
        }
        if !expected.is_empty() && self.runs.iter().all(|run| run.claim.is_none()) {
            self.beat = Some(now);
        }
        assert_eq!(ids(claimed), expected.iter().copied().map(id).collect::<Vec<_>>());
        for (number, entry) in expected.into_iter().zip(claimed) {
            let run = self.runs.iter_mut().find(|run| run.number == number).expect("it was there");
            if run.state == State::Scheduled {
                run.apply(now, Event::CameDue);
                self.events += 1;
            }
            let claim = entry.claim().unwrap();
            assert!(self.fences.last().is_none_or(|(_, last)| *last < claim.fence));
            self.fences.push((run.number, claim.fence));
            run.claim = Some((claim.fence, at(now).after(LEASE).unix_nanos()));
            (run.worker, run.drainer) = (worker, None);
        }
    }

    /// The first runs that a claim gets, in order, and the run that executes alone for which the worker then drains.
    fn claimable(&self, limit: usize, asked: &Asked) -> (Vec<u64>, Option<u64>) {
        let Asked { is_idle, worker, .. } = *asked;
        let has_claims = |worker| self.runs.iter().any(|run| run.claim.is_some() && run.worker == worker);
        let mut due: Vec<_> =
            self.runs.iter().filter(|run| run.is_due(self.now) && asked.fits(run)).collect();
        due.sort_by_key(|run| (Reverse(run.priority), run.due(), run.arrival));
        let mut held = self.held();
        let mut claimed: Vec<u64> = Vec::new();
        let is_paused = self.pause.is_some_and(|until| until.is_none_or(|until| self.now < until));
        for run in due {
            let is_full = run.is_tagged() && self.limit.is_some_and(|most| held >= u64::from(most));
            if claimed.len() == limit {
                break;
            }
            let is_bar = run.is_solo() && !(is_idle && claimed.is_empty());
            let drains_elsewhere =
                run.drainer.is_some_and(|drainer| drainer != worker && has_claims(drainer));
            if is_full || (is_paused && run.queue == 0) || (is_bar && drains_elsewhere) {
                continue;
            }
            if is_bar {
                return (claimed, Some(run.number));
            }
            held += u64::from(run.is_tagged());
            claimed.push(run.number);
            if run.is_solo() {
                break;
            }
        }
        (claimed, None)
    }

    /// How many runs with the tag are claimed.
    fn held(&self) -> u64 {
        self.runs.iter().filter(|run| run.is_tagged() && run.claim.is_some()).count() as u64
    }

    /// When the next run comes due that waits for its time.
    fn next_timed(&self, fits: impl Fn(&ModelRun) -> bool) -> Option<u64> {
        let runs = self.runs.iter().filter(|run| run.claim.is_none() && fits(run));
        let timed = runs.filter(|run| matches!(run.state, State::Scheduled | State::AwaitingRetry));
        timed.map(ModelRun::due).filter(|due| *due > self.now).min()
    }

    fn renew(&mut self, journal: &dyn Journal, number: u64, is_stale: bool) {
        let until = self.now + 150;
        let Some(fence) = self.fence(number, is_stale) else { return };
        let over = journal.renew(&[(id(number), fence)], at(until)).unwrap();
        match self.run(number).and_then(|run| run.claim.as_mut()).filter(|(actual, _)| *actual == fence) {
            Some((_, end)) => {
                *end = until.max(*end);
                assert_eq!(over, []);
            }
            None => assert_eq!(over, [id(number)]),
        }
    }

    fn release(&mut self, journal: &dyn Journal, number: u64, is_stale: bool) {
        let now = self.now;
        let fence = self.fence(number, is_stale).unwrap_or(Fence::new(u64::MAX));
        let answer = journal.release(at(now), id(number), fence);
        let Some(run) = self.run(number) else {
            assert!(matches!(answer, Err(JournalError::NotFound { .. })));
            return;
        };
        if run.claim.is_none_or(|(actual, _)| actual != fence) {
            assert!(matches!(answer, Err(JournalError::Conflict(JournalConflict::Fence { .. }))));
            return;
        }
        run.claim = None;
        let was_rescued = run.state.is_executing() && run.apply(now, Event::Rescued);
        assert_eq!(answer.unwrap(), run.version);
        self.events += u64::from(was_rescued);
    }

    fn expire(&mut self, journal: &dyn Journal, may_stall: bool) {
        let now = self.now;
        let lease = if may_stall { LEASE } else { Duration::MAX };
        let stall = self.beat.map_or(0, |beat| now - beat);
        let claimed = || self.runs.iter().any(|run| run.claim.is_some());
        if claimed() {
            self.beat = Some(now);
        }
        if may_stall && stall >= LEASE.as_nanos() as u64 / 2 {
            for (_, until) in self.runs.iter_mut().filter_map(|run| run.claim.as_mut()) {
                *until = (*until).max((*until + stall).min(at(now).after(LEASE).unix_nanos()));
            }
        }
        let mut expected = Vec::new();
        let over = |run: &&mut ModelRun| run.claim.is_some_and(|(_, until)| until <= now);
        for run in self.runs.iter_mut().filter(over) {
            run.claim = None;
            run.crashes += 1;
            let event = match run.state {
                State::Cancelling => Some(Event::Rescued),
                _ if run.crashes >= MAX_CRASHES => Some(Event::Crashed),
                state => state.is_executing().then_some(Event::Rescued),
            };
            self.events += u64::from(event.is_some_and(|event| run.apply(now, event)));
            expected.push((id(run.number), run.state, run.crashes));
        }
        assert!(expected.len() < MAX_EXPIRED);
        let expiry = journal.expire(&ExpireRequest { now: at(now), lease }).unwrap();
        let mut found: Vec<_> = expiry.runs.iter().map(|lost| (lost.run, lost.state, lost.crashes)).collect();
        found.sort_by_key(|(run, _, _)| *run);
        expected.sort_by_key(|(run, _, _)| *run);
        assert_eq!(found, expected);
    }

    fn cancel(&mut self, journal: &dyn Journal, number: u64) {
        let now = self.now;
        let answer = journal.cancel(at(now), id(number));
        let Some(run) = self.run(number) else {
            assert!(matches!(answer, Err(JournalError::NotFound { .. })));
            return;
        };
        let (expected, changes) = match run.state {
            state if state.is_terminal() => (Cancellation::TooLate, false),
            State::Cancelling => (Cancellation::Requested, false),
            State::Running | State::Retrying => (Cancellation::Requested, true),
            _ => (Cancellation::Now, true),
        };
        if changes {
            assert!(run.apply(now, Event::CancelRequested));
        }
        assert_eq!(answer.unwrap(), expected);
        self.events += u64::from(changes);
    }

    fn retry(&mut self, journal: &dyn Journal, number: u64) {
        let now = self.now;
        let answer = journal.retry(at(now), id(number));
        let Some(run) = self.run(number).cloned() else {
            assert!(matches!(answer, Err(JournalError::NotFound { .. })));
            return;
        };
        let holder = run.key.and_then(|_| self.holder(&run)).filter(|holder| *holder != number);
        let run = self.run(number).expect("it was there");
        match answer {
            Err(JournalError::Conflict(JournalConflict::KeyTaken { holder: found, .. })) => {
                assert_eq!(Some(found), holder.map(id));
            }
            Err(error) => {
                assert!(matches!(error, JournalError::Conflict(JournalConflict::Fact { .. })), "{error}");
                assert!(holder.is_none() && run.state.apply(Event::RetryRequested).is_err());
            }
            Ok(version) => {
                assert!(holder.is_none() && run.apply(now, Event::RetryRequested));
                assert_eq!(version, run.version);
                self.events += 1;
            }
        }
    }

    fn amend(
        &mut self,
        journal: &dyn Journal,
        number: u64,
        priority: Option<i32>,
        due: Option<u64>,
        queue: Option<u8>,
    ) {
        let now = self.now;
        let amendment = Amendment { priority, due: due.map(at), queue: queue.map(queue_name), tags: None };
        let answer = journal.amend(at(now), id(number), &amendment);
        let Some(run) = self.run(number).cloned() else {
            assert!(matches!(answer, Err(JournalError::NotFound { .. })));
            return;
        };
        let waits = matches!(run.state, State::Scheduled | State::Pending);
        if run.claim.is_some() || run.has_started || !waits {
            assert!(matches!(answer, Err(JournalError::Conflict(JournalConflict::Started { .. }))));
            return;
        }
        let moved = ModelRun { queue: queue.unwrap_or(run.queue), ..run.clone() };
        if run.key.is_some() && self.holder(&moved).is_some_and(|holder| holder != number) {
            assert!(matches!(answer, Err(JournalError::Conflict(JournalConflict::KeyTaken { .. }))));
            return;
        }
        let run = self.run(number).expect("it was there");
        run.submitted = run.submitted.or(Some((run.priority, run.due, run.queue)));
        (run.priority, run.due) = (priority.unwrap_or(run.priority), due.or(run.due));
        (run.queue, run.drainer) = (moved.queue, None);
        run.version += 1;
        let is_postponed = due.is_some_and(|due| due > now) && run.apply(now, Event::Postponed);
        assert_eq!(answer.unwrap(), run.version);
        self.events += 1 + u64::from(is_postponed);
    }

    fn remove(&mut self, journal: &dyn Journal, number: u64) {
        let answer = journal.remove(id(number));
        match self.run(number).map(|run| run.state) {
            None => assert!(matches!(answer, Err(JournalError::NotFound { .. }))),
            Some(state) if !state.is_terminal() => {
                let unfinished = JournalConflict::Unfinished { run: id(number), state };
                assert!(matches!(answer, Err(JournalError::Conflict(found)) if found == unfinished));
            }
            Some(_) => {
                answer.unwrap();
                self.runs.retain(|run| run.number != number);
                self.removed += 1;
            }
        }
    }

    fn mark_seen(&mut self, journal: &dyn Journal, number: u64) {
        let answer = journal.mark_seen(id(number));
        match self.run(number) {
            Some(run) => {
                run.is_seen |= run.needs_attention();
                run.drainer = None;
                answer.unwrap();
            }
            None => assert!(matches!(answer, Err(JournalError::NotFound { .. }))),
        }
    }

    fn prune(&mut self, journal: &dyn Journal, age: Option<u64>, keep: Option<u64>) {
        let before = age.map(|age| self.now.saturating_sub(age));
        let mut ended: Vec<_> =
            self.runs.iter().filter_map(|run| Some((run.ended?, run.arrival, run.number))).collect();
        ended.sort_unstable();
        let excess = keep.map_or(0, |keep| ended.len().saturating_sub(keep as usize));
        let old = ended.iter().filter(|(ended, ..)| before.is_some_and(|before| *ended < before)).count();
        let gone: Vec<_> = ended.iter().take(excess.max(old)).map(|(.., number)| *number).collect();
        self.runs.retain(|run| !gone.contains(&run.number));
        self.removed += gone.len() as u64;
        let pruned = journal.prune(Prune { ended_before: before.map(at), keep }).unwrap();
        assert_eq!((pruned.runs, pruned.more), (gone.len() as u64, false));
    }

    fn retain(&mut self, journal: &dyn Journal, completed: Option<u64>, failed: Option<u64>) {
        let now = self.now;
        let is_over = |run: &ModelRun| {
            let has_failed = matches!(run.state, State::Failed | State::Crashed);
            let age = if has_failed { failed } else { completed };
            run.ended.zip(age).is_some_and(|(ended, age)| ended < now.saturating_sub(age))
        };
        let count = self.runs.len();
        self.runs.retain(|run| !is_over(run));
        let gone = (count - self.runs.len()) as u64;
        self.removed += gone;
        let [completed, failed] = [completed, failed].map(|nanos| nanos.map(Duration::from_nanos));
        let retention = Retention { completed, failed, ..Retention::default() };
        let pruned = journal.retain(&retention, at(now)).unwrap();
        assert_eq!((pruned.runs, pruned.more), (gone, false));
    }
}
