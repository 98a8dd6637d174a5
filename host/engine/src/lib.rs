//! One attempt of a task, from inputs to outcome, in one fresh sandboxed wasmtime instance.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use hostel_core::{Limits, Value};
//! use hostel_engine::{AttemptOptions, Engine, EngineOptions};
//!
//! # async fn demo() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::new(EngineOptions::default())?;          // once in a process
//! let component = engine.load_file("math.wasm".as_ref())?;      // compiles once; keep it
//! let add = component.function(Some("add-one"))?;
//! let options = Arc::new(AttemptOptions::new(Limits::default()));
//! let attempted = add.attempt(&[Value::S64(41)], &options).await?;
//! println!("{}", attempted.outcome);
//! assert!(attempted.observation.is_reproducible());
//! # Ok(())
//! # }
//! ```
//!
//! - [`Engine`]: settings of compiled code, the pool of instances, the clock tick that makes guests yield. Costs a few
//!   milliseconds and much address space, but not memory. Create one per process.
//! - [`Component`]: validated, compiled and linked. Cheap to clone. Compiling takes tens of milliseconds for a small
//!   component and seconds for one that contains an interpreter. With a compile cache that happens once per machine.
//! - [`Function`]: one export with its signature; [`Function::attempt`] runs it once.
//! - [`Hook`](hostel_core::Hook): a function that a component exports for the host to call, and that is not a task.
//!
//! This is the only crate that names wasmtime. It never retries, caches results or queues: the crate `hostel` does.

mod apart;
mod attempt;
mod boundary;
mod busy;
mod call;
mod compile_cache;
mod compiler;
mod component;
mod config;
mod context;
mod denial;
mod engine;
mod features;
mod files;
mod find;
mod function;
mod guest;
mod linker;
mod load;
mod load_error;
mod log;
mod machine;
mod meter;
mod missing;
mod names;
mod network;
mod notes;
mod observe;
mod options;
mod program;
mod resources;
mod runtime;
mod serve;
mod stdin;
mod surface;
mod survey;
mod text;
mod ticker;
mod tls;
mod turn;
mod types;
mod values;
mod warm;
mod wasi;

pub use apart::{COMPILE_APART, CompileLimit};
pub use attempt::*;
pub use compile_cache::remove_unfinished_code;
pub use component::*;
pub use config::EngineOptions;
pub use engine::*;
pub use files::{OpenDirError, Verdict, check_dirs, verify};
pub use function::*;
pub use load_error::{LoadError, MAX_COMPONENT_BYTES, MAX_TEXT_BYTES};
pub use log::*;
pub use missing::MissingImports;
pub use observe::*;
pub use options::*;
pub use serve::compile_apart;
pub use stdin::Stdin;
pub use survey::{Bound, Excess, code_bytes};
