//! The vocabulary and rules of Hostel: values, tasks, runs, states, outcomes and cache keys.
//!
//! ```
//! use hostel_core::{Event, State, Type, Value};
//!
//! // A value is parsed as a WIT type …
//! let ty = Type::List(Type::S64.into());
//! let value = Value::from_wave("[1, 2, 3]", &ty)?;
//! assert_eq!(value.to_wave(), "[1, 2, 3]");
//!
//! // … and only an event moves a run from state to state.
//! let state = State::Pending.apply(Event::Started)?;
//! assert_eq!(state, State::Running);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This crate does no I/O, reads no clock and draws no random numbers, and it depends neither on wasmtime nor on an async
//! runtime. So all of it can be tested with plain tables, and every other crate can build on it.
//!
//! - [`Value`], [`Type`], [`Signature`]: arguments and results of tasks, as text, JSON and canonical bytes;
//!   [`Type::may_take`]: whether the result of one task can be an argument of another.
//! - [`Digest`], [`ExportPath`], [`TaskKey`], [`RunId`]: identities. [`Source`], [`TaskRef`]: references.
//! - [`Manifest`], [`Import`], [`Capability`]: what a component offers and asks for; [`ComponentDiff`]: how two of them differ.
//!   [`ComponentName`], [`ComponentVersion`]: how one is registered.
//! - [`Tags`]: labels of runs. [`grammar`]: the text of options.
//! - [`NameTemplate`]: the name of a run, made from its inputs.
//! - [`State`] and [`Event`]: the life of a run, as one fold.
//! - [`Outcome`] and [`Failure`]: how a run ended; [`UpstreamChain`]: why one never started.
//! - [`Limits`]: the resources that a task may use. [`Grants`]: its permissions. [`Receipt`]: its resource use and requests.
//! - [`UnknownImports`]: how to treat a component with imports that the host does not provide.
//! - [`TaskSpec`] and [`RunSpec`]: a task's options and a run as data. [`RunRecord`]: the history of a run, as the fold of its
//!   [`RunFact`]s.
//! - [`Schedule`]: a task that is submitted again and again.
//! - [`journal`]: the port for storing runs, and the rules of claims, leases and fences.
//! - [`RetryPolicy`]: whether another attempt follows, and when.
//! - [`LogLine`], [`Progress`]: reports of a run while it executes.
//! - [`Observation`]: observed effects of an attempt beyond its inputs; [`Determinism`]: clocks and randomness without such
//!   effects.
//! - [`Trace`]: reads of an attempt in granted directories, which can be repeated.
//! - [`CachePolicy`], [`CacheKey`], [`CacheEntry`], [`CacheLayer`]: which results may replace which runs.

mod cache;
mod component;
mod determinism;
mod duration;
mod error_kind;
mod flow;
pub mod grammar;
mod grants;
pub mod journal;
mod leb128;
mod limits;
mod listed;
mod log;
mod names;
mod observation;
mod outcome;
mod progress;
mod random_bytes;
mod receipt;
mod retry;
mod run;
mod signature;
mod source;
mod state;
mod tag;
mod task_ref;
mod template;
mod thrown;
mod trace;
mod transition;
mod unknown_imports;
mod upstream;
mod value;
mod visible;

pub use cache::*;
pub use component::*;
pub use determinism::*;
pub use duration::*;
pub use error_kind::*;
pub use flow::*;
pub use grants::*;
pub use limits::*;
pub use listed::*;
pub use log::*;
pub use names::*;
pub use observation::*;
pub use outcome::*;
pub use progress::*;
pub use random_bytes::*;
pub use receipt::*;
pub use retry::*;
pub use run::*;
pub use signature::*;
pub use source::*;
pub use state::*;
pub use tag::*;
pub use task_ref::*;
pub use template::*;
pub use thrown::Thrown;
pub use trace::*;
pub use transition::*;
pub use unknown_imports::*;
pub use upstream::*;
pub use value::*;
pub use visible::*;
