//! A journal that fails on request.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use hostel::journal::{
    Amendment, Append, Batch, BatchAction, BatchId, Bucket, Cancellation, ClaimRequest, Cursor,
    ExpireRequest, Expiry, Fence, Found, HistogramRequest, Journal, JournalEntry, JournalError, JournalEvent,
    LeaseEnds, LimitScope, LimitUse, MemoryJournal, Page, Pause, Prune, Pruned, Retention, RunLimit,
    RunRecord, RunSpec, Submitted,
};
use hostel::{RunFilter, RunId, Timestamp};
use hostel_core::{BlobRef, RunCounts};

/// What a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It works.
    None,
    /// It does not return for as long as this lasts.
    Hangs,
    /// It fails, and may work later.
    Fails,
    /// The file is damaged.
    Damaged,
}

/// A journal in memory whose writes have faults.
pub(super) struct FaultyJournal {
    inner: MemoryJournal,
    /// The fault, and how many writes hang.
    state: Mutex<(Fault, usize)>,
    changed: Condvar,
}

impl FaultyJournal {
    pub(super) fn new() -> Arc<Self> {
        let (state, changed) = (Mutex::new((Fault::None, 0)), Condvar::new());
        Arc::new(Self { inner: MemoryJournal::default(), state, changed })
    }

    /// The journal without faults, as another process has it.
    pub(super) fn sound(&self) -> &MemoryJournal {
        &self.inner
    }

    pub(super) fn set(&self, fault: Fault) {
        self.state.lock().unwrap().0 = fault;
        self.changed.notify_all();
    }

    /// The same until the value is dropped, so that a test that fails does not wait for a worker that hangs.
    pub(super) fn set_until_dropped(self: &Arc<Self>, fault: Fault) -> Sound {
        self.set(fault);
        Sound(Arc::clone(self))
    }

    /// Waits until a write hangs.
    pub(super) fn until_hanging(&self) {
        let state = self.state.lock().unwrap();
        let waited = self.changed.wait_timeout_while(state, super::LONG, |(_, hanging)| *hanging == 0);
        assert!(!waited.unwrap().1.timed_out(), "nothing was written");
    }

    /// How many writes hang.
    pub(super) fn hanging(&self) -> usize {
        self.state.lock().unwrap().1
    }

    fn write(&self) -> Result<&MemoryJournal, JournalError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.0 == Fault::Hangs {
            state.1 += 1;
            self.changed.notify_all();
            state = self.changed.wait_while(state, |(fault, _)| *fault == Fault::Hangs).unwrap();
            state.1 -= 1;
        }
        match state.0 {
            Fault::Fails => Err(JournalError::Medium { action: "write", source: "no space left".into() }),
            Fault::Damaged => {
                Err(JournalError::Damaged { run: RunId::from_bytes([1; 16]), problem: "its state" })
            }
            Fault::None | Fault::Hangs => Ok(&self.inner),
        }
    }
}

/// Ends the faults of a journal when it is dropped.
pub(super) struct Sound(Arc<FaultyJournal>);

impl Drop for Sound {
    fn drop(&mut self) {
        self.0.set(Fault::None);
    }
}

/// Methods that write, or only read, and are passed on.
macro_rules! pass_on {
    ($by:ident: $($name:ident($($arg:ident: $ty:ty),*) -> $out:ty;)*) => {
        $(fn $name(&self, $($arg: $ty),*) -> Result<$out, JournalError> {
            pass_on!(@ $by self).$name($($arg),*)
        })*
    };
    (@ write $self:ident) => { $self.write()? };
    (@ read $self:ident) => { $self.inner };
}

impl Journal for FaultyJournal {
    pass_on! { write:
        submit(at: Timestamp, specs: &[RunSpec]) -> Vec<Submitted>;
        import(runs: &[RunRecord]) -> Vec<Submitted>;
        append(append: &Append) -> u64;
        append_all(appends: &[Append]) -> Vec<Result<u64, JournalError>>;
        claim(claim: &ClaimRequest) -> Vec<JournalEntry>;
        submit_and_claim(
            at: Timestamp, specs: &[RunSpec], claim: &ClaimRequest
        ) -> (Vec<Submitted>, Vec<JournalEntry>);
        renew(claims: &[(RunId, Fence)], until: Timestamp) -> Vec<RunId>;
        release(at: Timestamp, run: RunId, fence: Fence) -> u64;
        expire(request: &ExpireRequest) -> Expiry;
        cancel(at: Timestamp, run: RunId) -> Cancellation;
        prune(prune: Prune) -> Pruned;
        retain(retention: &Retention, now: Timestamp) -> Pruned;
        take_upkeep(now: Timestamp) -> bool;
        sweep_values(now: Timestamp) -> u64;
        start_batch(at: Timestamp, action: BatchAction, filter: &RunFilter) -> Batch;
        step_batch(at: Timestamp, batch: BatchId) -> Batch;
        stop_batch(at: Timestamp, batch: BatchId) -> Batch;
        amend(at: Timestamp, run: RunId, amendment: &Amendment) -> u64;
        retry(at: Timestamp, run: RunId) -> u64;
        remove(run: RunId) -> ();
        mark_seen(run: RunId) -> ();
        set_limit(scope: &LimitScope, limit: RunLimit) -> ();
        pause(scope: &LimitScope, pause: Pause) -> ();
        resume(scope: &LimitScope) -> ();
    }

    pass_on! { read:
        get(run: RunId) -> Option<JournalEntry>;
        find(filter: &RunFilter, page: Page) -> Found;
        find_newer(filter: &RunFilter, than: Cursor, limit: usize) -> Found;
        counts() -> RunCounts;
        lease_ends() -> Option<LeaseEnds>;
        histogram(request: &HistogramRequest) -> Vec<Bucket>;
        batch(batch: BatchId) -> Batch;
        batches() -> Vec<Batch>;
        events(after: u64, limit: usize) -> Vec<JournalEvent>;
        last_event() -> u64;
        changes() -> u64;
        wait_for_change(seen: u64, timeout: Duration) -> u64;
        next_due(claim: &ClaimRequest) -> Option<Timestamp>;
        limits() -> Vec<LimitUse>;
        blob(blob: &BlobRef) -> Option<Arc<[u8]>>;
    }
}
