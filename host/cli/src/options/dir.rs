//! `--dir`: directories for the guest, and where each was written: only the system tells whether they are there.

use std::path::Path;

use hostel::grammar::{self, OptionTextError};
use hostel::{DirGrant, Grants, OpenDirError, check_dirs};

use crate::problem::Problem;

/// What the colons in a grant are for.
const COLONS_HINT: &str = "HOST::GUEST gives it another name; :ro or :rw at the end says the access";

/// A directory as it is written, and where.
#[derive(Clone, Debug)]
pub(crate) struct Dir {
    grant: DirGrant,
    place: String,
}

impl Dir {
    /// Reads `HOST[::GUEST][:rw]` that stands in `place`.
    pub(crate) fn new(text: &str, place: String) -> Result<Self, OptionTextError> {
        Ok(Self { grant: grammar::dir(text)?, place })
    }

    pub(crate) fn grant(&self) -> DirGrant {
        self.grant.clone()
    }

    /// The same, with its place on the host counted from `base`.
    pub(crate) fn below(self, base: &Path) -> Self {
        Self { grant: self.grant.below(base), ..self }
    }

    /// Refuses a directory that cannot be opened.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        let grants = Grants { dirs: vec![self.grant()], ..Grants::default() };
        check_dirs(&grants).map_err(|error| {
            let has_colon = self.grant.host().to_string_lossy().contains(':');
            let hint = (has_colon && matches!(error, OpenDirError::NotFound { .. })).then_some(COLONS_HINT);
            Problem::from(error).within(&self.place).hints_of(hint.map(str::to_owned))
        })
    }
}

/// Reads a directory of the command line.
pub(crate) fn typed(text: &str) -> Result<Dir, OptionTextError> {
    Dir::new(text, "--dir".to_owned())
}
