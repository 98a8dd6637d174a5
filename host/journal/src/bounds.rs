//! Bounds that all journals have.

use hostel_core::journal::{ClaimRequest, JournalError, MAX_CLAIMED, MAX_LEFT_OUT};

/// Checks how many parts a request has.
pub(crate) const fn check_count(what: &'static str, count: usize, most: usize) -> Result<(), JournalError> {
    if count <= most { Ok(()) } else { Err(JournalError::TooMany { what, count, most }) }
}

/// Checks the numbers in a claim.
pub(crate) fn check_claim(claim: &ClaimRequest) -> Result<(), JournalError> {
    check_count("claims", claim.limit, MAX_CLAIMED)?;
    check_count("tasks left out of a claim", claim.without.len(), MAX_LEFT_OUT)
}
