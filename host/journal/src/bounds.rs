//! Bounds that all journals have.

use hostel_core::journal::JournalError;

/// Checks how many parts a request has.
pub(crate) const fn check_count(what: &'static str, count: usize, most: usize) -> Result<(), JournalError> {
    if count <= most { Ok(()) } else { Err(JournalError::TooMany { what, count, most }) }
}
