//! Passes the output of a program on to stdout while it runs.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use hostel::{Outcome, Task, TaskFuture};
use hostel_wire::{attempt_count, printed};
use tokio::sync::Notify;

use crate::problem::Stop;
use crate::ui::Ui;

/// The time that a program waits until its output is written, so that the output comes before later log lines. If nothing reads
/// stdout in this time, the program continues: a blocked reader must not delay a timeout.
const IN_ORDER: Duration = Duration::from_millis(50);

/// Passes on the output of a program.
pub(crate) struct Printing {
    ui: Arc<Ui>,
    stdout: Arc<Stdout>,
    /// Whether output is passed on at once.
    is_live: bool,
}

/// Stdout, and the queue of output for it, which is bounded by the limit on results.
#[derive(Default)]
struct Stdout {
    queue: Mutex<Queue>,
    /// Something was queued, or written.
    changed: Condvar,
    written: Notify,
    failed: Notify,
}

#[derive(Default)]
struct Queue {
    pieces: VecDeque<Vec<u8>>,
    /// Whether pieces that have left the queue are being written.
    is_writing: bool,
    /// Whether a write takes long and has not ended yet.
    is_stalled: bool,
    error: Option<Stop>,
}

impl Queue {
    /// Whether there is nothing to wait for.
    fn is_done(&self) -> bool {
        self.error.is_some() || (self.pieces.is_empty() && !self.is_writing)
    }
}

impl Stdout {
    /// No code panics while it holds the lock, so a poisoned lock is still consistent.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a piece, and waits a short time until it is written.
    fn write(&self, piece: &[u8]) {
        let mut queue = self.queue();
        queue.pieces.push_back(piece.to_owned());
        self.changed.notify_all();
        if queue.is_stalled {
            return;
        }
        let waited = self.changed.wait_timeout_while(queue, IN_ORDER, |queue| !queue.is_done());
        let (mut queue, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        queue.is_stalled = waited.timed_out();
    }

    /// Writes pieces as they arrive, until a write fails; on its own thread.
    fn pass_on(&self) {
        loop {
            let queue = self.changed.wait_while(self.queue(), |queue| queue.pieces.is_empty());
            let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
            let pieces = mem::take(&mut queue.pieces);
            queue.is_writing = true;
            drop(queue);
            let mut stdout = io::stdout().lock();
            let written = pieces.iter().try_for_each(|piece| stdout.write_all(piece));
            let written = written.and_then(|()| stdout.flush());
            drop(stdout);
            let mut queue = self.queue();
            queue.is_writing = false;
            queue.is_stalled = false;
            let has_failed = written.is_err();
            queue.error = written.err().map(Stop::from);
            drop(queue);
            self.changed.notify_all();
            self.written.notify_one();
            if has_failed {
                self.failed.notify_one();
                return;
            }
        }
    }
}

impl Printing {
    /// Output is passed on at once only if there is at most one attempt. Of several attempts only the last one counts, and it
    /// is known only after its end.
    pub(crate) fn new(ui: &Arc<Ui>, most_attempts: u32) -> Self {
        Self { ui: Arc::clone(ui), stdout: Arc::default(), is_live: most_attempts <= 1 }
    }

    pub(crate) fn listen(&mut self, task: Task) -> Task {
        if !self.is_live {
            return task;
        }
        let of_thread = Arc::clone(&self.stdout);
        let thread = thread::Builder::new().name("stdout".to_owned());
        // Without the thread, everything is written at the end.
        self.is_live = thread.spawn(move || of_thread.pass_on()).is_ok();
        if !self.is_live {
            return task;
        }
        let stdout = Arc::clone(&self.stdout);
        task.on_stdout(move |piece| stdout.write(piece))
    }

    /// Ends when stdout is closed.
    pub(crate) async fn failed(&self) {
        self.stdout.failed.notified().await;
    }

    /// Waits until all output so far is written, or until writing has become impossible.
    pub(crate) async fn written(&self) {
        while !self.stdout.queue().is_done() {
            self.stdout.written.notified().await;
        }
    }

    /// Writes the rest of the output.
    pub(crate) fn finish(&self, run: &TaskFuture, outcome: Option<&Outcome>) -> Result<(), Stop> {
        if self.is_live && attempt_count(run) > 0 {
            return self.stdout.queue().error.take().map_or(Ok(()), Err);
        }
        if let Some(Outcome::Completed(value)) = outcome {
            return printed(value).map_or(Ok(()), |stdout| self.ui.result(&[stdout.0]));
        }
        let attempts = run.attempts();
        attempts.last().map_or(Ok(()), |attempt| self.ui.result(&[&attempt.stdout]))
    }
}
