//! The journal in memory.

mod batches;
mod gates;
mod plan;
mod shelf;

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hostel_core::journal::{
    Append, Applied, Batch, BatchAction, BatchId, Bucket, Cancellation, ClaimRequest, Cursor, ExpireRequest,
    Expiry, Fence, Found, HistogramRequest, Journal, JournalEntry, JournalError, JournalEvent, LeaseEnds,
    LimitScope, LimitUse, MAX_BATCH_STEP, MAX_CLAIMED, MAX_EVENTS, MAX_EXPIRED, MAX_PRUNED, MAX_REFUSED,
    MAX_SUBMITTED, Page, Pause, Prune, Pruned, Retention, RunLimit, Submitted,
};
use hostel_core::{Amendment, BlobRef, RunCounts, RunFilter, RunId, RunRecord, RunSpec, Timestamp};

use self::batches::Batches;
use self::plan::Plan;
use self::shelf::Shelf;
use crate::bounds::{check_claim, check_count};

/// A journal in memory: nothing of it outlives the program.
///
/// ```
/// use hostel_core::journal::{Journal, Submitted};
/// use hostel_journal::MemoryJournal;
/// # use hostel_core::*;
/// # let task = TaskKey { component: Digest::of(b""), export: ExportPath::top_level("add") };
/// # let at = Timestamp::from_unix_nanos(1);
/// let journal = MemoryJournal::default();
/// let spec = RunSpec::new(RunId::from_bytes([1; 16]), task, TaskSpec::default().into(), at);
/// assert_eq!(journal.submit(at, &[spec])?, [Submitted::New]);
/// assert_eq!(journal.counts()?.of(State::Pending), 1);
/// # Ok::<(), hostel_core::journal::JournalError>(())
/// ```
pub struct MemoryJournal {
    bounds: MemoryBounds,
    /// Nothing panics while it holds the lock, so a poisoned lock is as good as any.
    shelf: Mutex<Shelf>,
    /// Held for a whole step. Where both locks are needed, this one is taken first.
    batches: Mutex<Batches>,
    changed: Condvar,
}

/// How much a [`MemoryJournal`] stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryBounds {
    /// The most runs that have not ended; a journal with so many refuses new ones. Default 1,000,000.
    pub unfinished: usize,
    /// The most runs that have ended. If there are more, those that ended first are dropped, and counted. Default 10,000.
    pub ended: usize,
    /// The most bytes of runs that have ended, as they are encoded. If there are more, those that ended first are dropped, and
    /// counted. Default 64 MiB.
    pub ended_bytes: usize,
}

impl Default for MemoryBounds {
    fn default() -> Self {
        Self { unfinished: 1_000_000, ended: 10_000, ended_bytes: 64 << 20 }
    }
}

impl Default for MemoryJournal {
    fn default() -> Self {
        Self::new(MemoryBounds::default())
    }
}

impl MemoryJournal {
    /// An empty journal with these bounds.
    pub fn new(bounds: MemoryBounds) -> Self {
        Self { bounds, shelf: Mutex::default(), batches: Mutex::default(), changed: Condvar::new() }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stored_batches(&self) -> MutexGuard<'_, Batches> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Acts on a run for a batch.
    fn act(&self, at: Timestamp, action: BatchAction, run: RunId) -> Result<(), JournalError> {
        match action {
            BatchAction::Cancel => self.cancel(at, run).map(|_| ()),
            BatchAction::Retry => self.retry(at, run).map(|_| ()),
            BatchAction::RetryWithoutGrants => {
                let entry = self.get(run)?.ok_or(JournalError::NotFound { run })?;
                entry.refuse_grants()?;
                self.retry(at, run).map(|_| ())
            }
            BatchAction::MarkSeen => self.mark_seen(run),
            BatchAction::Remove => self.remove(run),
        }
    }

    /// The shelf, to change it.
    fn to_change(&self) -> Changing<'_> {
        Changing { shelf: self.shelf(), changed: &self.changed }
    }

    /// Submits runs, all of them or none.
    fn submit_to(
        &self,
        shelf: &mut Shelf,
        at: Timestamp,
        specs: &[RunSpec],
    ) -> Result<Vec<Submitted>, JournalError> {
        let plan = Plan::of(at, specs, shelf)?;
        let most = self.bounds.unfinished;
        let unfinished = usize::try_from(shelf.counts().unfinished()).unwrap_or(usize::MAX);
        if unfinished.saturating_add(plan.added()) > most {
            return Err(JournalError::Full { most });
        }
        let answers = plan.carry_out(at, shelf);
        shelf.drop_above(self.bounds.ended, self.bounds.ended_bytes);
        Ok(answers)
    }

    /// Changes one run by a rule, records what that applied, and drops ended runs above the bounds. If the rule refuses, nothing
    /// changes.
    fn change<T>(
        &self,
        run: RunId,
        rule: impl FnOnce(&mut JournalEntry) -> Result<(T, Vec<Applied>), JournalError>,
    ) -> Result<T, JournalError> {
        let mut shelf = self.to_change();
        let mut entry = shelf.get(run).cloned().ok_or(JournalError::NotFound { run })?;
        let (answer, applied) = rule(&mut entry)?;
        shelf.replace(entry, &applied);
        shelf.drop_above(self.bounds.ended, self.bounds.ended_bytes);
        Ok(answer)
    }
}

impl Journal for MemoryJournal {
    fn submit(&self, at: Timestamp, specs: &[RunSpec]) -> Result<Vec<Submitted>, JournalError> {
        check_count("runs", specs.len(), MAX_SUBMITTED)?;
        self.submit_to(&mut self.to_change(), at, specs)
    }

    fn import(&self, runs: &[RunRecord]) -> Result<Vec<Submitted>, JournalError> {
        check_count("runs", runs.len(), MAX_SUBMITTED)?;
        let imported = runs.iter().map(JournalEntry::imported).collect::<Result<Vec<_>, _>>()?;
        let mut shelf = self.to_change();
        for (place, (entry, _)) in imported.iter().enumerate() {
            let earlier = imported.iter().take(place).map(|(entry, _)| entry);
            let twin = earlier.into_iter().find(|earlier| earlier.run() == entry.run());
            if let Some(stored) = shelf.get(entry.run()).or(twin) {
                stored.submit_again(entry.record().spec())?;
            }
        }
        let answers = imported.into_iter().map(|(entry, applied)| {
            if shelf.get(entry.run()).is_some() {
                return Submitted::Existing;
            }
            shelf.add(entry, &applied);
            Submitted::New
        });
        let answers = answers.collect();
        shelf.drop_above(self.bounds.ended, self.bounds.ended_bytes);
        Ok(answers)
    }

    fn append(&self, append: &Append) -> Result<u64, JournalError> {
        let version = self.change(append.run, |entry| {
            let applied = entry.append(append)?;
            Ok((entry.version(), applied))
        })?;
        self.to_change().mark_recovered(append.run);
        Ok(version)
    }

    fn append_all(&self, appends: &[Append]) -> Result<Vec<Result<u64, JournalError>>, JournalError> {
        check_count("runs", appends.len(), MAX_CLAIMED)?;
        Ok(appends.iter().map(|append| self.append(append)).collect())
    }

    fn get(&self, run: RunId) -> Result<Option<JournalEntry>, JournalError> {
        Ok(self.shelf().get(run).cloned())
    }

    fn find(&self, filter: &RunFilter, page: Page) -> Result<Found, JournalError> {
        let shelf = self.shelf();
        found(shelf.newest_before(page.after.map_or(u64::MAX, Cursor::number)), filter, page.limit)
    }

    fn find_newer(&self, filter: &RunFilter, than: Cursor, limit: usize) -> Result<Found, JournalError> {
        let mut found = found(self.shelf().oldest_after(than.number()), filter, limit)?;
        found.runs.reverse();
        found.span = found.span.map(|(first, last)| (last, first));
        Ok(found)
    }

    fn counts(&self) -> Result<RunCounts, JournalError> {
        Ok(self.shelf().counts().clone())
    }

    fn claim(&self, claim: &ClaimRequest) -> Result<Vec<JournalEntry>, JournalError> {
        check_claim(claim)?;
        Ok(claim_from(&mut self.to_change(), claim))
    }

    fn submit_and_claim(
        &self,
        at: Timestamp,
        specs: &[RunSpec],
        claim: &ClaimRequest,
    ) -> Result<(Vec<Submitted>, Vec<JournalEntry>), JournalError> {
        check_count("runs", specs.len(), MAX_SUBMITTED)?;
        check_claim(claim)?;
        let mut shelf = self.to_change();
        let submitted = self.submit_to(&mut shelf, at, specs)?;
        Ok((submitted, claim_from(&mut shelf, claim)))
    }

    fn renew(&self, claims: &[(RunId, Fence)], until: Timestamp) -> Result<Vec<RunId>, JournalError> {
        check_count("claims", claims.len(), MAX_CLAIMED)?;
        let mut shelf = self.to_change();
        let mut over = Vec::new();
        for (run, fence) in claims {
            let mut entry = shelf.get(*run).cloned();
            match entry.as_mut().filter(|entry| entry.claim().is_some_and(|claim| claim.fence == *fence)) {
                Some(entry) => {
                    entry.renew(*fence, until);
                    shelf.replace(entry.clone(), &[]);
                }
                None => over.push(*run),
            }
        }
        Ok(over)
    }

    fn release(&self, at: Timestamp, run: RunId, fence: Fence) -> Result<u64, JournalError> {
        self.change(run, |entry| {
            let applied = entry.release(at, fence)?;
            Ok((entry.version(), applied.into_iter().collect()))
        })
    }

    fn expire(&self, request: &ExpireRequest) -> Result<Expiry, JournalError> {
        let mut shelf = self.to_change();
        if let Some(gap) = shelf.beat.and_then(|beat| request.gap(beat)) {
            for run in shelf.leases_until(Timestamp::from_unix_nanos(u64::MAX), usize::MAX) {
                let Some(mut entry) = shelf.get(run).cloned() else { continue };
                entry.outlast(request, gap);
                shelf.replace(entry, &[]);
            }
        }
        shelf.beat = Some(request.now);
        let mut runs = Vec::new();
        for run in shelf.leases_until(request.now, MAX_EXPIRED) {
            let Some(mut entry) = shelf.get(run).cloned() else { continue };
            if let Some((lost, applied)) = entry.expire(request.now) {
                runs.push(lost);
                shelf.replace(entry, applied.as_slice());
            }
        }
        let more = !shelf.leases_until(request.now, 1).is_empty();
        shelf.drop_above(self.bounds.ended, self.bounds.ended_bytes);
        Ok(Expiry { runs, more })
    }

    fn lease_ends(&self) -> Result<Option<LeaseEnds>, JournalError> {
        Ok(self.shelf().lease_ends())
    }

    fn cancel(&self, at: Timestamp, run: RunId) -> Result<Cancellation, JournalError> {
        self.change(run, |entry| {
            let (answer, applied) = entry.cancel(at);
            Ok((answer, applied.into_iter().collect()))
        })
    }

    fn events(&self, after: u64, limit: usize) -> Result<Vec<JournalEvent>, JournalError> {
        Ok(self.shelf().events_after(after, limit.min(MAX_EVENTS)))
    }

    fn last_event(&self) -> Result<u64, JournalError> {
        Ok(self.shelf().last_event)
    }

    fn prune(&self, prune: Prune) -> Result<Pruned, JournalError> {
        let mut shelf = self.to_change();
        let mut runs = 0;
        while shelf.has_to_prune(prune) {
            if runs == MAX_PRUNED as u64 {
                return Ok(Pruned { runs, more: true });
            }
            shelf.drop_first_ended();
            runs += 1;
        }
        Ok(Pruned { runs, more: false })
    }

    fn histogram(&self, request: &HistogramRequest) -> Result<Vec<Bucket>, JournalError> {
        let (first, before) = request.minutes()?;
        Ok(request.group(self.shelf().minutes(first, before)))
    }

    fn retain(&self, retention: &Retention, now: Timestamp) -> Result<Pruned, JournalError> {
        let mut shelf = self.to_change();
        let gone = shelf.over(retention, now, MAX_PRUNED);
        gone.iter().for_each(|run| shelf.drop_run(*run));
        let more = !shelf.over(retention, now, 1).is_empty();
        Ok(Pruned { runs: gone.len() as u64, more })
    }

    fn take_upkeep(&self, now: Timestamp) -> Result<bool, JournalError> {
        let mut shelf = self.shelf();
        let is_due = Retention::is_upkeep_due(now, shelf.upkeep);
        if is_due {
            shelf.upkeep = Some(now);
        }
        Ok(is_due)
    }

    fn amend(&self, at: Timestamp, run: RunId, amendment: &Amendment) -> Result<u64, JournalError> {
        let mut shelf = self.to_change();
        let mut entry = shelf.get(run).cloned().ok_or(JournalError::NotFound { run })?;
        let mut spec = entry.record().spec().clone();
        spec.queue = amendment.queue.clone().unwrap_or(spec.queue);
        let applied = entry.amend(at, amendment, shelf.holder(&spec))?;
        let version = entry.version();
        shelf.replace(entry, &applied);
        Ok(version)
    }

    fn start_batch(
        &self,
        at: Timestamp,
        action: BatchAction,
        filter: &RunFilter,
    ) -> Result<Batch, JournalError> {
        let mut batches = self.stored_batches();
        let before = self.shelf().next_number();
        batches.start(at, action, filter, before)
    }

    fn step_batch(&self, at: Timestamp, batch: BatchId) -> Result<Batch, JournalError> {
        let mut batches = self.stored_batches();
        let batch = batches.get_mut(batch)?;
        if batch.is_finished() {
            return Ok(batch.clone());
        }
        let page = Page { after: Some(Cursor::behind(batch.before)), limit: MAX_BATCH_STEP };
        let found = self.find(&batch.to_do(), page)?;
        for head in found.runs.into_iter().filter(|head| batch.action.fits_queue(&head.queue)) {
            match self.act(at, batch.action, head.run) {
                Ok(()) => batch.done += 1,
                Err(_) => {
                    batch.failed += 1;
                    let room = MAX_REFUSED.saturating_sub(batch.refused.len());
                    batch.refused.extend([head.run].into_iter().take(room));
                }
            }
        }
        batch.before = found.next.map_or(0, Cursor::number);
        batch.finished = found.next.is_none().then_some(at);
        Ok(batch.clone())
    }

    fn stop_batch(&self, at: Timestamp, batch: BatchId) -> Result<Batch, JournalError> {
        let mut batches = self.stored_batches();
        let batch = batches.get_mut(batch)?;
        if !batch.is_finished() {
            (batch.finished, batch.is_stopped) = (Some(at), true);
        }
        Ok(batch.clone())
    }

    fn batch(&self, batch: BatchId) -> Result<Batch, JournalError> {
        self.stored_batches().get(batch).cloned()
    }

    fn batches(&self) -> Result<Vec<Batch>, JournalError> {
        Ok(self.stored_batches().all())
    }

    fn retry(&self, at: Timestamp, run: RunId) -> Result<u64, JournalError> {
        let mut shelf = self.to_change();
        let mut entry = shelf.get(run).cloned().ok_or(JournalError::NotFound { run })?;
        let applied = entry.retry(at, shelf.holder(entry.record().spec()))?;
        let version = entry.version();
        shelf.replace(entry, &[applied]);
        Ok(version)
    }

    fn remove(&self, run: RunId) -> Result<(), JournalError> {
        let mut shelf = self.to_change();
        shelf.get(run).ok_or(JournalError::NotFound { run })?.check_ended()?;
        shelf.drop_run(run);
        Ok(())
    }

    fn mark_seen(&self, run: RunId) -> Result<(), JournalError> {
        self.change(run, |entry| {
            entry.mark_seen();
            Ok(((), Vec::new()))
        })
    }

    fn changes(&self) -> Result<u64, JournalError> {
        Ok(self.shelf().changes())
    }

    fn wait_for_change(&self, seen: u64, timeout: Duration) -> Result<u64, JournalError> {
        let unchanged = |shelf: &mut Shelf| shelf.changes() == seen;
        let shelf = self.changed.wait_timeout_while(self.shelf(), timeout, unchanged);
        Ok(shelf.unwrap_or_else(PoisonError::into_inner).0.changes())
    }

    fn next_due(&self, claim: &ClaimRequest) -> Result<Option<Timestamp>, JournalError> {
        Ok(self.shelf().next_due(claim))
    }

    fn set_limit(&self, scope: &LimitScope, limit: RunLimit) -> Result<(), JournalError> {
        limit.check()?;
        let mut shelf = self.to_change();
        let (gates, claimed) = shelf.gates_and_claimed();
        gates.set(scope, limit, claimed);
        Ok(())
    }

    fn limits(&self) -> Result<Vec<LimitUse>, JournalError> {
        Ok(self.shelf().limits())
    }

    fn pause(&self, scope: &LimitScope, pause: Pause) -> Result<(), JournalError> {
        let mut shelf = self.to_change();
        let (gates, claimed) = shelf.gates_and_claimed();
        gates.pause(scope, pause, claimed);
        Ok(())
    }

    fn resume(&self, scope: &LimitScope) -> Result<(), JournalError> {
        self.to_change().gates().resume(scope);
        Ok(())
    }

    fn blob(&self, _: &BlobRef) -> Result<Option<Arc<[u8]>>, JournalError> {
        Ok(None)
    }
}

/// The shelf, locked to be changed. Those that wait for a change are woken when it is unlocked.
struct Changing<'a> {
    shelf: MutexGuard<'a, Shelf>,
    changed: &'a Condvar,
}

impl Deref for Changing<'_> {
    type Target = Shelf;

    fn deref(&self) -> &Shelf {
        &self.shelf
    }
}

impl DerefMut for Changing<'_> {
    fn deref_mut(&mut self) -> &mut Shelf {
        &mut self.shelf
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.changed.notify_all();
    }
}

/// Claims runs that are due.
fn claim_from(shelf: &mut Shelf, claim: &ClaimRequest) -> Vec<JournalEntry> {
    let mut claimed = Vec::new();
    if !shelf.has_leases() {
        shelf.beat = Some(claim.now);
    }
    while let Some(run) = shelf.next_for(claim, &claimed) {
        let Some(mut entry) = shelf.get(run).cloned() else { break };
        let fence = shelf.next_fence();
        let Some(applied) = entry.claim_for(claim, fence) else { break };
        shelf.replace(entry.clone(), &applied);
        shelf.gates().take(entry.record().spec(), claim.now);
        claimed.push(entry);
    }
    claimed
}

/// A page of the runs that match, in this order.
fn found<'a>(
    runs: impl Iterator<Item = (u64, &'a JournalEntry)>,
    filter: &RunFilter,
    limit: usize,
) -> Result<Found, JournalError> {
    if !(1..=Page::MAX_LIMIT).contains(&limit) {
        return Err(JournalError::Page { limit });
    }
    let mut matching = runs.filter(|(_, entry)| entry.matches(filter));
    let page: Vec<_> = matching.by_ref().take(limit).collect();
    let place = |run: Option<&(u64, &JournalEntry)>| run.map(|(number, _)| Cursor::behind(*number));
    let span = place(page.first()).zip(place(page.last()));
    let next = matching.next().and(span).map(|(_, last)| last);
    Ok(Found { runs: page.iter().map(|(_, entry)| entry.head()).collect(), next, span, scanned_to: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_journal_passes_the_suite() {
        hostel_conformance::check(&|| Box::<MemoryJournal>::default());
    }
}
