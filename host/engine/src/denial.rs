//! What a guest was refused: how often, and a remark in the log of how to allow it.

use std::collections::HashSet;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostel_core::GrantKind;

use crate::guest::Guest;
use crate::log::LogBook;

/// How many different remarks one attempt leaves; a guest could try every address there is.
const MAX_REMARKS: usize = 20;

impl Guest {
    /// Counts a denial, and leaves the remark in the log if it is a new one.
    pub(crate) fn deny(&mut self, kind: GrantKind, remark: impl FnOnce() -> String) {
        self.tally.denials.count(kind);
        self.denials().remark(remark());
    }
}

/// The denials of one attempt, for those that do not have the guest at hand. Cheap to clone.
#[derive(Clone)]
pub(crate) struct DenialBook {
    log: Arc<LogBook>,
    pages: Arc<Mutex<Pages>>,
}

#[derive(Default)]
struct Pages {
    remarks: HashSet<String>,
    /// What the guest's tally does not have yet.
    untold: Vec<GrantKind>,
}

impl DenialBook {
    pub(crate) fn new(log: &Arc<LogBook>) -> Self {
        Self { log: Arc::clone(log), pages: Arc::default() }
    }

    /// Notes a denial, to be counted when the guest settles.
    pub(crate) fn note(&self, kind: GrantKind, remark: String) {
        self.pages().untold.push(kind);
        self.remark(remark);
    }

    /// Leaves a remark, unless it was left before or there are too many.
    pub(crate) fn remark(&self, remark: String) {
        let mut pages = self.pages();
        let is_new = pages.remarks.len() < MAX_REMARKS && pages.remarks.insert(remark.clone());
        drop(pages);
        if is_new {
            self.log.remark(remark);
        }
    }

    /// The denials since this was last asked.
    pub(crate) fn take_untold(&self) -> Vec<GrantKind> {
        mem::take(&mut self.pages().untold)
    }

    /// Nothing panics while it holds the lock, so a poisoned one is as good as any.
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_remark_is_left_once_and_only_so_many_are() {
        let log = Arc::new(LogBook::new(1 << 20, None));
        let book = DenialBook::new(&log);
        for number in [1, 2, 1, 2] {
            book.note(GrantKind::Net, format!("{number} was denied"));
        }
        let texts: Vec<_> = log.lines().into_iter().map(|line| line.text).collect();
        assert_eq!(texts, ["1 was denied", "2 was denied"]);
        assert_eq!((book.take_untold().len(), book.take_untold().len()), (4, 0));
        (0..100).for_each(|number| book.remark(number.to_string()));
        assert_eq!(log.lines().len(), MAX_REMARKS);
    }
}
