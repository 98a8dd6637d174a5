//! What a program prints, passed on to stdout while it runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostel::{Outcome, Task, TaskFuture};
use tokio::sync::Notify;

use crate::output::printed::printed;
use crate::problem::Stop;
use crate::states::attempt_count;
use crate::ui::Ui;

/// Passes on what a program prints.
pub(crate) struct Printing {
    ui: Arc<Ui>,
    stdout: Arc<Stdout>,
    /// Whether it is passed on at once.
    is_live: bool,
}

/// Stdout, until it fails.
#[derive(Default)]
struct Stdout {
    error: Mutex<Option<Stop>>,
    failed: Notify,
}

impl Stdout {
    /// Nothing panics while it holds the lock, so a poisoned one is as good as any.
    fn error(&self) -> MutexGuard<'_, Option<Stop>> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Printing {
    /// For a program that makes one attempt at most, at once; where there may be several, only the last one counts, and nobody
    /// knows which that is before it has ended.
    pub(crate) fn new(ui: &Arc<Ui>, most_attempts: u32) -> Self {
        Self { ui: Arc::clone(ui), stdout: Arc::default(), is_live: most_attempts <= 1 }
    }

    pub(crate) fn listen(&self, task: Task) -> Task {
        if !self.is_live {
            return task;
        }
        let (ui, stdout) = (Arc::clone(&self.ui), Arc::clone(&self.stdout));
        task.on_stdout(move |piece| {
            if let Err(error) = ui.result(&[piece]).and_then(|()| ui.flush()) {
                stdout.error().get_or_insert(error);
                stdout.failed.notify_one();
            }
        })
    }

    /// Ends once nobody can be told any more.
    pub(crate) async fn failed(&self) {
        self.stdout.failed.notified().await;
    }

    /// Writes what was not written while the program ran.
    pub(crate) fn finish(&self, run: &TaskFuture, outcome: Option<&Outcome>) -> Result<(), Stop> {
        if self.is_live && attempt_count(run) > 0 {
            return self.stdout.error().take().map_or(Ok(()), Err);
        }
        if let Some(Outcome::Completed(value)) = outcome {
            return printed(value).map_or(Ok(()), |stdout| self.ui.result(&[stdout.0]));
        }
        let attempts = run.attempts();
        attempts.last().map_or(Ok(()), |attempt| self.ui.result(&[&attempt.stdout]))
    }
}
