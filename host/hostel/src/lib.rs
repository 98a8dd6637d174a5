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
//!   times, on any async runtime.
//!
//! A run is one request to run a task. It executes in an instance that nothing else ever sees: its own memory, its
//! own limits, no files, no network but what is granted. It can be cancelled while it runs, and a crash in it stays
//! in it.
//!
//! # Which thread does what
//!
//! Guests run on the host's own worker threads ([`HostBuilder::max_workers`]), never on the caller's. A guest that
//! sleeps or waits holds no thread; a guest that computes for long gives way every few milliseconds.

mod builder;
mod host;

mod component;
mod options;
mod task;

mod args;
mod inputs;

mod attempt;
mod future;
mod run;

mod stream;
mod wait;

mod caller;
mod events;
mod hooks;
mod turns;

mod transaction;
mod undo;

pub mod blocking;

mod error;

mod cache;
mod runner;

pub use args::{Arg, Args, Each, IntoArg, each};
pub use attempt::Attempt;
pub use builder::*;
pub use component::*;
pub use error::*;
pub use events::{EventKind, Events, Missed, RunEvent};
pub use future::*;
pub use host::{Host, Shutdown};
pub use inputs::{Input, IntoInput, allow_failure};
pub use options::{OptionError, Tag};
pub use run::Transition;
pub use runner::RateLimit;
pub use stream::*;
pub use task::Task;
pub use transaction::{
    CommitMode, HookReport, Transaction, TransactionBuilder, TransactionError, TransactionValues,
};
pub use undo::HookFailure;
pub use wait::*;

pub use hostel_core::*;
pub use hostel_engine::{
    Capability, Echo, EngineError, Export, FindError, Hook, Import, LoadError, MAX_COMPONENT_BYTES,
};
