//! The port for storing runs: their specs and all facts about them, so that work can outlive the process that submitted it.

mod admission;
mod batch;
mod claim;
mod entry;
mod error;
mod event;
mod histogram;
mod limit;
mod page;
mod pages;
mod retention;

pub use admission::*;
pub use batch::*;
pub use claim::*;
pub use entry::*;
pub use error::*;
pub use event::*;
pub use histogram::*;
pub use limit::*;
pub use page::*;
pub use pages::*;
pub use retention::*;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::{Amendment, BlobRef, RunCounts, RunFilter, RunId, RunRecord, RunSpec, Timestamp};

/// A store of runs, as records to which facts are appended: memory, or a database that several processes share.
///
/// A journal stores and finds runs, and decides nothing about them. The rules (what a version, a claim and a fence allow, and what
/// follows from a lease that is over) are in [`JournalEntry`]: a driver loads an entry, calls it, and stores the result, all
/// in one transaction. So every change of state goes through [`RunRecord::apply`](crate::RunRecord::apply).
///
/// # Contract
///
/// - Each method has taken effect as a whole when it returns `Ok`, and has had no effect if it returns an error. Its effect
///   is seen by every later call, in any thread and process. A driver on disk has made it durable.
/// - Methods block for as long as the medium takes. Async programs call them on a thread that may block.
/// - No method reads a clock: every time is passed in.
/// - Events of limits that matter only to one host ([`RunFact::is_local`](crate::RunFact::is_local)) are not stored and do not
///   count: appending one has no effect.
///
/// `hostel-conformance` has the test cases that every driver passes.
pub trait Journal: Send + Sync {
    /// Stores new runs, all of them or none, in the order of the slice, which is their order of arrival. The caller
    /// chooses the ids, so that a submission whose answer was lost can be repeated: a run that is stored with the same
    /// specification, its time of creation included, is reported as existing, whatever has happened to it since.
    ///
    /// At most [`MAX_SUBMITTED`] at once. A run that was pruned is unknown, and its id new.
    ///
    /// A run with a [unique](crate::Unique) key that an unfinished run of its queue has is stored or not as the mode says. An earlier run of
    /// the slice counts as stored.
    ///
    /// # Errors
    ///
    /// [`JournalConflict::OtherSpec`] if an id belongs to another specification, [`JournalConflict::KeyTaken`] if the mode says so,
    /// [`JournalError::Full`] if there is no room for more
    /// unfinished runs, and errors of the medium.
    fn submit(&self, at: Timestamp, specs: &[RunSpec]) -> Result<Vec<Submitted>, JournalError>;

    /// Stores runs that have ended elsewhere, such as in a program that keeps a history, or when they were submitted, with all that
    /// happened to them: all of them or none. Their unique keys do not matter: a run that has ended holds none. As with [`Journal::submit`], a run that is stored with the same specification is reported as existing, and nothing
    /// changes. They need no attention.
    ///
    /// At most [`MAX_SUBMITTED`] at once.
    ///
    /// # Errors
    ///
    /// [`JournalConflict::Unfinished`] for a run that has not ended, [`JournalConflict::OtherSpec`], [`JournalError::TooMany`], and errors
    /// of the medium.
    fn import(&self, runs: &[RunRecord]) -> Result<Vec<Submitted>, JournalError>;

    /// Adds facts to a run, all of them or none, and returns the new version.
    ///
    /// A claim of the run is over when the run has ended, or waits for its next attempt: the journal gives it out again when that
    /// is due. If it is a run of a schedule and completes, earlier runs of the schedule need no attention any more, as with
    /// [`Journal::mark_seen`].
    ///
    /// # Errors
    ///
    /// [`JournalError::NotFound`]; a [`JournalConflict`] for a fence that is not that of the run's claim, for another version, and for a
    /// fact that cannot follow those before it, in this order; [`JournalError::TooMany`]; and errors of the medium.
    fn append(&self, append: &Append) -> Result<u64, JournalError>;

    /// Adds facts to several runs, each as [`Journal::append`] does: one that is refused has no effect on the others. A driver on
    /// disk makes all of them durable at once. The answers are in the order of the slice.
    ///
    /// # Errors
    ///
    /// [`JournalError::TooMany`] for more than [`MAX_CLAIMED`] at once, and errors of the medium, after which none is added.
    fn append_all(&self, appends: &[Append]) -> Result<Vec<Result<u64, JournalError>>, JournalError>;

    /// A run with all that happened to it. A driver may have stored long values apart: [`Journal::blob`] returns their bytes.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    fn get(&self, run: RunId) -> Result<Option<JournalEntry>, JournalError>;

    /// The runs that match, newest first: in the reverse order of their arrival, a page at a time.
    ///
    /// A run that is stored for as long as all pages are read is found exactly once if it matches all the time, however many
    /// runs are added and pruned in between. Runs that arrive later than the first page are not on a later one.
    ///
    /// A driver may end a page before it is full, when it has looked at many runs ([`MAX_SCANNED`]) that do not match:
    /// [`Found::scanned_to`] says so.
    ///
    /// # Errors
    ///
    /// [`JournalError::Page`] for a page without room or with more than [`Page::MAX_LIMIT`], and errors of the medium.
    fn find(&self, filter: &RunFilter, page: Page) -> Result<Found, JournalError>;

    /// The runs that match and arrived later than the one at a place, a page at a time: the way back through the pages of
    /// [`Journal::find`]. A page has the runs that arrived next, and as there the newest is the first. [`Found::next`] is where the page of
    /// those that arrived still later begins.
    ///
    /// # Errors
    ///
    /// As [`Journal::find`].
    fn find_newer(&self, filter: &RunFilter, than: Cursor, limit: usize) -> Result<Found, JournalError>;

    /// How many runs there are, by state, and how many were removed since the journal was made.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    fn counts(&self) -> Result<RunCounts, JournalError>;

    /// How many runs were submitted in each interval of some time, by the states that they have now. Costs microseconds for each minute
    /// that has runs, however many.
    ///
    /// # Errors
    ///
    /// [`JournalError::Histogram`], and errors of the medium.
    fn histogram(&self, request: &HistogramRequest) -> Result<Vec<Bucket>, JournalError>;

    /// Claims runs that are due in some queues and that nobody has claimed, for one worker: those of the highest priority first, of these
    /// the ones that have been due for longest, of these the ones that arrived first. Each gets a fence larger than any before.
    ///
    /// A claim does not begin an attempt. It makes a run [`Pending`](crate::State::Pending) that was
    /// [`Scheduled`](crate::State::Scheduled), by the event `CameDue`; any other run stays in its state.
    ///
    /// A run that crashed more than once may take its worker down again. So it executes [alone](JournalEntry::is_solo): only a worker that is
    /// [idle](ClaimRequest::is_idle) gets it, if it is the first in order, and nothing else with it. A worker that is not idle and meets such a run in the order drains for it: it gets no run
    /// behind it, and the run comes first when the worker is idle. One worker drains for each such run, for as long as it has claims and the
    /// run stays as it is; the others pass over it. So the run does not wait for ever where no worker is ever without work, and costs no more
    /// than one worker. A run that a limit keeps back holds nobody up.
    ///
    /// # Errors
    ///
    /// [`JournalError::TooMany`] for more than [`MAX_CLAIMED`] at once or more than [`MAX_LEFT_OUT`] tasks left out, and errors of the
    /// medium.
    fn claim(&self, claim: &ClaimRequest) -> Result<Vec<JournalEntry>, JournalError>;

    /// Stores new runs as [`Journal::submit`] does, and then claims as [`Journal::claim`] does, both or neither: a driver on disk makes them
    /// durable at once. What is claimed need not be one of the new runs. Where a claim would have to look at many runs that limits keep back,
    /// fewer may be claimed, or none.
    ///
    /// # Errors
    ///
    /// As both methods.
    fn submit_and_claim(
        &self,
        at: Timestamp,
        specs: &[RunSpec],
        claim: &ClaimRequest,
    ) -> Result<(Vec<Submitted>, Vec<JournalEntry>), JournalError>;

    /// Extends the leases of these claims until `until`, and returns the runs whose claims are over. A lease is never shortened.
    /// At most [`MAX_CLAIMED`] at once.
    ///
    /// # Errors
    ///
    /// [`JournalError::TooMany`], and errors of the medium.
    fn renew(&self, claims: &[(RunId, Fence)], until: Timestamp) -> Result<Vec<RunId>, JournalError>;

    /// Gives a run back that its worker does not want to go on with, and returns the new version. If an attempt executes, the run
    /// is [rescued](crate::Event::Rescued): it becomes `Pending`, or `Cancelled` if it was being cancelled. The attempt counts
    /// neither as failed nor as a crash.
    ///
    /// # Errors
    ///
    /// [`JournalError::NotFound`], [`JournalConflict::Fence`], and errors of the medium.
    fn release(&self, at: Timestamp, run: RunId, fence: Fence) -> Result<u64, JournalError>;

    /// Ends the claims whose leases end at the time of the request or before, at most [`MAX_EXPIRED`] in one call, those that ended first
    /// first. Each run goes back as with [`Journal::release`], and its crash is counted. One that crashed [`MAX_CRASHES`] times ends
    /// [`Crashed`](crate::State::Crashed) instead.
    ///
    /// Time in which nobody could write does not count: if the last request is so long ago that workers cannot have renewed
    /// ([`ExpireRequest::gap`]), all leases are [extended](JournalEntry::outlast) by that time first. If the clock was put back by more
    /// than [`MAX_LEASE`], so are all leases. The first claim of a journal in which nothing is claimed counts as such a request. Until a claim has ended, it can be renewed, however late.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    fn expire(&self, request: &ExpireRequest) -> Result<Expiry, JournalError>;

    /// When the leases of all claims end, over or not; `None` if no run is claimed.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    fn lease_ends(&self) -> Result<Option<LeaseEnds>, JournalError>;

    /// Cancels a run, from anywhere: no fence is needed. A run that does not execute ends at once; one that does becomes
    /// `Cancelling`, which its worker sees as an event, and ends when the worker says so, or when its lease is over.
    ///
    /// # Errors
    ///
    /// [`JournalError::NotFound`], and errors of the medium.
    fn cancel(&self, at: Timestamp, run: RunId) -> Result<Cancellation, JournalError>;

    /// What happened after the event with this number, in order, at most `limit` events and [`MAX_EVENTS`]. The numbers begin
    /// with 1 and rise by one, in all runs together, and none is given twice. The events of a run are removed with it: that is
    /// what a gap in the numbers means.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    fn events(&self, after: u64, limit: usize) -> Result<Vec<JournalEvent>, JournalError>;

    /// The number of the last event, even if it was removed with its run; 0 before the first one.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    fn last_event(&self) -> Result<u64, JournalError>;

    /// Removes runs that have ended, those that ended first first, at most [`MAX_PRUNED`] in one call. Unfinished runs stay,
    /// however old they are.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    fn prune(&self, prune: Prune) -> Result<Pruned, JournalError>;

    /// Removes runs that ended so long ago that they need not stay, at most [`MAX_PRUNED`] in one call, those that ended first first.
    /// What it says of logs is for their own store.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    fn retain(&self, retention: &Retention, now: Timestamp) -> Result<Pruned, JournalError>;

    /// Whether it is the caller's turn to remove what is old: once in [`Retention::EVERY`], for one of all processes.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    fn take_upkeep(&self, now: Timestamp) -> Result<bool, JournalError>;

    /// Removes what is stored apart from runs and that no run has had for a day, such as long values, and returns how many. To be called
    /// once a day: it may look at all runs. In a journal that stores nothing apart there is nothing to remove.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    fn sweep_values(&self, now: Timestamp) -> Result<u64, JournalError> {
        let _ = now;
        Ok(0)
    }

    /// The file that the journal is, if it is one.
    fn file(&self) -> Option<&Path> {
        None
    }

    /// Changes the priority, the due time, the queue or the tags of a run that waits for its first attempt, and returns the new version. It
    /// takes its place in the order of claims anew. The run as it was submitted stays [on record](crate::RunRecord::submitted).
    ///
    /// # Errors
    ///
    /// [`JournalError::NotFound`]; [`JournalConflict::Started`] for a run that has started, has ended or is claimed;
    /// [`JournalConflict::KeyTaken`] if an unfinished run of the new queue has its key; [`JournalConflict::ReservedQueue`] if the new queue
    /// is one of the host's; and errors of the medium.
    fn amend(&self, at: Timestamp, run: RunId, amendment: &Amendment) -> Result<u64, JournalError>;

    /// Makes a batch, which acts on the runs that match and have arrived until now; those that match already and fit can be
    /// [counted](Journal::count) before. Nothing happens to a run before [`Journal::step_batch`].
    ///
    /// # Errors
    ///
    /// [`JournalError::TooMany`] if [`MAX_BATCHES`] are not finished, and errors of the medium.
    fn start_batch(
        &self,
        at: Timestamp,
        action: BatchAction,
        filter: &RunFilter,
    ) -> Result<Batch, JournalError>;

    /// Goes on with a batch: acts on at most [`MAX_BATCH_STEP`] runs, the newest that are left, and returns the batch as it is then. Any
    /// process can take the next step, also while others do; no step is taken twice. Nothing happens to a batch that is finished.
    ///
    /// # Errors
    ///
    /// [`JournalError::NoBatch`], and errors of the medium.
    fn step_batch(&self, at: Timestamp, batch: BatchId) -> Result<Batch, JournalError>;

    /// Stops a batch. What it has done stays.
    ///
    /// # Errors
    ///
    /// [`JournalError::NoBatch`], and errors of the medium.
    fn stop_batch(&self, at: Timestamp, batch: BatchId) -> Result<Batch, JournalError>;

    /// A batch as it is now.
    ///
    /// # Errors
    ///
    /// [`JournalError::NoBatch`], and errors of the medium.
    fn batch(&self, batch: BatchId) -> Result<Batch, JournalError>;

    /// All batches that are stored, the newest first: at most [`MAX_BATCHES`].
    ///
    /// # Errors
    ///
    /// Those of the medium.
    fn batches(&self) -> Result<Vec<Batch>, JournalError>;

    /// How many runs a batch would act on if it began now, and whether there may be more than were counted: it reads whole pages of
    /// the runs that match, the newest first, until it has read `most` of them or [a page ends early](Found::scanned_to).
    ///
    /// # Errors
    ///
    /// Those of the medium.
    fn count(&self, action: BatchAction, filter: &RunFilter, most: u64) -> Result<(u64, bool), JournalError> {
        let filter = action.fitting(filter);
        let (mut count, mut read) = (0, 0);
        let next = each_page::<JournalError>(self, &filter, Page::first(Page::MAX_LIMIT), |found| {
            read += found.runs.len() as u64;
            count += found.runs.iter().filter(|head| action.fits_queue(&head.queue)).count() as u64;
            let is_enough = read >= most || found.scanned_to.is_some();
            Ok(if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok((count, next.is_some()))
    }

    /// Gives a run that ended without a value new attempts: it becomes `Pending`, and is due at once. Its attempts and outcomes so far
    /// stay in its record; its crashes, and the attempts that [count](crate::RunRecord::counted_attempts) for its retries, start
    /// at zero.
    ///
    /// # Errors
    ///
    /// [`JournalError::NotFound`]; [`JournalConflict::History`] for a run of the history of a program; [`JournalConflict::Fact`] for a run
    /// that has not ended, completed or was rolled back;
    /// [`JournalConflict::KeyTaken`] if another unfinished run has its key; and errors of the medium.
    fn retry(&self, at: Timestamp, run: RunId) -> Result<u64, JournalError>;

    /// Removes a run that has ended, and its events.
    ///
    /// # Errors
    ///
    /// [`JournalError::NotFound`], [`JournalConflict::Unfinished`], and errors of the medium.
    fn remove(&self, run: RunId) -> Result<(), JournalError>;

    /// Records that someone has seen how a run ended, so that it needs no more attention. No event, and the version stays.
    ///
    /// # Errors
    ///
    /// [`JournalError::NotFound`], and errors of the medium.
    fn mark_seen(&self, run: RunId) -> Result<(), JournalError>;

    /// A number that is another one whenever anything in the journal has changed, by whichever process. Costs microseconds. It
    /// may change without reason, and means nothing after the journal is opened again.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    fn changes(&self) -> Result<u64, JournalError>;

    /// Waits until [`Journal::changes`] is another number than `seen`, for at most `timeout`, and returns the number. Notices a
    /// change by this process at once, and one by another process within 50 ms. Uses no processor time while it waits.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    fn wait_for_change(&self, seen: u64, timeout: Duration) -> Result<u64, JournalError>;

    /// When this claim could next have an answer, if nothing else happens: its own time if it would have one now; otherwise the time
    /// at which the next run comes due; `None` if none ever does. The limit of the claim does not matter. Leases that end are not
    /// looked at. With [limits](Journal::set_limit) the time may be too early, and behind more than [`MAX_PASSED`] runs that the claim
    /// [leaves out](ClaimRequest::without) it may be too late.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    fn next_due(&self, claim: &ClaimRequest) -> Result<Option<Timestamp>, JournalError>;

    /// Limits how many runs of a queue or with a tag are claimed at once, and how often; the default limit is none. It holds for all workers
    /// together. A run is claimed if all limits of its queue and its tags allow it, and counts for each as long as the claim lasts:
    /// until the run has ended, waits for its next attempt, is released, or its lease is over. Those that are claimed already count, too,
    /// and go on if there are more of them than the limit. Runs that a limit keeps back do not keep others back.
    ///
    /// # Errors
    ///
    /// [`JournalError::Rate`] for a rate that is out of range, and errors of the medium.
    fn set_limit(&self, scope: &LimitScope, limit: RunLimit) -> Result<(), JournalError>;

    /// Every limit and every pause that was set, in the order of their scopes, also those that were removed since.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    fn limits(&self) -> Result<Vec<LimitUse>, JournalError>;

    /// Stops claims of the runs of a queue or with a tag, for some time or until [`Journal::resume`]. A second pause replaces the first.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    fn pause(&self, scope: &LimitScope, pause: Pause) -> Result<(), JournalError>;

    /// Ends a pause; nothing happens without one.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    fn resume(&self, scope: &LimitScope) -> Result<(), JournalError>;

    /// The bytes of a value that the journal stored apart from its run; `None` if it has none of this digest.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    fn blob(&self, blob: &BlobRef) -> Result<Option<Arc<[u8]>>, JournalError>;
}
