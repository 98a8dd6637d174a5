//! All pages of a list, one after the other.

use std::ops::ControlFlow;

use super::{Cursor, Found, Journal, JournalError, Page};
use crate::RunFilter;

/// Calls a function with each page of the runs that match, from this one on and the newest first, until it breaks or there are no more.
/// Returns where the page behind the last one begins; `None` if there is none.
///
/// Reads as many pages as the function takes: the function bounds them, or the runs in the journal do.
///
/// # Errors
///
/// Those of [`Journal::find`] and of the function.
pub fn each_page<E: From<JournalError>>(
    journal: &(impl Journal + ?Sized),
    filter: &RunFilter,
    first: Page,
    mut call: impl FnMut(Found) -> Result<ControlFlow<()>, E>,
) -> Result<Option<Cursor>, E> {
    let mut page = first;
    loop {
        let found = journal.find(filter, page)?;
        let next = found.next;
        match (call(found)?, next) {
            (ControlFlow::Continue(()), Some(_)) => page.after = next,
            (ControlFlow::Continue(()), None) | (ControlFlow::Break(()), _) => return Ok(next),
        }
    }
}
