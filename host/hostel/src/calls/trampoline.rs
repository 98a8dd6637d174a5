//! Calls made one after the other instead of nested.

use std::cell::RefCell;
use std::collections::VecDeque;

use super::{Callback, call_safely};

thread_local! {
    /// The waiting calls of this thread; `None` while none is being made.
    static WAITING: RefCell<Option<VecDeque<Callback>>> = const { RefCell::new(None) };
}

/// Makes the calls, in their order. Calls caused by a call are made after it, not inside it. So a chain of a hundred
/// thousand runs, each ended by the one before, needs no more stack than one.
pub(crate) fn call(calls: impl IntoIterator<Item = Callback>) {
    let is_first = WAITING.with_borrow_mut(|waiting| match waiting {
        Some(waiting) => {
            waiting.extend(calls);
            false
        }
        None => {
            *waiting = Some(calls.into_iter().collect());
            true
        }
    });
    if !is_first {
        return;
    }
    while let Some(call) = WAITING.with_borrow_mut(next) {
        call_safely(call);
    }
}

/// The next call; `None` also ends the loop that makes them.
fn next(waiting: &mut Option<VecDeque<Callback>>) -> Option<Callback> {
    let call = waiting.as_mut().and_then(VecDeque::pop_front);
    if call.is_none() {
        *waiting = None;
    }
    call
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::super::ask;
    use super::*;

    #[test]
    fn calls_are_made_in_order_and_never_nested() {
        let made = Arc::new(Mutex::new(Vec::new()));
        let note = |text: &'static str| {
            let made = Arc::clone(&made);
            move || made.lock().unwrap().push(text)
        };
        let (begin, end, inner, last) = (note("begin"), note("end"), note("inner"), note("last"));
        let first: Callback = Box::new(move || {
            begin();
            call([Box::new(inner) as Callback]);
            end();
        });
        call([first, Box::new(last)]);
        assert_eq!(*made.lock().unwrap(), ["begin", "end", "last", "inner"]);
    }

    #[test]
    fn a_chain_needs_no_stack() {
        fn link(left: u32) -> Callback {
            Box::new(move || {
                if left > 0 {
                    call([link(left - 1)]);
                }
            })
        }
        call([link(1_000_000)]);
    }

    #[test]
    fn a_panic_is_no_answer_and_stops_nothing() {
        assert_eq!(ask(|| -> u32 { panic!("as expected") }), None);
        let panics: Callback = Box::new(|| assert_eq!(1, 2, "as expected"));
        call([panics]);
        assert_eq!(ask(|| 7), Some(7));
    }
}
