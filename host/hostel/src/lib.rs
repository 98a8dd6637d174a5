//! Functions of WebAssembly components as tasks: thread-pool price, process-pool isolation, and a cache that cannot
//! lie.
//!
//! ```
//! use hostel::{Host, args, each};
//!
//! # async fn demo() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = hostel_guests::ARITH;
//! let host = Host::builder().max_workers(2).build()?;
//! let math = host.load(path).await?;              // compiles once; keep it
//! let add = math.task("add")?;
//!
//! let future = add.submit(args![41, 1])?;         // returns at once; runs in a sandbox of its own
//! let value: i64 = future.result().await?;
//! assert_eq!(value, 42);
//!
//! let sums = add.map(args![each(0..100), 1])?;    // `each` is mapped, the rest stays
//! assert_eq!(sums[99].result::<i64>().await?, 100);
//! # Ok(())
//! # }
//! # futures_executor::block_on(demo()).unwrap();
//! ```
//!
//! # The nouns
//!
//! - [`Host`]: owns the worker threads, the sandbox engine, the cache. One in a program; a few milliseconds to build.
//!   Dropping it stops its work.
//! - [`Component`]: a guest binary, compiled. Tens of milliseconds the first time, under one from the compile cache.
//! - [`Task`]: one exported function with options. Cheap to clone; options give a new task and leave the old one.
//! - [`TaskFuture`]: a handle to one run. Cheap to clone; can be awaited by any number of people, any number of
//!   times, on any async runtime; without one, see [`blocking`].
//! - [`Input`]: an argument: a value, another run's future, or a value with futures inside.
//! - [`Stdin`]: a pipe or another stream that a program (`wasi:cli/run`) reads while it runs.
//! - [`Transaction`]: several runs whose results become visible together, or are undone together.
//! - [`ResultCache`]: the results that are kept in a data directory, to look at and to remove.
//! - [`RemoteCache`]: a bucket or directory through which machines share results.
//! - [`Runs`]: the runs of a host, to find, count and cancel.
//! - [`Events`]: what happens to the runs of a host, for whoever wants to look on.
//!
//! A run is one request to run a task. It executes in an instance that nothing else ever sees: its own memory, its
//! own limits, no files, no network but what is granted. It can be cancelled while it runs, and a crash in it stays
//! in it.
//!
//! # Runs that depend on each other
//!
//! A future is an argument like any other. The run waits for it, which holds no thread, and never starts if the other one
//! does not complete: it is `UpstreamFailed` then.
//!
//! ```
//! # use hostel::{Input, State, Task, args, each, results};
//! # async fn demo(add: Task, sum_plus: Task) -> Result<(), Box<dyn std::error::Error>> {
//! let three = add.submit(args![1, 2])?;
//! let sums = add.map(args![each(0..10), &three])?;
//! let all = sum_plus.submit(args![0, Input::list(&sums)])?;
//! let after = add.submit(args![0, 0].wait_for([&all]))?;  // takes nothing of it
//! assert_eq!(all.result::<i64>().await?, 75);
//! # after.outcome().await;
//! # assert_eq!(after.state(), State::Completed);
//! # Ok(())
//! # }
//! # let host = hostel::Host::builder().max_workers(1).build().unwrap();
//! # let task = |path, name| hostel::blocking::load(&host, path).unwrap().task(name).unwrap();
//! # let (add, sum_plus) = (task(hostel_guests::ARITH, "add"), task(hostel_guests::SUM_PLUS, "sum-plus"));
//! # futures_executor::block_on(demo(add, sum_plus)).unwrap();
//! ```
//!
//! # When something fails
//!
//! A failure of the guest is an [`Outcome`], not an error of the host. It may be retried, in a fresh instance each time;
//! [`TaskFuture::attempts`] and [`TaskFuture::history`] tell how it went, and hooks are told as it goes.
//!
//! ```
//! # use std::time::Duration;
//! # use hostel::{RetryDelay, State, Task, args};
//! # async fn demo(process_data: Task) -> Result<(), Box<dyn std::error::Error>> {
//! let process_data = process_data
//!     .timeout(Duration::from_secs(10))
//!     .retries(3)
//!     .retry_delay(RetryDelay::Exponential(Duration::from_millis(1)))
//!     .on_failure(|run, _| eprintln!("{} has failed after {} attempts", run.name(), run.attempts().len()));
//! let future = process_data.submit(args![-1])?;
//! assert_eq!(future.outcome().await.to_string(), r#"returned the error "Cannot process negative value: -1""#);
//! assert_eq!((future.state(), future.attempts().len()), (State::Failed, 4));
//! # Ok(())
//! # }
//! # let host = hostel::Host::builder().max_workers(1).build().unwrap();
//! # let batch = hostel::blocking::load(&host, hostel_guests::BATCH).unwrap();
//! # futures_executor::block_on(demo(batch.task("process-data").unwrap())).unwrap();
//! ```
//!
//! # Which thread does what
//!
//! Guests run on the host's own worker threads ([`HostBuilder::max_workers`]), never on the caller's. A guest that
//! sleeps or waits holds no thread; a guest that computes for long gives way every few milliseconds. Hooks and callbacks
//! are called on one more thread that is there for nothing else, so they may block, and wait for other runs.
//!
//! The directory `examples` has a program of one page for each of these.

// From the front to the base: a module uses those below it. `tests/tests/rules` has the allowed arrows.
pub mod blocking;
mod builder;
mod host;
mod runs;
mod verification;

mod component;
mod transaction;
mod undo;

mod args;
mod stream;
mod submit;
mod wait;

mod course;

mod host_state;
mod options;
mod run;
mod task;

mod attempts;
mod book;
mod cache;
mod flight;
pub mod journal;
mod runner;

mod calls;
mod data_dir;
mod error;
mod events;
mod flow;
mod group;
mod hooks;
mod ids;
mod tag;

#[cfg(test)]
mod sim;

pub use args::{Arg, Args, Each, IntoArg, each, each_of_stream};
pub use builder::*;
pub use cache::{
    CacheHit, CacheMiss, CacheReport, Entries, EntrySummary, GcOptions, GcReport, Kept, KeptResult, LookUp,
    RemoteCache, RemoteCacheError, Removed, ResultCache, ResultCacheError, ResultStats, TaskStats,
    layer_text,
};
pub use component::*;
pub use data_dir::{DataDirError, TRUSTED_DIR, create_data_dir, may_replace, reaches_data_dir};
pub use error::*;
pub use events::{EventKind, Events, Missed, RunEvent};
pub use flow::begin_flow;
pub use group::{CommitMode, TransactionValues};
pub use host::{Host, Shutdown};
pub use run::{Attempt, Input, IntoInput, TaskFuture, allow_failure};
pub use runner::RateLimit;
pub use runs::Runs;
pub use stream::*;
pub use tag::{Tag, check_tag};
pub use task::Task;
pub use transaction::{Transaction, TransactionBuilder};
pub use undo::{HookFailure, HookReport};
pub use verification::{Different, Skipped, Verification, VerifyOptions};
pub use wait::*;

pub use object_store;

pub use hostel_core::*;
pub use hostel_engine::{
    Bound, Capability, Echo, EngineError, Excess, Export, FindError, Hook, Import, LoadError,
    MAX_COMPONENT_BYTES, MissingImports, OpenDirError, Stdin, check_dirs,
};
