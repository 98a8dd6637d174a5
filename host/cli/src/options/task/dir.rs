//! `--dir`: directories for the guest.

use hostel::{DirGrant, Grants, OpenDirError, check_dirs, grammar};

use super::Place;
use crate::problem::Problem;

/// The meaning of the colons in a grant.
const COLONS_HINT: &str = "HOST::GUEST gives it another name; :ro or :rw at the end sets the access";

/// Parses `HOST[::GUEST][:rw]`, with the path on the host relative to the place.
pub(super) fn read(text: &str, place: &Place) -> Result<DirGrant, Problem> {
    let grant = grammar::dir(text);
    let grant = grant.map_err(|error| Problem::of(error.kind(), &error).within(&place.name))?;
    Ok(match &place.base {
        Some(base) => grant.below(base),
        None => grant,
    })
}

/// Refuses a directory that cannot be opened.
pub(super) fn check(text: &str, place: &Place) -> Result<(), Problem> {
    let grant = read(text, place)?;
    let has_colon = grant.host().to_string_lossy().contains(':');
    let grants = Grants { dirs: vec![grant], ..Grants::default() };
    check_dirs(&grants).map_err(|error| {
        let hint = (has_colon && matches!(error, OpenDirError::NotFound { .. })).then_some(COLONS_HINT);
        Problem::from(error).within(&place.name).hints_of(hint.map(str::to_owned))
    })
}
