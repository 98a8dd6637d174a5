//! Journals: stores of runs that are data, for work that outlives the program.
//!
//! [`Journal`] is the port; [`MemoryJournal`] implements it in memory, for tests and for programs that need no more.

mod memory;
mod shelf;

pub use hostel_core::journal::*;

pub use self::memory::{MemoryBounds, MemoryJournal};
