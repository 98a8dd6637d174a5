//! Attempts that follow a plan instead of executing a guest.
//!
//! The plan is the first input of the run. Attempts are separated by `;`, and the actions of an attempt by `,`, done in
//! order:
//!
//! - `ok N` completes with a number; `sum` with the number, or the sum of the list, that the second input is;
//! - `fail`, `trap`, `timeout` end it with that failure; `lost` with an error of the host; `panic` panics;
//! - `sleep S` waits for S seconds; `hang` waits for ever; `work N` computes for `N` ticks;
//! - `touch` has a side effect that no key covers; `report N` reports progress.
//!
//! The last attempt of a plan is used for all further ones.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hostel_core::{Failure, Observation, Outcome, Progress, Receipt, Touch, Trap, Value};
use hostel_engine::AttemptError;

use crate::attempts::{Attempts, Guest, Order, Report, Watch};
use crate::error::SubmitError;
use crate::run::Run;
use crate::runner::Scheduler;

/// Executes plans.
pub(super) struct Scripted {
    scheduler: Arc<Scheduler<Run>>,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    sleepers: Vec<(Duration, Waker)>,
    hanging: Vec<Waker>,
    begun: u64,
    live: usize,
    most_live: usize,
}

/// One action of an attempt.
#[derive(Clone, Debug)]
enum Act {
    Complete(i64),
    Sum,
    Fail,
    Trap,
    TimeOut,
    Lose,
    Panic,
    Sleep(Duration),
    Hang,
    Work(u32),
    Touch,
    Report(u64),
}

/// An attempt that follows its plan.
struct Planned {
    scheduler: Arc<Scheduler<Run>>,
    inner: Arc<Mutex<Inner>>,
    acts: std::vec::IntoIter<Act>,
    order: Order,
    watch: Watch,
    sleeps_until: Option<Duration>,
    hangs: bool,
    ticks: u32,
    touched: bool,
    ended: bool,
}

impl Scripted {
    pub(super) fn new(scheduler: Arc<Scheduler<Run>>) -> Self {
        Self { scheduler, inner: Arc::default() }
    }

    /// The time of the next sleeper to wake.
    pub(super) fn next_due(&self) -> Option<Duration> {
        lock(&self.inner).sleepers.iter().map(|(due, _)| *due).min()
    }

    /// Wakes the sleepers that are due.
    pub(super) fn wake_due(&self) {
        let now = self.scheduler.now();
        let mut inner = lock(&self.inner);
        let due: Vec<_> = inner.sleepers.extract_if(.., |(due, _)| *due <= now).collect();
        drop(inner);
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// Drops all wakers.
    pub(super) fn forget(&self) {
        let mut inner = lock(&self.inner);
        let wakers = (std::mem::take(&mut inner.sleepers), std::mem::take(&mut inner.hanging));
        drop(inner);
        drop(wakers);
    }

    /// The number of attempts that have begun, and the maximum number that executed at once.
    pub(super) fn counts(&self) -> (u64, usize) {
        let inner = lock(&self.inner);
        (inner.begun, inner.most_live)
    }
}

impl Attempts for Scripted {
    fn check(&self) -> Result<(), SubmitError> {
        Ok(())
    }

    fn begin(&self, order: Order, watch: Watch) -> Guest {
        let Some(Value::String(plan)) = order.inputs.first() else { panic!("expected a plan") };
        let attempts: Vec<_> = plan.split(';').collect();
        let index = (order.number as usize).min(attempts.len()) - 1;
        let acts: Vec<_> = attempts[index].split(',').map(str::trim).map(act).collect();
        let mut inner = lock(&self.inner);
        inner.begun += 1;
        inner.live += 1;
        inner.most_live = inner.most_live.max(inner.live);
        drop(inner);
        Box::pin(Planned {
            scheduler: Arc::clone(&self.scheduler),
            inner: Arc::clone(&self.inner),
            acts: acts.into_iter(),
            order,
            watch,
            sleeps_until: None,
            hangs: false,
            ticks: 0,
            touched: false,
            ended: false,
        })
    }
}

fn act(text: &str) -> Act {
    let (name, argument) = text.split_once(' ').unwrap_or((text, "0"));
    let number =
        || argument.trim().parse::<f64>().unwrap_or_else(|_| panic!("expected a number in {text:?}"));
    match name {
        "ok" => Act::Complete(number() as i64),
        "sum" => Act::Sum,
        "fail" => Act::Fail,
        "trap" => Act::Trap,
        "timeout" => Act::TimeOut,
        "lost" => Act::Lose,
        "panic" => Act::Panic,
        "sleep" => Act::Sleep(Duration::from_secs_f64(number())),
        "hang" => Act::Hang,
        "work" => Act::Work(number() as u32),
        "touch" => Act::Touch,
        "report" => Act::Report(number() as u64),
        _ => panic!("unknown act {text:?}"),
    }
}

impl Future for Planned {
    type Output = Result<Report, AttemptError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            if self.hangs {
                lock(&self.inner).hanging.push(context.waker().clone());
                return Poll::Pending;
            }
            if let Some(due) = self.sleeps_until {
                if self.scheduler.now() < due {
                    lock(&self.inner).sleepers.push((due, context.waker().clone()));
                    return Poll::Pending;
                }
                self.sleeps_until = None;
            }
            if self.ticks > 0 {
                self.ticks -= 1;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            let act = self.acts.next().unwrap_or_else(|| panic!("the plan of an attempt has no end"));
            match act {
                Act::Complete(number) => return self.end(Outcome::Completed(Value::S64(number))),
                Act::Sum => {
                    let sum = sum(self.order.inputs.get(1));
                    return self.end(Outcome::Completed(Value::S64(sum)));
                }
                Act::Fail => {
                    return self.end(Outcome::Failed(Failure::Error(Value::String("no".into()))));
                }
                Act::Trap => return self.end(Outcome::Failed(trap())),
                Act::TimeOut => {
                    let after = Duration::from_secs(1);
                    return self.end(Outcome::Failed(Failure::TimedOut { after }));
                }
                Act::Lose => return self.end(Outcome::Crashed { reason: "the worker was lost".into() }),
                Act::Panic => panic!("as the plan says"),
                Act::Sleep(time) => self.sleeps_until = Some(self.scheduler.now() + time),
                Act::Hang => self.hangs = true,
                Act::Work(ticks) => self.ticks = ticks,
                Act::Touch => {
                    self.touched = true;
                    self.watch.on_touch.iter().for_each(|on_touch| on_touch());
                }
                Act::Report(done) => {
                    let progress = Progress { done, total: None, message: None };
                    self.watch.on_progress.iter().for_each(|on_progress| on_progress(progress.clone()));
                }
            }
        }
    }
}

impl Planned {
    fn end(&mut self, outcome: Outcome) -> Poll<Result<Report, AttemptError>> {
        self.ended = true;
        let observation = if self.touched { touched() } else { Observation::default() };
        Poll::Ready(Ok(Report { outcome, observation, receipt: Box::new(used()) }))
    }
}

impl Drop for Planned {
    fn drop(&mut self) {
        lock(&self.inner).live -= 1;
        if !self.ended {
            self.watch.on_stopped.upgrade().iter().for_each(|watcher| watcher.stopped(used()));
        }
    }
}

/// Every attempt reads one byte.
fn used() -> Receipt {
    let mut receipt = Receipt::default();
    receipt.read_bytes = 1;
    receipt
}

fn trap() -> Failure {
    Failure::Trap(Trap { message: "unreachable".to_owned(), backtrace: Vec::new(), stderr_tail: Vec::new() })
}

fn touched() -> Observation {
    let mut observation = Observation::default();
    observation.add(Touch::Network);
    observation
}

fn sum(input: Option<&Value>) -> i64 {
    match input {
        Some(Value::S64(number)) => *number,
        Some(Value::List(items)) => items.iter().map(|item| sum(Some(item))).sum(),
        Some(Value::Result(Ok(Some(value)))) => sum(Some(value)),
        Some(Value::Result(_)) | None => -1,
        Some(other) => panic!("no number: {other:?}"),
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}
