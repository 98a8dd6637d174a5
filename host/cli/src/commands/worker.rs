//! `hostel worker`

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use hostel::journal::{JournalEntry, LeaseEnds};
use hostel::registry::Registry;
use hostel::schedules::{ScheduleThread, SqliteJournal};
use hostel::{ErrorKind, EventKind, Events, Host, QueueName, RunEvent, Timestamp, grammar};
use hostel_wire::printable;

use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::options::data_dir::HostOptions;
use crate::options::remote_cache::RemoteCacheOptions;
use crate::options::{MemoryOptions, WorkerOptions};
use crate::problem::{Problem, Stop};
use crate::registered;
use crate::runtime;
use crate::ui::Ui;

/// The most notes that wait to be written.
const MAX_NOTES: usize = 1_024;

/// What to do about a journal that was lost while a process was using it. That process cannot see what is there now.
pub(super) const LOST: &str =
    "what was stored since may be lost; restore the data directory if you have a copy, and start again";

/// How long after the time for draining the worker may take to give its runs back.
const GRACE: Duration = Duration::from_secs(10);

/// How often a worker that would be idle looks whether others have renewed their claims.
const LOOK: Duration = Duration::from_millis(250);

/// A wait for other workers to renew their claims.
struct Waiting {
    since: Instant,
    /// When the last lease ended that there was when the wait began.
    last: Timestamp,
}

impl Waiting {
    /// Whether all claims that there were have been renewed or have ended. A clock that was put back may keep leases for longer than
    /// their length, which is not waited for.
    fn is_over(&self, ends: LeaseEnds, lease: Duration) -> bool {
        ends.first > self.last || self.since.elapsed() > lease * 2
    }
}

#[derive(Args, Debug)]
#[command(after_help = "\
Any number of workers may serve one data directory at once. Runs are executed by priority, then
due time, then order of arrival. If a worker is lost, its runs start again elsewhere after 30 to
40 seconds.

Ctrl-C or SIGTERM: the worker takes no more runs, waits for those that it has, and gives the rest
back to other workers. A second one stops it at once; its runs start again when their leases are
over.

Examples:
  hostel worker
  hostel worker --queue mail --queue default --workers 8 --drain 2m")]
pub(crate) struct Worker {
    /// Serve this queue; can be given several times [default: all queues]
    #[arg(long, value_name = "NAME")]
    queue: Vec<QueueName>,

    /// When it is stopped, wait this long for its runs to end
    #[arg(long, value_name = "TIME", value_parser = grammar::duration, default_value = "30s")]
    drain: Duration,

    /// The length of a lease: how long a lost worker keeps its runs
    #[arg(long, value_name = "TIME", value_parser = grammar::duration, default_value = "30s")]
    lease: Duration,

    /// End when no run is due, and none is held by a worker that was lost
    #[arg(long)]
    until_idle: bool,

    /// Write no logs and no states of runs, only problems
    #[arg(long, short)]
    quiet: bool,

    #[command(flatten)]
    workers: WorkerOptions,

    #[command(flatten)]
    remote_cache: RemoteCacheOptions,

    #[command(flatten)]
    memory: MemoryOptions,

    #[command(flatten)]
    host: HostOptions,
}

impl Worker {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        // First, so that a signal is noticed also while files are opened.
        let interrupt = Interrupt::listen();
        let dir = self.host.stored()?;
        let registry = Arc::new(registered::open(&dir)?);
        let host = self.workers.apply(self.memory.apply(self.host.host(ui)?));
        let host = self.remote_cache.apply(host, None)?.build()?;
        let runtime = runtime::on_this_thread()?;
        runtime.block_on(self.serve(ui, &host, &dir, (registry, interrupt)))
    }

    async fn serve(
        &self,
        ui: &Arc<Ui>,
        host: &Host,
        dir: &Path,
        (registry, mut interrupt): (Arc<Registry>, Interrupt),
    ) -> Result<Exit, Stop> {
        let of_schedules = Arc::clone(&registry);
        let events = host.events();
        let worker = host.worker().registry(registry);
        // Written by another thread: one that nobody reads must not keep the worker from renewing its leases.
        let (notes, written) = sync_channel(MAX_NOTES);
        let (of_notes, is_quiet) = (Arc::clone(ui), self.quiet);
        let writer = thread::spawn(move || written.into_iter().for_each(|note: String| of_notes.note(&note)));
        let worker = worker.on_change(move |entry| {
            if !is_quiet {
                // Without room the note is left out.
                _ = notes.try_send(changed(entry));
            }
        });
        let worker = worker.queues(self.queue.iter().cloned()).lease(self.lease).start();
        let worker = worker.map_err(|error| Problem::of(error.kind(), &error))?;
        let mut schedules = schedules(ui, dir, of_schedules)?;
        let queues: Vec<&str> = self.queue.iter().map(QueueName::as_str).collect();
        let queues = if queues.is_empty() { "all queues".to_owned() } else { queues.join(", ") };
        if !self.quiet {
            ui.note(&format!("worker {} serves {queues}; Ctrl-C drains it", worker.id()));
        }
        let gone = tokio::select! {
            () = interrupt.requested() => None,
            () = worker.ended() => None,
            () = self.idle(ui, host, &worker), if self.until_idle => None,
            () = self.tell(ui, events) => None,
            path = schedules.gone() => Some(gone(&path)),
        };
        drop(schedules);
        let failure = worker.failure().map(|error| Problem::of(error.kind(), &*error));
        if gone.is_none() && failure.is_none() {
            self.drain(ui, worker).await;
        } else {
            self.end(ui, worker.drain(Duration::ZERO)).await;
        }
        // It has panicked, or written all.
        _ = writer.join();
        ui.flush()?;
        gone.or(failure).map_or(Ok(Exit::Completed), |problem| Err(problem.into()))
    }

    /// Waits until no run is due, and none is claimed by a worker that may be lost: each other worker has renewed its claims, or they have
    /// ended. Without that, the run of a lost worker would never start again where each worker is there for a moment only.
    async fn idle(&self, ui: &Ui, host: &Host, worker: &hostel::Worker) {
        let mut waiting: Option<Waiting> = None;
        loop {
            worker.idle().await;
            // An error is also one of the worker, which ends with it.
            let ends = host.journal().ok().and_then(|journal| journal.lease_ends().ok().flatten());
            let Some(ends) = ends else { return };
            match &waiting {
                Some(waiting) if waiting.is_over(ends, self.lease) => return,
                Some(_) => {}
                None => {
                    waiting = Some(Waiting { since: Instant::now(), last: ends.last });
                    if !self.quiet {
                        ui.note(
                            "no run is due; waiting until other workers renew their claims, or lose them",
                        );
                    }
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits for the runs to end, and gives the rest back.
    async fn drain(&self, ui: &Ui, worker: hostel::Worker) {
        let running = worker.claimed();
        if running > 0 && !self.quiet {
            let runs = crate::ui::text::counted(running as u64, "run");
            ui.note(&format!("waiting for {runs} to end; Ctrl-C again stops at once"));
        }
        self.end(ui, worker.drain(self.drain)).await;
    }

    /// Waits for the end of the worker. If its disk does not answer, ends the process without it.
    async fn end(&self, ui: &Ui, drained: impl Future<Output = ()>) {
        let longest = self.drain.saturating_add(GRACE);
        let mut drained = pin!(drained);
        if tokio::time::timeout(longest, drained.as_mut()).await.is_err() {
            ui.warning(
                "the journal does not answer: the runs of the worker start again when their leases are over",
            );
            std::process::exit(Exit::HostFailed.code().into());
        }
    }

    /// Writes the logs of runs, for ever.
    async fn tell(&self, ui: &Ui, mut events: Events) {
        while let Some(event) = events.next().await {
            if let (false, Ok(RunEvent { kind: EventKind::Log(line), .. })) = (self.quiet, event) {
                ui.log(None, &line);
            }
        }
        std::future::pending().await
    }
}

/// What was recorded about a run.
fn changed(entry: &JournalEntry) -> String {
    let head = entry.head();
    let error = head.error.map(|error| format!(": {}", printable(&error))).unwrap_or_default();
    format!("{} is {}{error}", printable(&head.name), head.state)
}

/// Fires the schedules of a data directory until it is dropped.
fn schedules(ui: &Arc<Ui>, dir: &Path, registry: Arc<Registry>) -> Result<ScheduleThread, Problem> {
    let journal = SqliteJournal::open(dir).map_err(|error| Problem::of(error.kind(), &error))?;
    let ui = Arc::clone(ui);
    let thread = ScheduleThread::start(Arc::new(journal), registry, move |problem| ui.warning(problem));
    thread.map_err(|error| Problem::new(ErrorKind::Exhausted, format!("schedules cannot be fired: {error}")))
}

fn gone(journal: &Path) -> Problem {
    let path = journal.display();
    let problem = format!(
        "the journal {path} or its -wal was removed, replaced or emptied while the worker was using it"
    );
    Problem::new(ErrorKind::Unavailable, problem).hint(LOST)
}
