//! Counts the memory and the tables of an instance, refuses growth over its limits, and records each refusal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hostel_core::{Limit, LimitKind, Limits};
use wasmtime::ResourceLimiter;

/// An attempt may hold this many times the free memory of the host: see [`SharedMemory`].
const SHARE: u64 = 4;

/// The linear memory of all attempts together.
///
/// No attempt may hold more than [`SHARE`] times the memory that is free. So some memory is left however many attempts take all
/// they can get, and late attempts get as much as early ones: of `n` greedy attempts each ends up with
/// `SHARE / (SHARE * n + 1)` of all memory. Switches share buffers between their ports in the same way: A. K.
/// Choudhury and E. L. Hahne, "Dynamic queue length thresholds for shared-memory packet switches", IEEE/ACM Transactions
/// on Networking 6 (1998), pages 130 to 140.
pub(crate) struct SharedMemory {
    allowed: u64,
    taken: AtomicU64,
}

impl SharedMemory {
    pub(crate) const fn new(allowed: u64) -> Self {
        Self { allowed, taken: AtomicU64::new(0) }
    }

    /// Takes `growth` more for an attempt that holds `held`, if that is allowed.
    fn take(&self, held: u64, growth: u64) -> bool {
        let grown = |taken: u64| {
            let taken = taken.checked_add(growth)?;
            let free = self.allowed.checked_sub(taken)?;
            (held.saturating_add(growth) <= free.saturating_mul(SHARE)).then_some(taken)
        };
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).is_ok()
    }

    fn give_back(&self, held: u64) {
        self.taken.fetch_sub(held, Ordering::Relaxed);
    }

    /// The memory of all live attempts.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

/// The limiter of one attempt. Dropping it gives the attempt's memory back.
pub(crate) struct Meter {
    shared: Arc<SharedMemory>,
    /// What the host has for the arguments while the guest runs.
    arguments: u64,
    memory: Gauge,
    table_elements: Gauge,
    instances: usize,
    refused: Option<Limit>,
    /// The number of failed growths that are not yet reported as touches.
    untold: u32,
}

/// The used and the allowed amount of a resource.
struct Gauge {
    kind: LimitKind,
    taken: u64,
    allowed: u64,
}

impl Meter {
    pub(crate) fn new(limits: &Limits, shared: &Arc<SharedMemory>) -> Self {
        Self {
            shared: Arc::clone(shared),
            arguments: 0,
            memory: Gauge::new(LimitKind::Memory, limits.memory_bytes),
            table_elements: Gauge::new(LimitKind::TableElements, limits.table_elements),
            instances: usize::try_from(limits.instances).unwrap_or(usize::MAX),
            refused: None,
            untold: 0,
        }
    }

    /// The limit that refused the last growth. The guest may have continued without that growth.
    pub(crate) fn refused(&self) -> Option<Limit> {
        self.refused
    }

    /// The peak of linear memory: a memory never shrinks.
    pub(crate) fn peak_memory_bytes(&self) -> u64 {
        self.memory.taken
    }

    /// The number of failed growths since the last call.
    pub(crate) fn take_untold(&mut self) -> u32 {
        std::mem::take(&mut self.untold)
    }

    /// Takes what the host has for the arguments; `false` if that is not allowed now. To be called once.
    pub(crate) fn take_arguments(&mut self, bytes: u64) -> bool {
        let is_taken = self.shared.take(0, bytes);
        self.arguments = if is_taken { bytes } else { 0 };
        is_taken
    }

    fn grow_memory(&mut self, growth: u64) -> bool {
        let refused = match self.memory.after(growth) {
            Err(limit) => limit,
            Ok(_) if !self.shared.take(self.memory.taken + self.arguments, growth) => {
                Limit { kind: LimitKind::HostMemory, allowed: self.shared.allowed }
            }
            Ok(taken) => {
                self.memory.taken = taken;
                return true;
            }
        };
        self.refuse(refused);
        false
    }

    fn grow_table(&mut self, growth: u64) -> bool {
        match self.table_elements.after(growth) {
            Ok(taken) => {
                self.table_elements.taken = taken;
                true
            }
            Err(limit) => {
                self.refuse(limit);
                false
            }
        }
    }

    fn refuse(&mut self, limit: Limit) {
        self.refused = Some(limit);
        self.untold = self.untold.saturating_add(1);
    }
}

impl Gauge {
    const fn new(kind: LimitKind, allowed: u64) -> Self {
        Self { kind, taken: 0, allowed }
    }

    /// Whether the type of the memory or table forbids a growth: then no limit is involved, and the growth fails on every host.
    /// Where the type has no maximum, `maximum` is that of the pool, which has room for the highest limit.
    fn can_never_be(&self, desired: usize, maximum: Option<usize>) -> bool {
        maximum.is_some_and(|most| desired > most && (most as u64) < self.allowed)
    }

    /// The amount after a growth, or the limit that forbids the growth.
    fn after(&self, growth: u64) -> Result<u64, Limit> {
        let taken = self.taken.saturating_add(growth);
        if taken <= self.allowed { Ok(taken) } else { Err(Limit { kind: self.kind, allowed: self.allowed }) }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let held = self.memory.taken + self.arguments;
        if held > 0 {
            self.shared.give_back(held);
        }
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if self.memory.can_never_be(desired, maximum) {
            return Ok(false);
        }
        Ok(self.grow_memory(desired.saturating_sub(current) as u64))
    }

    /// The system has no more memory, or the type of the memory ends here. Both count, because wasmtime does not say which.
    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.untold = self.untold.saturating_add(1);
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if self.table_elements.can_never_be(desired, maximum) {
            return Ok(false);
        }
        Ok(self.grow_table(desired.saturating_sub(current) as u64))
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.untold = self.untold.saturating_add(1);
        Ok(())
    }

    fn instances(&self) -> usize {
        self.instances
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes one piece after another for an attempt, and returns the number of pieces.
    fn greedy(shared: &SharedMemory, held: &mut u64) -> u64 {
        let mut pieces = 0;
        while shared.take(*held, 1) {
            *held += 1;
            pieces += 1;
        }
        pieces
    }

    #[test]
    fn something_is_left_however_many_are_greedy() {
        let shared = SharedMemory::new(1000);
        let mut holds = [0; 10];
        // They take turns until none of them gets more.
        loop {
            let before = shared.taken();
            for held in &mut holds {
                if shared.take(*held, 1) {
                    *held += 1;
                }
            }
            if shared.taken() == before {
                break;
            }
        }
        let share = 1000 * SHARE / (SHARE * 10 + 1);
        assert!(holds.iter().all(|&held| held == share || held == share + 1), "{holds:?}");
        let mut late = 0;
        assert_eq!(greedy(&shared, &mut late), (1000 - holds.iter().sum::<u64>()) * SHARE / (SHARE + 1));
        holds.iter().for_each(|&held| shared.give_back(held));
        shared.give_back(late);
        assert_eq!(shared.taken(), 0);
    }

    #[test]
    fn one_alone_gets_most_of_it() {
        let shared = SharedMemory::new(1000);
        assert!(!shared.take(0, 1001));
        assert!(!shared.take(0, u64::MAX));
        assert!(shared.take(0, 800));
        assert!(!shared.take(800, 1));
        assert!(shared.take(0, 160));
    }
}
