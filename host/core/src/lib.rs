//! The words and rules of Hostel: what a value, a task, a run, a state, an outcome and a cache key *are*.
//!
//! ```
//! use hostel_core::{Event, State, Type, Value};
//!
//! // A value is read under the guidance of a WIT type …
//! let ty = Type::List(Type::S64.into());
//! let value = Value::from_wave("[1, 2, 3]", &ty)?;
//! assert_eq!(value.to_wave(), "[1, 2, 3]");
//!
//! // … and a run moves from state to state by events, in no other way.
//! let state = State::Pending.apply(Event::Started)?;
//! assert_eq!(state, State::Running);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Nothing here does I/O, reads a clock or draws a random number; nothing here knows of wasmtime or of an async
//! runtime. So everything here can be tested with plain tables, and every other crate can build on it.
//!
//! - [`Value`], [`Type`], [`Signature`]: what goes into a task and what comes out, as text, JSON and canonical bytes;
//!   [`Type::may_take`]: whether one task's result can go into another.
//! - [`Digest`], [`ExportPath`], [`TaskKey`], [`TaskRef`], [`RunId`]: how things are named.
//! - [`Tags`]: how runs are labelled. [`grammar`]: how the values of options are written.
//! - [`NameTemplate`]: how a run is named after its inputs.
//! - [`State`] and [`Event`]: the life of a run, as one fold.
//! - [`Outcome`] and [`Failure`]: how a run ended; [`UpstreamChain`]: why one never started.
//! - [`Limits`]: what a task may use up. [`Grants`]: what it is permitted. [`Receipt`]: what it used and asked for.
//! - [`UnknownImports`]: what becomes of a component that imports what the host does not provide.
//! - [`TaskSpec`] and [`RunSpec`]: what can be written down of a task's options and of a run. [`RunRecord`]: all that
//!   happened to a run, as the fold of [`RunFact`]s.
//! - [`RetryPolicy`]: whether another attempt follows, and when.
//! - [`LogLine`], [`Progress`]: what a run tells while it executes.
//! - [`Observation`]: what an attempt touched beside its inputs; [`Determinism`]: clocks and randomness that are no touch.
//! - [`Trace`]: what an attempt read in granted directories, to be asked again.
//! - [`CachePolicy`], [`CacheKey`], [`CacheEntry`], [`CacheLayer`]: which results may stand for which runs.

mod cache;
mod determinism;
mod duration;
mod error_kind;
mod flow;
pub mod grammar;
mod grants;
mod leb128;
mod limits;
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
mod state;
mod tag;
mod task_ref;
mod template;
mod trace;
mod unknown_imports;
mod upstream;
mod value;
mod visible;

pub use cache::*;
pub use determinism::*;
pub use duration::*;
pub use error_kind::*;
pub use flow::*;
pub use grants::*;
pub use limits::*;
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
pub use state::*;
pub use tag::*;
pub use task_ref::*;
pub use template::*;
pub use trace::*;
pub use unknown_imports::*;
pub use upstream::*;
pub use value::*;
pub use visible::*;
