//! Journals: stores of runs as data, for work that outlives the program.
//!
//! [`Journal`] is the port; [`MemoryJournal`] implements it in memory, for tests and for programs that need no more.

pub use hostel_core::journal::*;
pub use hostel_core::{
    Amendment, AttemptRecord, DecodeRunError, IllegalFact, InputSpec, ParseTraceParentError, QueueName,
    QueueNameError, RunFacets, RunFact, RunRecord, RunSpec, ScheduleSlot, StoredOutcome, StoredValue, Tags,
    TraceParent, Unique, UniqueError, UniqueMode, WaitFor,
};
pub use hostel_journal::{
    Gathered, JournalCheck, JournalPlace, Left, LogFilter, LogPage, MAX_LOG_LINES, MemoryBounds,
    MemoryJournal, NumberedLine, OpenJournalError, Removed, RunHistory, RunLogs, RunSpan, RunTimes,
    SqliteJournal, TagCounts, remove_old, step_batch,
};
