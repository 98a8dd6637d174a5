//! Decides when and where attempts execute: a bounded queue, and worker threads that poll guests.
//!
//! A guest is a future. It is *pending* until a worker takes it up; then it is polled, until it ends. In between it
//! may *wait*, and hold no thread until something wakes it, or it may compute for a whole tick and be *preempted*.
//! Which guest comes next is decided in [`queue`]; who may touch a guest is decided in [`job`].

mod job;
mod queue;
mod workers;

pub(crate) use job::Job;
pub(crate) use queue::Bounds;
pub(crate) use workers::{PushError, Runner, Shared, panic_text};
