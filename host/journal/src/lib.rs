//! Stores of runs as data: drivers of the port [`Journal`](hostel_core::journal::Journal).
//!
//! - [`MemoryJournal`]: nothing of it outlives the program.
//! - [`registry`]: components, and their names and versions, beside the journal.
//! - [`SqliteJournal`]: a file in a data directory, which outlives programs and machines, and which several processes share.
//!
//! [`RunLogs`] stores the logs of runs beside it, and [`RunHistory`] takes in runs that ended outside a worker.

mod bounds;
mod connection;
mod error;
mod files;
mod history;
mod history_logs;
mod leftovers;
mod logs;
mod memory;
mod place;
mod private;
mod readers;
pub mod registry;
mod sqlite;
mod upkeep;

pub use self::error::OpenJournalError;
pub use self::files::{data_dirs, is_data_file};
pub use self::history::{Gathered, Left, RunHistory};
pub use self::leftovers::remove_unfinished;
pub use self::logs::{LogFilter, LogPage, MAX_LOG_LINES, NumberedLine, RunLogs};
pub use self::memory::{MemoryBounds, MemoryJournal};
pub use self::place::JournalPlace;
#[doc(hidden)]
pub use self::sqlite::JournalHooks;
pub use self::sqlite::{
    DueSchedule, FireSchedule, Fired, FiredSlot, JournalCheck, MAX_FIRED, MAX_SCHEDULES, RunSpan, RunTimes,
    SlotEnd, SqliteJournal, StoredSchedule, TagCounts,
};
pub use self::upkeep::{Removed, remove_old, step_batch};
