//! Counts the memory and the tables of an instance, refuses growth over its limits, and records each refusal. Counts what else the
//! host has for guests, and decides whether there is room for another one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hostel_core::{Limit, LimitKind, Limits};
use wasmtime::ResourceLimiter;

use crate::machine;

/// An attempt may hold this many times the free memory of the host: see [`SharedMemory`].
const SHARE: u64 = 4;

/// While less than this part of the memory is free, no attempt begins beside others.
const LEAST_FREE: u64 = 64;

/// An element of a table.
const ELEMENT_BYTES: u64 = 8;

/// So much of the tables of an attempt is not counted as memory of the host, and the rest in steps of as much.
const TABLE_STEP: u64 = 4 << 10;

/// What the buffers of one attempt may take without being counted, and the steps in which the rest is.
const BUFFER_STEP: u64 = 16 << 10;

/// The memory of all attempts together: linear memory, large arguments and tables, and the host's buffers for what guests print.
///
/// No attempt may hold more than [`SHARE`] times the memory that is free. So some memory is left however many attempts take all
/// they can get, and late attempts get as much as early ones: of `n` greedy attempts each ends up with
/// `SHARE / (SHARE * n + 1)` of all memory. Switches share buffers between their ports in the same way: A. K.
/// Choudhury and E. L. Hahne, "Dynamic queue length thresholds for shared-memory packet switches", IEEE/ACM Transactions
/// on Networking 6 (1998), pages 130 to 140.
///
/// When next to nothing is free, attempts wait before they begin: otherwise they would begin, and fail when they grow.
pub(crate) struct SharedMemory {
    allowed: u64,
    taken: AtomicU64,
    /// What the stacks of all attempts may take: as much as all their memory.
    stacks: AtomicU64,
    /// The most memory that the process should have, for guests and for anything else.
    of_process: Option<u64>,
    /// Whether it has more.
    is_short: AtomicBool,
}

/// An attempt that may begin. Dropping it lets others begin.
pub(crate) struct Admitted<'a> {
    shared: &'a SharedMemory,
    stack: u64,
}

impl SharedMemory {
    pub(crate) const fn new(allowed: u64) -> Self {
        Self {
            allowed,
            taken: AtomicU64::new(0),
            stacks: AtomicU64::new(0),
            of_process: None,
            is_short: AtomicBool::new(false),
        }
    }

    /// The same, with a bound on the memory of the process.
    pub(crate) const fn of_process(self, most: Option<u64>) -> Self {
        Self { of_process: most, ..self }
    }

    /// Lets an attempt begin whose stack may take so much: if no other has begun, or if there is memory for it.
    pub(crate) fn admit(&self, stack: u64) -> Option<Admitted<'_>> {
        let admitted = |stacks: u64| {
            let with_it = stacks.saturating_add(stack);
            (stacks == 0 || (with_it <= self.allowed && self.has_room())).then_some(with_it)
        };
        let admitted = self.stacks.fetch_update(Ordering::AcqRel, Ordering::Acquire, admitted);
        admitted.ok().map(|_| Admitted { shared: self, stack })
    }

    /// Whether there is memory for another attempt.
    pub(crate) fn has_room(&self) -> bool {
        let free = self.allowed.saturating_sub(self.taken());
        free >= self.allowed / LEAST_FREE && !self.is_short.load(Ordering::Relaxed)
    }

    /// Whether an attempt other than the one whose stack takes so much has begun.
    pub(crate) fn has_others(&self, stack: u64) -> bool {
        self.stacks.load(Ordering::Acquire) > stack
    }

    /// Finds out whether the process has more memory than it should have, which takes some microseconds, and keeps the answer. Without one of
    /// the system, it has not. Returns whether it had before and has no longer.
    pub(crate) fn look(&self) -> bool {
        let bytes = self.of_process.and_then(|most| Some(machine::process_bytes()? > most));
        self.set_short(bytes.unwrap_or_default())
    }

    fn set_short(&self, is_short: bool) -> bool {
        self.is_short.swap(is_short, Ordering::Relaxed) && !is_short
    }

    /// The limit that refuses what is beyond all memory.
    const fn limit(&self) -> Limit {
        Limit { kind: LimitKind::HostMemory, allowed: self.allowed }
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

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.shared.stacks.fetch_sub(self.stack, Ordering::AcqRel);
    }
}

/// The memory that the host's buffers for one attempt take, counted in steps. Dropping it gives it back.
pub(crate) struct Buffers {
    shared: Arc<SharedMemory>,
    held: u64,
}

impl Buffers {
    fn new(shared: &Arc<SharedMemory>) -> Self {
        Self { shared: Arc::clone(shared), held: 0 }
    }

    /// What takes the memory for so many bytes in all, or refuses it with a limit. Dropping it gives all back.
    pub(crate) fn taking(
        shared: &Arc<SharedMemory>,
    ) -> impl FnMut(u64) -> Result<(), Limit> + Send + 'static {
        let mut buffers = Self::new(shared);
        move |bytes| buffers.grow_to(bytes)
    }

    /// Takes as much as is missing for so many bytes in all; they never become fewer.
    ///
    /// # Errors
    ///
    /// The limit of the memory of all attempts.
    fn grow_to(&mut self, bytes: u64) -> Result<(), Limit> {
        let missing = bytes.saturating_sub(self.held);
        if missing <= BUFFER_STEP {
            return Ok(());
        }
        let more = missing.next_multiple_of(BUFFER_STEP);
        if !self.shared.take(self.held, more) {
            return Err(self.shared.limit());
        }
        self.held += more;
        Ok(())
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        if self.held > 0 {
            self.shared.give_back(self.held);
        }
    }
}

/// The limiter of one attempt. Dropping it gives the attempt's memory back.
pub(crate) struct Meter {
    shared: Arc<SharedMemory>,
    /// What the host has for the guest while it runs, beside its linear memory: arguments, tables, sets of headers.
    beside: u64,
    /// The part of it for tables.
    tables: u64,
    memory: Gauge,
    table_elements: Gauge,
    instances: usize,
    refused: Option<Limit>,
    has_begun: bool,
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
            beside: 0,
            tables: 0,
            memory: Gauge::new(LimitKind::Memory, limits.memory_bytes),
            table_elements: Gauge::new(LimitKind::TableElements, limits.table_elements),
            instances: usize::try_from(limits.instances).unwrap_or(usize::MAX),
            refused: None,
            has_begun: false,
            untold: 0,
        }
    }

    /// The limit that refused the last growth. The guest may have continued without that growth.
    pub(crate) fn refused(&self) -> Option<Limit> {
        self.refused
    }

    /// The instance exists.
    pub(crate) const fn begin(&mut self) {
        self.has_begun = true;
    }

    /// Whether the memory of all attempts had no room for the instance itself.
    pub(crate) fn has_no_room(&self) -> bool {
        !self.has_begun && self.refused == Some(self.shared.limit())
    }

    /// The peak of linear memory: a memory never shrinks.
    pub(crate) fn peak_memory_bytes(&self) -> u64 {
        self.memory.taken
    }

    /// The number of failed growths since the last call.
    pub(crate) fn take_untold(&mut self) -> u32 {
        std::mem::take(&mut self.untold)
    }

    /// Takes memory of the host for the guest, which it has until it ends; `false` if that is not allowed now.
    pub(crate) fn take_beside(&mut self, bytes: u64) -> bool {
        let is_taken = self.shared.take(self.held(), bytes);
        self.beside += if is_taken { bytes } else { 0 };
        is_taken
    }

    /// The same for something that the guest asks for: a refusal counts like one of growth.
    pub(crate) fn grow_beside(&mut self, bytes: u64) -> bool {
        let is_taken = self.take_beside(bytes);
        if !is_taken {
            self.refuse(self.shared.limit());
        }
        is_taken
    }

    /// Refuses everything if the process has more memory than it should have.
    pub(crate) fn refuse_if_short(&mut self) -> bool {
        if self.shared.of_process.is_none() {
            return false;
        }
        self.shared.look();
        let is_short = self.shared.is_short.load(Ordering::Relaxed);
        if is_short {
            self.refuse(self.shared.limit());
        }
        is_short
    }

    /// Everything that counts for this attempt.
    const fn held(&self) -> u64 {
        self.memory.taken + self.beside
    }

    fn grow_memory(&mut self, growth: u64) -> bool {
        let refused = match self.memory.after(growth) {
            Err(limit) => limit,
            Ok(_) if !self.shared.take(self.held(), growth) => self.shared.limit(),
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
            Ok(taken) => self.take_table(taken),
            Err(limit) => {
                self.refuse(limit);
                false
            }
        }
    }

    /// Counts the tables when they have so many elements.
    fn take_table(&mut self, elements: u64) -> bool {
        let missing = elements.saturating_mul(ELEMENT_BYTES).saturating_sub(self.tables);
        if missing >= TABLE_STEP {
            if !self.grow_beside(missing) {
                return false;
            }
            self.tables += missing;
        }
        self.table_elements.taken = elements;
        true
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
        if self.held() > 0 {
            self.shared.give_back(self.held());
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

    #[test]
    fn an_attempt_begins_beside_others_while_there_is_room() {
        let shared = SharedMemory::new(64 * 10);
        let first = shared.admit(10_000).unwrap();
        assert!(shared.admit(1).is_none(), "the stacks take all");
        drop(first);
        let first = shared.admit(320).unwrap();
        assert!(!shared.has_others(320));
        let second = shared.admit(320).unwrap();
        assert!(shared.has_others(320) && shared.admit(1).is_none());
        drop(second);
        assert!(shared.take(0, 500) && shared.take(0, 100));
        assert!(shared.admit(1).is_some());
        assert!(shared.take(0, 31));
        assert!(shared.admit(1).is_none(), "less than a sixty-fourth is free");
        drop(first);
        assert!(shared.admit(1).is_some(), "nobody else has begun");
        shared.give_back(631);
        let first = shared.admit(1).unwrap();
        assert!(!shared.set_short(true));
        assert!(shared.admit(1).is_none());
        assert!(shared.set_short(false) && !shared.set_short(false));
        assert!(shared.admit(1).is_some());
        drop(first);
    }

    #[test]
    fn buffers_are_counted_in_steps_and_given_back() {
        let shared = Arc::new(SharedMemory::new(100 * BUFFER_STEP));
        let mut buffers = Buffers::new(&shared);
        buffers.grow_to(BUFFER_STEP).unwrap();
        assert_eq!(shared.taken(), 0);
        buffers.grow_to(BUFFER_STEP + 1).unwrap();
        assert_eq!(shared.taken(), 2 * BUFFER_STEP);
        buffers.grow_to(3 * BUFFER_STEP).unwrap();
        buffers.grow_to(1).unwrap();
        assert_eq!(shared.taken(), 2 * BUFFER_STEP);
        assert_eq!(buffers.grow_to(90 * BUFFER_STEP), Err(shared.limit()));
        drop(buffers);
        assert_eq!(shared.taken(), 0);
    }

    #[test]
    fn large_tables_are_memory_of_the_host() {
        let shared = Arc::new(SharedMemory::new(1 << 20));
        let mut meter = Meter::new(&Limits::default(), &shared);
        assert!(meter.grow_table(500));
        assert_eq!(shared.taken(), 0);
        assert!(meter.grow_table(500));
        assert_eq!(shared.taken(), 8_000, "however often it grows");
        assert!(meter.grow_table(49_000));
        assert_eq!(shared.taken(), 400_000);
        let mut other = Meter::new(&Limits::default(), &shared);
        assert!(other.grow_table(50_000) && !other.grow_table(50_000));
        assert_eq!(other.refused(), Some(shared.limit()));
        drop((meter, other));
        assert_eq!(shared.taken(), 0);
    }
}
