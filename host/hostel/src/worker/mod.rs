//! Workers: execute the runs of a journal in this process.
//!
//! A worker claims runs that are due, and submits one attempt of each to the host, as a run of its own without retries. What
//! happened to the attempt goes to the journal as facts: the retries and the end of the run are decided from what the journal
//! knows. So a run goes on in whichever process claims it next.

mod attempt;
mod claimed;
mod inputs;
mod leases;
mod mailbox;
mod prepared;
mod room;
mod tasks;
mod thread;
mod upkeep;
mod window;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hostel_core::journal::{Journal, JournalEntry, JournalError, MAX_LEASE, Retention, WorkerId};
use hostel_core::{Digest, ErrorKind, QueueName};
use tokio::runtime::Handle;

use self::leases::Leases;
use self::mailbox::{Mailbox, Order};
use self::tasks::{ComponentSource, Tasks};
use self::thread::{Duty, OnChange, WorkerThread};
use self::upkeep::Upkeep;
use self::window::Window;
use crate::host::Host;
use crate::ids::new_run_id;
use crate::journal::{OpenJournalError, RunHistory};
use crate::registry::Registry;
use crate::runner::Places;
use crate::task::Task;

/// How long the thread that watches the journal waits before it looks whether its worker still exists.
const WATCH: Duration = Duration::from_secs(1);

/// Executes the runs of the host's journal: those of [delayed](Task::delay) tasks.
///
/// Runs are claimed by priority, then due time, then order of arrival. A claim is a lease of 30 seconds that the worker
/// renews. If the worker is lost, the run starts again elsewhere when the lease is over; a late result of the lost worker is
/// refused. So a run executes at least once, and its end is recorded once.
///
/// Dropping a worker stops its runs and gives them back: other workers go on with them, and the stopped attempt does not
/// count. To let runs end first, call [`Worker::drain`].
///
/// A worker also keeps the journal from growing for ever: once a day one of all workers removes runs and logs that are old, as
/// [`WorkerBuilder::retention`] says.
pub struct Worker {
    id: WorkerId,
    mailbox: Arc<Mailbox>,
    threads: Vec<JoinHandle<()>>,
    timers: Handle,
}

/// The settings of a [`Worker`]; created by [`Host::worker`].
pub struct WorkerBuilder<'a> {
    host: &'a Host,
    served: Vec<Task>,
    source: Option<ComponentSource>,
    queues: Vec<QueueName>,
    name: Option<String>,
    lease: Duration,
    max_runs: Option<usize>,
    retention: Retention,
    on_change: Option<OnChange>,
}

/// A worker was not started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The worker would have nothing to do.
    #[error("the worker has no tasks: expected tasks to serve, or a source of components")]
    NoTasks,
    /// The lease is out of range.
    #[error("a lease cannot be {lease:?}: expected {:?} to {:?}", WorkerBuilder::LEASES.0, WorkerBuilder::LEASES.1)]
    Lease {
        /// The value.
        lease: Duration,
    },
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] OpenJournalError),
    /// The system refused a thread.
    #[error("cannot start a thread for the worker: {0}")]
    Thread(#[source] std::io::Error),
}

impl WorkerError {
    /// The kind of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoTasks | Self::Lease { .. } => ErrorKind::Invalid,
            Self::Journal(error) => error.kind(),
            Self::Thread(_) => ErrorKind::Exhausted,
        }
    }
}

impl Host {
    /// The settings of a worker, which executes delayed runs: see [`Worker`].
    pub fn worker(&self) -> WorkerBuilder<'_> {
        WorkerBuilder {
            host: self,
            served: Vec::new(),
            source: None,
            queues: Vec::new(),
            name: None,
            lease: WorkerBuilder::DEFAULT_LEASE,
            max_runs: None,
            retention: Retention::default(),
            on_change: None,
        }
    }

    /// Starts a worker that executes the delayed runs of these tasks, with their hooks, in all queues.
    ///
    /// # Errors
    ///
    /// As [`WorkerBuilder::start`].
    pub fn serve(&self, tasks: impl IntoIterator<Item = Task>) -> Result<Worker, WorkerError> {
        self.worker().serve(tasks).start()
    }
}

impl WorkerBuilder<'_> {
    /// The length of a lease, if no other is set.
    pub const DEFAULT_LEASE: Duration = Duration::from_secs(30);
    /// The most runs that a worker has claimed at once, if no other number is set.
    pub const DEFAULT_MAX_RUNS: usize = 10_000;
    /// The shortest and the longest lease.
    pub const LEASES: (Duration, Duration) = (Duration::from_millis(300), MAX_LEASE);

    /// Executes runs of these tasks. Their hooks, `retry_if` and `log_prints` apply; all other options are those with which
    /// the run was delayed.
    ///
    /// Hooks are called for what this worker does: when an attempt has begun, when another one will follow, and when a run ends with
    /// an attempt or with a cached value. They are not called for a run that ends otherwise: cancelled before it started, crashed
    /// because its workers were lost, or ended by this worker before an attempt (its time was over, or it cannot be executed).
    /// [`WorkerBuilder::on_change`] is called for the last two. A run that was stored with its [cached value](Task::cached_record) never
    /// comes to a worker.
    #[must_use]
    pub fn serve(mut self, tasks: impl IntoIterator<Item = Task>) -> Self {
        self.served.extend(tasks);
        self
    }

    /// Executes runs of any task whose component `source` has. It is called with the digest, on a thread that may block, and
    /// returns the component's bytes.
    #[must_use]
    pub fn components(
        mut self,
        source: impl Fn(&Digest) -> std::io::Result<Option<Vec<u8>>> + Send + Sync + 'static,
    ) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Executes runs of any task whose component is registered: [`WorkerBuilder::components`] with a registry.
    #[must_use]
    pub fn registry(self, registry: Arc<Registry>) -> Self {
        self.components(move |digest| match registry.bytes(*digest) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(std::io::Error::other(error)),
        })
    }

    /// Claims runs of these queues only. Default: all queues.
    #[must_use]
    pub fn queues(mut self, queues: impl IntoIterator<Item = QueueName>) -> Self {
        self.queues.extend(queues);
        self
    }

    /// The worker's name, for people. Default: a unique name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How long a claim lasts without being renewed: after a crash, a run starts again that much later, and a third of it.
    /// Default: [`Self::DEFAULT_LEASE`].
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// The most runs that the worker has claimed at once. Default: as many that compute as the host has worker threads, or up to 512
    /// while runs are short, and with those that sleep or wait up to [`Self::DEFAULT_MAX_RUNS`].
    ///
    /// A run that has started and sleeps, or waits for the network or for an equal run, needs no thread, so the worker claims
    /// others meanwhile. Beside runs that have computed for more than a second it claims runs of other tasks, but no more than `runs` in all
    /// if this is set: as many endless loops then keep all others from starting.
    #[must_use]
    pub fn max_runs(mut self, runs: usize) -> Self {
        self.max_runs = Some(runs);
        self
    }

    /// How long runs and logs stay. Default: [`Retention::default`]. Workers of one journal should agree, because the one whose turn it is
    /// removes what is old.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Calls `on_change` with each run of this worker after something about it was recorded: that an attempt has begun, or what
    /// followed from its end; and with a run that this worker found crashed for good, because the leases of its workers were over. It is called on the worker's thread and must not block.
    #[must_use]
    pub fn on_change(mut self, on_change: impl Fn(&JournalEntry) + Send + Sync + 'static) -> Self {
        self.on_change = Some(Arc::new(on_change));
        self
    }

    /// Starts the worker.
    ///
    /// # Errors
    ///
    /// [`WorkerError`] if there is nothing to execute, a setting is out of range, or the journal cannot be opened.
    pub fn start(self) -> Result<Worker, WorkerError> {
        if self.served.is_empty() && self.source.is_none() {
            return Err(WorkerError::NoTasks);
        }
        let (least, most) = Self::LEASES;
        if !(least..=most).contains(&self.lease) {
            return Err(WorkerError::Lease { lease: self.lease });
        }
        let host = self.host.state();
        let journal = Arc::clone(host.journal()?);
        let id =
            WorkerId::new(self.name.unwrap_or_else(|| format!("{}-{}", std::process::id(), new_run_id())));
        let mailbox = Arc::new(Mailbox::default());
        let window = match self.max_runs {
            Some(runs) => Window::new(runs, runs, runs),
            None => Window::new(host.workers, Window::MOST, Self::DEFAULT_MAX_RUNS),
        };
        let (rested, woken) = (Arc::clone(&mailbox), Arc::clone(&mailbox));
        let standing = host.standing.add(move || _ = woken.put(|_| ()));
        let places = Arc::new(Places::new(move || _ = rested.put(|_| ())));
        let logs = host.journal.logs()?.cloned();
        // The runs of a directory whose journal is another one stay where they are.
        let data_dir = host.journal.data_dir().filter(|dir| is_in(journal.file(), dir));
        let history = data_dir.map(RunHistory::of);
        let upkeep =
            Upkeep { journal: Arc::clone(&journal), logs: logs.clone(), history, retention: self.retention };
        let tasks = Tasks::new(
            Arc::clone(host),
            Arc::clone(&journal),
            self.served,
            self.source,
            logs,
            Arc::clone(&places),
        );
        let (leases, watching) = Leases::start(id.clone(), self.lease).map_err(WorkerError::Thread)?;
        let duty = Duty {
            host: Arc::clone(host),
            journal: Arc::clone(&journal),
            tasks: Arc::new(tasks),
            mailbox: Arc::clone(&mailbox),
            worker: id.clone(),
            queues: self.queues,
            leases: Arc::clone(&leases),
            standing,
            window,
            places,
            on_change: self.on_change,
        };
        let kept_up = upkeep.start().inspect_err(|_| leases.end()).map_err(WorkerError::Thread)?;
        let (alive, keeping_up) = kept_up;
        let work = move || {
            // The upkeep ends with this thread.
            let _alive = alive;
            WorkerThread::new(duty).work();
        };
        let threads = watch_journal(&journal, &mailbox)
            .and_then(|()| std::thread::Builder::new().name("hostel-worker".to_owned()).spawn(work))
            .map(|thread| vec![thread, watching, keeping_up]);
        let threads = threads.inspect_err(|_| leases.end()).map_err(WorkerError::Thread)?;
        let timers = host.scheduler.timers().clone();
        Ok(Worker { id, mailbox, threads, timers })
    }
}

impl Worker {
    /// The worker's name in the journal.
    pub fn id(&self) -> &WorkerId {
        &self.id
    }

    /// Claims no more runs, and waits until those that it has claimed have ended. After `timeout`, if one is given, stops the
    /// rest and gives them back, without counting the stopped attempts.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the worker.
    pub async fn drain(self, timeout: impl Into<Option<Duration>>) {
        self.mailbox.order(Order::Drain);
        if let Some(timeout) = timeout.into() {
            let (mailbox, ended) = (Arc::clone(&self.mailbox), self.mailbox.ended());
            let late = {
                let _timers = self.timers.enter();
                tokio::time::timeout(timeout, ended)
            };
            if late.await.is_err() {
                mailbox.order(Order::Release);
            }
        }
        self.mailbox.ended().await;
    }

    /// How many runs the worker has claimed.
    pub fn claimed(&self) -> usize {
        self.mailbox.claimed()
    }

    /// Waits until the worker has claimed no run and none is due.
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time.
    pub async fn idle(&self) {
        self.mailbox.idle().await;
    }

    /// Why the worker could not go on, if that is why it has ended: the journal is damaged, or may not be written. Other errors of the
    /// journal are reported, and the worker tries again.
    pub fn failure(&self) -> Option<Arc<JournalError>> {
        self.mailbox.failure()
    }

    /// Waits until the worker has ended: because its host was shut down, or of a [failure](Worker::failure).
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time.
    pub async fn ended(&self) {
        self.mailbox.ended().await;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.mailbox.order(Order::Release);
        // A panic of the thread was reported when it happened.
        self.threads.drain(..).for_each(|thread| _ = thread.join());
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Whether a file is in a directory.
fn is_in(file: Option<&Path>, dir: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    real(dir).is_some_and(|dir| file.and_then(Path::parent).and_then(real) == Some(dir))
}

/// Starts the thread that reports changes of the journal. It ends when the worker has.
fn watch_journal(journal: &Arc<dyn Journal>, mailbox: &Arc<Mailbox>) -> std::io::Result<()> {
    let (journal, mailbox) = (Arc::clone(journal), Arc::downgrade(mailbox));
    let watch = move || {
        let mut seen = 0;
        while mailbox.upgrade().is_some_and(|mailbox| !mailbox.has_ended()) {
            let now = journal.wait_for_change(seen, WATCH);
            if now.is_err() {
                // Changes cannot be noticed: the worker has to look for itself.
                std::thread::sleep(WATCH);
            }
            if now.as_ref().ok() != Some(&seen) {
                seen = now.unwrap_or(seen);
                let changed = |mailbox: Arc<Mailbox>| mailbox.put(|mail| mail.journal_changed = true);
                mailbox.upgrade().map(changed);
            }
        }
    };
    std::thread::Builder::new().name("hostel-watch".to_owned()).spawn(watch).map(drop)
}
