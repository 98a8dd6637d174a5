//! Claims that idle workers leave for those who submit runs: a run is then claimed in the transaction that stores it.

use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use hostel_core::{InputSpec, RunSpec, StoredValue, Timestamp};

use crate::journal::{ClaimRequest, Journal, JournalEntry, JournalError, Submitted};

/// The most runs of a submission that takes a standing claim. The worker claims nothing meanwhile, so it must not take long.
const MAX_RUNS: usize = 16;

/// The most bytes of inputs of such a submission.
const MAX_BYTES: u64 = 64 << 10;

/// The standing claims of the workers of a host.
#[derive(Default)]
pub(crate) struct StandingClaims(Mutex<Vec<Weak<StandingClaim>>>);

/// The claim that one idle worker would make, and the runs that were claimed with it.
pub(crate) struct StandingClaim {
    /// Nothing panics while it holds the lock, so a poisoned lock is as good as any.
    state: Mutex<State>,
    /// Wakes the worker.
    wake: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct State {
    claim: Claim,
    /// For the worker: bounded, because it leaves no claim before it has taken them.
    claimed: Vec<ClaimedRuns>,
}

#[derive(Default)]
enum Claim {
    /// The worker is busy.
    #[default]
    None,
    /// The worker is idle.
    Standing(ClaimRequest),
    /// A submission has it, and will give it back.
    Lent,
    /// The worker has ended.
    Ended,
}

/// Runs that were claimed with a standing claim.
pub(crate) struct ClaimedRuns {
    pub(crate) entries: Vec<JournalEntry>,
    /// When the claim began.
    pub(crate) began: Instant,
    /// Whether it got as many as it asked for.
    pub(crate) is_full: bool,
}

/// A standing claim that a submission has taken. Dropping it gives it back.
struct Lent {
    of: Arc<StandingClaim>,
    claim: ClaimRequest,
}

impl StandingClaims {
    /// Adds a worker, which `wake` wakes.
    pub(crate) fn add(&self, wake: impl Fn() + Send + Sync + 'static) -> Arc<StandingClaim> {
        let claim = Arc::new(StandingClaim { state: Mutex::default(), wake: Box::new(wake) });
        let mut all = self.lock();
        all.retain(|other| other.strong_count() > 0);
        all.push(Arc::downgrade(&claim));
        claim
    }

    /// Stores runs as [`Journal::submit`] does. If one of them fits the standing claim of a worker, this claims, too, and gives the worker
    /// what it gets.
    pub(crate) fn submit(
        &self,
        journal: &dyn Journal,
        at: Timestamp,
        specs: &[RunSpec],
    ) -> Result<Vec<Submitted>, JournalError> {
        let Some(lent) = self.take(at, specs) else { return journal.submit(at, specs) };
        let began = Instant::now();
        let (submitted, entries) = journal.submit_and_claim(at, specs, &lent.claim)?;
        let is_full = entries.len() == lent.claim.limit;
        if let Err(claimed) = lent.give(ClaimedRuns { entries, began, is_full }) {
            claimed.release(journal, at);
        }
        Ok(submitted)
    }

    /// A standing claim for one of these runs, if they are few and short.
    fn take(&self, at: Timestamp, specs: &[RunSpec]) -> Option<Lent> {
        let inputs = specs.iter().flat_map(|spec| &spec.inputs).filter_map(InputSpec::as_value);
        if specs.len() > MAX_RUNS || inputs.map(StoredValue::size_bytes).sum::<u64>() > MAX_BYTES {
            return None;
        }
        let fits = |claim: &ClaimRequest| {
            let mut due = specs.iter().filter(|spec| spec.due.is_none_or(|due| due <= at));
            due.any(|spec| claim.serves(&spec.queue, &spec.task))
        };
        // Collected, because the last handle to one must not be dropped under the lock.
        let workers: Vec<_> = self.lock().iter().filter_map(Weak::upgrade).collect();
        workers.into_iter().find_map(|worker| worker.lend(at, fits))
    }

    /// Nothing panics while it holds the lock, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, Vec<Weak<StandingClaim>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StandingClaim {
    /// The worker is idle, and would claim this, at whatever time.
    pub(crate) fn leave(&self, claim: ClaimRequest) {
        let mut state = self.state();
        match state.claim {
            Claim::None | Claim::Standing(_) => state.claim = Claim::Standing(claim),
            Claim::Lent | Claim::Ended => {}
        }
    }

    /// The worker is busy. Returns what was claimed for it, and whether a submission has the claim at this moment: then the worker claims
    /// nothing itself, and is woken when the submission gives it back.
    pub(crate) fn take_back(&self) -> (Vec<ClaimedRuns>, bool) {
        let mut state = self.state();
        let is_lent = match state.claim {
            Claim::Standing(_) => {
                state.claim = Claim::None;
                false
            }
            Claim::None | Claim::Ended => false,
            Claim::Lent => true,
        };
        (mem::take(&mut state.claimed), is_lent)
    }

    /// The worker has ended. Returns what was claimed for it; what is claimed from now on, the submission gives back to the journal.
    pub(crate) fn end(&self) -> Vec<ClaimedRuns> {
        let mut state = self.state();
        state.claim = Claim::Ended;
        mem::take(&mut state.claimed)
    }

    fn lend(self: Arc<Self>, at: Timestamp, fits: impl Fn(&ClaimRequest) -> bool) -> Option<Lent> {
        let mut state = self.state();
        let claim = match mem::replace(&mut state.claim, Claim::Lent) {
            Claim::Standing(claim) if fits(&claim) => claim,
            other @ (Claim::None | Claim::Standing(_) | Claim::Lent | Claim::Ended) => {
                state.claim = other;
                return None;
            }
        };
        drop(state);
        Some(Lent { of: self, claim: ClaimRequest { now: at, ..claim } })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lent {
    /// Gives the claim back with what it got, or returns that if the worker has ended.
    fn give(self, claimed: ClaimedRuns) -> Result<(), ClaimedRuns> {
        let mut state = self.of.state();
        if matches!(state.claim, Claim::Ended) {
            return Err(claimed);
        }
        state.claimed.push(claimed);
        drop(state);
        Ok(())
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut state = self.of.state();
        if matches!(state.claim, Claim::Lent) {
            state.claim = Claim::None;
        }
        drop(state);
        (self.of.wake)();
    }
}

impl ClaimedRuns {
    /// Gives the runs back to the journal, for other workers.
    pub(crate) fn release(self, journal: &dyn Journal, at: Timestamp) {
        for entry in self.entries {
            let Some(claim) = entry.claim() else { continue };
            // If this fails, it comes free when its lease is over.
            if let Err(error) = journal.release(at, entry.run(), claim.fence) {
                tracing::warn!("run {} is not given back by a worker that has ended: {error}", entry.run());
            }
        }
    }
}

impl fmt::Debug for StandingClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandingClaims").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use hostel_core::{Digest, ExportPath, QueueName, RunId, TaskKey};

    use super::*;
    use crate::journal::{MemoryJournal, WorkerId};

    const AT: Timestamp = Timestamp::from_unix_nanos(5);

    fn spec(id: u8) -> RunSpec {
        let task = TaskKey { component: Digest::of(b""), export: ExportPath::top_level("add") };
        RunSpec::new(RunId::from_bytes([id; 16]), task, Arc::default(), Timestamp::from_unix_nanos(1))
    }

    fn queue() -> QueueName {
        "q".parse().unwrap()
    }

    fn claim(limit: usize, queues: Vec<QueueName>) -> ClaimRequest {
        let (worker, lease) = (WorkerId::new("w"), Duration::from_secs(1));
        let (tasks, without, now) = (Vec::new(), Vec::new(), Timestamp::from_unix_nanos(0));
        ClaimRequest { worker, limit, now, lease, queues, tasks, without, is_idle: true }
    }

    /// A worker that has left this claim, and how often it was woken.
    fn idle(all: &StandingClaims, left: ClaimRequest) -> (Arc<StandingClaim>, Arc<AtomicUsize>) {
        let woken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&woken);
        let worker = all.add(move || _ = count.fetch_add(1, Ordering::Relaxed));
        worker.leave(left);
        (worker, woken)
    }

    fn ids(claimed: Vec<ClaimedRuns>) -> Vec<u8> {
        let entries = claimed.into_iter().flat_map(|claimed| claimed.entries);
        entries.map(|entry| entry.run().as_bytes()[0]).collect()
    }

    #[test]
    fn one_submission_claims_for_the_idle_worker() {
        let (all, journal) = (StandingClaims::default(), MemoryJournal::default());
        let (worker, woken) = idle(&all, claim(2, Vec::new()));
        all.submit(&journal, AT, &[spec(1)]).unwrap();
        assert_eq!(woken.load(Ordering::Relaxed), 1);
        all.submit(&journal, AT, &[spec(2)]).unwrap();
        assert_eq!(woken.load(Ordering::Relaxed), 1, "the worker has not left another claim");
        let entry = journal.get(spec(1).id).unwrap().unwrap();
        assert_eq!(
            entry.claim().unwrap().until,
            AT.after(Duration::from_secs(1)),
            "by the time of the submission"
        );
        assert_eq!(journal.get(spec(2).id).unwrap().unwrap().claim(), None);
        let (claimed, is_lent) = worker.take_back();
        assert!(!is_lent && !claimed[0].is_full);
        assert_eq!(ids(claimed), [1]);
        assert!(worker.take_back().0.is_empty());
    }

    #[test]
    fn a_claim_is_taken_for_what_it_may_get_and_only_for_few_and_short_runs() {
        let all = StandingClaims::default();
        let (worker, _) = idle(&all, claim(1, vec![queue()]));
        let there = RunSpec { queue: queue(), ..spec(1) };
        let input = |bytes: u64| {
            let bytes = vec![0; usize::try_from(bytes).unwrap()];
            RunSpec { inputs: vec![InputSpec::Value(StoredValue::Bytes(bytes.into()))], ..there.clone() }
        };
        let later = RunSpec { due: Some(AT.after(Duration::from_nanos(1))), ..there.clone() };
        let many = vec![there.clone(); MAX_RUNS + 1];
        let none = [vec![], vec![spec(1)], vec![later.clone()], many.clone(), vec![input(MAX_BYTES + 1)]];
        assert!(none.iter().all(|specs| all.take(AT, specs).is_none()));
        let now = RunSpec { due: Some(AT), ..there.clone() };
        let some =
            [vec![there.clone()], vec![now], vec![spec(2), later, input(MAX_BYTES)], many[1..].to_vec()];
        for specs in some {
            drop(all.take(AT, &specs).expect("it fits"));
            assert!(all.take(AT, &specs).is_none(), "it was taken");
            worker.leave(claim(1, vec![queue()]));
        }
    }

    #[test]
    fn the_worker_knows_while_its_claim_is_lent_and_is_woken_afterwards() {
        let all = StandingClaims::default();
        let (worker, woken) = idle(&all, claim(1, Vec::new()));
        let lent = all.take(AT, &[spec(1)]).unwrap();
        assert!(worker.take_back().1);
        worker.leave(claim(1, Vec::new()));
        assert!(worker.take_back().1 && all.take(AT, &[spec(1)]).is_none(), "there is one at a time");
        assert_eq!(woken.load(Ordering::Relaxed), 0);
        drop(lent);
        assert_eq!(woken.load(Ordering::Relaxed), 1);
        assert!(!worker.take_back().1);
    }

    #[test]
    fn a_submission_that_fails_gives_the_claim_back() {
        let (all, journal) = (StandingClaims::default(), MemoryJournal::default());
        journal.submit(AT, &[spec(1)]).unwrap();
        let (worker, woken) = idle(&all, claim(1, Vec::new()));
        let other = RunSpec { queue: queue(), ..spec(1) };
        all.submit(&journal, AT, &[other]).unwrap_err();
        let (claimed, is_lent) = worker.take_back();
        assert!(claimed.is_empty() && !is_lent);
        assert_eq!(woken.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn another_idle_worker_gets_the_next_run() {
        let (all, journal) = (StandingClaims::default(), MemoryJournal::default());
        let workers = [1, 2].map(|_| idle(&all, claim(1, Vec::new())).0);
        (1..=3).for_each(|id| _ = all.submit(&journal, AT, &[spec(id)]).unwrap());
        assert_eq!(workers.map(|worker| ids(worker.take_back().0)), [vec![1], vec![2]]);
        assert_eq!(journal.get(spec(3).id).unwrap().unwrap().claim(), None);
        all.submit(&journal, AT, &[spec(4)]).unwrap();
        assert!(all.lock().iter().all(|worker| worker.strong_count() == 0), "both are gone");
    }

    #[test]
    fn what_is_claimed_for_a_worker_that_has_ended_is_given_back() {
        let (all, journal) = (StandingClaims::default(), MemoryJournal::default());
        // Before the worker has seen it.
        let (worker, _) = idle(&all, claim(1, Vec::new()));
        all.submit(&journal, AT, &[spec(1)]).unwrap();
        worker.end().into_iter().for_each(|claimed| claimed.release(&journal, AT));
        assert_eq!(journal.get(spec(1).id).unwrap().unwrap().claim(), None);
        assert!(all.take(AT, &[spec(2)]).is_none());
        // While a submission claims.
        let (worker, _) = idle(&all, claim(9, Vec::new()));
        let lent = all.take(AT, &[spec(2)]).unwrap();
        let (_, entries) = journal.submit_and_claim(AT, &[spec(2)], &lent.claim).unwrap();
        assert_eq!(entries.len(), 2);
        assert!(worker.end().is_empty());
        let claimed = lent.give(ClaimedRuns { entries, began: Instant::now(), is_full: false });
        claimed.expect_err("the worker has ended").release(&journal, AT);
        assert_eq!(
            [1, 2].map(|id| journal.get(spec(id).id).unwrap().unwrap().claim().cloned()),
            [None, None]
        );
    }
}
