//! Decides when and where attempts execute: a bounded queue, and worker threads that poll guests.
//!
//! A guest is a future. It is *pending* until a worker picks it up, and is then polled until it ends. Meanwhile it may
//! *wait*, which holds no thread until something wakes it, or compute for a whole tick and be *preempted*. [`queue`]
//! decides which guest comes next. [`work`] decides which thread may access a guest.
//!
//! A run without a guest that is not pending is *parked*: it waits for other runs, for the time of its next attempt, or
//! for a slot of a limit, which [`gates`] decides. [`admission`] moves runs between these places.

mod admission;
mod clock;
mod gates;
mod parking;
mod places;
mod queue;
mod scheduler;
mod wakes;
mod work;
mod workers;

pub use gates::RateLimit;

pub(crate) use admission::Entry;
#[cfg(test)]
pub(crate) use clock::Clock;
pub(crate) use gates::TagLimit;
pub(crate) use places::Places;
pub(crate) use queue::Bounds;
pub(crate) use scheduler::{PushError, Scheduler};
pub(crate) use wakes::wake;
pub(crate) use work::{Phase, Polled, Position, Woken, Work};
pub(crate) use workers::Runner;
