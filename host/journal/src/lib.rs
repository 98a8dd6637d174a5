//! Stores of runs as data: drivers of the port [`Journal`](hostel_core::journal::Journal).
//!
//! - [`MemoryJournal`]: nothing of it outlives the program.

mod memory;

pub use self::memory::{MemoryBounds, MemoryJournal};
