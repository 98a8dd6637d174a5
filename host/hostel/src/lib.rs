//! Runs functions of WebAssembly components as tasks: thread-pool price, process-pool isolation, and a cache that
//! cannot lie.
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
//! - [`Host`]: owns the worker threads, the sandbox engine and the cache. Create one per program; building it takes a
//!   few milliseconds. Dropping it stops its work.
//! - [`Component`]: a compiled guest binary. The first load takes tens of milliseconds, a load from the compile cache
//!   less than one.
//! - [`Task`]: one exported function with options. Cheap to clone. Setting an option gives a new task; clones keep
//!   theirs.
//! - [`TaskFuture`]: a handle to one run. Cheap to clone. Any number of tasks or threads can await it, any number of
//!   times, on any async runtime. Programs without a runtime use [`blocking`].
//! - [`Input`]: an argument: a value, the future of another run, or a value with futures inside.
//! - [`Stdin`]: a pipe or another stream that a program (`wasi:cli/run`) reads while it runs.
//! - [`Transaction`]: several runs whose results are committed together or rolled back together.
//! - [`ResultCache`]: the cached results in a data directory, to list, inspect and remove.
//! - [`RemoteCache`]: a bucket or directory through which machines share results.
//! - [`Components`]: the components of a host, by their digests.
//! - [`Runs`]: the runs of a host, to find, count and cancel.
//! - [`Events`]: a stream of state changes, log lines and progress of all runs of a host.
//!
//! A run is one request to run a task. It executes in its own instance, with its own memory and limits. It has no
//! access to files or the network without a grant. It can be cancelled while it executes, and a crash in it affects no
//! other run.
//!
//! # Runs that depend on each other
//!
//! A future can be an argument like any other value. The run waits for it without holding a thread. If the awaited run
//! does not complete, the dependent run never starts and ends as `UpstreamFailed`.
//!
//! ```
//! # use hostel::{Input, State, Task, args, each, results};
//! # async fn demo(add: Task, sum_plus: Task) -> Result<(), Box<dyn std::error::Error>> {
//! let three = add.submit(args![1, 2])?;
//! let sums = add.map(args![each(0..10), &three])?;
//! let all = sum_plus.submit(args![0, Input::list(&sums)])?;
//! let after = add.submit(args![0, 0].wait_for([&all]))?;  // does not use its result
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
//! A failure of the guest is an [`Outcome`], not an error of the host. The run may be retried, each time in a fresh
//! instance. [`TaskFuture::attempts`] and [`TaskFuture::history`] have the record of it, and hooks are called at each
//! step.
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
//! Guests run on the host's worker threads ([`HostBuilder::max_workers`]), never on the caller's. A guest that sleeps
//! or waits holds no thread. A guest that computes for long yields every few milliseconds. Hooks and callbacks run on a
//! separate thread, so they may block and wait for other runs.
//!
//! The directory `examples` has a one-page program for each of these topics.
//!
//! # Words
//!
//! Tasks and runs are described in words of the crate `hostel-core`, which this crate exports in groups:
//!
//! | group | begin with |
//! |---|---|
//! | values and types | [`Value`], [`Type`], [`Signature`], [`IntoValue`], [`FromValue`] |
//! | runs and states | [`State`], [`Outcome`], [`Failure`], [`Transition`], [`Receipt`], [`LogLine`], [`Progress`] |
//! | options as data, by name and as text | [`TaskSpec`], [`OptionKey`], [`grammar`] |
//! | limits, grants, determinism | [`Limits`], [`Grants`], [`Determinism`], [`UnknownImports`] |
//! | retries | [`RetryPolicy`], [`RetryDelay`], [`RetryOn`] |
//! | cache | [`CachePolicy`], [`CacheKey`], [`CacheEntry`], [`FlowRun`], [`Observation`] |
//! | names and digests | [`RunId`], [`new_run_id`], [`TaskKey`], [`Digest`], [`Name`], [`TaskRef`], [`Source`] |
//! | components as data | [`Manifest`], [`Export`], [`Import`], [`Capability`] |
//! | texts for people | [`bytes_text`], [`count_text`], [`duration_text`] |

// From the front to the base: a module uses only those below it. `tests/tests/rules` has the allowed arrows.
pub mod blocking;
mod builder;
mod cached_delay;
mod components;
mod delay;
mod host;
mod recorded;
mod replay;
mod runs;
pub mod schedules;
mod script;
mod verification;
mod worker;

mod component;
mod transaction;
mod undo;

mod args;
mod script_inputs;
mod stream;
mod submit;
mod wait;

mod course;

mod host_state;
mod journal_watch;
mod lazy_journal;
mod options;
mod run;
mod script_call;
mod task;

mod attempts;
mod book;
mod cache;
mod flight;
pub mod journal;
pub mod registry;
mod runner;
mod standing;

mod calls;
mod data_dir;
mod error;
mod events;
mod flow;
mod group;
mod hooks;
mod ids;

#[cfg(test)]
mod tests;

pub use args::{Arg, Args, Each, IntoArg, each, each_of_stream};
pub use builder::*;
pub use cache::{
    CacheHit, CacheMiss, CacheReport, Entries, EntrySummary, GcOptions, GcReport, Kept, KeptResult, LookUp,
    RemoteCache, RemoteCacheError, Removed, ResultCache, ResultCacheError, ResultStats, TaskStats,
    layer_text,
};
pub use component::*;
pub use components::Components;
pub use data_dir::{
    DataDirError, TRUSTED_DIR, create_data_dir, may_replace, open_data_file, reaches_data_dir,
};
pub use delay::{DelayError, DelayOptions, DelayedRun};
pub use error::*;
pub use events::{EventKind, Events, Missed, RunEvent};
pub use flow::begin_flow;
pub use group::{CommitMode, TransactionValues};
pub use host::{Host, Shutdown};
pub use ids::new_run_id;
pub use journal_watch::JournalChanges;
pub use recorded::{MapEnd, MapRecord, Origin};
pub use replay::{Replay, ReplayError};
pub use run::{Attempt, Input, IntoInput, TaskFuture, allow_failure};
pub use runner::RateLimit;
pub use runs::Runs;
pub use script::{Script, ScriptError, ScriptFailure};
pub use stream::*;
pub use task::Task;
pub use transaction::{Transaction, TransactionBuilder};
pub use undo::{HookFailure, HookReport};
pub use verification::{Different, Skipped, Verification, VerifyOptions};
pub use wait::*;
pub use worker::{Worker, WorkerBuilder, WorkerError};

pub use object_store;

// What embedders need of the words and rules, by group.

// Values and types.
pub use hostel_core::{
    ArgumentError, Arguments, AsJson, CallText, CanonicalError, Case, Field, FromValue, IntoValue, Param,
    Problem, Signature, Step, Type, UnknownName, Value, ValueError, ValueReader, json_numbers, parse_json,
};
// Runs and states.
pub use hostel_core::{
    Denials, ErrorKind, Event, Failure, Frame, GrantKind, HostCall, HostCalls, Limit, LimitKind, LogLevel,
    LogLine, LogStream, Observation, Outcome, Progress, Receipt, State, StateType, Timestamp, Touch, Touched,
    Transition, Trap, UpstreamChain, UpstreamRun,
};
// Finding runs.
pub use hostel_core::{
    InputFilter, InputFilterError, QueueName, QueueNameError, RunCounts, RunFilter, StateSet, Unique,
    UniqueError, UniqueMode,
};
// Options by name, and their text.
pub use hostel_core::{
    OptionError, OptionKey, SetError, Tag, TagError, Tags, TaskSpec, ValueForm, check_tag, check_tags,
    grammar,
};
// Limits, grants, determinism.
pub use hostel_core::{
    CONFIG_FILE_NAME, Clock, Determinism, DirAccess, DirGrant, EnvGrant, Grants, GrantsError, HttpGrant,
    HttpScheme, Limits, LimitsError, LookupGrant, NetGrant, ParseDeterminismError, ParseDirGrantError,
    ParseEnvGrantError, ParseHttpGrantError, ParseLookupGrantError, ParseNetGrantError,
    ParseUnknownImportsError, Randomness, Transport, UnknownImports,
};
// Retries.
pub use hostel_core::{FailureKind, ParseRetryOnError, RetryDelay, RetryError, RetryOn, RetryPolicy};
// Cache.
pub use hostel_core::{
    BlobRef, CacheEntry, CacheKey, CachePolicy, Dependencies, FlowRun, ParsePolicyError, PolicyError, Trace,
    TraceRead,
};
// Names and digests.
pub use hostel_core::{
    Digest, ExportPath, Name, NameTemplate, ParseDigestError, ParseRunIdError, ParseTaskRefError, RunId,
    TaskKey, TaskRef, TemplateError,
};
// Components as data.
pub use hostel_core::{
    Capability, CommittedRun, ComponentName, ComponentNameError, ComponentRef, ComponentRefError,
    ComponentVersion, ComponentVersionError, DecodeRunError, Export, FindError, Hook, Import, Manifest,
    ParseSourceError, Source,
};
// Scripts as data.
pub use hostel_core::{
    LANGUAGE_INTERFACE, Language, Passing, ScriptFunction, ScriptManifest, ScriptPackage, ScriptPackageError,
    ScriptParam, result_for_callers,
};
// Texts for people.
pub use hostel_core::{
    MAX_ERROR_CHARS, MAX_FAILURE_CHARS, bytes_text, count_text, duration_text, excerpt_within, is_deceptive,
    listed,
};

pub use hostel_engine::{
    Bound, COMPILE_APART, CompileLimit, Echo, EngineError, Excess, LoadError, MAX_COMPONENT_BYTES,
    MissingImports, OpenDirError, Stdin, check_dirs, code_bytes, compile_apart,
};
