//! Embedding: what a program sees of its runs, from submitting them to their results.

#![cfg(test)]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test has one variant in mind")]

mod auto;
mod blocked;
mod caching;
mod cancelling;
mod components;
mod depending;
mod finding;
mod honesty;
mod hooking;
#[cfg(target_os = "linux")]
mod hostile;
mod keeping;
mod leasing;
mod limiting;
mod listening;
mod machines;
mod mapping;
mod naming;
mod protecting;
mod receipts;
mod results;
mod retrying;
mod scheduling;
mod serving;
mod sharing;
mod shutting_down;
mod standard_input;
mod standing;
mod submitting;
mod transacting;
mod verifying;
mod waiting;

use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_executor::block_on;
use hostel::{CachePolicy, Host, HostBuilder, LogLine, State, Task, TaskFuture};
use tokio::sync::mpsc;

fn host(workers: usize) -> Host {
    build(Host::builder().max_workers(workers))
}

fn build(builder: HostBuilder) -> Host {
    builder.max_instances(200).build().unwrap()
}

/// A task that is not cached: each of its runs executes.
fn task(host: &Host, path: &str, name: &str) -> Task {
    block_on(host.load(path)).unwrap().task(name).unwrap().cache(CachePolicy::NONE)
}

/// The names of the states a run came to.
fn states(future: &TaskFuture) -> Vec<State> {
    future.history().into_iter().map(|transition| transition.state).collect()
}

/// Gives the worker its turn until the run has begun.
fn until_running(future: &TaskFuture) {
    while !future.running() {
        std::thread::yield_now();
    }
}

/// A task that tells of every line it prints, so that tests wait for events and not for time.
fn telling(task: Task) -> (Task, mpsc::UnboundedReceiver<String>) {
    let (send, receive) = mpsc::unbounded_channel();
    (task.log_prints(move |line| _ = send.send(line.text.clone())), receive)
}

/// What a hook or callback tells next. One that never does fails the test instead of hanging it.
#[track_caller]
fn told<T>(receive: &Receiver<T>) -> T {
    receive.recv_timeout(Duration::from_secs(60)).unwrap()
}

/// The lines that were printed, in order.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<String>>>);

impl Printed {
    fn echo(&self) -> impl Fn(&LogLine) + Send + Sync + use<> {
        let printed = self.clone();
        move |line| printed.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.text.clone())
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
