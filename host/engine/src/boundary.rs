//! Where a guest and the host call each other: what is recorded there, and what is checked.
//!
//! wasmtime provides some things for a guest without telling anyone: a stack for each call of an async function that waits on it, and
//! copies of the values that pass from the guest to the host or from one part of a component to another. The copies last for as long
//! as the guest goes on: in its `realloc`, in its post-return function, or after it has given its result. Stacks are counted here as
//! memory of the host. How large a copy is nobody says, but a large one takes time: after long work for a guest the host looks how much
//! memory its process has, and ends the attempt if that is too much.

use std::cell::Cell;
use std::time::{Duration, Instant};

use wasmtime::CallHook;

use crate::meter::Meter;

/// How long the host works for a guest before it looks. In less it copies a megabyte at most.
const LONG: Duration = Duration::from_micros(100);

/// So many calls of a guest at once are not counted: its function, on the stack that every attempt has, and its `realloc` within.
const FREE_CALLS: u32 = 2;

/// What one guest and the host have called of each other.
pub(crate) struct Boundary {
    /// What a stack takes, if functions are async, each call on a stack of its own, and values pass between the parts of the component.
    of_stack: Option<u64>,
    /// Whether the result may be large.
    has_long_result: bool,
    /// How many calls of the guest have not returned.
    open: u32,
    /// The most that there ever were.
    most_open: u32,
    /// When the host began to work for the guest.
    host_since: Option<Instant>,
}

thread_local! {
    /// When the stretch of computing began that this thread is in, or was last in.
    static BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// A stretch of computing begins on this thread. What the host began before was interrupted.
pub(crate) fn stretch_begins(now: Instant) {
    BEGAN.set(Some(now));
}

impl Boundary {
    pub(crate) const fn new(has_long_result: bool) -> Self {
        Self { of_stack: None, has_long_result, open: 0, most_open: FREE_CALLS, host_since: None }
    }

    /// The component may have async functions, whose stacks take so much each.
    pub(crate) const fn set_async(&mut self, stack_bytes: u64) {
        self.of_stack = Some(stack_bytes);
    }

    /// Called by wasmtime at each crossing.
    ///
    /// # Errors
    ///
    /// If the host has no memory for it: then the meter has refused it.
    pub(crate) fn cross(&mut self, hook: CallHook, meter: &mut Meter) -> wasmtime::Result<()> {
        match hook {
            CallHook::CallingWasm => {
                self.check_host_work(meter)?;
                let stack = self.open();
                if stack.is_some_and(|stack| !meter.grow_beside(stack)) {
                    return Err(wasmtime::Error::msg("no memory for the stack of a call"));
                }
            }
            CallHook::ReturningFromWasm => {
                self.close();
                self.host_begins();
            }
            CallHook::CallingHost if self.of_stack.is_some() => self.host_begins(),
            CallHook::CallingHost => {}
            CallHook::ReturningFromHost => self.check_host_work(meter)?,
        }
        Ok(())
    }

    /// Ends the attempt if the host has worked long for it, and the process has too much memory now.
    fn check_host_work(&mut self, meter: &mut Meter) -> wasmtime::Result<()> {
        if self.has_host_worked() && meter.refuse_if_short() {
            return Err(wasmtime::Error::msg("the process has too much memory"));
        }
        Ok(())
    }

    /// The host begins to work.
    fn host_begins(&mut self) {
        if self.of_stack.is_some() || self.has_long_result {
            self.host_since = Some(Instant::now());
        }
    }

    /// Whether the host has worked for long, without pausing.
    fn has_host_worked(&mut self) -> bool {
        let since = self.host_since.take().filter(|since| BEGAN.get().is_some_and(|began| *since >= began));
        since.is_some_and(|since| since.elapsed() >= LONG)
    }

    /// The guest begins a call. The stack that it needs, if there are more calls than ever before.
    fn open(&mut self) -> Option<u64> {
        self.open += 1;
        let is_more = self.open > self.most_open;
        self.most_open = self.most_open.max(self.open);
        self.of_stack.filter(|_| is_more)
    }

    fn close(&mut self) {
        self.open = self.open.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_beyond_the_free_ones_needs_a_stack_once() {
        let mut boundary = Boundary::new(false);
        boundary.set_async(7);
        let opened: Vec<_> = (0..4).map(|_| boundary.open()).collect();
        assert_eq!(opened, [None, None, Some(7), Some(7)]);
        (0..4).for_each(|_| boundary.close());
        let again: Vec<_> = (0..5).map(|_| boundary.open()).collect();
        assert_eq!(again, [None, None, None, None, Some(7)]);
        let mut sync = Boundary::new(true);
        assert!((0..4).all(|_| sync.open().is_none()));
    }
}
