//! Transactions: several runs whose results are committed to the cache together, or rolled back together.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostel_core::{CacheKey, Outcome, State as RunState};

use crate::args::Args;
use crate::cache::KeyedWrite;
use crate::calls::Call;
use crate::course;
use crate::error::{SubmitError, TransactionError, in_full};
use crate::group::{CommitMode, Membership, TransactionValues};
use crate::host_state::HostState;
use crate::run::{Run, TaskFuture};
use crate::task::{Group, Task};
use crate::undo::{self, HookReport};
use crate::wait::as_completed;

/// Several runs that are committed or rolled back together.
///
/// Runs of tasks that are [`within`](crate::Task::within) the transaction join it when they are submitted. Until the
/// commit, no other run can use their results. A rollback cancels runs that have not ended, and undoes completed runs
/// in reverse order: the run becomes `RolledBack`, the task's `on_rollback` hooks are called, and then the component's
/// own hook, the export `hostel:task/hooks.on-rollback`.
///
/// Dropping a transaction that was not committed rolls it back in the background.
///
/// ```
/// use hostel::{Host, args};
///
/// # async fn demo(host: &Host, book: &hostel::Task) -> Result<(), Box<dyn std::error::Error>> {
/// let transaction = host.transaction().begin();
/// transaction.submit(book, args!["rent", -900])?;
/// transaction.submit(book, args!["landlord", 900])?;
/// transaction.commit().await?;                 // waits for both; if one fails, the other is rolled back
/// # Ok(())
/// # }
/// ```
pub struct Transaction(Scope);

/// The settings of a [`Transaction`]; created by [`Host::transaction`](crate::Host::transaction).
pub struct TransactionBuilder {
    host: Arc<HostState>,
    mode: CommitMode,
    key: Option<String>,
    parent: Option<Scope>,
}

/// The part of a transaction that its runs use.
#[derive(Clone)]
pub(crate) struct Scope(Arc<Parts>);

struct Parts {
    host: Arc<HostState>,
    membership: Membership,
    key: Option<CacheKey>,
    parent: Option<Scope>,
    state: Mutex<Contents>,
}

struct Contents {
    stage: Stage,
    members: Vec<TaskFuture>,
    /// The record that a keyed transaction stores at its commit.
    record: String,
    /// The records of keyed transactions inside this one, stored when this one is committed.
    adopted_records: Vec<(CacheKey, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    Ending,
    Committed,
    RolledBack,
}

impl TransactionBuilder {
    pub(crate) fn new(host: Arc<HostState>, parent: Option<Scope>) -> Self {
        Self { host, mode: CommitMode::default(), key: None, parent }
    }

    /// Sets when results become visible.
    #[must_use]
    pub fn mode(mut self, mode: CommitMode) -> Self {
        self.mode = mode;
        self
    }

    /// Stores a record under this key at the commit. A later transaction with the same key finds the record:
    /// [`Transaction::is_committed`] is true from the beginning, and no work is left to do.
    ///
    /// The record is stored in the cache, and lasts as long as the cache does. Without a data directory it is in memory
    /// only, and is not stored at all if there is no room. Two transactions with the same key at the same time are
    /// independent of each other.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Begins the transaction. With a key, looks up its record in the cache.
    pub fn begin(self) -> Transaction {
        let key = self.key.map(|key| CacheKey::of_transaction(&key));
        let record = key.and_then(|key| self.host.cache.record(&key));
        let stage = if record.is_some() { Stage::Committed } else { Stage::Open };
        let around = self.parent.as_ref().map(|parent| parent.0.membership.values.clone());
        Transaction(Scope(Arc::new(Parts {
            host: self.host,
            membership: Membership { mode: self.mode, values: TransactionValues::within(around) },
            key,
            parent: self.parent,
            state: Mutex::new(Contents {
                stage,
                members: Vec::new(),
                record: record.unwrap_or_default(),
                adopted_records: Vec::new(),
            }),
        })))
    }

    /// Begins the transaction, does `work` in it, and ends it. Commits if `work` succeeds and rolls back if it fails.
    /// In [`CommitMode::Off`] it also rolls back if `work` has not committed.
    ///
    /// # Errors
    ///
    /// The error of `work`, or a [`TransactionError`] if a run did not complete.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future rolls back, in the background.
    pub async fn scope<T, E>(self, work: impl AsyncFnOnce(&Transaction) -> Result<T, E>) -> Result<T, E>
    where
        E: From<TransactionError>,
    {
        let transaction = self.begin();
        let done = work(&transaction).await;
        if !transaction.is_open() {
            return done;
        }
        if done.is_ok() && transaction.0.0.membership.mode != CommitMode::Off {
            transaction.commit().await?;
        } else {
            transaction.rollback().await;
        }
        done
    }
}

impl Transaction {
    /// Begins a transaction inside this one. When the inner transaction is committed, its runs join this one, and are
    /// committed or rolled back with it. Only eager results are final at the inner commit.
    pub fn nested(&self) -> TransactionBuilder {
        TransactionBuilder::new(Arc::clone(&self.0.0.host), Some(self.0.clone()))
    }

    /// Submits a run that joins the transaction: `task.clone().within(self).submit(args)`.
    ///
    /// # Errors
    ///
    /// As [`Task::submit`], and if the transaction is over.
    pub fn submit(&self, task: &Task, args: Args) -> Result<TaskFuture, SubmitError> {
        task.clone().within(self).submit(args)
    }

    /// Submits runs that join the transaction: `task.clone().within(self).map(args)`.
    ///
    /// # Errors
    ///
    /// As [`Task::map`], and if the transaction is over.
    pub fn map(&self, task: &Task, args: Args) -> Result<Vec<TaskFuture>, SubmitError> {
        task.clone().within(self).map(args)
    }

    /// The values that the code working on the transaction shares.
    pub fn values(&self) -> &TransactionValues {
        &self.0.0.membership.values
    }

    /// Whether it was committed, through this handle, or under its key at any time before.
    pub fn is_committed(&self) -> bool {
        self.0.stage() == Stage::Committed
    }

    /// Whether runs can still join.
    pub fn is_open(&self) -> bool {
        self.0.stage() == Stage::Open
    }

    /// Sets the text that is stored under the transaction's key at the commit; empty by default.
    pub fn set_record(&self, record: impl Into<String>) {
        self.0.state().record = record.into();
    }

    /// The text stored under the transaction's key, if it was committed.
    pub fn record(&self) -> Option<String> {
        self.is_committed().then(|| self.0.state().record.clone())
    }

    /// Waits for all runs that have joined, and makes their results visible together. If one of them did not complete,
    /// rolls all of them back.
    ///
    /// With a data directory, a crash leaves either all results or none: this thread writes them in one database
    /// transaction. Failed hooks are reported and undo nothing. Calling `commit` again has no effect.
    ///
    /// # Errors
    ///
    /// [`TransactionError`] if the transaction was rolled back, now or earlier.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped while runs go on, the transaction is rolled back when it is dropped.
    pub async fn commit(&self) -> Result<HookReport, TransactionError> {
        if self.is_committed() {
            return Ok(HookReport::default());
        }
        let members = self.0.close()?;
        let mut ended = as_completed(members.iter().cloned());
        while let Some(member) = ended.next().await {
            if !member.is_completed() {
                let cause = member.try_outcome().map(|outcome| outcome.to_string()).unwrap_or_default();
                let error = TransactionError::RolledBack { run: member.id(), cause };
                self.0.undo(members).await;
                return Err(error);
            }
        }
        self.0.commit(members).await
    }

    /// Cancels runs that have not ended, and undoes completed runs in reverse order. Has no effect if the transaction
    /// has ended.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the rest is rolled back when the transaction is dropped.
    pub async fn rollback(&self) -> HookReport {
        match self.0.close() {
            Ok(members) => self.0.undo(members).await,
            Err(_over) => HookReport::default(),
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let scope = self.0.clone();
        let Some(members) = scope.abandon() else { return };
        // The runtime belongs to the host and ends with it, and so do the runs.
        self.0.0.host.scheduler.timers().spawn(async move {
            let ending = Ending(scope);
            ending.0.undo(members).await;
        });
    }
}

/// A transaction that is rolled back in the background. Dropping this ends the transaction, even if the rollback was
/// interrupted.
struct Ending(Scope);

impl Drop for Ending {
    fn drop(&mut self) {
        if self.0.stage() == Stage::Ending {
            self.0.end(Stage::RolledBack);
        }
    }
}

impl Task {
    /// Makes its runs join a transaction, replacing an earlier one. After the transaction has ended, submitting is
    /// refused.
    #[must_use]
    pub fn within(self, transaction: &Transaction) -> Self {
        self.in_group(Arc::new(transaction.0.clone()))
    }
}

impl Group for Scope {
    fn membership(&self) -> &Membership {
        &self.0.membership
    }

    fn check_open(&self) -> Result<(), TransactionError> {
        let stage = self.stage();
        if stage == Stage::Open { Ok(()) } else { Err(over(stage)) }
    }

    fn join(&self, run: TaskFuture) -> Result<(), TransactionError> {
        let mut state = self.state();
        if state.stage != Stage::Open {
            return Err(over(state.stage));
        }
        state.members.push(run);
        Ok(())
    }

    fn completed(&self, run: &TaskFuture) {
        undo::call_commit_hooks(run);
    }
}

impl Scope {
    fn is_eager(&self) -> bool {
        self.0.membership.is_eager()
    }

    /// Accepts no more runs, and returns those that have joined.
    fn close(&self) -> Result<Vec<TaskFuture>, TransactionError> {
        let mut state = self.state();
        if state.stage != Stage::Open {
            return Err(over(state.stage));
        }
        state.stage = Stage::Ending;
        Ok(state.members.clone())
    }

    /// Called when the last handle is dropped. Returns the runs to undo, if any.
    fn abandon(&self) -> Option<Vec<TaskFuture>> {
        let mut state = self.state();
        if state.stage == Stage::Open {
            state.stage = Stage::Ending;
        }
        let members = state.members.clone();
        let stage = state.stage;
        drop(state);
        if stage == Stage::Ending && !members.is_empty() {
            return Some(members);
        }
        self.end(if stage == Stage::Ending { Stage::RolledBack } else { stage });
        None
    }

    /// Makes the completed results visible, or hands them to the enclosing transaction.
    async fn commit(&self, members: Vec<TaskFuture>) -> Result<HookReport, TransactionError> {
        if self.is_eager() {
            let kept = self.keep_record(&[]);
            self.hooks_called().await;
            if let Err(error) = kept {
                self.end(Stage::RolledBack);
                return Err(error);
            }
            self.end(Stage::Committed);
            return Ok(HookReport::default());
        }
        if let Some(parent) = self.adopter() {
            let adopted = parent.adopt(&members, self.records());
            if adopted.is_err() {
                self.undo(members).await;
                return adopted.map(|()| HookReport::default());
            }
            self.end(Stage::Committed);
            return Ok(HookReport::default());
        }
        if let Err(error) = self.keep_record(&members) {
            self.undo(members).await;
            return Err(error);
        }
        // From here on nothing can be undone, even if a hook fails.
        self.state().stage = Stage::Committed;
        let report = undo::committed(&members).await;
        self.end(Stage::Committed);
        Ok(report)
    }

    /// Makes results, and the record under the key, visible together.
    fn keep_record(&self, members: &[TaskFuture]) -> Result<(), TransactionError> {
        let waiting: Vec<_> = members.iter().map(TaskFuture::run).filter(|run| run.awaits_commit()).collect();
        let writes = waiting.iter().filter_map(|run| run_write(run)).collect();
        let kept = self.0.host.cache.put_together(writes, self.records());
        if kept.is_ok() {
            for run in waiting {
                run.committed(run.key().is_some_and(|key| self.0.host.cache.holds(&key)));
            }
        }
        kept.map_err(|error| TransactionError::NotKept { cause: in_full(&error) })
    }

    /// The enclosing transaction, if it commits the results of this one later.
    fn adopter(&self) -> Option<&Self> {
        self.0.parent.as_ref().filter(|parent| !parent.is_eager())
    }

    /// Takes over the runs and the records of an inner transaction.
    fn adopt(
        &self,
        members: &[TaskFuture],
        records: Vec<(CacheKey, String)>,
    ) -> Result<(), TransactionError> {
        let mut state = self.state();
        if state.stage != Stage::Open {
            return Err(over(state.stage));
        }
        state.members.extend_from_slice(members);
        state.adopted_records.extend(records);
        Ok(())
    }

    /// The records of this transaction and of those inside it.
    fn records(&self) -> Vec<(CacheKey, String)> {
        let state = self.state();
        let own = self.0.key.map(|key| (key, state.record.clone()));
        state.adopted_records.iter().cloned().chain(own).collect()
    }

    /// Cancels runs that have not ended, and undoes completed ones.
    async fn undo(&self, members: Vec<TaskFuture>) -> HookReport {
        members.iter().for_each(|member| _ = member.cancel());
        for member in &members {
            member.outcome().await;
        }
        let report = if self.is_eager() {
            self.hooks_called().await;
            HookReport::default()
        } else {
            undo::rolled_back(&members).await
        };
        self.end(Stage::RolledBack);
        report
    }

    /// Waits until all due hooks have been called.
    async fn hooks_called(&self) {
        self.0.host.hooks.ask(|| ()).await;
    }

    /// Ends the transaction and releases its runs.
    fn end(&self, stage: Stage) {
        let mut state = self.state();
        state.stage = stage;
        let members = std::mem::take(&mut state.members);
        drop(state);
        let is_handed_on = stage == Stage::Committed && self.adopter().is_some() && !self.is_eager();
        if !is_handed_on {
            // After the due hooks, which pass the inputs to the guest.
            let release: Call =
                Box::new(move || members.iter().for_each(|member| member.run().release_inputs()));
            self.0.host.hooks.call([release]);
        }
    }

    fn stage(&self) -> Stage {
        self.state().stage
    }

    /// No code panics while it holds the lock, so a poisoned lock is still valid.
    fn state(&self) -> MutexGuard<'_, Contents> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("is_open", &self.is_open()).finish_non_exhaustive()
    }
}

fn over(stage: Stage) -> TransactionError {
    let how = match stage {
        Stage::Committed => "was committed",
        Stage::RolledBack => "was rolled back",
        Stage::Open | Stage::Ending => "is about to end",
    };
    TransactionError::Over { how }
}

/// The cache entry of a run at the commit of its transaction.
fn run_write(run: &Run) -> Option<KeyedWrite> {
    if run.state() != RunState::Completed {
        return None;
    }
    let key = run.key()?;
    let outcome = run.outcome()?;
    let Outcome::Completed(value) = &*outcome else { return None };
    Some(KeyedWrite {
        key,
        value: value.clone(),
        ty: run.task().guest_completed_type().clone(),
        write: course::write(run),
    })
}
