//! Blocking counterparts of the async functions, for programs without an async runtime.
//!
//! Hosts, components, tasks and futures are the same types as in the rest of the crate, and most of their methods do
//! not wait. This module has the functions that wait, on the calling thread. Do not call them on a thread of an async
//! runtime. They may be called on the host's own thread for hooks and callbacks: the workers go on meanwhile, even if
//! there is only one.
//!
//! ```
//! use hostel::{Host, args, blocking};
//!
//! # let path = hostel_guests::ARITH;
//! let host = Host::builder().max_workers(1).build()?;
//! let add = blocking::load(&host, path)?.task("add")?;
//! let future = add.submit(args![40, 2])?;
//! assert_eq!(blocking::result::<i64>(&future)?, 42);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use futures_core::Stream;
use hostel_core::{FromValue, Outcome};
use hostel_engine::LoadError;

use crate::{
    AsCompleted, AsCompletedWithin, Component, HookReport, Host, MapStream, ResultError, ReturnWhen,
    Shutdown, TaskFuture, Transaction, TransactionError,
};

/// Loads a component: [`Host::load`].
///
/// # Errors
///
/// [`LoadError`] for a file that cannot be read or is not a valid component.
pub fn load(host: &Host, path: impl AsRef<Path>) -> Result<Component, LoadError> {
    block_on(host.load(path))
}

/// Loads a component from its bytes: [`Host::load_bytes`].
///
/// # Errors
///
/// [`LoadError`] if the bytes are not a valid component.
pub fn load_bytes(host: &Host, bytes: impl Into<Vec<u8>>) -> Result<Component, LoadError> {
    block_on(host.load_bytes(bytes))
}

/// Waits for the value of a run: [`TaskFuture::result`].
///
/// # Errors
///
/// [`ResultError`] if the run did not complete, or completed with a value that does not fit the type.
pub fn result<T: FromValue>(future: &TaskFuture) -> Result<T, ResultError> {
    block_on(future.result())
}

/// Waits for the value of a run for at most `timeout`: [`TaskFuture::result_timeout`].
///
/// # Errors
///
/// As [`result`], and [`ResultError::NotYet`].
pub fn result_timeout<T: FromValue>(future: &TaskFuture, timeout: Duration) -> Result<T, ResultError> {
    block_on(future.result_timeout(timeout))
}

/// Waits for the values of several runs: [`crate::results`].
///
/// # Errors
///
/// [`ResultError`] of the first run that failed.
pub fn results<T: FromValue>(futures: &[TaskFuture]) -> Result<Vec<T>, ResultError> {
    block_on(crate::results(futures))
}

/// Waits for the error of a run: [`TaskFuture::exception`].
///
/// # Errors
///
/// [`ResultError::Cancelled`] if the run was cancelled.
pub fn exception(future: &TaskFuture) -> Result<Option<ResultError>, ResultError> {
    block_on(future.exception())
}

/// Waits for a run to end, with any outcome: [`TaskFuture::outcome`].
pub fn outcome(future: &TaskFuture) -> Arc<Outcome> {
    block_on(future.outcome())
}

/// Waits for several runs: [`crate::wait()`].
pub fn wait(
    futures: &[TaskFuture],
    when: ReturnWhen,
    timeout: Option<Duration>,
) -> (Vec<TaskFuture>, Vec<TaskFuture>) {
    block_on(crate::wait(futures, when, timeout))
}

/// Returns the runs as they end: [`crate::as_completed`].
pub fn as_completed(futures: impl IntoIterator<Item = TaskFuture>) -> Iter<AsCompleted> {
    Iter(crate::as_completed(futures))
}

/// Returns the runs as they end, for at most `timeout`: [`crate::as_completed_within`].
pub fn as_completed_within(
    futures: impl IntoIterator<Item = TaskFuture>,
    timeout: Duration,
) -> Iter<AsCompletedWithin> {
    Iter(crate::as_completed_within(futures, timeout))
}

/// Returns the runs of a map one after the other: [`crate::Task::map_stream`].
pub fn iterate(map: MapStream) -> Iter<MapStream> {
    Iter(map)
}

/// Shuts a host down: [`Host::shutdown`].
pub fn shutdown(host: &Host, how: Shutdown) {
    block_on(host.shutdown(how));
}

/// Does `work`, and then waits for every run submitted in it: [`Host::scope`].
pub fn scope<T>(host: Host, work: impl FnOnce(&Host) -> T) -> T {
    block_on(host.scope(async |host| work(host)))
}

/// Commits a transaction: [`Transaction::commit`].
///
/// # Errors
///
/// [`TransactionError`] if it was rolled back.
pub fn commit(transaction: &Transaction) -> Result<HookReport, TransactionError> {
    block_on(transaction.commit())
}

/// Rolls a transaction back: [`Transaction::rollback`].
pub fn rollback(transaction: &Transaction) -> HookReport {
    block_on(transaction.rollback())
}

/// An iterator over a stream that waits for items on the calling thread.
#[derive(Debug)]
pub struct Iter<S>(S);

impl<S: Stream + Unpin> Iterator for Iter<S> {
    type Item = S::Item;

    fn next(&mut self) -> Option<S::Item> {
        let stream = &mut self.0;
        block_on(std::future::poll_fn(|context| std::pin::Pin::new(&mut *stream).poll_next(context)))
    }
}

/// Polls a future on this thread until it is ready.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        /// One waker for all waits of a thread, so that a run that is polled repeatedly recognises it.
        static WAKER: Waker = Waker::from(Arc::new(Unpark(thread::current())));
    }
    let mut future = pin!(future);
    let waker = WAKER.with(Waker::clone);
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            // Returns immediately if the waker was called since the poll. May also return spuriously.
            Poll::Pending => thread::park(),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}
