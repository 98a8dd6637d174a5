//! Stores of runs as data: drivers of the port [`Journal`](hostel_core::journal::Journal).
//!
//! - [`MemoryJournal`]: nothing of it outlives the program.
//! - [`registry`]: components, and their names and versions, beside the journal.
//! - [`SqliteJournal`]: a file in a data directory, which outlives programs and machines, and which several processes share.

mod bounds;
mod memory;
pub mod registry;
mod sqlite;

pub use self::memory::{MemoryBounds, MemoryJournal};
#[doc(hidden)]
pub use self::sqlite::JournalHooks;
pub use self::sqlite::{JournalCheck, OpenJournalError, SqliteJournal};
