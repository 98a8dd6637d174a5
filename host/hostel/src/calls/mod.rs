//! Calls into the embedding program: on which thread, in which order, and how panics are handled.

mod hook_thread;
pub(crate) mod trampoline;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(crate) use self::hook_thread::{Backlog, HookThread};

/// A call to a hook or callback of the program.
pub(crate) type Call = Box<dyn FnOnce() + Send>;

/// A call of the host itself when a run has ended, on the thread that ended it. It must not block.
pub(crate) type Callback = Box<dyn FnOnce() + Send>;

/// Makes a call. A panic in it is logged and has no other effect.
pub(crate) fn call_safely(call: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(call)) {
        tracing::error!("a hook or callback failed: {}", panic_text(panic.as_ref()));
    }
}

/// Calls code of the program that returns a value. A panic in it is logged, and `None` is returned.
pub(crate) fn ask<T>(question: impl FnOnce() -> T) -> Option<T> {
    let mut answer = None;
    call_safely(|| answer = Some(question()));
    answer
}

/// The message of a panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a panic in the host: {}", text.unwrap_or("without a message"))
}
