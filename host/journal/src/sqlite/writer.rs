//! The thread that writes: many operations in one transaction, answered when that is committed.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hostel_core::journal::JournalError;
use rusqlite::Connection;

use super::bell::Bell;
use super::blobs::Blobs;
use super::names::Names;
use super::writing::{Hook, Writing};
use crate::error::{Fault, MediumError, medium};
use crate::place::JournalPlace;

/// The most operations of one transaction.
const MAX_OPERATIONS: usize = 512;

/// How long a transaction takes in further operations.
const MAX_TIME: Duration = Duration::from_millis(5);

/// The most operations that wait. Those who bring more wait until there is room.
const MAX_WAITING: usize = 4_096;

/// The writer of a journal in this process. Dropping it waits for the operations that it has.
pub(super) struct Writer {
    jobs: Option<SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

/// An operation on its way through the writer.
trait Job: Send {
    /// Executes it, from the start again if an earlier transaction was rolled back.
    fn execute(&mut self, writing: &mut Writing<'_>) -> Result<(), MediumError>;

    /// Answers: what it was refused with or has done, or why the transaction failed.
    fn answer(self: Box<Self>, committed: Result<(), JournalError>);
}

struct Operation<T, F> {
    operate: F,
    answer: Option<Result<T, JournalError>>,
    reply: SyncSender<Result<T, JournalError>>,
}

impl<T, F> Job for Operation<T, F>
where
    T: Send,
    F: FnMut(&mut Writing<'_>) -> Result<T, Fault> + Send,
{
    fn execute(&mut self, writing: &mut Writing<'_>) -> Result<(), MediumError> {
        self.answer = match (self.operate)(writing) {
            Ok(answer) => Some(Ok(answer)),
            Err(Fault::Refused(error)) => Some(Err(error)),
            Err(Fault::Medium(error)) => return Err(error),
        };
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), JournalError>) {
        let answer = match (committed, self.answer) {
            (Ok(()), Some(answer)) => answer,
            (Err(error), _) => Err(error),
            (Ok(()), None) => Err(ended()),
        };
        // Nobody waits for it any more: that changes nothing.
        let _ = self.reply.send(answer);
    }
}

fn ended() -> JournalError {
    medium("write", "its writer has ended")
}

impl Writer {
    pub(super) fn start(
        db: Connection,
        blobs: Blobs,
        hook: Option<Hook>,
        bell: Arc<Bell>,
        place: JournalPlace,
    ) -> std::io::Result<Self> {
        let (jobs, received) = mpsc::sync_channel(MAX_WAITING);
        let mut group = Group { db, blobs, hook, names: Names::default(), bell, place };
        let thread =
            thread::Builder::new().name("hostel-journal".into()).spawn(move || group.serve(&received))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Executes an operation, and returns its answer when it is committed.
    pub(super) fn write<T: Send + 'static>(
        &self,
        operate: impl FnMut(&mut Writing<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, JournalError> {
        let (reply, answer) = mpsc::sync_channel(1);
        let job = Box::new(Operation { operate, answer: None, reply });
        self.jobs.as_ref().ok_or_else(ended)?.send(job).map_err(|_| ended())?;
        answer.recv().map_err(|_| ended())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // It has panicked: its callers know that already.
            let _ = thread.join();
        }
    }
}

/// What the thread has.
struct Group {
    db: Connection,
    blobs: Blobs,
    hook: Option<Hook>,
    names: Names,
    bell: Arc<Bell>,
    place: JournalPlace,
}

impl Group {
    fn serve(&mut self, jobs: &Receiver<Box<dyn Job>>) {
        while let Ok(first) = jobs.recv() {
            self.step("received");
            let mut executed = Vec::new();
            let outcome = self.transaction(first, jobs, &mut executed);
            self.step("committed");
            self.bell.ring();
            match outcome {
                Ok(()) => executed.into_iter().for_each(|job| job.answer(Ok(()))),
                Err(error) if executed.len() == 1 => answer_all(executed, &error),
                // One of them failed, and must not fail the others.
                Err(_) => executed.into_iter().for_each(|job| self.alone(job)),
            }
        }
    }

    fn step(&self, name: &'static str) {
        if let Some(hook) = &self.hook {
            hook(name);
        }
    }

    /// Executes an operation in a transaction of its own.
    fn alone(&mut self, job: Box<dyn Job>) {
        let (_, no_more) = mpsc::sync_channel(0);
        let mut executed = Vec::new();
        match self.transaction(job, &no_more, &mut executed) {
            Ok(()) => executed.into_iter().for_each(|job| job.answer(Ok(()))),
            Err(error) => answer_all(executed, &error),
        }
    }

    /// Executes operations in one transaction, and commits it. If that fails, nothing has changed.
    fn transaction(
        &mut self,
        first: Box<dyn Job>,
        more: &Receiver<Box<dyn Job>>,
        executed: &mut Vec<Box<dyn Job>>,
    ) -> Result<(), MediumError> {
        if let Err(error) = self.db.execute_batch("BEGIN IMMEDIATE") {
            executed.push(first);
            return Err(Arc::new(error));
        }
        let committed = self.execute(first, more, executed).and_then(|()| self.commit());
        // What is written to a file that was removed is lost with this process, and must not be answered as stored.
        let committed = committed.and_then(|()| {
            self.place.check().map_err(|gone| {
                self.place.discard_gap();
                Arc::new(gone) as MediumError
            })
        });
        if committed.is_err() {
            // It may have been rolled back by the failure.
            let _ = self.db.execute_batch("ROLLBACK");
            self.names.forget();
        }
        committed
    }

    fn execute(
        &mut self,
        first: Box<dyn Job>,
        more: &Receiver<Box<dyn Job>>,
        executed: &mut Vec<Box<dyn Job>>,
    ) -> Result<(), MediumError> {
        let began = Instant::now();
        let begun = Writing::new(&self.db, &mut self.names, &self.blobs, self.hook.as_ref());
        let mut writing = match begun {
            Ok(writing) => writing,
            Err(error) => {
                executed.push(first);
                return Err(Arc::new(error));
            }
        };
        let mut next = Some(first);
        while let Some(mut job) = next {
            let outcome = job.execute(&mut writing);
            executed.push(job);
            outcome?;
            let has_room = executed.len() < MAX_OPERATIONS && began.elapsed() < MAX_TIME;
            next = if has_room { more.try_recv().ok() } else { None };
        }
        writing.finish().map_err(|error| Arc::new(error) as MediumError)
    }

    fn commit(&self) -> Result<(), MediumError> {
        self.step("executed");
        self.db.execute_batch("COMMIT").map_err(|error| Arc::new(error) as MediumError)
    }
}

fn answer_all(jobs: Vec<Box<dyn Job>>, error: &MediumError) {
    jobs.into_iter().for_each(|job| job.answer(Err(medium("write", Arc::clone(error)))));
}
