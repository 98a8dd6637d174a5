//! Counts what an instance takes of memory and tables, refuses what is over its limits, and remembers that it did.

use hostel_core::{Limit, LimitKind, Limits};
use wasmtime::ResourceLimiter;

/// The limiter of one attempt.
pub(crate) struct Meter {
    memory: Gauge,
    table_elements: Gauge,
    refused: Option<Limit>,
    /// How many growths failed that nobody has been told of.
    untold: u32,
}

/// How much of something is taken, of how much that is allowed.
struct Gauge {
    taken: u64,
    allowed: u64,
}

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory: Gauge { taken: 0, allowed: limits.memory_bytes },
            table_elements: Gauge { taken: 0, allowed: limits.table_elements },
            refused: None,
            untold: 0,
        }
    }

    /// The limit at which a growth was last refused. The guest may have lived on without it.
    pub(crate) fn refused(&self) -> Option<Limit> {
        self.refused
    }

    /// The most linear memory there was at once: a memory never shrinks.
    pub(crate) fn peak_memory_bytes(&self) -> u64 {
        self.memory.taken
    }

    /// How many growths failed since this was last asked.
    pub(crate) fn take_untold(&mut self) -> u32 {
        std::mem::take(&mut self.untold)
    }

    fn refuse(&mut self, limit: Limit) {
        self.refused = Some(limit);
        self.untold = self.untold.saturating_add(1);
    }
}

impl Gauge {
    /// Whether growing one part from `current` to `desired` stays within what is allowed for all; takes it if so.
    fn take(&mut self, current: usize, desired: usize) -> bool {
        let growth = desired.saturating_sub(current) as u64;
        let taken = self.taken.saturating_add(growth);
        let fits = taken <= self.allowed;
        if fits {
            self.taken = taken;
        }
        fits
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let fits = self.memory.take(current, desired);
        if !fits {
            self.refuse(Limit { kind: LimitKind::Memory, allowed: self.memory.allowed });
        }
        Ok(fits)
    }

    /// The system has no more, or the memory's own type ends here; either counts, since they are not told apart.
    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.untold = self.untold.saturating_add(1);
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let fits = self.table_elements.take(current, desired);
        if !fits {
            self.refuse(Limit { kind: LimitKind::TableElements, allowed: self.table_elements.allowed });
        }
        Ok(fits)
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.untold = self.untold.saturating_add(1);
        Ok(())
    }
}
