//! Decides when and where attempts execute: a bounded queue, and worker threads that poll guests.
//!
//! A guest is a future. It is *pending* until a worker takes it up; then it is polled, until it ends. In between it
//! may *wait*, and hold no thread until something wakes it, or it may compute for a whole tick and be *preempted*.
//! Which guest comes next is decided in [`queue`]; who may touch a guest is decided in [`work`].
//!
//! A run without a guest that is not pending is *parked*: it waits for other runs, for the time of its next attempt, or
//! for a slot of a limit, which [`gates`] decides. How runs come and go between these is in [`admission`].

mod admission;
mod clock;
mod gates;
mod parking;
mod queue;
mod scheduler;
mod work;
mod workers;

pub use gates::RateLimit;

pub(crate) use admission::Entry;
#[cfg(test)]
pub(crate) use clock::Clock;
pub(crate) use gates::TagLimit;
pub(crate) use queue::Bounds;
pub(crate) use scheduler::{PushError, Scheduler};
pub(crate) use work::{Phase, Polled, Position, Woken, Work};
pub(crate) use workers::Runner;
