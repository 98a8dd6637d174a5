//! What a program prints, passed on to stdout while it runs.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use hostel::{Outcome, Task, TaskFuture};
use tokio::sync::Notify;

use crate::output::printed::printed;
use crate::problem::Stop;
use crate::states::attempt_count;
use crate::ui::Ui;

/// How long a program waits until what it printed is written, so that it comes before what is logged after it. If nobody reads
/// stdout for as long, it goes on: a reader that stands still keeps no timeout from ending the program.
const IN_ORDER: Duration = Duration::from_millis(50);

/// Passes on what a program prints.
pub(crate) struct Printing {
    ui: Arc<Ui>,
    stdout: Arc<Stdout>,
    /// Whether it is passed on at once.
    is_live: bool,
}

/// Stdout, and the output that is queued for it, which the limit on results bounds.
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
    /// Whether pieces that are in the queue no more are being written.
    is_writing: bool,
    /// Whether a write has taken long, and has not ended.
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
    /// Nothing panics while it holds the lock, so a poisoned one is as good as any.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a piece written, and waits for that, but not for long.
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

    /// Writes pieces as they come, until that fails; on a thread of its own.
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
    /// For a program that makes one attempt at most, at once; where there may be several, only the last one counts, and nobody
    /// knows which that is before it has ended.
    pub(crate) fn new(ui: &Arc<Ui>, most_attempts: u32) -> Self {
        Self { ui: Arc::clone(ui), stdout: Arc::default(), is_live: most_attempts <= 1 }
    }

    pub(crate) fn listen(&mut self, task: Task) -> Task {
        if !self.is_live {
            return task;
        }
        let of_thread = Arc::clone(&self.stdout);
        let thread = thread::Builder::new().name("stdout".to_owned());
        // Without it, the whole is written at the end.
        self.is_live = thread.spawn(move || of_thread.pass_on()).is_ok();
        if !self.is_live {
            return task;
        }
        let stdout = Arc::clone(&self.stdout);
        task.on_stdout(move |piece| stdout.write(piece))
    }

    /// Ends once nobody can be told any more.
    pub(crate) async fn failed(&self) {
        self.stdout.failed.notified().await;
    }

    /// Waits until all is written that was printed until now, or nothing can be.
    pub(crate) async fn written(&self) {
        while !self.stdout.queue().is_done() {
            self.stdout.written.notified().await;
        }
    }

    /// Writes what was not written while the program ran.
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
