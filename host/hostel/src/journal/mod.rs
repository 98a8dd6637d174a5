//! Journals: stores of runs as data, for work that outlives the program.
//!
//! [`Journal`] is the port; [`MemoryJournal`] implements it in memory, for tests and for programs that need no more.

mod memory;
mod shelf;

pub use hostel_core::journal::*;
pub use hostel_core::{
    AttemptRecord, DecodeRunError, IllegalFact, InputSpec, RunFacets, RunFact, RunRecord, RunSpec,
    StoredOutcome, StoredValue, Tags, WaitFor,
};

pub use self::memory::{MemoryBounds, MemoryJournal};
